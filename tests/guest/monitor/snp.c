// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An SEV-SNP processor and its firmware.
 *
 * This processor knows no C-bit: it is a reserved one. All entries of the loaded tables must
 * have it, and lose it; what the stub writes itself traps as reserved at the first access.
 * Blocks that are not valid as a whole are not present until the stub touches them, which it
 * may do only when they are valid; so it is seen whether it evicts cache lines as it must.
 *
 * Sources: AMD APM volume 3, PVALIDATE; GHCB specification 56421, 2.3.1.
 */
#include "tests/guest/monitor/internal.h"

#include "boot/stub.h"
#include "boot/stub/work.h"

#define VECTOR_UD	  6
#define VECTOR_GP	  13
#define VECTOR_PF	  14
#define ADDRESS_MASK	  UINT64_C(0x000fffffffe00000)
#define TABLE_MASK	  UINT64_C(0x000ffffffffff000)
#define PRESENT		  UINT64_C(1)
#define HIDDEN		  UINT64_C(0x200) /* ours: taken away, to be touched */
#define PF_PRESENT	  UINT64_C(1)
#define PF_RESERVED	  UINT64_C(8)
#define WINDOW_GPA	  UINT64_C(0xc0000000)
#define MSR_GHCB	  0xc0010130
#define GHCB_TERMINATE	  0x100
#define VALIDATE_ERROR	  1
#define VALIDATE_MISMATCH 6
#define SETUP_CC_BLOB	  7
#define SETUP_DATA	  0x250 /* in boot_params: Documentation/arch/x86/boot.rst */

struct setup_data_blob {
	uint64_t next;
	uint32_t type, bytes, blob_gpa;
} __attribute__((packed));

struct cc_blob_seen {
	uint32_t magic, version;
	uint64_t secrets;
	uint32_t secrets_bytes, reserved1;
	uint64_t cpuid;
	uint32_t cpuid_bytes, reserved2;
};

static uint64_t n_large, n_small, n_blocks, n_touched;
/* Entries of the window that the monitor has changed. */
static struct moved {
	uint64_t before, now;
} moves[512];

static struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) gdt_pointer;

static uint64_t c_bit(void)
{
	return UINT64_C(1) << config.c_bit;
}

static uint64_t *table_get(uint64_t entry)
{
	return (uint64_t *)(entry & TABLE_MASK & ~c_bit());
}

/* The entry that maps @address, which is below 4 GiB. */
static uint64_t *entry_find(uint64_t address)
{
	uint64_t *level4 = (uint64_t *)(uint64_t)STUB_TABLES_GPA;
	uint64_t *level3 = table_get(level4[0]);

	return &table_get(level3[address >> 30])[address >> 21 & 511];
}

/*
 * What an entry leads to, the C-bit aside. When memory is really somewhere else, the entry was
 * changed for the access, and this still says what the stub wrote.
 */
static uint64_t entry_get_gpa(const uint64_t *entry)
{
	const struct moved *moved = &moves[(uint64_t)entry / sizeof(*entry) % 512];

	return (*entry == moved->now ? moved->before : *entry) & ADDRESS_MASK & ~c_bit();
}

/* The first access through the window: it has to be encrypted, and goes where memory is. */
static void entry_move(uint64_t *entry)
{
	struct moved *moved = &moves[(uint64_t)entry / sizeof(*entry) % 512];
	uint64_t before = *entry, gpa = entry_get_gpa(entry);

	if (!(before & c_bit()))
		verdict_wrong("the window has no C-bit: 0x%lx", before);
	*entry = (before & (LARGE_PAGE_BYTES - 1)) | books_find_place(gpa);
	*moved = (struct moved){.before = before, .now = *entry};
}

static void entry_strip(uint64_t *entry, const char *what)
{
	if (!(*entry & c_bit()))
		verdict_wrong("a %s without the C-bit: 0x%lx", what, *entry);
	*entry &= ~c_bit();
}

