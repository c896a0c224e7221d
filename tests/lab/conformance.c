// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sequences of calls through the door, one line per call: what it returned, what memory holds.
 * tests/lab/conformance runs this on the fake kernel and on a real one and compares the lines.
 *
 *   conformance fake 1|0     the fake, converting in place or per VM
 *   conformance kernel       /dev/kvm of this machine
 *
 * Every sequence is run on both kinds of kernel, so that refusals are compared, too. Rules that
 * the door cannot break (unknown flags, reserved fields, bad pointers) have no line here.
 */
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "memory/memory.h"
#include "tests/fault/random.h"
#include "tests/lab/bench.h"
#include "vmm/err.h"
#include "vmm/host_cc.h"

static void capabilities(struct subject *subject, const char *name)
{
	static const unsigned int capabilities[] = {
		KVM_CAP_GUEST_MEMFD, KVM_CAP_GUEST_MEMFD_FLAGS, KVM_CAP_MEMORY_ATTRIBUTES,
		KVM_CAP_USER_MEMORY2};
	struct host *host = subject->host;
	int vms[] = {-1, host_vm_create(host, KVM_X86_DEFAULT_VM),
		     host_vm_create(host, KVM_X86_SW_PROTECTED_VM)};

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		for (size_t vm = 0; vm < ARRAY_SIZE(vms); vm++)
			printf("%s: %u of %zu: %d\n", name, capabilities[i], vm,
			       host_kvm_check_extension(host, vms[vm], capabilities[i]));
	}
	printf("%s: types: %d\n", name, host_kvm_check_extension(host, -1, KVM_CAP_VM_TYPES));
	host_close(host, vms[1]);
	host_close(host, vms[2]);
}

static void creation(struct subject *subject, const char *name)
{
	static const unsigned long types[] = {KVM_X86_DEFAULT_VM, KVM_X86_SW_PROTECTED_VM};
	static const uint64_t sizes[] = {
		PAGE, 0, 1, PAGE + 1, 16 * MIB, UINT64_MAX, UINT64_C(1) << 63};
	struct host *host = subject->host;

	for (size_t type = 0; type < ARRAY_SIZE(types); type++) {
		int vm = host_vm_create(host, types[type]);

		for (uint64_t i = 0; i < 16 + ARRAY_SIZE(sizes); i++) {
			uint64_t size_bytes = i < 16 ? PAGE : sizes[i - 16];
			int fd = host_vm_create_guest_memfd(host, vm, size_bytes,
							    i < 16 ? i : MMAP);
			void *hva;
			int ret;

			say(name, "create", fd);
			if (fd < 0)
				continue;
			ret = host_mem_map(host, fd, 0, PAGE, &hva);
			say(name, "map", ret);
			if (ret == 0) {
				uint64_t value;

				printf("%s: access: %d\n", name,
				       subject_host_read(subject, hva, &value));
				host_mem_unmap(host, hva, PAGE);
			}
			host_close(host, fd);
		}
		host_close(host, vm);
	}
}

static void slots(struct subject *subject, const char *name)
{
	struct bench bench;

	if (!bench_start(&bench, subject, name, MMAP, 4, false))
		return;
	say(name, "again", bench_set_slot(&bench, 1, SUBJECT_GPA, 4 * PAGE, 0));
	say(name, "over it", bench_set_slot(&bench, 2, SUBJECT_GPA + PAGE, PAGE, 0));
	say(name, "same pages", bench_set_slot(&bench, 2, SUBJECT_GPA + MIB, PAGE, PAGE));
	say(name, "delete none", bench_set_slot(&bench, 2, 0, 0, 0));
	say(name, "delete", bench_set_slot(&bench, 1, 0, 0, 0));
	say(name, "unaligned size", bench_set_slot(&bench, 1, SUBJECT_GPA, PAGE + 1, 0));
	say(name, "unaligned gpa", bench_set_slot(&bench, 1, SUBJECT_GPA + 1, PAGE, 0));
	say(name, "unaligned offset", bench_set_slot(&bench, 1, SUBJECT_GPA, PAGE, 1));
	say(name, "beyond the end", bench_set_slot(&bench, 1, SUBJECT_GPA, 5 * PAGE, 0));
	say(name, "over the end", bench_set_slot(&bench, 1, SUBJECT_GPA, 2 * PAGE, 3 * PAGE));
	say(name, "at the end", bench_set_slot(&bench, 1, SUBJECT_GPA, PAGE, 4 * PAGE));
	say(name, "wraps", bench_set_slot(&bench, 1, SUBJECT_GPA, PAGE, UINT64_MAX - PAGE + 1));
	say(name, "half", bench_set_slot(&bench, 1, SUBJECT_GPA, 2 * PAGE, 2 * PAGE));
	say(name, "other half", bench_set_slot(&bench, 2, SUBJECT_GPA + 2 * PAGE, 2 * PAGE, 0));
	write_guest(&bench, 0, 0x11);
	write_guest(&bench, 3, 0x33);
	set_file(&bench, 0, 4 * PAGE, 0);
	look_all(&bench);
	bench_end(&bench);
}

