// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_convert [ROUNDS]: what the conversion engine costs on top of the kernel.
 *
 * Converts ranges to private and back, by guest_convert and by nothing but the same calls of
 * the kernel on the same files, in turn, and prints the median rate of each and the median of
 * their ratios, and what the engine adds to a conversion. The kernel does what it can: in
 * place, or between two backings. Threads have ranges of their own. No guest runs. "Used": the
 * host writes to each page while it is shared, as for any page that is shared for a purpose;
 * else no page is ever mapped, which is when the kernel is fastest and the engine weighs most.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/ram.h"
#include "tests/bench/median.h"
#include "vmm/err.h"
#include "vmm/host.h"

#define RAM_BYTES     (256 * MIB)
#define STRIDE_BYTES  (4 * MIB)
#define ROUND_NS      UINT64_C(20000000)
#define GPA_BITS      40
#define GOAL_PERCENT  95
#define FIRST_GPA     (16 * MIB)
#define CALIBRATE_OPS 200

enum {
	ROUNDS_DEFAULT = 61,
	ROUNDS_MAX = 99,
	THREADS_MAX = 4,
	PERCENT = 100,
};

struct bench {
	struct host *host;
	int vm;
	struct guest_memory *memory;
	const char *backing_name;
};

/* One thread's work in one round. */
struct worker {
	const struct bench *bench;
	pthread_barrier_t *barrier;
	void (*toggle)(const struct bench *bench, struct range gpa);
	struct range gpa;
	bool is_used;
	uint64_t n_toggles;
	pthread_t thread;
};

static const struct shape {
	const char *name;
	uint64_t size_bytes;
	unsigned int n_threads;
	bool is_used;
} shapes[] = {
	{"4 KiB, 1 thread", GRANULE_BYTES, 1, false},
	{"4 KiB, 4 threads", GRANULE_BYTES, 4, false},
	{"4 KiB used, 1 thread", GRANULE_BYTES, 1, true},
	{"4 KiB used, 4 threads", GRANULE_BYTES, 4, true},
	{"2 MiB, 1 thread", 2 * MIB, 1, false},
	{"2 MiB, 4 threads", 2 * MIB, 4, false},
};

static void engine_toggle(const struct bench *bench, struct range gpa)
{
	ASSERT(guest_convert(bench->memory, gpa.start, range_size(gpa), SIDE_PRIVATE,
			     CONVERSION_HYPERCALL) == CONVERSION_DONE);
	ASSERT(guest_convert(bench->memory, gpa.start, range_size(gpa), SIDE_SHARED,
			     CONVERSION_HYPERCALL) == CONVERSION_DONE);
}

static void naked_set(const struct bench *bench, const struct ram *ram, struct range gpa,
		      uint64_t attributes)
{
	struct range offset = {.start = gpa.start - ram->gpa.start,
			       .end = gpa.end - ram->gpa.start};
	uint64_t busy;
	int ret;

	if (ram->shared_fd < 0) {
		do {
			ret = host_gmem_set_attributes(bench->host, ram->guest_memfd, offset,
						       attributes, &busy);
		} while (ret == -EAGAIN);
		ASSERT(ret == 0);
		return;
	}
	ASSERT(host_vm_set_attributes(bench->host, bench->vm, gpa, attributes) == 0);
	ASSERT(host_mem_discard(bench->host, attributes ? ram->shared_fd : ram->guest_memfd,
				offset) == 0);
}

static void naked_toggle(const struct bench *bench, struct range gpa)
{
	const struct ram *ram = ram_find(bench->memory, gpa);

	naked_set(bench, ram, gpa, KVM_MEMORY_ATTRIBUTE_PRIVATE);
	naked_set(bench, ram, gpa, 0);
}

/* By its address: the same for engine and kernel alone. */
static void range_use(const struct bench *bench, struct range gpa)
{
	const struct ram *ram = ram_find(bench->memory, gpa);
	volatile char *hva = (char *)ram->hva + (gpa.start - ram->gpa.start);

	for (uint64_t at = 0; at < range_size(gpa); at += GRANULE_BYTES)
		hva[at] = 1;
}

static void *worker_run(void *argument)
{
	const struct worker *worker = argument;

	pthread_barrier_wait(worker->barrier);
	for (uint64_t i = 0; i < worker->n_toggles; i++) {
		if (worker->is_used)
			range_use(worker->bench, worker->gpa);
		worker->toggle(worker->bench, worker->gpa);
	}
	return NULL;
}

