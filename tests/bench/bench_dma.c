// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_dma [ROUNDS]: what devices cost, on a kernel with iommufd's own test device (the
 * lab's).
 *
 * First, conversions with a device attached, by guest_convert and by nothing but the same four
 * calls of the kernel, in turn: the median rate of each and of their ratios. Then, the kernel's
 * memory for the same shared memory as one area, with every second page private, with every
 * page an area of its own (what mapping by the page comes to), and the books of Alcove for it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/ram.h"
#include "tests/bench/median.h"
#include "tests/lab/plug.h"
#include "vmm/err.h"

#define RAM_BYTES GIB
#define ROUND_NS  UINT64_C(20000000)
#define PAGE	  GRANULE_BYTES

enum {
	ROUNDS_DEFAULT = 31,
	ROUNDS_MAX = 99,
	PERCENT = 100,
};

struct bench {
	struct plug plug;
	struct host *host;
	int vm;
	struct guest_memory *memory;
};

static const struct layout layout = {
	.ram = {{PLUG_IOVA, PLUG_IOVA + RAM_BYTES}}, .n_ram = 1, .ram_bytes = RAM_BYTES};

/* --- Rates --- */

static void engine_convert(const struct bench *bench, struct range gpa, enum side to)
{
	ASSERT(guest_convert(bench->memory, gpa.start, range_size(gpa), to,
			     CONVERSION_HYPERCALL) == CONVERSION_DONE);
}

static void engine_toggle(const struct bench *bench, struct range gpa)
{
	engine_convert(bench, gpa, SIDE_PRIVATE);
	engine_convert(bench, gpa, SIDE_SHARED);
}

static void naked_set(const struct bench *bench, const struct ram *ram, struct range gpa,
		      enum side side)
{
	gpa_t busy_gpa;
	int ret;

	do {
		ret = ram_set(bench->memory, ram, gpa, side, &busy_gpa);
	} while (ret == -EAGAIN);
	ASSERT(ret == 0);
	ASSERT(ram_discard(bench->memory, ram, gpa,
			   side == SIDE_PRIVATE ? SIDE_SHARED : SIDE_PRIVATE) == 0);
}

static void naked_toggle(const struct bench *bench, struct range gpa)
{
	const struct dma *dma = bench->memory->dma;
	const struct ram *ram = &bench->memory->ram[0];
	char *hva = (char *)ram->hva + (gpa.start - ram->gpa.start);
	uint64_t bytes;

	ASSERT(host_iommu_compat_unmap(bench->host, dma->iommu, gpa, &bytes) == 0);
	naked_set(bench, ram, gpa, SIDE_PRIVATE);
	naked_set(bench, ram, gpa, SIDE_SHARED);
	ASSERT(host_iommu_ioas_map(bench->host, dma->iommu, dma->ioas, hva, gpa) == 0);
}

/* Conversions per second. */
static double measure(const struct bench *bench, struct range gpa, uint64_t n_toggles,
		      void (*toggle)(const struct bench *bench, struct range gpa))
{
	uint64_t start_ns = host_clock_now_ns(bench->host);

	for (uint64_t i = 0; i < n_toggles; i++)
		toggle(bench, gpa);
	return 2e9 * (double)n_toggles / (double)(host_clock_now_ns(bench->host) - start_ns);
}

/* Who goes first changes from round to round. */
static void tell_rates(const struct bench *bench, uint64_t size_bytes, unsigned int rounds)
{
	struct range gpa = {.start = PLUG_IOVA, .end = PLUG_IOVA + size_bytes};
	double naked[ROUNDS_MAX], engine[ROUNDS_MAX], ratio[ROUNDS_MAX];
	uint64_t n_toggles =
		(uint64_t)(measure(bench, gpa, 20, naked_toggle) * (double)ROUND_NS / 2e9) + 1;

	for (unsigned int i = 0; i < rounds; i++) {
		if (i % 2)
			engine[i] = measure(bench, gpa, n_toggles, engine_toggle);
		naked[i] = measure(bench, gpa, n_toggles, naked_toggle);
		if (i % 2 == 0)
			engine[i] = measure(bench, gpa, n_toggles, engine_toggle);
		ratio[i] = engine[i] / naked[i] * PERCENT;
	}
	printf("%4ju KiB with a device: kernel %8.0f/s, engine %8.0f/s, %5.1f %%\n",
	       (uintmax_t)(size_bytes / KIB), median(naked, rounds), median(engine, rounds),
	       median(ratio, rounds));
}

