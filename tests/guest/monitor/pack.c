// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pack OUTPUT MONITOR KEY=VALUE...: a firmware image that plays a confidential guest's machine.
 *
 * The guest is loaded by Alcove's own boot code into memory of the fake kernel; what that says
 * is to be launched goes into the image, in front of the monitor.
 *
 *   platform=snp|tdx  kernel=FILE  initrd=FILE  cmdline=TEXT  cpus=N  memory=MIB  hw=acpi|fdt
 *                     without a kernel: a tiny one that only has an entry
 *   sparse=1          there is no RAM from 64 MiB to 3 GiB
 *   high=ADDRESS      RAM above 4 GiB is from there on
 *   c-bit=N           SNP: 51 if not given
 *   large=1           large pages work
 *   short=1           stop where the kernel would run
 *   late=N            TDX: processor N starts when the kernel runs
 *   inject=NAME[:N]   what the processor answers from call N on
 *   cpuid=NAME        what is wrong with the CPUID page
 *   params=OFFSET:BYTES:VALUE   overwrite one of the stub's parameters; may be repeated
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/launch.h"
#include "boot/stub.h"
#include "tests/fake/fake.h"
#include "tests/guest/monitor/monitor.h"
#include "tests/unit/images.h"
#include "vmm/err.h"

#define SPARSE_GPA (64 * MIB)
#define FOUR_GIB   (4 * GIB)

enum { CHANGES_MAX = 4 };

struct change {
	unsigned int offset, n_bytes;
	uint64_t value;
};

struct pack {
	struct boot_source source;
	struct boot_machine machine;
	struct layout layout;
	uint64_t memory_bytes;
	unsigned int is_sparse;
	uint64_t high_gpa;
	struct change changes[CHANGES_MAX];
	unsigned int n_changes;
	struct monitor_config config;
	uint8_t *image; /* its end is the monitor */
	size_t image_bytes;
};

struct name {
	const char *name;
	unsigned int value;
};

static const struct name injects[] = {
	{"no-change", INJECT_NO_CHANGE},
	{"error", INJECT_ERROR},
	{"mismatch", INJECT_MISMATCH},
	{"busy", INJECT_BUSY},
	{"info-error", INJECT_INFO_ERROR},
	{"info-width", INJECT_INFO_WIDTH},
	{"info-vcpus", INJECT_INFO_VCPUS},
	{"other-runs", INJECT_OTHER_RUNS},
	{NULL, 0},
};

static const struct name cpuids[] = {
	{"no-evict", CPUID_NO_EVICT},
	{"empty", CPUID_EMPTY},
	{"many", CPUID_TOO_MANY},
	{"no-snp", CPUID_NO_SNP},
	{"c-bit", CPUID_OTHER_C_BIT},
	{"no-leaf", CPUID_NO_LEAF},
	{NULL, 0},
};

static unsigned int name_find(const struct name *names, const char *text)
{
	for (; names->name; names++) {
		if (strncmp(names->name, text, strcspn(text, ":")) == 0 &&
		    strlen(names->name) == strcspn(text, ":"))
			return names->value;
	}
	errx(2, "what is '%s'?", text);
}

static void set_number(unsigned int *ret_value, const char *text)
{
	*ret_value = (unsigned int)strtoul(text, NULL, 0);
}

static void set_change(struct pack *pack, const char *text)
{
	struct change *change = &pack->changes[pack->n_changes++];
	int used = 0;

	if (pack->n_changes > CHANGES_MAX ||
	    sscanf(text, "%u:%u:%n", &change->offset, &change->n_bytes, &used) != 2 || !used)
		errx(2, "params=%s", text);
	change->value = strtoull(text + used, NULL, 0);
}

static void set_inject(struct monitor_config *config, const char *text)
{
	const char *at = strchr(text, ':');

	config->inject = name_find(injects, text);
	config->inject_at = at ? (uint32_t)strtoul(at + 1, NULL, 0) : 1;
}

/* True when @argument is @key; *ret_value is what follows. */
static bool is_key(const char *argument, const char *key, const char **ret_value)
{
	size_t length = strlen(key);

	if (strncmp(argument, key, length) != 0 || argument[length] != '=')
		return false;
	*ret_value = argument + length + 1;
	return true;
}