static void refusals(struct subject *subject, const char *name)
{
	static const struct range ranges[] = {
		{PAGE, PAGE},
		{PAGE, 0},
		{2 * PAGE, PAGE},
		{PAGE + 1, 2 * PAGE + 1},
		{PAGE, 2 * PAGE - 1},
		{PAGE + 1, 2 * PAGE},
		{4 * PAGE, 5 * PAGE},
		{5 * PAGE, 6 * PAGE},
		{3 * PAGE, 5 * PAGE},
		{0, UINT64_C(1) << 62},
		{UINT64_C(1) << 63, (UINT64_C(1) << 63) + PAGE},
		{0, 4 * PAGE},
	};
	static const uint64_t attributes[] = {0, PRIVATE, 1, PRIVATE | 1, UINT64_C(1) << 63};
	struct bench bench;

	for (uint64_t flags = 0; flags <= (MMAP | SHARED); flags++) {
		if (!bench_start(&bench, subject, name, flags, 4, false))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
			for (size_t j = 0; j < ARRAY_SIZE(attributes); j++)
				set_file(&bench, ranges[i].start, ranges[i].end, attributes[j]);
		}
		look_all(&bench);
		bench_end(&bench);
	}
}

static void vm_refusals(struct subject *subject, const char *name)
{
	static const struct range ranges[] = {
		{PAGE, PAGE},
		{PAGE, 0},
		{2 * PAGE, PAGE},
		{PAGE + 1, 2 * PAGE + 1},
		{PAGE, 2 * PAGE - 1},
		{0, PAGE},
		{SUBJECT_GPA, 2 * SUBJECT_GPA},
	};
	static const uint64_t attributes[] = {0, PRIVATE, 0, 1, PRIVATE | 1};
	static const unsigned long types[] = {KVM_X86_DEFAULT_VM, KVM_X86_SW_PROTECTED_VM};

	for (size_t type = 0; type < ARRAY_SIZE(types); type++) {
		struct bench bench = {.subject = subject, .name = name};
		int file;

		subject->vm = host_vm_create(subject->host, types[type]);
		for (size_t i = 0; i < ARRAY_SIZE(ranges) * ARRAY_SIZE(attributes); i++)
			set_vm(&bench, ranges[i / ARRAY_SIZE(attributes)].start,
			       ranges[i / ARRAY_SIZE(attributes)].end,
			       attributes[i % ARRAY_SIZE(attributes)]);
		/* The file of a VM that has no private memory. */
		file = host_vm_create_guest_memfd(subject->host, subject->vm, PAGE, MMAP);
		bench.file = file;
		set_file(&bench, 0, PAGE, PRIVATE);
		set_file(&bench, 0, PAGE, 0);
		host_close(subject->host, file);
		host_close(subject->host, subject->vm);
	}
}

/* init_private, init_shared, and a file without a mapping: there and back with data. */
static void there_and_back(struct subject *subject, const char *name)
{
	struct bench bench;

	for (uint64_t flags = 0; flags <= (MMAP | SHARED); flags++) {
		if (!bench_start(&bench, subject, name, flags, 2, false))
			continue;
		look_all(&bench);
		write_guest(&bench, 0, 0xa);
		for (uint64_t i = 0; i < 4; i++) {
			set_file(&bench, 0, 2 * PAGE, i % 2 ? 0 : PRIVATE);
			look_all(&bench);
			write_guest(&bench, 0, 0x10 + i);
			write_host(&bench, 1, 0x20 + i);
			look_all(&bench);
		}
		bench_end(&bench);
	}
}

