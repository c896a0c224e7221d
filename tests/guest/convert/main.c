// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start, serial line, hypercalls, second processor; the command line says what to run:
 *
 *   mode=correct|hostile|storm   a set of cases
 *   mode=own-text|own-stack|own-tables|own-all|own-ram
 *   backing=inplace|paired       what to expect of contents
 *
 * Exit status: 0 all good, 1 a case was bad, 2 the command line makes no sense, 99 a trap.
 */
#include "tests/guest/convert/guest.h"

#define SERIAL_PORT	0x3f8
#define DEBUG_EXIT_PORT 0xf4
#define FOUR_GIB	UINT64_C(0x100000000)

enum {
	IDT_ENTRIES = 32,
	IDT_INTERRUPT_GATE = 0x8e,
	CODE64 = 0x08,
	MEMORY_RAM = 1,
	STATUS_BAD = 1,
	STATUS_USAGE = 2,
	STATUS_TRAP = 99,
	MSR_APIC_BASE = 0x1b,
	APIC_BASE_X2APIC = 1 << 10,
	MSR_X2APIC_ICR = 0x830,
	ICR_INIT_OTHERS = 0xc4500,
	ICR_START_OTHERS = 0xc4620, /* at 0x20 << 12, where start.S put the trampoline */
	OTHER_WAIT_LOOPS = 20000000,
};

/* Xen's public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules_gpa, cmdline_gpa, rsdp_gpa, memory_map_gpa;
	uint32_t n_memory_map, reserved;
};

struct memory_map_entry {
	uint64_t gpa, size_bytes;
	uint32_t type, reserved;
};

struct idt_entry {
	uint16_t offset_low, segment, flags, offset_middle;
	uint32_t offset_high, reserved;
};

void guest_main(const struct start_info *info);
void guest_other(void);
_Noreturn void guest_trap(uint64_t first, uint64_t second);
extern char trap[];

uint64_t ram_end;
bool is_inplace;
static bool is_amd;
static struct idt_entry idt[IDT_ENTRIES];
static void (*volatile other_fn)(void);
static volatile bool other_is_up;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"(value >> 32)
			 : "memory");
}

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

_Noreturn void guest_exit(uint8_t status)
{
	out8(DEBUG_EXIT_PORT, status);
	while (true)
		__asm__ volatile("hlt");
}

void print(const char *text)
{
	for (; *text; text++)
		out8(SERIAL_PORT, (uint8_t)*text);
}

void print_number(int64_t number)
{
	char digits[20];
	unsigned int n = 0;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	if (number < 0)
		print("-");
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	while (n)
		out8(SERIAL_PORT, (uint8_t)digits[--n]);
}

void print_result(const char *name, bool is_good)
{
	print("CASE ");
	print(name);
	print(is_good ? " ok\n" : " BAD\n");
}

bool expect(const char *what, int64_t value, int64_t expected)
{
	if (value == expected)
		return true;
	print("# ");
	print(what);
	print(" is ");
	print_number(value);
	print(", expected ");
	print_number(expected);
	print("\n");
	return false;
}

_Noreturn void guest_trap(uint64_t first, uint64_t second)
{
	print("TRAP ");
	print_number((int64_t)first);
	print(" ");
	print_number((int64_t)second);
	print("\n");
	guest_exit(STATUS_TRAP);
}

int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t ret;

	if (is_amd)
		__asm__ volatile("vmmcall"
				 : "=a"(ret)
				 : "a"(number), "b"(a), "c"(b), "d"(c)
				 : "memory");
	else
		__asm__ volatile("vmcall"
				 : "=a"(ret)
				 : "a"(number), "b"(a), "c"(b), "d"(c)
				 : "memory");
	return ret;
}

bool convert(uint64_t gpa, uint64_t n_pages, uint64_t side)
{
	return expect(side == PRIVATE ? "to private" : "to shared",
		      hypercall(HC_MAP_GPA_RANGE, gpa, n_pages, side), 0);
}

static uint64_t word_at(uint64_t gpa, uint64_t seed)
{
	return seed ? (gpa + seed) * UINT64_C(0x9e3779b97f4a7c15) | 1 : 0;
}

void fill(uint64_t gpa, uint64_t n_pages, uint64_t seed)
{
	for (uint64_t at = gpa; at < gpa + n_pages * PAGE_BYTES; at += sizeof(at))
		*(volatile uint64_t *)at = word_at(at, seed);
}

bool has(uint64_t gpa, uint64_t n_pages, uint64_t seed)
{
	for (uint64_t at = gpa; at < gpa + n_pages * PAGE_BYTES; at += sizeof(at)) {
		if (*(volatile uint64_t *)at != word_at(at, seed))
			return expect("word at gpa", (int64_t)at, -1);
	}
	return true;
}

bool has_kept(uint64_t gpa, uint64_t n_pages, uint64_t seed)
{
	return has(gpa, n_pages, is_inplace ? seed : 0);
}

void guest_other(void)
{
	other_is_up = true;
	other_fn();
}

bool other_start(void (*fn)(void))
{
	other_fn = fn;
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	write_msr(MSR_X2APIC_ICR, ICR_INIT_OTHERS);
	write_msr(MSR_X2APIC_ICR, ICR_START_OTHERS);
	for (unsigned int i = 0; i < OTHER_WAIT_LOOPS && !other_is_up; i++)
		__asm__ volatile("pause");
	return other_is_up;
}

static void idt_init(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};
	uint64_t handler = (uint64_t)trap;

	for (unsigned int i = 0; i < IDT_ENTRIES; i++)
		idt[i] = (struct idt_entry){
			.offset_low = (uint16_t)handler,
			.segment = CODE64,
			.flags = IDT_INTERRUPT_GATE << 8,
			.offset_middle = (uint16_t)(handler >> 16),
		};
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static bool cpu_is_amd(void)
{
	uint32_t eax = 0, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ebx == 0x68747541 || ebx == 0x6f677948; /* Auth, Hygo */
}