static void pack_set(struct pack *pack, const char *argument)
{
	struct monitor_config *config = &pack->config;
	unsigned int number = 0;
	const char *value;

	if (is_key(argument, "platform", &value))
		pack->machine.guard =
			strcmp(value, "snp") == 0 ? BOOT_GUARD_SNP : BOOT_GUARD_TDX;
	else if (is_key(argument, "kernel", &value))
		pack->source.kernel_path = value;
	else if (is_key(argument, "initrd", &value))
		pack->source.initrd_path = value;
	else if (is_key(argument, "cmdline", &value))
		pack->source.cmdline = value;
	else if (is_key(argument, "hw", &value))
		pack->machine.hw = strcmp(value, "fdt") == 0 ? BOOT_HW_FDT : BOOT_HW_ACPI;
	else if (is_key(argument, "c-bit", &value))
		set_number(&pack->machine.c_bit, value);
	else if (is_key(argument, "cpus", &value))
		set_number(&pack->machine.n_vcpus, value);
	else if (is_key(argument, "memory", &value)) {
		set_number(&number, value);
		pack->memory_bytes = number * MIB;
	} else if (is_key(argument, "large", &value))
		set_number(&config->has_large, value);
	else if (is_key(argument, "short", &value))
		set_number(&config->is_short, value);
	else if (is_key(argument, "sparse", &value))
		set_number(&pack->is_sparse, value);
	else if (is_key(argument, "high", &value))
		pack->high_gpa = strtoull(value, NULL, 0);
	else if (is_key(argument, "late", &value))
		set_number(&config->late_vcpu, value);
	else if (is_key(argument, "inject", &value))
		set_inject(config, value);
	else if (is_key(argument, "cpuid", &value))
		config->cpuid = name_find(cpuids, value);
	else if (is_key(argument, "params", &value))
		set_change(pack, value);
	else
		errx(2, "what is '%s'?", argument);
}

/* --- The image --- */

static void config_init(struct pack *pack, const struct stub_params *params,
			const struct boot_entry *entry)
{
	struct monitor_config *config = &pack->config;
	struct boot_vcpu first, other;

	boot_entry_get_vcpu(entry, true, 0, &first);
	boot_entry_get_vcpu(entry, false, 0, &other);
	config->magic = MONITOR_MAGIC;
	config->platform = params->platform;
	config->n_vcpus = pack->machine.n_vcpus;
	config->c_bit = pack->machine.c_bit;
	config->rip = first.regs.rip;
	config->other_rip = other.regs.rip;
	config->cr3 = first.sregs.cr3;
	config->gdt = first.sregs.gdt.base;
	config->kernel_entry = params->entry;
	config->boot_params = params->boot_params;
	config->n_ram = pack->layout.n_ram;
	for (unsigned int i = 0; i < pack->layout.n_ram; i++)
		config->ram[i] = (struct monitor_range){.start = pack->layout.ram[i].start,
							.end = pack->layout.ram[i].end};
}

/* The stub's parameters and the monitor's books of a machine without most of low RAM. */
static void ram_make_sparse(struct monitor_config *config, struct stub_params *params)
{
	uint32_t n = 0;

	config->ram[0].end = SPARSE_GPA;
	for (uint32_t i = 0; i < params->n_ranges; i++) {
		struct stub_range range = params->ranges[i];

		if (range.start < SPARSE_GPA && range.end > SPARSE_GPA)
			range.end = SPARSE_GPA;
		if (range.start < SPARSE_GPA || range.start >= FOUR_GIB)
			params->ranges[n++] = range;
	}
	memset(&params->ranges[n], 0, (params->n_ranges - n) * sizeof(params->ranges[0]));
	params->n_ranges = n;
}

static void ram_make_high(struct monitor_config *config, struct stub_params *params,
			  uint64_t high_gpa)
{
	struct stub_range *last = &params->ranges[params->n_ranges - 1];

	config->high_gpa = high_gpa;
	last->start += config->high_gpa - FOUR_GIB;
	last->end += config->high_gpa - FOUR_GIB;
}

/* Put contents in front of what the image has. Returns where they are when it runs. */
static uint64_t image_add(struct pack *pack, struct guest_memory *memory, struct range gpa)
{
	size_t n_bytes = range_size(gpa);
	uint8_t *image = malloc(n_bytes + pack->image_bytes);

	if (!image)
		errx(1, "out of memory");
	memcpy(image + n_bytes, pack->image, pack->image_bytes);
	if (guest_read(memory, gpa.start, image, n_bytes))
		errx(1, "0x%lx cannot be read", gpa.start);
	free(pack->image);
	pack->image = image;
	pack->image_bytes += n_bytes;
	return (UINT64_C(1) << 32) - pack->image_bytes;
}