/* Conversions per second of all threads together. */
static double measure(const struct bench *bench, const struct shape *shape, uint64_t n_toggles,
		      void (*toggle)(const struct bench *bench, struct range gpa))
{
	struct worker workers[THREADS_MAX] = {0};
	pthread_barrier_t barrier;
	uint64_t start_ns;

	pthread_barrier_init(&barrier, NULL, shape->n_threads + 1);
	for (unsigned int i = 0; i < shape->n_threads; i++) {
		gpa_t gpa = FIRST_GPA + i * STRIDE_BYTES;

		workers[i] = (struct worker){
			.bench = bench,
			.barrier = &barrier,
			.toggle = toggle,
			.gpa = {.start = gpa, .end = gpa + shape->size_bytes},
			.is_used = shape->is_used,
			.n_toggles = n_toggles,
		};
		ASSERT(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]) == 0);
	}
	pthread_barrier_wait(&barrier);
	start_ns = host_clock_now_ns(bench->host);
	for (unsigned int i = 0; i < shape->n_threads; i++)
		pthread_join(workers[i].thread, NULL);
	start_ns = host_clock_now_ns(bench->host) - start_ns;
	pthread_barrier_destroy(&barrier);
	return 2e9 * (double)(n_toggles * shape->n_threads) / (double)start_ns;
}

/* Who goes first changes from round to round. */
static void shape_run(const struct bench *bench, const struct shape *shape, unsigned int rounds)
{
	double naked[ROUNDS_MAX], engine[ROUNDS_MAX], ratio[ROUNDS_MAX];
	double rate = measure(bench, shape, CALIBRATE_OPS, naked_toggle);
	uint64_t n_toggles = (uint64_t)(rate * (double)ROUND_NS / 2e9 / shape->n_threads) + 1;

	for (unsigned int i = 0; i < rounds; i++) {
		if (i % 2)
			engine[i] = measure(bench, shape, n_toggles, engine_toggle);
		naked[i] = measure(bench, shape, n_toggles, naked_toggle);
		if (i % 2 == 0)
			engine[i] = measure(bench, shape, n_toggles, engine_toggle);
		ratio[i] = engine[i] / naked[i] * PERCENT;
	}
	rate = median(naked, rounds);
	printf("%-8s %-22s %12.0f %12.0f %8.1f %10.0f%s\n", bench->backing_name, shape->name,
	       rate, median(engine, rounds), median(ratio, rounds),
	       1e9 * shape->n_threads * (1 / median(engine, rounds) - 1 / rate),
	       median(ratio, rounds) < GOAL_PERCENT ? "  below the goal" : "");
}

/* All pages exist, as in a guest that is at work. */
static int bench_start(struct bench *bench, struct err *err)
{
	struct layout layout;
	enum backing backing;
	int ret = host_linux_new(&bench->host, err);

	if (ret)
		return ret;
	bench->vm = host_vm_create(bench->host, KVM_X86_SW_PROTECTED_VM);
	if (bench->vm < 0)
		return err_set(err, bench->vm, "KVM has no software-protected VMs");
	ret = backing_probe(bench->host, bench->vm, &backing, err);
	if (!ret)
		ret = layout_init(&layout, RAM_BYTES, GPA_BITS, err);
	if (!ret)
		ret = guest_memory_new(bench->host, bench->vm, &layout, backing, &bench->memory,
				       err);
	if (ret)
		return ret;
	bench->backing_name = backing == BACKING_INPLACE ? "inplace" : "paired";
	return guest_zero(bench->memory, 0, RAM_BYTES);
}

int main(int argc, char **argv)
{
	struct bench bench = {.vm = -1};
	struct err err = {0};
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_convert [ROUNDS]\n");
		return 1;
	}
	if (bench_start(&bench, &err)) {
		fprintf(stderr, "bench_convert: %s\n", err.text);
		return 1;
	}
	printf("conversions per second, median of %d rounds; goal %d %%\n", rounds,
	       GOAL_PERCENT);
	printf("%-8s %-22s %12s %12s %8s %10s\n", "backing", "", "kernel", "engine", "%",
	       "added/ns");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		shape_run(&bench, &shapes[i], (unsigned int)rounds);
	guest_memory_free(bench.memory);
	host_close(bench.host, bench.vm);
	host_linux_free(bench.host);
	return 0;
}
