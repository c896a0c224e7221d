// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dma_device test | kill N: does a device that does DMA reach what is shared, and nothing else,
 * whatever is converted? Real iommufd, emulated VT-d, the lab's NVMe disk; guest memory without
 * a guest, so that nothing hides what the memory subsystem does. TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lab/dma_rig.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	TOGGLES = 100000,
	TOGGLES_WRONG = 3000,
	IN_FLIGHT = 32,
	PAGES = 512, /* of 2 MiB */
	STORM_THREADS = 4,
	STORM_ROUNDS = 1500,
	KLOG_READ_ALL = 3,
	KLOG_BYTES = 1 << 20,
	READY_MS = 20000,
};

#define CHUNK_BYTES (2 * MIB)

static bool has_failed;
static unsigned int n_results;

static void result(bool ok, const char *name)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++n_results, name);
	fflush(stdout);
	has_failed = has_failed || !ok;
}

/* DMA that the IOMMU refused, as the kernel's log has it. */
static unsigned int faults_count(void)
{
	char *log = calloc(1, KLOG_BYTES + 1);
	unsigned int n = 0;

	ASSERT(log);
	ASSERT(klogctl(KLOG_READ_ALL, log, KLOG_BYTES) >= 0);
	for (const char *at = log; (at = strstr(at, "DMAR: [DMA")); at++)
		n++;
	free(log);
	return n;
}

/* --- The six steps: does the device see the new page? --- */

static bool six_steps(struct rig *rig)
{
	gpa_t gpa = RIG_GPA + 7 * GRANULE_BYTES;

	/* A shared page that a device uses, made private (its shared half discarded) ... */
	if (!rig_device_writes(rig, gpa, 1) ||
	    rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE) != CONVERSION_DONE)
		return false;
	/* ... and shared again: another page, or the same one, is what all must see. */
	return rig_convert(rig, gpa, GRANULE_BYTES, SIDE_SHARED) == CONVERSION_DONE &&
	       rig_device_writes(rig, gpa, 2);
}

static void test_six_steps_can_fail(void)
{
	struct rig rig;

	rig_start(&rig, RIG_HOST_KEEPS);
	rig_fill_disk(&rig);
	result(!six_steps(&rig), "six steps fail on a host that skips the unmap");
	rig_stop(&rig);
}

/* --- A page out of the middle of DMA --- */

struct stream {
	struct rig *rig;
	atomic_bool is_over;
	uint64_t n_done;
	uint64_t n_lost;
};

/* Reads into 511 pages without pause, many at a time. */
static void *stream_run(void *argument)
{
	struct stream *stream = argument;
	struct rig *rig = stream->rig;
	struct {
		gpa_t gpa;
		unsigned int n;
		bool is_used;
	} slots[IN_FLIGHT] = {0};
	unsigned int n_flying = 0;
	uint64_t next = 0;

	while (!atomic_load(&stream->is_over) || n_flying) {
		int tag;

		for (unsigned int i = 0; i < IN_FLIGHT && !atomic_load(&stream->is_over); i++) {
			if (slots[i].is_used)
				continue;
			slots[i].gpa = RIG_GPA + next % (PAGES - 1) * GRANULE_BYTES;
			slots[i].n = (unsigned int)(next % RIG_DISK_PAGES);
			slots[i].is_used = true;
			next++;
			n_flying++;
			rig_spoil(rig, slots[i].gpa);
			nvme_submit(&rig->nvme, true, slots[i].n * GRANULE_BYTES, slots[i].gpa,
				    GRANULE_BYTES, (uint16_t)i);
		}
		tag = nvme_poll(&rig->nvme);
		if (tag == -EAGAIN) {
			sched_yield();
			continue;
		}
		ASSERT(tag >= 0 && tag < IN_FLIGHT && slots[tag].is_used);
		if (!rig_has_pattern(rig, slots[tag].gpa, slots[tag].n))
			stream->n_lost++;
		stream->n_done++;
		slots[tag].is_used = false;
		n_flying--;
	}
	return NULL;
}

