// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <malloc.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/kvm_inplace.h"
#include "vmm/range.h"
#include "vmm/terminal.h"

/* Who may; the main thread always, but for CERTS (it has more) and QUOTES. */
#define MAIN	SANDBOX_MAIN
#define LOOP	(MAIN | SANDBOX_LOOP)
#define DEVICES (MAIN | SANDBOX_DEVICES)
#define CERTS	SANDBOX_CERTS
#define QUOTES	SANDBOX_QUOTES
#define VCPU	(MAIN | SANDBOX_VCPU)
#define ALL	(LOOP | VCPU)

/* A call, and for those with an argument to look at, which of its values. */
struct rule {
	int call;
	unsigned int roles;
	unsigned int argument; /* 1..: compared under @mask; 0: all may pass */
	uint64_t mask;
	uint64_t value;
};

#define CALL(name) .call = SCMP_SYS(name)
#define CALL_IF(name, nth, bits, wanted) \
	CALL(name), .argument = (nth), .mask = (bits), .value = (wanted)
/* The kernel looks at the low 32 bits of both. */
#define IOCTL(request) CALL_IF(ioctl, 2, UINT32_MAX, request)
#define PRCTL(option)  CALL_IF(prctl, 1, UINT32_MAX, option)

/* In place of a value: the number of this process. */
#define OWN_PID UINT64_MAX

