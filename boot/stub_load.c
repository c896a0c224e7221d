// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/stub_load.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/launch.h"
#include "boot/params.h"
#include "boot/stub.h"
#include "boot/stub/texts.h"
#include "boot/stub/work.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* boot/stub_image.S */
extern const uint8_t stub_image[];
extern const uint8_t stub_image_end[];

static_assert(STUB_FIRMWARE_GPA + UINT64_C(0) + STUB_FIRMWARE_BYTES == PLATFORM_4G,
	      "the stub ends at 4 GiB");
static_assert(STUB_STATE_GPA - STUB_TABLES_GPA == PAGE_TABLES_N * GRANULE_BYTES,
	      "the page tables fit");
static_assert(sizeof(struct stub_params) <= GRANULE_BYTES, "one page");
static_assert(STUB_FIRMWARE_BYTES == BOOT_STUB_BYTES, "boot.h says it, too");
static_assert(STUB_SNP_REASON_SET == BOOT_STUB_REASON_SET, "boot.h says it, too");
static_assert(STUB_GDT_BYTES == BOOT_GDT_BYTES, "the descriptors of the boot protocol");
static_assert(STUB_VCPUS_MAX >= PLATFORM_VCPUS_MAX, "all processors");

static int range_add(void *opaque, struct range gpa)
{
	struct stub_params *params = opaque;

	if (params->n_ranges == STUB_RANGES_MAX)
		return -E2BIG;
	params->ranges[params->n_ranges++] =
		(struct stub_range){.start = gpa.start, .end = gpa.end};
	return 0;
}

static int params_init(struct stub_params *ret_params, const struct boot_machine *machine,
		       const struct boot_entry *entry, const struct launch *launch,
		       struct err *err)
{
	bool is_snp = machine->guard == BOOT_GUARD_SNP;
	enum stub_fault fault;
	int ret = 0;

	*ret_params = (struct stub_params){
		.magic = STUB_PARAMS_MAGIC,
		.version = STUB_PARAMS_VERSION,
		.platform = is_snp ? STUB_PLATFORM_SNP : STUB_PLATFORM_TDX,
		.n_vcpus = machine->n_vcpus,
		.c_bit = is_snp ? machine->c_bit : 0,
		.entry = entry->rip,
		.boot_params = entry->rsi,
		.mailbox = STUB_MAILBOX_GPA,
	};
	for (unsigned int i = 0; i < machine->layout->n_ram && !ret; i++)
		ret = launch_visit_rest(launch, machine->layout->ram[i], range_add, ret_params);
	if (ret == -ENOMEM)
		return err_set(err, ret, "boot stub: out of memory");
	if (ret)
		return err_set(err, ret,
			       "boot stub: more than %d ranges of RAM beside what is loaded",
			       STUB_RANGES_MAX);
	fault = stub_params_check(ret_params, ret_params->platform,
				  UINT64_C(1) << (is_snp ? machine->c_bit : 51));
	if (fault)
		return err_set(err, -EINVAL,
			       "boot stub: it would refuse this guest: %s; give less memory or "
			       "another kernel",
			       boot_stub_describe(fault));
	return 0;
}

/* Entries that point to memory say that it is encrypted. */
static void tables_encrypt(uint64_t tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES],
			   unsigned int c_bit)
{
	for (unsigned int i = 0; i < PAGE_TABLES_N; i++) {
		for (unsigned int j = 0; j < PAGE_TABLE_ENTRIES; j++) {
			if (tables[i][j])
				tables[i][j] |= UINT64_C(1) << c_bit;
		}
	}
}

static int stub_write(struct guest_memory *memory, const struct boot_machine *machine,
		      const struct stub_params *params)
{
	uint64_t tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES];
	int ret = guest_zero(memory, STUB_FIRMWARE_GPA, STUB_FIRMWARE_BYTES);

	ASSERT(stub_image_end - stub_image == STUB_IMAGE_BYTES);
	page_tables_init(tables, STUB_TABLES_GPA);
	if (machine->guard == BOOT_GUARD_SNP)
		tables_encrypt(tables, machine->c_bit);
	if (!ret)
		ret = guest_write(memory, STUB_TABLES_GPA, tables, sizeof(tables));
	if (!ret)
		ret = guest_write(memory, STUB_PARAMS_GPA, params, sizeof(*params));
	if (!ret)
		ret = guest_write(memory, STUB_IMAGE_GPA, stub_image, STUB_IMAGE_BYTES);
	return ret;
}

/*
 * For TDX all is measured: zeroes that were not would be the host's choice, and processors look
 * at the mailbox before there is time to clear it.
 */
static int pieces_add(struct launch *launch, enum boot_guard guard)
{
	static const struct {
		gpa_t gpa, end;
		enum launch_kind kind;
	} snp[] = {
		{STUB_SECRETS_GPA, STUB_CPUID_GPA, LAUNCH_SECRETS},
		{STUB_CPUID_GPA, STUB_TABLES_GPA, LAUNCH_CPUID},
		{STUB_TABLES_GPA, STUB_STATE_GPA, LAUNCH_MEASURED},
		{STUB_STATE_GPA, STUB_PARAMS_GPA, LAUNCH_ZERO},
		{STUB_PARAMS_GPA, PLATFORM_4G, LAUNCH_MEASURED},
	};
	int ret = 0;

	if (guard == BOOT_GUARD_TDX)
		return launch_add(launch, STUB_FIRMWARE_GPA, STUB_FIRMWARE_BYTES,
				  LAUNCH_MEASURED);
	for (size_t i = 0; i < ARRAY_SIZE(snp) && !ret; i++)
		ret = launch_add(launch, snp[i].gpa, snp[i].end - snp[i].gpa, snp[i].kind);
	return ret;
}

int stub_load(struct guest_memory *memory, const struct boot_machine *machine,
	      struct boot_entry *entry, struct launch *launch, struct err *err)
{
	const struct range place = {.start = STUB_FIRMWARE_GPA, .end = PLATFORM_4G};
	struct stub_params params;
	int ret;

	ASSERT(machine->guard != BOOT_GUARD_NONE && entry->mode == BOOT_MODE_LONG64);
	ASSERT(range_covers(machine->layout->firmware, place) &&
	       range_covers(place, machine->layout->firmware));
	ret = params_init(&params, machine, entry, launch, err);
	if (ret)
		return ret;
	ret = stub_write(memory, machine, &params);
	if (ret)
		return err_set(err, ret, "boot stub: cannot write to guest memory: %s",
			       err_describe(ret));
	ret = pieces_add(launch, machine->guard);
	if (ret)
		return err_set(err, ret, "boot stub: out of memory");
	*entry = (struct boot_entry){
		.mode = BOOT_MODE_LONG64,
		.rip = STUB_SNP_ENTRY,
		.other_rip = STUB_SNP_OTHER_ENTRY,
		.cr3 = STUB_TABLES_GPA, /* read as encrypted, whatever bit is set here */
		.gdt = STUB_GDT_GPA,
	};
	return 0;
}

const char *boot_stub_describe(unsigned int number)
{
	return number < ARRAY_SIZE(stub_texts) ? stub_texts[number] : "a reason of its own";
}
