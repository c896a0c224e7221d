// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "vmm/err.h"

/* The guest's first MiB. */
enum {
	LOW_BYTES = 1 << 20,
	CODE_GPA = 0x1000,
	MAILBOX_GPA = 0x6000,
	PML4_GPA = 0x10000,
	PDPT_GPA = 0x11000,
	PD_GPA = 0x12000,
	MAPPED_GIB = 2,
};

enum command { COMMAND_LOAD = 1, COMMAND_STORE };

struct mailbox {
	uint64_t command;
	uint64_t gpa;
	uint64_t value;
};

/* Leaves by a port, then does what the mailbox says, for ever. */
asm(".pushsection .rodata\n"
    "subject_code:\n"
    "	mov $0x6000, %rbp\n"
    "1:	out %al, $0x80\n"
    "	mov 8(%rbp), %rdi\n"
    "	cmpq $1, 0(%rbp)\n"
    "	jne 2f\n"
    "	mov (%rdi), %rdx\n"
    "	mov %rdx, 16(%rbp)\n"
    "	jmp 1b\n"
    "2:	mov 16(%rbp), %rdx\n"
    "	mov %rdx, (%rdi)\n"
    "	jmp 1b\n"
    "subject_code_end:\n"
    ".popsection\n");
extern const unsigned char subject_code[], subject_code_end[];