static void pieces_add(struct pack *pack, struct guest_memory *memory,
		       const struct launch *launch)
{
	struct monitor_config *config = &pack->config;

	if (launch->n_pieces > MONITOR_PIECES_MAX)
		errx(1, "%zu pieces", launch->n_pieces);
	for (size_t i = 0; i < launch->n_pieces; i++) {
		const struct launch_piece *piece = &launch->pieces[i];

		config->pieces[config->n_pieces++] = (struct monitor_piece){
			.gpa = piece->gpa.start,
			.n_bytes = range_size(piece->gpa),
			.source = piece->kind == LAUNCH_MEASURED
					  ? image_add(pack, memory, piece->gpa)
					  : 0,
			.kind = piece->kind,
		};
	}
	if (pack->image_bytes > LAYOUT_FIRMWARE_BYTES_MAX)
		errx(1, "the image has %zu bytes; give a smaller kernel or initrd",
		     pack->image_bytes);
}

/* Load the guest, take what is launched. */
static void guest_pack(struct pack *pack)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	_cleanup_launch_ struct launch launch = {0};
	struct guest_memory *memory;
	struct stub_params params;
	struct boot_entry entry;
	struct err err = {0};
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	int ret = layout_init(&pack->layout, pack->memory_bytes, 46, &err);

	if (!ret) {
		layout_add_firmware(&pack->layout, BOOT_STUB_BYTES);
		ret = guest_memory_new(host, vm, &pack->layout, BACKING_PLAIN, &memory, &err);
	}
	if (!ret)
		ret = boot_load(memory, &pack->machine, &pack->source, &launch, &entry, &err);
	if (!ret)
		ret = guest_read(memory, STUB_PARAMS_GPA, &params, sizeof(params));
	if (ret)
		errx(1, "%s", err.text);
	config_init(pack, &params, &entry);
	if (pack->is_sparse)
		ram_make_sparse(&pack->config, &params);
	if (pack->high_gpa)
		ram_make_high(&pack->config, &params, pack->high_gpa);
	if (guest_write(memory, STUB_PARAMS_GPA, &params, sizeof(params)))
		errx(1, "parameters cannot be changed");
	for (unsigned int i = 0; i < pack->n_changes; i++) {
		const struct change *change = &pack->changes[i];

		if (guest_write(memory, STUB_PARAMS_GPA + change->offset, &change->value,
				change->n_bytes))
			errx(1, "parameters cannot be changed");
	}
	pieces_add(pack, memory, &launch);
	guest_memory_free(memory);
	host_close(host, vm);
	fake_free(fake);
}

static void monitor_read(struct pack *pack, const char *path)
{
	FILE *file = fopen(path, "r");

	pack->image = malloc(MONITOR_BYTES);
	if (!file || !pack->image || fread(pack->image, MONITOR_BYTES, 1, file) != 1)
		errx(1, "%s: no monitor", path);
	pack->image_bytes = MONITOR_BYTES;
	fclose(file);
}

static void pack_write(struct pack *pack, const char *path)
{
	uint8_t *monitor = pack->image + pack->image_bytes - MONITOR_BYTES;
	FILE *file = fopen(path, "w");

	memcpy(monitor, &pack->config, sizeof(pack->config));
	if (!file || fwrite(pack->image, pack->image_bytes, 1, file) != 1 || fclose(file))
		errx(1, "%s: cannot be written", path);
	free(pack->image);
}

/* A file for as long as this process lives. */
static const char *tiny_kernel_make(char path[32])
{
	int fd = memfd_create("kernel", 0);
	struct image image;

	bzimage_make(&image);
	if (fd < 0 || write(fd, image.bytes, image.size_bytes) != (ssize_t)image.size_bytes)
		errx(1, "no memory file");
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return path;
}

int main(int argc, char **argv)
{
	struct pack pack = {
		.machine = {.layout = &pack.layout,
			    .n_vcpus = 1,
			    .guard = BOOT_GUARD_SNP,
			    .c_bit = 51},
		.source = {.cmdline = ""},
		.memory_bytes = 64 * MIB,
	};
	char tiny_path[32];

	if (argc < 3)
		errx(2, "usage: pack OUTPUT MONITOR KEY=VALUE...");
	for (int i = 3; i < argc; i++)
		pack_set(&pack, argv[i]);
	if (!pack.source.kernel_path)
		pack.source.kernel_path = tiny_kernel_make(tiny_path);
	monitor_read(&pack, argv[2]);
	guest_pack(&pack);
	pack_write(&pack, argv[1]);
	return 0;
}