static const struct rule rules[] = {
	/* Virtual machines: made and torn down by the main thread, run by the vCPUs. */
	{IOCTL(KVM_RUN), .roles = VCPU},
	{IOCTL(KVM_GET_REGS), .roles = VCPU},  /* what a failed guest was doing */
	{IOCTL(KVM_GET_SREGS), .roles = VCPU}, /* idem */
	{IOCTL(KVM_IOEVENTFD), .roles = ALL},  /* the guest moves a BAR or resets a device */
	{IOCTL(KVM_SIGNAL_MSI), .roles = ALL},
	/* Conversions, by the vCPU that asks. */
	{IOCTL(KVM_SET_MEMORY_ATTRIBUTES), .roles = VCPU},
	{IOCTL(ALCOVE_KVM_SET_MEMORY_ATTRIBUTES2), .roles = VCPU},
	{IOCTL(KVM_CHECK_EXTENSION), .roles = MAIN},
	{IOCTL(KVM_GET_SUPPORTED_CPUID), .roles = MAIN},
	{IOCTL(KVM_GET_VCPU_MMAP_SIZE), .roles = MAIN},
	{IOCTL(KVM_CREATE_VM), .roles = MAIN},
	{IOCTL(KVM_ENABLE_CAP), .roles = MAIN},
	{IOCTL(KVM_SET_TSS_ADDR), .roles = MAIN},
	{IOCTL(KVM_SET_IDENTITY_MAP_ADDR), .roles = MAIN},
	/* The guest moves a BAR of an assigned device. */
	{IOCTL(KVM_SET_USER_MEMORY_REGION2), .roles = DEVICES},
	{IOCTL(KVM_CREATE_GUEST_MEMFD), .roles = MAIN},
	{IOCTL(KVM_CREATE_VCPU), .roles = MAIN},
	{IOCTL(KVM_SET_CPUID2), .roles = MAIN},
	{IOCTL(KVM_SET_REGS), .roles = MAIN},
	{IOCTL(KVM_SET_SREGS), .roles = MAIN},
	{IOCTL(KVM_SET_MSRS), .roles = MAIN},
	{IOCTL(KVM_SET_MP_STATE), .roles = MAIN},
	/* SEV-SNP and TDX: until the launch ends. */
	{IOCTL(KVM_MEMORY_ENCRYPT_OP), .roles = MAIN},
	{IOCTL(KVM_GET_DEVICE_ATTR), .roles = MAIN},
	{IOCTL(KVM_SET_DEBUGREGS), .roles = MAIN},
	{IOCTL(KVM_SET_XSAVE), .roles = MAIN},

	/* Assigned devices: taken by the main thread, driven by the guest. */
	{IOCTL(KVM_CREATE_DEVICE), .roles = MAIN},
	{IOCTL(KVM_SET_DEVICE_ATTR), .roles = MAIN},
	{IOCTL(KVM_SET_GSI_ROUTING), .roles = DEVICES},
	{IOCTL(KVM_IRQFD), .roles = DEVICES},
	{IOCTL(VFIO_DEVICE_SET_IRQS), .roles = DEVICES},
	{IOCTL(VFIO_DEVICE_BIND_IOMMUFD), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_GET_INFO), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_GET_REGION_INFO), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_GET_IRQ_INFO), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_RESET), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_PCI_HOT_RESET), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_ATTACH_IOMMUFD_PT), .roles = MAIN},
	{IOCTL(VFIO_DEVICE_DETACH_IOMMUFD_PT), .roles = MAIN},
	{IOCTL(IOMMU_IOAS_ALLOC), .roles = MAIN},
	{IOCTL(IOMMU_DESTROY), .roles = MAIN},
	{IOCTL(IOMMU_OPTION), .roles = MAIN},
	{IOCTL(IOMMU_VFIO_IOAS), .roles = MAIN},
	{IOCTL(IOMMU_IOAS_ALLOW_IOVAS), .roles = MAIN},
	{IOCTL(IOMMU_IOAS_IOVA_RANGES), .roles = MAIN},
	/* Conversions take memory from devices and give it to them. */
	{IOCTL(IOMMU_IOAS_MAP), .roles = DEVICES},
	{IOCTL(IOMMU_IOAS_UNMAP), .roles = DEVICES},
	{IOCTL(VFIO_IOMMU_UNMAP_DMA), .roles = DEVICES},
	{CALL(readlink), .roles = MAIN},   /* sysfs */
	{CALL(getdents64), .roles = MAIN}, /* idem */

	/* The terminal is restored by whichever thread a fatal signal finds. */
	{IOCTL(TCGETS), .roles = ALL},
	{IOCTL(TCSETS), .roles = ALL},
	{IOCTL(TCGETS2), .roles = ALL}, /* glibc 2.42 and later */
	{IOCTL(TCSETS2), .roles = ALL}, /* idem */
	{IOCTL(TIOCGPGRP), .roles = ALL},
	{CALL(getpgrp), .roles = ALL},

	/* Files: opened by the main thread, read and written through io_uring or at once. */
	{CALL(openat), .roles = MAIN},
	{CALL(newfstatat), .roles = MAIN},
	{CALL(statx), .roles = MAIN},
	{CALL(lseek), .roles = MAIN},
	/* Registers of assigned devices; disk images; certificates. */
	{CALL(pread64), .roles = DEVICES | CERTS},
	{CALL(pwrite64), .roles = DEVICES},
	{CALL(flock), .roles = MAIN},
	{CALL(fcntl), .roles = MAIN}, /* locks of disk images */
	{CALL_IF(fcntl, 2, UINT32_MAX, F_OFD_SETLK), .roles = CERTS},
	{IOCTL(BLKGETSIZE64), .roles = MAIN},
	{IOCTL(BLKSSZGET), .roles = MAIN},
	{IOCTL(BLKPBSZGET), .roles = MAIN},
	{CALL(fstat), .roles = LOOP}, /* stdio, before its first write */
	{CALL(memfd_create), .roles = MAIN},
	{CALL(ftruncate), .roles = MAIN},
	{CALL(fallocate), .roles = ALL},  /* discard, of a disk or of half a page pair */
	{CALL(fdatasync), .roles = LOOP}, /* flush */
	{CALL(readv), .roles = LOOP},
	{CALL(writev), .roles = ALL}, /* last words of glibc: a broken heap or stack */
	{CALL(preadv), .roles = LOOP},
	{CALL(pwritev), .roles = LOOP},
	{CALL(read), .roles = ALL},  /* eventfds, terminals */
	{CALL(write), .roles = ALL}, /* idem; messages */
	{CALL(close), .roles = ALL},

	/* The control socket: opened before the sandbox closes, served by the loop. */
	{CALL(accept4), .roles = LOOP},
	{CALL_IF(getsockopt, 3, UINT32_MAX, SO_PEERCRED), .roles = LOOP},
	{CALL(unlinkat), .roles = MAIN},

	/* The quote generation service of a TD. */
	{CALL_IF(socket, 1, UINT32_MAX, AF_UNIX), .roles = QUOTES},
	{CALL_IF(socket, 1, UINT32_MAX, AF_VSOCK), .roles = QUOTES},
	{CALL(connect), .roles = QUOTES},

	/* Waiting, and waking who waits. */
	{CALL(io_uring_setup), .roles = MAIN},
	{CALL(io_uring_register), .roles = MAIN},
	/* loop_run */
	{CALL_IF(io_uring_register, 2, UINT32_MAX, IORING_REGISTER_ENABLE_RINGS),
	 .roles = LOOP},
	{CALL(io_uring_enter), .roles = LOOP},
	{CALL(eventfd2), .roles = DEVICES}, /* of an interrupt the guest turns on */
	{CALL(signalfd4), .roles = MAIN},
	{CALL(timerfd_create), .roles = MAIN},
	{CALL(timerfd_settime), .roles = MAIN},
	{CALL(rt_sigtimedwait), .roles = MAIN},
	{CALL(poll), .roles = ALL},
	{CALL(ppoll), .roles = ALL},
	{CALL(futex), .roles = ALL},
	{CALL(sched_yield), .roles = ALL},
	{CALL(clock_nanosleep), .roles = ALL},
	{CALL(restart_syscall), .roles = ALL}, /* after a stop, by the kernel itself */

	/* Memory: malloc, the guest's RAM, stacks. Nothing executable comes in. */
	{CALL(brk), .roles = ALL},
	{CALL(munmap), .roles = ALL},
	{CALL(mremap), .roles = ALL},
	{CALL(madvise), .roles = ALL},
	{CALL_IF(mmap, 3, PROT_EXEC, 0), .roles = ALL},
	{CALL_IF(mprotect, 3, PROT_EXEC, 0), .roles = ALL},

	/* Threads. */
	{CALL(clone), .roles = MAIN},
	{CALL(clone3), .roles = MAIN},
	{CALL(rseq), .roles = MAIN},
	{CALL(set_robust_list), .roles = MAIN},
	{CALL(sched_getaffinity), .roles = MAIN}, /* pthread_create */
	{CALL(prlimit64), .roles = MAIN},	  /* idem: the size of a stack */
	{CALL(seccomp), .roles = MAIN},
	{PRCTL(PR_SET_NO_NEW_PRIVS), .roles = MAIN},
	{PRCTL(PR_SET_NAME), .roles = MAIN},
	{PRCTL(PR_GET_NAME), .roles = ALL}, /* for our own last words */
	{CALL(gettid), .roles = ALL},
	{CALL(exit), .roles = ALL},
	{CALL(exit_group), .roles = ALL},

	/* Signals. */
	{CALL(getpid), .roles = ALL},
	/* A vCPU is called out of the guest; raise. */
	{CALL_IF(tgkill, 1, UINT32_MAX, OWN_PID), .roles = ALL},
	{CALL(rt_sigaction), .roles = ALL},
	{CALL(rt_sigprocmask), .roles = ALL},
	{CALL(rt_sigreturn), .roles = ALL},
	{CALL(sigaltstack), .roles = ALL}, /* AddressSanitizer, around threads; harmless */

	/* Time and chance; the clock where the vDSO cannot tell it. */
	{CALL(clock_gettime), .roles = ALL},
	{CALL(getrandom), .roles = ALL},
};