/* One page changes, and no other. */
static void indexing(struct subject *subject, const char *name)
{
	struct bench bench;

	for (uint64_t page = 0; page < 8; page++) {
		if (!bench_start(&bench, subject, name, page < 4 ? MMAP : MMAP | SHARED, 4,
				 false))
			continue;
		for (uint64_t i = 0; i < 4; i++)
			write_guest(&bench, i, 0x10 + i);
		set_file(&bench, page % 4 * PAGE, (page % 4 + 1) * PAGE,
			 page < 4 ? 0 : PRIVATE);
		look_all(&bench);
		set_file(&bench, page % 4 * PAGE, (page % 4 + 1) * PAGE,
			 page < 4 ? PRIVATE : 0);
		look_all(&bench);
		bench_end(&bench);
	}
}

static void before_allocation(struct subject *subject, const char *name)
{
	struct bench bench;

	if (!bench_start(&bench, subject, name, MMAP, 8, false))
		return;
	set_file(&bench, 0, 8 * PAGE, 0);
	write_host(&bench, 3, 0x33);
	write_guest(&bench, 6, 0x66);
	set_file(&bench, 0, 8 * PAGE, PRIVATE);
	look(&bench, 3);
	for (uint64_t page = 0; page < 8; page++) {
		set_file(&bench, page * PAGE, (page + 1) * PAGE, 0);
		look_all(&bench);
	}
	bench_end(&bench);
}

/* Discarding changes contents, not sides. */
static void discards(struct subject *subject, const char *name)
{
	struct bench bench;

	if (!bench_start(&bench, subject, name, MMAP, 4, false))
		return;
	set_file(&bench, 0, 2 * PAGE, 0);
	for (uint64_t page = 0; page < 4; page++)
		write_guest(&bench, page, 0x10 + page);
	discard(&bench, bench.file, PAGE, 3 * PAGE);
	look_all(&bench);
	discard(&bench, bench.file, PAGE + 1, 2 * PAGE + 1);
	discard(&bench, bench.file, PAGE, PAGE + 1);
	discard(&bench, bench.file, PAGE, PAGE);
	discard(&bench, bench.file, PAGE, 0);
	discard(&bench, bench.file, 4 * PAGE, 5 * PAGE);
	discard(&bench, bench.file, 3 * PAGE, 5 * PAGE);
	write_guest(&bench, 2, 0x22);
	look_all(&bench);
	bench_end(&bench);
}

/* elevated_refcount */
static void pins(struct subject *subject, const char *name)
{
	struct bench bench;
	bool is_pinned;

	if (!bench_start(&bench, subject, name, MMAP, 4, false))
		return;
	set_file(&bench, 0, 3 * PAGE, 0);
	for (uint64_t page = 2; page < 4; page++) {
		is_pinned = subject_pin(subject, SUBJECT_GPA + page * PAGE,
					bench.hva + page * PAGE);
		printf("%s: pin page %ju: %d\n", name, (uintmax_t)page, is_pinned);
		if (!is_pinned)
			continue;
		write_host(&bench, 2, 0x22);
		write_guest(&bench, 1, 0x11);
		set_file(&bench, 0, 4 * PAGE, PRIVATE);
		look_all(&bench);
		for (uint64_t i = 0; i < 4; i++)
			set_file(&bench, i * PAGE, (i + 1) * PAGE, PRIVATE);
		look_all(&bench);
		set_file(&bench, 0, 4 * PAGE, 0);
		look_all(&bench);
		/* A page that is gone is in nobody's way. */
		discard(&bench, bench.file, 2 * PAGE, 3 * PAGE);
		set_file(&bench, 0, 4 * PAGE, PRIVATE);
		subject_unpin(subject, SUBJECT_GPA + page * PAGE);
		set_file(&bench, 0, 3 * PAGE, 0);
		is_pinned = subject_pin(subject, SUBJECT_GPA, bench.hva);
		set_file(&bench, 0, PAGE, PRIVATE);
		if (is_pinned)
			subject_unpin(subject, SUBJECT_GPA);
		set_file(&bench, 0, PAGE, PRIVATE);
		look_all(&bench);
	}
	bench_end(&bench);
}

