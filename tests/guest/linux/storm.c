// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many processors converting memory at once, against a model of what must be in it, while a
 * disk is used and while pages are converted under its requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/linux/flip.h"
#include "tests/guest/linux/guest.h"

enum {
	PAGE = 4096,
	BUFFER_PAGES = 512,
	DISK_BYTES = 1 << 20, /* from the start of the disk */
	WORKERS_MAX = 16,
};

/* Shared by all processes of the storm. */
struct tally {
	atomic_ulong n_conversions;
	atomic_ulong n_checks;
	atomic_ulong n_reads;	/* from the disk into memory that is being converted */
	atomic_ulong n_refused; /* of those: an I/O error, as it may be */
};

struct storm {
	time_t end;
	int preserves;	/* a page keeps its contents when it changes side; else it is zeroed */
	char disk[64];	/* "": none */
	int is_orderly; /* nothing is converted while the disk uses it */
	struct tally *tally;
};

/* What is known of one page; seed 0 is a page of zeroes. */
struct page_model {
	uint64_t seed;
	int private;
};

static int storm_is_over(const struct storm *storm)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= storm->end;
}

static char *buffer_open(int *ret_fd)
{
	struct flip_buffer buffer = {.size = BUFFER_PAGES * PAGE};
	char *memory;

	*ret_fd = open("/dev/lab_flip", O_RDWR | O_CLOEXEC);
	if (*ret_fd < 0 || ioctl(*ret_fd, FLIP_ALLOC, &buffer))
		return NULL;
	memory = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int page_check(const char *memory, uint64_t page, const struct page_model *model)
{
	char expected[PAGE] = {0};

	if (model->seed)
		pattern_fill(expected, PAGE, model->seed);
	return memcmp(memory + page * PAGE, expected, PAGE) ? -EILSEQ : 0;
}

/* One conversion of a random range, then every page of it against the model. */
static int worker_round(const struct storm *storm, int fd, char *memory,
			struct page_model *models)
{
	uint64_t first = (uint64_t)random() % BUFFER_PAGES;
	uint64_t most = random() % 4 ? 16 : BUFFER_PAGES;
	uint64_t end = first + 1 + (uint64_t)random() % most;
	int private = random() % 2;
	int ret;

	if (end > BUFFER_PAGES)
		end = BUFFER_PAGES;
	ret = flip_set(fd, first, end - first, private);
	if (ret)
		return ret;
	atomic_fetch_add(&storm->tally->n_conversions, 1);
	for (uint64_t page = first; page < end && !ret; page++) {
		struct page_model *model = &models[page];

		if (model->private != private && !storm->preserves)
			model->seed = 0;
		model->private = private;
		ret = page_check(memory, page, model);
		if (random() % 2) {
			model->seed = 1 + (uint64_t)random();
			pattern_fill(memory + page * PAGE, PAGE, model->seed);
		}
		atomic_fetch_add(&storm->tally->n_checks, 1);
	}
	return ret;
}

static int worker_run(const struct storm *storm)
{
	struct page_model models[BUFFER_PAGES] = {0};
	int fd, ret = 0;
	char *memory = buffer_open(&fd);

	if (!memory)
		return -errno;
	while (!ret && !storm_is_over(storm))
		ret = worker_round(storm, fd, memory, models);
	for (uint64_t page = 0; page < BUFFER_PAGES && !ret; page++)
		ret = page_check(memory, page, &models[page]);
	return ret;
}

/* Write, read back, compare: the disk does not notice the storm. */
static int disk_run(const struct storm *storm)
{
	char *written = aligned_alloc(PAGE, DISK_BYTES),
	     *read_back = aligned_alloc(PAGE, DISK_BYTES);
	int fd = open(storm->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	uint64_t seed = 1;

	if (fd < 0)
		return -errno;
	do {
		pattern_fill(written, DISK_BYTES, seed++);
		if (pwrite(fd, written, DISK_BYTES, 0) != DISK_BYTES ||
		    pread(fd, read_back, DISK_BYTES, 0) != DISK_BYTES)
			return -EIO;
		if (memcmp(written, read_back, DISK_BYTES))
			return -EILSEQ;
	} while (!storm_is_over(storm));
	return 0;
}

/* Read the disk into pages while somebody else converts them: data or an I/O error, and an end.
 */
static int under_io_run(const struct storm *storm)
{
	int disk = open(storm->disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int fd;
	char *memory = buffer_open(&fd);
	pid_t converter;

	if (!memory || disk < 0)
		return -errno;
	converter = fork();
	while (!converter && !storm_is_over(storm)) {
		uint64_t page = (uint64_t)random() % 16;

		if (flip_set(fd, page, 1, 1) || flip_set(fd, page, 1, 0))
			_exit(EIO);
		atomic_fetch_add(&storm->tally->n_conversions, 2);
	}
	if (!converter)
		_exit(0);
	while (!storm_is_over(storm)) {
		ssize_t got = pread(disk, memory, 16 * PAGE, DISK_BYTES);

		if (got != 16 * PAGE && (got >= 0 || errno != EIO))
			return got < 0 ? -errno : -ENODATA;
		atomic_fetch_add(got < 0 ? &storm->tally->n_refused : &storm->tally->n_reads,
				 1);
	}
	int status = -1;

	waitpid(converter, &status, 0);
	return status ? -ECHILD : 0;
}

/*
 * Convert a window, and then pages at both ends of it; write it to the disk and read it back.
 * The disk has nothing to do with a page while it is private.
 */
static int orderly_round(const struct storm *storm, int fd, int disk, char *memory)
{
	enum { WINDOW = 64 };
	uint64_t first = 1 + (uint64_t)random() % (BUFFER_PAGES - WINDOW - 1);
	char *window = memory + first * PAGE;
	uint64_t seed = 1 + (uint64_t)random();
	static char expected[WINDOW * PAGE];

	if (flip_set(fd, first, WINDOW, 1) || flip_set(fd, first, WINDOW, 0) ||
	    flip_set(fd, first - 1, 1, 1) || flip_set(fd, first + WINDOW, 1, 1))
		return -EIO;
	pattern_fill(expected, sizeof(expected), seed);
	memcpy(window, expected, sizeof(expected));
	if (pwrite(disk, window, sizeof(expected), DISK_BYTES) != sizeof(expected))
		return -EIO;
	memset(window, 0, sizeof(expected));
	if (pread(disk, window, sizeof(expected), DISK_BYTES) != sizeof(expected))
		return -EIO;
	if (memcmp(window, expected, sizeof(expected)))
		return -EILSEQ;
	if (flip_set(fd, first - 1, 1, 0) || flip_set(fd, first + WINDOW, 1, 0))
		return -EIO;
	atomic_fetch_add(&storm->tally->n_conversions, 6);
	atomic_fetch_add(&storm->tally->n_reads, 1);
	return 0;
}

static int orderly_run(const struct storm *storm)
{
	int disk = open(storm->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	int fd, ret = 0;
	char *memory = buffer_open(&fd);

	if (!memory || disk < 0)
		return -errno;
	while (!ret && !storm_is_over(storm))
		ret = orderly_round(storm, fd, disk, memory);
	return ret;
}

static pid_t process_start(const struct storm *storm, int (*run)(const struct storm *storm),
			   unsigned int seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	srandom(seed);
	_exit(-run(storm) & 0xff);
}

/* SECONDS:inplace|paired[:DISK[:orderly]] */
static int storm_parse(const char *argument, struct storm *storm)
{
	char contents[16] = "", disk[32] = "", order[16] = "";
	struct timespec now;
	long seconds;

	if (sscanf(argument, "%ld:%15[a-z]:%31[a-z0-9]:%15[a-z]", &seconds, contents, disk,
		   order) < 2)
		return -EINVAL;
	storm->is_orderly = !strcmp(order, "orderly");
	clock_gettime(CLOCK_MONOTONIC, &now);
	storm->end = now.tv_sec + seconds;
	storm->preserves = !strcmp(contents, "inplace");
	if (*disk)
		snprintf(storm->disk, sizeof(storm->disk), "/dev/%s", disk);
	storm->tally = mmap(NULL, sizeof(*storm->tally), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return storm->tally == MAP_FAILED ? -errno : 0;
}

int storm_run(const char *argument, struct say *say)
{
	struct storm storm = {0};
	long n_workers = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[WORKERS_MAX + 2];
	int n = 0, err = storm_parse(argument, &storm);

	if (err)
		return err;
	for (long i = 0; i < n_workers && i < WORKERS_MAX; i++)
		pids[n++] = process_start(&storm, worker_run, (unsigned int)i + 1);
	if (*storm.disk) {
		pids[n++] = process_start(&storm, disk_run, 100);
		pids[n++] = process_start(&storm, storm.is_orderly ? orderly_run : under_io_run,
					  101);
	}
	while (n--) {
		int status;

		if (waitpid(pids[n], &status, 0) < 0)
			err = -errno;
		else if (!WIFEXITED(status))
			err = -ECHILD;
		else if (WEXITSTATUS(status))
			err = -WEXITSTATUS(status);
	}
	say_add(say, " workers=%ld conversions=%lu pages=%lu reads=%lu refused=%lu", n_workers,
		atomic_load(&storm.tally->n_conversions), atomic_load(&storm.tally->n_checks),
		atomic_load(&storm.tally->n_reads), atomic_load(&storm.tally->n_refused));
	return err;
}