enum { CALLS_MAX = 512 };

/* For a signal handler, which cannot ask libseccomp: that would allocate. */
static const char *call_names[CALLS_MAX];

/* Appends as much of @text as fits; snprintf is not for signal handlers. */
static size_t text_append(char *buffer, size_t used, size_t size_bytes, const char *text)
{
	while (*text && used < size_bytes)
		buffer[used++] = *text++;
	return used;
}

static size_t number_append(char *buffer, size_t used, size_t size_bytes, unsigned int number)
{
	char digits[12];
	char *start = digits + sizeof(digits) - 1;

	*start = '\0';
	do {
		*--start = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return text_append(buffer, used, size_bytes, start);
}

static void violation_handle(int signal, siginfo_t *info, void *context)
{
	unsigned int call = (unsigned int)info->si_syscall;
	char thread[16] = "";
	char line[256];
	size_t used = 0;

	(void)signal;
	(void)context;
	terminal_restore();
	prctl(PR_GET_NAME, thread);
	used = text_append(line, used, sizeof(line), "alcove: sandbox: forbidden system call ");
	if (call < CALLS_MAX && call_names[call]) {
		used = text_append(line, used, sizeof(line), call_names[call]);
		used = text_append(line, used, sizeof(line), "/");
	}
	used = number_append(line, used, sizeof(line), call);
	used = text_append(line, used, sizeof(line), " in thread ");
	used = text_append(line, used, sizeof(line), thread);
	used = text_append(line, used, sizeof(line),
			   "; report it, or run with --sandbox=log\n");
	(void)!write(STDERR_FILENO, line, used);
	/* Not _exit, where a sanitizer would have more to ask of the kernel. */
	syscall(SYS_exit_group, EXIT_STATUS_INTERNAL);
}

static void violations_prepare(void)
{
	struct sigaction action = {
		.sa_sigaction = violation_handle,
		.sa_flags = SA_SIGINFO,
	};

	for (int call = 0; call < CALLS_MAX; call++)
		call_names[call] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
	sigaction(SIGSYS, &action, NULL);
}

/*
 * One heap for all threads. A thread that has one of its own opens a file in /proc before it
 * gives memory back, and counts processors before it makes another.
 */
static void process_prepare(void)
{
	mallopt(M_ARENA_MAX, 1);
	violations_prepare();
}

static int rule_add(scmp_filter_ctx filter, const struct rule *rule)
{
	struct scmp_arg_cmp comparison = {
		.arg = rule->argument - 1,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = rule->mask,
		.datum_b = rule->value == OWN_PID ? (uint64_t)getpid() : rule->value,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call,
				      rule->argument ? 1 : 0, &comparison);
}

static int filter_build(scmp_filter_ctx filter, unsigned int roles)
{
	/* A tree instead of a list, and the kernel's own error codes. */
	int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(rules); i++) {
		if (rules[i].roles & roles)
			result = rule_add(filter, &rules[i]);
	}
	return result;
}

int sandbox_enter(unsigned int roles, enum sandbox_mode mode, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	scmp_filter_ctx filter;
	sigset_t sigsys;
	int result;

	if (mode == SANDBOX_OFF)
		return 0;
	pthread_once(&once, process_prepare);
	/* The kernel kills without a word where its signal is blocked. */
	sigemptyset(&sigsys);
	sigaddset(&sigsys, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &sigsys, NULL);

	filter = seccomp_init(mode == SANDBOX_ON ? SCMP_ACT_TRAP : SCMP_ACT_LOG);
	if (!filter)
		return err_set(err, -ENOMEM, "sandbox: out of memory; free some");
	result = filter_build(filter, roles);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result < 0)
		return err_set(
			err, result,
			"sandbox: the kernel takes no filter: %s; run with --sandbox=off",
			err_describe(result));
	return 0;
}