/* Two halves: attributes of the VM say which one the guest sees. */
static void paired(struct subject *subject, const char *name)
{
	struct bench bench;

	for (uint64_t flags = 0; flags <= MMAP; flags++) {
		if (!bench_start(&bench, subject, name, flags, 4, true))
			continue;
		for (uint64_t page = 0; page < 4; page++)
			write_host(&bench, page, 0x10 + page);
		look_all(&bench);
		set_vm(&bench, SUBJECT_GPA + PAGE, SUBJECT_GPA + 3 * PAGE, PRIVATE);
		look_all(&bench);
		write_guest(&bench, 1, 0x21);
		write_host(&bench, 1, 0x31);
		look_all(&bench);
		set_vm(&bench, SUBJECT_GPA + PAGE, SUBJECT_GPA + 2 * PAGE, 0);
		look_all(&bench);
		discard(&bench, bench.file, PAGE, 2 * PAGE);
		set_vm(&bench, SUBJECT_GPA, SUBJECT_GPA + 4 * PAGE, PRIVATE);
		look_all(&bench);
		set_vm(&bench, SUBJECT_GPA, SUBJECT_GPA + 4 * PAGE, PRIVATE);
		set_vm(&bench, SUBJECT_GPA, SUBJECT_GPA + 4 * PAGE, 0);
		look_all(&bench);
		bench_end(&bench);
	}
}

/* private_mem_kvm_exits: the slot goes while its memory is private. */
static void exits(struct subject *subject, const char *name)
{
	struct bench bench;

	for (int is_paired = 0; is_paired < 2; is_paired++) {
		const uint64_t flags = is_paired ? 0 : (uint64_t)MMAP;

		if (!bench_start(&bench, subject, name, flags, 2, is_paired))
			continue;
		set_vm(&bench, SUBJECT_GPA, SUBJECT_GPA + PAGE, PRIVATE);
		set_file(&bench, PAGE, 2 * PAGE, 0);
		write_guest(&bench, 0, 0x1);
		write_guest(&bench, 1, 0x2);
		look_all(&bench);
		say(name, "delete", bench_set_slot(&bench, 1, 0, 0, 0));
		look_all(&bench);
		write_guest(&bench, 0, 0x3);
		say(name, "slot", bench_set_slot(&bench, 1, SUBJECT_GPA, 2 * PAGE, 0));
		look_all(&bench);
		bench_end(&bench);
	}
}

/* The file stays when its VM has gone. */
static void outlive(struct subject *subject, const char *name)
{
	struct bench bench;

	if (!bench_start(&bench, subject, name, MMAP, 2, false))
		return;
	write_guest(&bench, 0, 0x1);
	subject_stop_vm(subject);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t value = 0;

		set_file(&bench, 0, PAGE, i % 2 ? PRIVATE : 0);
		printf("%s: host %d", name, subject_host_read(subject, bench.hva, &value));
		printf(" 0x%jx\n", (uintmax_t)value);
	}
	/* For bench_end. */
	subject_start_vm(subject);
	bench_end(&bench);
}

/* What nobody thought of. */
static void chance(struct subject *subject, const char *name)
{
	enum { PAGES = 16, STEPS = 400 };
	uint64_t random = random_setting("FAULT_SEED", 1);
	struct bench bench;

	if (!bench_start(&bench, subject, name, MMAP, PAGES, false))
		return;
	for (uint64_t i = 1; i <= STEPS; i++) {
		uint64_t page = random_below(&random, PAGES);
		uint64_t end = page + 1 + random_below(&random, PAGES - page);

		switch (random_below(&random, 6)) {
		case 0:
			write_guest(&bench, page, i);
			break;
		case 1:
			write_host(&bench, page, i);
			break;
		case 2:
			discard(&bench, bench.file, page * PAGE, (page + 1) * PAGE);
			break;
		case 3:
			look(&bench, page);
			break;
		default:
			set_file(&bench, page * PAGE, end * PAGE, i % 2 ? PRIVATE : 0);
		}
	}
	look_all(&bench);
	bench_end(&bench);
}