static uint64_t find_ram_end(const struct start_info *info)
{
	const struct memory_map_entry *map =
		(const struct memory_map_entry *)info->memory_map_gpa;
	uint64_t end = 0;

	for (uint32_t i = 0; i < info->n_memory_map; i++) {
		uint64_t entry_end = map[i].gpa + map[i].size_bytes;

		if (map[i].type == MEMORY_RAM && entry_end > end && entry_end < FOUR_GIB)
			end = entry_end;
	}
	return end;
}

/* What follows the word @key on the command line, or NULL. */
static const char *option(const char *cmdline, const char *key)
{
	for (; *cmdline; cmdline++) {
		size_t n = 0;

		while (key[n] && cmdline[n] == key[n])
			n++;
		if (!key[n])
			return cmdline + n;
	}
	return NULL;
}

static bool is_word(const char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return !*word && (!*text || *text == ' ' || *text == ',');
}

void guest_main(const struct start_info *info)
{
	const char *mode = option((const char *)info->cmdline_gpa, "mode=");
	const char *backing = option((const char *)info->cmdline_gpa, "backing=");
	unsigned int n_bad = 0;

	idt_init();
	is_amd = cpu_is_amd();
	ram_end = find_ram_end(info);
	is_inplace = backing && is_word(backing, "inplace");
	if (!mode || (!is_inplace && (!backing || !is_word(backing, "paired"))))
		guest_exit(STATUS_USAGE);
	if (is_word(mode, "correct"))
		n_bad = correct_run();
	else if (is_word(mode, "hostile"))
		n_bad = hostile_run();
	else if (is_word(mode, "storm"))
		n_bad = storm_run();
	else
		n_bad = own_run(mode);
	print("CASES bad=");
	print_number(n_bad);
	print("\n");
	guest_exit(n_bad ? STATUS_BAD : 0);
}
