// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Load the pieces, start the others, become what the stub starts on, and take the traps.
 *
 * The kernel's entry has an undefined instruction until the stub gets there; what the stub did
 * is judged then, and the kernel runs as if nothing had been.
 */
#include "tests/guest/monitor/internal.h"

#include "boot/launch.h"
#include "boot/stub.h"

#define VECTOR_UD      6
#define IDT_ENTRIES    32
#define GATE_INTERRUPT 0x8e
#define IST_BYTES      0x1000
#define UD2	       0x0b0f
#define ICR_LOW	       ((volatile uint32_t *)0xfee00300)
#define INIT_OTHERS    0xc4500
#define START_OTHERS   (0xc4600 | MONITOR_TRAMPOLINE_GPA >> 12)
#define SPURIOUS       ((volatile uint32_t *)0xfee000f0)
#define APIC_SOFTWARE  0x100
#define APIC_VECTOR    0xff

struct gate {
	uint16_t offset_low, segment;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct tss {
	uint32_t reserved;
	uint32_t unused[8];
	uint32_t ist1[2];
	uint32_t rest[15];
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

__attribute__((section(".config"))) struct monitor_config config = {.magic = MONITOR_MAGIC};

static struct gate idt[IDT_ENTRIES] __attribute__((aligned(16)));
static struct tss tss[MONITOR_CPUS] __attribute__((aligned(16)));
static uint8_t ist[MONITOR_CPUS][IST_BYTES] __attribute__((aligned(16)));
static uint32_t n_others, may_start, kernel_runs, n_calls;
static uint16_t kernel_bytes;

bool inject_now(enum monitor_inject inject)
{
	return config.inject == inject && n_calls >= config.inject_at;
}

static void idt_init(void)
{
	for (unsigned int i = 0; i < IDT_ENTRIES; i++) {
		uint64_t offset = (uint64_t)traps + i * 16;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)offset,
			.segment = MONITOR_CODE64,
			.ist = 1,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(offset >> 16),
			.offset_high = (uint32_t)(offset >> 32),
		};
	}
}

/* Traps of this processor work from here on, whatever it does to its descriptor table. */
static void traps_enable(uint32_t index)
{
	const struct table_pointer pointer = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};
	uint64_t base = (uint64_t)&tss[index], stack = (uint64_t)ist[index] + IST_BYTES;

	tss[index].ist1[0] = (uint32_t)stack;
	gdt[MONITOR_TSS / 8 + 2 * index] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 |
					   UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
	gdt[MONITOR_TSS / 8 + 2 * index + 1] = base >> 32;
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(MONITOR_TSS + 16 * index) : "memory");
}

static void pieces_load(void)
{
	for (uint32_t i = 0; i < config.n_pieces; i++) {
		const struct monitor_piece *piece = &config.pieces[i];
		const void *source = (const void *)piece->source;
		void *target = (void *)piece->gpa;
		uint64_t n = piece->n_bytes;

		if (piece->gpa < MONITOR_RAM_END && piece->gpa < STUB_FIRMWARE_GPA)
			books_launch(piece->gpa, n);
		if (source)
			__asm__ volatile("rep movsb"
					 : "+S"(source), "+D"(target), "+c"(n)
					 :
					 : "memory");
		else
			__asm__ volatile("rep stosb"
					 : "+D"(target), "+c"(n)
					 : "a"(0)
					 : "memory");
	}
}

static void others_start(void)
{
	uint32_t wanted = config.n_vcpus - 1;

	if (!wanted)
		return;
	*SPURIOUS = APIC_SOFTWARE | APIC_VECTOR;
	*ICR_LOW = INIT_OTHERS;
	for (volatile uint32_t i = 0; i < 100000; i++)
		;
	*ICR_LOW = START_OTHERS;
	while (__atomic_load_n(&n_others, __ATOMIC_ACQUIRE) < wanted)
		__builtin_ia32_pause();
	*SPURIOUS = APIC_VECTOR;
}

static void other_main(uint32_t index)
{
	uint32_t *start = index == config.late_vcpu ? &kernel_runs : &may_start;

	traps_enable(index);
	__atomic_fetch_add(&n_others, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(start, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	if (config.platform == STUB_PLATFORM_TDX)
		tdx_start(index);
}

void monitor_main(uint32_t index)
{
	uint16_t *entry = (uint16_t *)config.kernel_entry;

	if (index) {
		other_main(index);
		return;
	}
	books_init();
	idt_init();
	traps_enable(0);
	if (config.platform == STUB_PLATFORM_TDX)
		others_start();
	pieces_load();
	kernel_bytes = *entry;
	*entry = UD2;
	if (config.platform == STUB_PLATFORM_SNP)
		snp_start();
	__atomic_store_n(&may_start, 1, __ATOMIC_RELEASE);
	tdx_start(0);
}

/* The boot protocol's state, and every page of RAM in its place. */
static void kernel_enter(struct trap_frame *frame, uint32_t index)
{
	uint64_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	if (index)
		verdict_wrong("processor %lu enters the kernel", (unsigned long)index);
	if (frame->rsi != config.boot_params)
		verdict_wrong("the kernel gets 0x%lx for its parameters", frame->rsi);
	if (frame->cs != MONITOR_CODE64 || frame->ss != MONITOR_DATA || !(cr0 >> 31 & 1))
		verdict_wrong("the kernel runs with cs 0x%lx ss 0x%lx cr0 0x%lx", frame->cs,
			      frame->ss, cr0);
	if (frame->rflags & RFLAGS_IF)
		verdict_wrong("the kernel runs with interrupts on");
	if (books_find_missing() != MONITOR_RAM_END)
		verdict_wrong("the kernel runs, but page 0x%lx is not valid",
			      books_find_missing());
	if (config.platform == STUB_PLATFORM_SNP)
		snp_finish();
	else
		tdx_finish();
	print("MONITOR kernel calls=%lu pages=%lu", (unsigned long)n_calls,
	      books_count_taken());
	if (config.is_short)
		machine_end(0);
	*(uint16_t *)config.kernel_entry = kernel_bytes;
	__atomic_store_n(&kernel_runs, 1, __ATOMIC_RELEASE);
}

void monitor_trap(struct trap_frame *frame, uint32_t index)
{
	bool is_ours;

	if (frame->vector == VECTOR_UD && frame->rip == config.kernel_entry) {
		kernel_enter(frame, index);
		return;
	}
	if (frame->vector == VECTOR_UD)
		__atomic_fetch_add(&n_calls, 1, __ATOMIC_RELAXED);
	if (config.platform == STUB_PLATFORM_SNP)
		is_ours = snp_trap(frame);
	else
		is_ours = tdx_trap(frame, index);
	if (!is_ours)
		verdict_wrong("vector %lu error 0x%lx at 0x%lx on processor %lu", frame->vector,
			      frame->error, frame->rip, (unsigned long)index);
}