static void flush(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

static void tables_prepare(void)
{
	uint64_t *level4 = (uint64_t *)(uint64_t)STUB_TABLES_GPA;

	if (config.cr3 != STUB_TABLES_GPA)
		verdict_wrong("CR3 is 0x%lx", config.cr3);
	entry_strip(&level4[0], "table");
	for (unsigned int i = 0; i < 4; i++)
		entry_strip(&table_get(level4[0])[i], "table");
	for (uint64_t address = 0; address < UINT64_C(1) << 32; address += LARGE_PAGE_BYTES) {
		uint64_t *entry = entry_find(address);
		bool is_free = address < WINDOW_GPA;

		entry_strip(entry, "page");
		if ((*entry & ADDRESS_MASK) != address)
			verdict_wrong("0x%lx is mapped to 0x%lx", address, *entry);
		for (uint64_t i = 0; i < LARGE_PAGE_BYTES; i += PAGE_BYTES)
			is_free = is_free && books_are_ram(address + i) &&
				  !books_are_valid(address + i, PAGE_BYTES);
		n_blocks += is_free;
		if (is_free)
			*entry = (*entry & ~PRESENT) | HIDDEN;
	}
}

static void cpuid_prepare(void)
{
	struct stub_cpuid_page *page = (struct stub_cpuid_page *)(uint64_t)STUB_CPUID_GPA;
	struct stub_cpuid_entry *entry = &page->entries[2];

	*page = (struct stub_cpuid_page){.count = 3};
	page->entries[0].eax = 0x10;
	page->entries[1].eax_in = 0x80000000;
	page->entries[1].eax = 0x8000001f;
	entry->eax_in = 0x8000001f;
	entry->eax = 0x1a;
	entry->ebx = config.c_bit | 1 << 6;
	switch ((enum monitor_cpuid)config.cpuid) {
	case CPUID_GOOD:
		break;
	case CPUID_NO_EVICT:
		entry->ebx |= 1u << 31;
		break;
	case CPUID_EMPTY:
		page->count = 0;
		break;
	case CPUID_TOO_MANY:
		page->count = 65;
		break;
	case CPUID_NO_SNP:
		entry->eax = 0xa;
		break;
	case CPUID_OTHER_C_BIT:
		entry->ebx ^= 1;
		break;
	case CPUID_NO_LEAF:
		page->count = 2;
		break;
	}
}

_Noreturn void snp_start(void)
{
	uint64_t rip = config.inject == INJECT_OTHER_RUNS ? config.other_rip : config.rip;

	cpuid_prepare();
	tables_prepare();
	gdt_pointer = (struct table_pointer){.limit = STUB_GDT_BYTES - 1, .base = config.gdt};
	enter_snp(rip, config.cr3, &gdt_pointer);
}

/* Where an address of the stub leads; 0: nowhere. */
static uint64_t address_translate(uint64_t address)
{
	const uint64_t *entry;

	if (address >> 32)
		return 0;
	entry = entry_find(address);
	if (!(*entry & (PRESENT | HIDDEN)))
		return 0;
	return entry_get_gpa(entry) | (address & (LARGE_PAGE_BYTES - 1));
}

/* EAX and CF of PVALIDATE. */
static void validate(struct trap_frame *frame)
{
	bool is_large = frame->rcx & 1;
	uint64_t n_bytes = is_large ? LARGE_PAGE_BYTES : PAGE_BYTES;
	uint64_t gpa = address_translate(frame->rax);
	bool is_unchanged = inject_now(INJECT_NO_CHANGE);
	uint32_t status = 0;

	if ((uint32_t)frame->rdx != 1 || frame->rcx > 1 || frame->rax % n_bytes)
		verdict_wrong("PVALIDATE of 0x%lx, size %lu, to %lu", frame->rax, frame->rcx,
			      frame->rdx);
	if (is_large && !config.has_large)
		status = VALIDATE_MISMATCH;
	if (inject_now(INJECT_ERROR))
		status = VALIDATE_ERROR;
	if (inject_now(INJECT_MISMATCH))
		status = VALIDATE_MISMATCH;
	if (!status && !is_unchanged) {
		enum page_change change = books_take(gpa, n_bytes);

		if (change == PAGE_NO_RAM)
			verdict_wrong("PVALIDATE of 0x%lx, which is no RAM", gpa);
		is_unchanged = change == PAGE_ALREADY;
	}
	if (!status && !is_unchanged)
		*(is_large ? &n_large : &n_small) += 1;
	/* After an error the flag means nothing. */
	frame->rflags |= RFLAGS_CF;
	if (!is_unchanged && !status)
		frame->rflags &= ~RFLAGS_CF;
	frame->rax = status;
}

/* The stub gives up: the request, and the instruction that hands it over. */
static void terminate(const struct trap_frame *frame)
{
	static const uint8_t vmgexit[] = {0xf3, 0x0f, 0x01, 0xd9};
	const uint8_t *code = (const uint8_t *)frame->rip;
	uint64_t value = (frame->rax & UINT32_MAX) | frame->rdx << 32;
	uint64_t reason = value >> 16 & 0xff;

	if (value != (GHCB_TERMINATE | STUB_SNP_REASON_SET << 12 | reason << 16))
		verdict_wrong("0x%lx is written to the GHCB's MSR", value);
	for (unsigned int i = 0; i < sizeof(vmgexit); i++) {
		if (code[2 + i] != vmgexit[i])
			verdict_wrong("no VMGEXIT after the GHCB's MSR");
	}
	print("MONITOR stopped reason=%lu", reason);
	machine_end(0);
}

/* The first access to a block that was hidden, or seen through the window. */
static bool touch(const struct trap_frame *frame)
{
	uint64_t address, gpa, *entry;

	__asm__ volatile("mov %%cr2, %0" : "=r"(address));
	if (address >> 32)
		return false;
	entry = entry_find(address);
	if (!(frame->error & PF_RESERVED) &&
	    ((frame->error & PF_PRESENT) || !(*entry & HIDDEN)))
		return false;
	gpa = address_translate(address) & ~(LARGE_PAGE_BYTES - 1);
	if (!books_are_valid(address_translate(address), 1))
		verdict_wrong("0x%lx is touched before it is valid",
			      address_translate(address));
	if (!books_are_valid(gpa, LARGE_PAGE_BYTES))
		return false;
	if (frame->error & PF_RESERVED)
		entry_move(entry);
	*entry = (*entry & ~HIDDEN) | PRESENT;
	n_touched++;
	flush();
	return true;
}

bool snp_trap(struct trap_frame *frame)
{
	static const uint8_t pvalidate[] = {0xf2, 0x0f, 0x01, 0xff};
	const uint8_t *code = (const uint8_t *)frame->rip;

	if (frame->vector == VECTOR_GP && code[0] == 0x0f && code[1] == 0x30 &&
	    (uint32_t)frame->rcx == MSR_GHCB)
		terminate(frame);
	if (frame->vector == VECTOR_PF)
		return touch(frame);
	if (frame->vector != VECTOR_UD)
		return false;
	for (unsigned int i = 0; i < sizeof(pvalidate); i++) {
		if (code[i] != pvalidate[i])
			return false;
	}
	validate(frame);
	frame->rip += sizeof(pvalidate);
	return true;
}

/* All of low memory is there for the kernel, and the window is where it was. */
static void tables_restore(void)
{
	for (uint64_t address = 0; address < UINT64_C(1) << 32; address += LARGE_PAGE_BYTES) {
		uint64_t *entry = entry_find(address);

		if ((*entry & ADDRESS_MASK & ~c_bit()) != address)
			verdict_wrong("0x%lx stays mapped to 0x%lx", address, *entry);
		*entry = (*entry & ~HIDDEN & ~c_bit()) | PRESENT;
	}
	flush();
}

/* Blocks above 4 GiB: nothing is launched there. */
static uint64_t blocks_count_high(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < config.n_ram; i++) {
		if (config.ram[i].start >> 32)
			n += (config.ram[i].end - config.ram[i].start) / LARGE_PAGE_BYTES;
	}
	return n;
}