void subject_init(struct subject *subject, bool fake, bool in_place)
{
	struct err err = {0};

	*subject = (struct subject){.vm = -1, .vcpu = -1, .low_fd = -1};
	ASSERT(pipe2(subject->pipe, O_CLOEXEC | O_NONBLOCK) == 0);
	if (fake) {
		subject->fake = fake_new();
		subject->host = fake_host(subject->fake);
		fake_traits(subject->fake)->in_place = in_place;
		fake_traits(subject->fake)->guards_private = true;
	} else if (host_linux_new(&subject->host, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

void subject_fini(struct subject *subject)
{
	close(subject->pipe[0]);
	close(subject->pipe[1]);
	if (subject->fake)
		fake_free(subject->fake);
	else
		host_linux_free(subject->host);
}

/* --- The processor --- */

static void fill_low(char *low)
{
	uint64_t *pml4 = (uint64_t *)(void *)(low + PML4_GPA);
	uint64_t *pdpt = (uint64_t *)(void *)(low + PDPT_GPA);

	memcpy(low + CODE_GPA, subject_code, (size_t)(subject_code_end - subject_code));
	pml4[0] = PDPT_GPA | 3;
	for (uint64_t i = 0; i < MAPPED_GIB; i++) {
		uint64_t *pd = (uint64_t *)(void *)(low + PD_GPA + i * GRANULE_BYTES);

		pdpt[i] = (PD_GPA + i * GRANULE_BYTES) | 3;
		for (uint64_t j = 0; j < 512; j++)
			pd[j] = (i * GIB + j * 2 * MIB) | 0x83;
	}
}

static void set_registers(struct subject *subject)
{
	const struct kvm_segment code = {.limit = UINT32_MAX,
					 .selector = 8,
					 .present = 1,
					 .type = 11,
					 .s = 1,
					 .l = 1,
					 .g = 1};
	const struct kvm_segment data = {.limit = UINT32_MAX,
					 .selector = 16,
					 .present = 1,
					 .type = 3,
					 .s = 1,
					 .db = 1,
					 .g = 1};
	const struct kvm_regs regs = {.rflags = 2, .rip = CODE_GPA};
	struct kvm_sregs sregs;

	ASSERT(host_vcpu_get_sregs(subject->host, subject->vcpu, &sregs) == 0);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = 0x20;
	sregs.cr0 = 0x80050033;
	sregs.efer = 0x500;
	ASSERT(host_vcpu_set_sregs(subject->host, subject->vcpu, &sregs) == 0);
	ASSERT(host_vcpu_set_regs(subject->host, subject->vcpu, &regs) == 0);
}

/* Run to the port, or to whatever else the guest does: NULL or its name. */
static const char *run_guest(struct subject *subject)
{
	int ret = host_vcpu_run(subject->host, subject->vcpu);

	switch (subject->run->exit_reason) {
	case KVM_EXIT_IO:
		return NULL;
	case KVM_EXIT_MMIO:
		return "mmio";
	case KVM_EXIT_MEMORY_FAULT:
		return "memory fault";
	default:
		return ret == -EFAULT ? "bad address" : "another exit";
	}
}

void subject_start_vm(struct subject *subject)
{
	struct host *host = subject->host;
	struct kvm_cpuid2 *cpuid;
	size_t run_bytes;
	struct kvm_userspace_memory_region2 slot = {.memory_size = LOW_BYTES};

	subject->vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
	ASSERT(subject->vm >= 0);
	if (subject->fake)
		return;
	subject->low_fd = host_mem_create(host, LOW_BYTES);
	ASSERT(host_mem_map(host, subject->low_fd, 0, LOW_BYTES, &subject->low) == 0);
	fill_low(subject->low);
	slot.userspace_addr = (uintptr_t)subject->low;
	ASSERT(host_vm_set_memory_region(host, subject->vm, &slot) == 0);
	subject->vcpu = host_vcpu_create(host, subject->vm, 0, &subject->run, &run_bytes);
	ASSERT(subject->vcpu >= 0);
	cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
	ASSERT(cpuid);
	cpuid->nent = 256;
	ASSERT(host_kvm_get_supported_cpuid(host, cpuid) == 0);
	ASSERT(host_vcpu_set_cpuid(host, subject->vcpu, cpuid) == 0);
	free(cpuid);
	set_registers(subject);
	ASSERT(!run_guest(subject));
}

void subject_stop_vm(struct subject *subject)
{
	struct host *host = subject->host;

	if (!subject->fake) {
		host_vcpu_close(host, subject->vcpu, subject->run);
		host_mem_unmap(host, subject->low, LOW_BYTES);
		host_close(host, subject->low_fd);
	}
	host_close(host, subject->vm);
}

/* --- Accesses --- */

/* The kernel copies where a plain access would be a signal. */
bool subject_host_read(struct subject *subject, const void *hva, uint64_t *ret_value)
{
	if (write(subject->pipe[1], hva, sizeof(*ret_value)) != sizeof(*ret_value))
		return false;
	return read(subject->pipe[0], ret_value, sizeof(*ret_value)) == sizeof(*ret_value);
}

bool subject_host_write(struct subject *subject, void *hva, uint64_t value)
{
	uint64_t rest;
	ssize_t ret;

	ASSERT(write(subject->pipe[1], &value, sizeof(value)) == sizeof(value));
	ret = read(subject->pipe[0], hva, sizeof(value));
	if (ret == sizeof(value))
		return true;
	/* What could not be copied stays in the pipe. */
	ASSERT(read(subject->pipe[0], &rest, sizeof(rest)) == sizeof(rest));
	return false;
}

static const char *command_guest(struct subject *subject, enum command command, gpa_t gpa,
				 uint64_t *value)
{
	struct mailbox *mailbox =
		(struct mailbox *)(void *)((char *)subject->low + MAILBOX_GPA);
	const char *exit;

	*mailbox = (struct mailbox){.command = command, .gpa = gpa, .value = *value};
	exit = run_guest(subject);
	*value = *(volatile uint64_t *)&mailbox->value;
	if (exit) {
		/* Begin anew: whatever it was doing cannot be done. */
		if (subject->run->exit_reason == KVM_EXIT_MMIO)
			run_guest(subject);
		set_registers(subject);
		ASSERT(!run_guest(subject));
	}
	return exit;
}

/* NULL for an access that gets through; the names of run_guest else. */
static const char *access_name(enum fake_access access)
{
	static const char *const names[] = {
		[FAKE_ACCESS_OK] = NULL,
		[FAKE_ACCESS_MMIO] = "mmio",
		[FAKE_ACCESS_MEMORY_FAULT] = "memory fault",
		[FAKE_ACCESS_BAD_ADDRESS] = "bad address",
	};

	return names[access];
}

const char *subject_guest_read(struct subject *subject, gpa_t gpa, uint64_t *ret_value)
{
	*ret_value = 0;
	if (!subject->fake)
		return command_guest(subject, COMMAND_LOAD, gpa, ret_value);
	fake_guest_read(subject->fake, gpa, ret_value, sizeof(*ret_value));
	return access_name(fake_try_guest(subject->fake, gpa));
}

const char *subject_guest_write(struct subject *subject, gpa_t gpa, uint64_t value)
{
	if (!subject->fake)
		return command_guest(subject, COMMAND_STORE, gpa, &value);
	fake_guest_write(subject->fake, gpa, &value, sizeof(value));
	return access_name(fake_try_guest(subject->fake, gpa));
}

bool subject_pin(struct subject *subject, gpa_t gpa, void *hva)
{
	const struct iovec iov = {.iov_base = hva, .iov_len = GRANULE_BYTES};

	if (subject->fake)
		return fake_pin(subject->fake, gpa, 0) == 0;
	ASSERT(pipe2(subject->pin, O_CLOEXEC) == 0);
	if (vmsplice(subject->pin[1], &iov, 1, 0) == GRANULE_BYTES)
		return true;
	close(subject->pin[0]);
	close(subject->pin[1]);
	return false;
}

void subject_unpin(struct subject *subject, gpa_t gpa)
{
	if (subject->fake) {
		fake_unpin(subject->fake, gpa);
		return;
	}
	close(subject->pin[0]);
	close(subject->pin[1]);
}