/* --- Memory --- */

struct kernel_memory {
	int64_t slab_kib;
	int64_t iommu_kib;
};

static struct kernel_memory kernel_memory_now(void)
{
	struct kernel_memory memory = {0};
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	ASSERT(file);
	while (fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		if (value && strncmp(line, "SUnreclaim:", 11) == 0)
			memory.slab_kib = strtoll(value + 1, NULL, 10);
		if (value && strncmp(line, "SecPageTables:", 14) == 0)
			memory.iommu_kib = strtoll(value + 1, NULL, 10);
	}
	fclose(file);
	return memory;
}

static void tell_memory(const struct bench *bench, const struct kernel_memory *before,
			const char *what)
{
	struct kernel_memory now = kernel_memory_now();
	struct dma_stats stats = guest_get_dma_stats(bench->memory);

	printf("%-26s %7ju areas of %7ju KiB: kernel %7jd KiB, IOMMU %5jd KiB; Alcove %4ju "
	       "KiB\n",
	       what, (uintmax_t)stats.n_areas, (uintmax_t)(stats.mapped_bytes / KIB),
	       (intmax_t)(now.slab_kib - before->slab_kib),
	       (intmax_t)(now.iommu_kib - before->iommu_kib),
	       (uintmax_t)((areas_count_bytes(bench->memory->dma->areas)) / KIB));
}

/* Every page at a distance of @stride pages. */
static void convert_all(const struct bench *bench, uint64_t stride, enum side to)
{
	for (gpa_t gpa = PLUG_IOVA; gpa < PLUG_IOVA + RAM_BYTES; gpa += stride * PAGE)
		engine_convert(bench, (struct range){.start = gpa, .end = gpa + PAGE}, to);
}

static void tell_memories(struct bench *bench, struct err *err)
{
	struct kernel_memory before = kernel_memory_now();

	ASSERT(guest_dma_attach(bench->memory, bench->plug.device, false, err) == 0);
	tell_memory(bench, &before, "all shared at once");
	convert_all(bench, 2, SIDE_PRIVATE);
	tell_memory(bench, &before, "every second page private");
	convert_all(bench, 1, SIDE_PRIVATE);
	convert_all(bench, 1, SIDE_SHARED);
	tell_memory(bench, &before, "every page shared alone");
	engine_toggle(bench, layout.ram[0]);
	tell_memory(bench, &before, "all shared at once");
}

/* All pages exist, as in a guest that is at work. */
static int bench_start(struct bench *bench, struct err *err)
{
	enum backing backing;
	int iommu, ret;

	plug_init(&bench->plug, PLUG_MOCK, false);
	bench->host = bench->plug.host;
	bench->vm = host_vm_create(bench->host, KVM_X86_SW_PROTECTED_VM);
	if (bench->vm < 0)
		return err_set(err, bench->vm, "KVM has no software-protected VMs");
	ret = backing_probe(bench->host, bench->vm, &backing, err);
	if (!ret)
		ret = guest_memory_new(bench->host, bench->vm, &layout, backing, &bench->memory,
				       err);
	if (ret)
		return ret;
	iommu = guest_dma_open(bench->memory, DMA_CUT, -1, err);
	if (iommu < 0)
		return iommu;
	plug_add_device(&bench->plug, iommu);
	return guest_zero(bench->memory, PLUG_IOVA, RAM_BYTES);
}

int main(int argc, char **argv)
{
	struct bench bench = {.vm = -1};
	struct err err = {0};
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_dma [ROUNDS]\n");
		return 1;
	}
	if (bench_start(&bench, &err)) {
		fprintf(stderr, "bench_dma: %s\n", err.text);
		return 1;
	}
	tell_memories(&bench, &err);
	tell_rates(&bench, PAGE, (unsigned int)rounds);
	tell_rates(&bench, 2 * MIB, (unsigned int)rounds);
	guest_dma_detach(bench.memory, bench.plug.device);
	guest_dma_close(bench.memory);
	guest_memory_free(bench.memory);
	host_close(bench.host, bench.vm);
	plug_fini(&bench.plug);
	return 0;
}