/* The conversion engine itself: how requests end, and what is where then. */
static void engine(struct subject *subject, const char *name)
{
	enum { PAGES = 1024, STEPS = 150 };
	struct host *host = subject->host;
	uint64_t random = random_setting("FAULT_SEED", 1);
	struct guest_memory *memory;
	struct layout layout;
	enum backing backing;
	struct err err = {0};
	int vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);

	ASSERT(layout_init(&layout, 4 * GIB, 40, &err) == 0);
	say(name, "probe", backing_probe(host, vm, &backing, &err));
	printf("%s: backing %d\n", name, backing);
	say(name, "start", guest_memory_new(host, vm, &layout, backing, &memory, &err));
	for (uint64_t i = 0; i < STEPS; i++) {
		gpa_t gpa = 4 * GIB + random_below(&random, PAGES) * PAGE;
		uint64_t size_bytes = (1 + random_below(&random, 512)) * PAGE, value = i;
		enum side to = i % 2 ? SIDE_PRIVATE : SIDE_SHARED;
		enum conversion_end end =
			guest_convert(memory, gpa, size_bytes, to, CONVERSION_HYPERCALL);

		gpa = 4 * GIB + random_below(&random, PAGES) * PAGE;
		printf("%s: step %ju: end %d", name, (uintmax_t)i, end);
		printf(", read %d", guest_read(memory, gpa, &value, sizeof(value)));
		printf(" 0x%jx", (uintmax_t)value);
		printf(", write %d\n", guest_write(memory, gpa, &i, sizeof(i)));
	}
	guest_memory_free(memory);
	host_close(host, vm);
}

/* What KVM takes of features, debug registers and XSAVE's format, also without XSAVE. */
static void registers(struct subject *subject, const char *name)
{
	static const struct kvm_debugregs debugregs[] = {{.flags = 1},
							 {.dr6 = UINT64_C(1) << 32},
							 {.dr7 = UINT64_C(1) << 32},
							 {.dr6 = 0}};
	/* XSTATE_BV, MXCSR */
	static const uint32_t states[][2] = {{2, 0x10000}, {1, 0x10000}, {3, 0}, {3, 0x1f80}};
	struct kvm_enable_cap enforce = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID};
	struct host *host = subject->host;
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	struct kvm_run *run;
	size_t run_bytes;
	int vcpu = host_vcpu_create(host, vm, 0, &run, &run_bytes);

	for (size_t i = 0; i < ARRAY_SIZE(debugregs); i++)
		say(name, "debug registers",
		    host_vcpu_set_debugregs(host, vcpu, &debugregs[i]));
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct kvm_xsave xsave = {0};

		xsave.region[512 / 4] = states[i][0];
		xsave.region[24 / 4] = states[i][1];
		say(name, "xsave", host_vcpu_set_xsave(host, vcpu, &xsave));
	}
	say(name, "features", host_vcpu_enable_cap(host, vcpu, &enforce));
	enforce.flags = 1;
	say(name, "features and a flag", host_vcpu_enable_cap(host, vcpu, &enforce));
	host_vcpu_close(host, vcpu, run);
	host_close(host, vm);
}

static const struct {
	const char *name;
	void (*run)(struct subject *subject, const char *name);
} sequences[] = {
	{"capabilities", capabilities},
	{"creation of files", creation},
	{"memslots", slots},
	{"refusals of the file", refusals},
	{"refusals of the VM", vm_refusals},
	{"there and back", there_and_back},
	{"one page of four", indexing},
	{"before allocation", before_allocation},
	{"discards", discards},
	{"pages in use", pins},
	{"two halves", paired},
	{"exits without a slot", exits},
	{"file outlives its VM", outlive},
	{"by chance", chance},
	{"conversion engine", engine},
	{"registers", registers},
};

int main(int argc, char **argv)
{
	bool is_fake = argc == 3 && strcmp(argv[1], "fake") == 0;

	if (!is_fake && (argc != 2 || strcmp(argv[1], "kernel") != 0)) {
		fprintf(stderr, "usage: conformance fake 0|1 | kernel\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		struct subject subject;

		subject_init(&subject, is_fake, is_fake && argv[2][0] == '1');
		sequences[i].run(&subject, sequences[i].name);
		subject_fini(&subject);
	}
	return 0;
}