/* The 512th page goes private and back @n times. How many conversions were not done? */
static unsigned int toggle_beside(struct rig *rig, unsigned int n, struct stream *ret_stream)
{
	gpa_t gpa = RIG_GPA + (PAGES - 1) * GRANULE_BYTES;
	unsigned int n_failed = 0;
	pthread_t thread;

	*ret_stream = (struct stream){.rig = rig};
	ASSERT(pthread_create(&thread, NULL, stream_run, ret_stream) == 0);
	for (unsigned int i = 0; i < n; i++) {
		if (rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE) != CONVERSION_DONE ||
		    rig_convert(rig, gpa, GRANULE_BYTES, SIDE_SHARED) != CONVERSION_DONE)
			n_failed++;
	}
	atomic_store(&ret_stream->is_over, true);
	pthread_join(thread, NULL);
	printf("# %u times private and shared, %llu transfers beside it, %llu lost\n", n,
	       (unsigned long long)ret_stream->n_done, (unsigned long long)ret_stream->n_lost);
	return n_failed;
}

static void test_neighbours_stay_mapped(struct rig *rig)
{
	struct stream stream;
	unsigned int n_failed = toggle_beside(rig, TOGGLES, &stream);

	result(n_failed == 0 && stream.n_lost == 0 && stream.n_done > TOGGLES / 100,
	       "unsharing a page loses no transfer to its neighbours");
}

static void test_neighbours_can_be_lost(void)
{
	struct stream stream;
	struct rig rig;

	rig_start(&rig, RIG_HOST_REMAPS);
	rig_fill_disk(&rig);
	toggle_beside(&rig, TOGGLES_WRONG, &stream);
	result(stream.n_lost > 0, "transfers are lost on a host that maps neighbours again");
	rig_stop(&rig);
}

/* --- Pins --- */

static void record_keep(void *trace, const struct conversion_record *record)
{
	struct conversion_record *kept = trace;

	*kept = *record;
}

static void test_pins(struct rig *rig)
{
	struct conversion_record record = {0};
	gpa_t gpa = RIG_GPA + 3 * GRANULE_BYTES;
	struct iovec iov = {.iov_base = rig_hva(rig, gpa), .iov_len = GRANULE_BYTES};
	enum conversion_end end;
	int pin[2];

	ASSERT(rig_device_writes(rig, gpa, 5));
	guest_set_trace(rig->memory, record_keep, &record);
	end = rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE);
	result(end == CONVERSION_DONE && record.n_retries == 0,
	       "with a device attached the first try to make a page private succeeds");
	ASSERT(rig_convert(rig, gpa, GRANULE_BYTES, SIDE_SHARED) == CONVERSION_DONE);
	if (rig->is_inplace) {
		ASSERT(pipe2(pin, O_CLOEXEC) == 0);
		ASSERT(vmsplice(pin[1], &iov, 1, 0) == GRANULE_BYTES);
		end = rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE);
		result(end == CONVERSION_AGAIN && record.busy_gpa == gpa &&
			       rig_device_writes(rig, gpa, 6),
		       "a page that somebody else uses stays shared, and the device's");
		close(pin[0]);
		close(pin[1]);
	}
	result(rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE) == CONVERSION_DONE &&
		       rig_convert(rig, gpa, GRANULE_BYTES, SIDE_SHARED) == CONVERSION_DONE,
	       "a page that nobody uses any more is converted");
	guest_set_trace(rig->memory, NULL, NULL);
}

/* --- Storm --- */

struct storm {
	struct rig *rig;
	pthread_mutex_t *disk;
	gpa_t gpa;
	unsigned int seed;
	unsigned int n_wrong;
};

/* Ranges of a chunk of its own; whenever one is shared again, the device writes to it. */
static void *storm_run(void *argument)
{
	struct storm *storm = argument;
	struct rig *rig = storm->rig;

	for (unsigned int i = 0; i < STORM_ROUNDS; i++) {
		uint64_t first = (uint64_t)rand_r(&storm->seed) % PAGES;
		uint64_t n = 1 + (uint64_t)rand_r(&storm->seed) % (PAGES - first);
		gpa_t gpa = storm->gpa + first * GRANULE_BYTES;
		gpa_t last = gpa + (n - 1) * GRANULE_BYTES;

		if (rig_convert(rig, gpa, n * GRANULE_BYTES, SIDE_PRIVATE) != CONVERSION_DONE ||
		    rig_convert(rig, gpa, n * GRANULE_BYTES, SIDE_SHARED) != CONVERSION_DONE) {
			storm->n_wrong++;
			continue;
		}
		WITH_LOCK(storm->disk);
		if (!rig_device_writes(rig, gpa, i % RIG_DISK_PAGES) ||
		    !rig_device_writes(rig, last, (i + 1) % RIG_DISK_PAGES))
			storm->n_wrong++;
	}
	return NULL;
}