/* Linux would not run with this blob on a processor that is none of SNP. */
static void blob_check(void)
{
	uint64_t *setup_data = (uint64_t *)(config.boot_params + SETUP_DATA);
	const struct setup_data_blob *data = (const struct setup_data_blob *)*setup_data;
	const struct cc_blob_seen *blob;

	if (!data || data->type != SETUP_CC_BLOB)
		verdict_wrong("the kernel is not told of its SECRETS and CPUID pages");
	blob = (const struct cc_blob_seen *)(uint64_t)data->blob_gpa;
	if (blob->magic != 0x45444d41 || blob->version || blob->secrets != STUB_SECRETS_GPA ||
	    blob->cpuid != STUB_CPUID_GPA || blob->secrets_bytes != PAGE_BYTES ||
	    blob->cpuid_bytes != PAGE_BYTES)
		verdict_wrong("the kernel is told of other pages");
	*setup_data = data->next;
}

void snp_finish(void)
{
	uint64_t n_wanted = n_blocks + blocks_count_high();

	if (config.cpuid == CPUID_NO_EVICT)
		n_wanted = 0;
	tables_restore();
	if (n_touched != n_wanted)
		verdict_wrong("%lu blocks were touched, not %lu", n_touched, n_wanted);
	blob_check();
	print("MONITOR snp large=%lu small=%lu evicted=%lu", n_large, n_small, n_touched);
}