static void test_storm(struct rig *rig)
{
	pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
	struct storm storms[STORM_THREADS];
	pthread_t threads[STORM_THREADS];
	unsigned int n_wrong = 0;

	for (unsigned int i = 0; i < STORM_THREADS; i++) {
		storms[i] = (struct storm){.rig = rig,
					   .disk = &disk,
					   .gpa = RIG_GPA + (i + 1) * CHUNK_BYTES,
					   .seed = i + 1};
		ASSERT(pthread_create(&threads[i], NULL, storm_run, &storms[i]) == 0);
	}
	for (unsigned int i = 0; i < STORM_THREADS; i++) {
		pthread_join(threads[i], NULL);
		n_wrong += storms[i].n_wrong;
	}
	result(n_wrong == 0, "four threads convert at random, and the device follows");
}

/* --- DMA to what is private --- */

static void test_private_is_blocked(struct rig *rig)
{
	gpa_t gpa = RIG_GPA + 9 * GRANULE_BYTES;
	unsigned int n_before = faults_count();

	rig_spoil(rig, gpa);
	ASSERT(rig_convert(rig, gpa, GRANULE_BYTES, SIDE_PRIVATE) == CONVERSION_DONE);
	/* The disk may or may not report what its DMA came to. */
	(void)nvme_transfer(&rig->nvme, true, 8 * GRANULE_BYTES, gpa, GRANULE_BYTES);
	result(faults_count() > n_before, "the IOMMU blocks DMA to a private page");
	result(rig_device_writes(rig, gpa + GRANULE_BYTES, 4),
	       "the device goes on with what is shared");
	ASSERT(rig_convert(rig, gpa, GRANULE_BYTES, SIDE_SHARED) == CONVERSION_DONE);
	result(!rig_has_pattern(rig, gpa, 8), "nothing of it got there");
}

static int run_tests(void)
{
	struct rig rig;

	rig_start(&rig, RIG_HOST_REAL);
	rig_fill_disk(&rig);
	printf("# %s\n", rig.is_inplace ? "in place" : "paired");
	result(six_steps(&rig), "six steps");
	test_pins(&rig);
	test_neighbours_stay_mapped(&rig);
	test_storm(&rig);
	result(guest_get_dma_stats(rig.memory).n_mismatches == 0,
	       "the kernel had mapped what the books say");
	result(faults_count() == 0, "the IOMMU had nothing to block so far");
	test_private_is_blocked(&rig);
	rig_stop(&rig);
	test_six_steps_can_fail();
	test_neighbours_can_be_lost();
	printf("1..%u\n", n_results);
	return has_failed;
}

/* --- Killed at any moment --- */

/* Uses the device and converts beside it until it is killed. */
static _Noreturn void work(int ready)
{
	struct stream stream;
	struct rig rig;

	rig_start(&rig, RIG_HOST_REAL);
	rig_fill_disk(&rig);
	ASSERT(rig_device_writes(&rig, RIG_GPA, 3));
	ASSERT(write(ready, "", 1) == 1);
	for (;;)
		toggle_beside(&rig, TOGGLES, &stream);
}

/* Every second one is killed when it works, the others on the way there. */
static bool kill_one(unsigned int i, unsigned int *seed)
{
	struct timespec moment = {.tv_nsec = rand_r(seed) % (i % 2 ? 300 : 50) * 1000000L};
	struct pollfd ready;
	bool ok = true;
	int fds[2];
	pid_t pid;

	ASSERT(pipe2(fds, O_CLOEXEC) == 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid)
		work(fds[1]);
	close(fds[1]);
	ready = (struct pollfd){.fd = fds[0], .events = POLLIN};
	/* A child that failed closes its end. */
	if (i % 2 == 0)
		ok = poll(&ready, 1, READY_MS) == 1 && ready.revents & POLLIN;
	nanosleep(&moment, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	return ok;
}

static int run_kill(unsigned int n)
{
	unsigned int n_unusable = 0, seed = 1;

	for (unsigned int i = 0; i < n; i++)
		n_unusable += !kill_one(i, &seed);
	printf("# killed %u times\n", n);
	result(n_unusable == 0, "a device whose user was killed can be used at once");
	printf("1..%u\n", n_results);
	return has_failed;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "test"))
		return run_tests();
	if (argc == 3 && !strcmp(argv[1], "kill"))
		return run_kill((unsigned int)atoi(argv[2]));
	fprintf(stderr, "usage: dma_device test | kill N\n");
	return 2;
}
