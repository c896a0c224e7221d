// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peek PID TEXT: what the host sees of a guest's memory. Looks at all that the process maps of
 * guest_memfd and memfd, page by page, and prints
 *
 *	pages=65536 seen=16573 found=0
 *
 * how many there are, how many of them the host can read (guest_memfd) or have memory (memfd),
 * and how many of those hold TEXT. Nothing comes into being by looking.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 };

struct tally {
	unsigned long n_pages;
	unsigned long n_seen;
	unsigned long n_found;
};

static void page_count(struct tally *tally, const char *page, const char *text)
{
	tally->n_seen++;
	if (memmem(page, PAGE, text, strlen(text)))
		tally->n_found++;
}

/* A private page is none of the host's: EFAULT. */
static void look_at_gmem(pid_t pid, uint64_t start, uint64_t end, const char *text,
			 struct tally *tally)
{
	static char page[PAGE];

	for (; start < end; start += PAGE) {
		struct iovec local = {.iov_base = page, .iov_len = PAGE};
		struct iovec remote = {.iov_len = PAGE};

		memcpy(&remote.iov_base, &start, sizeof(start));
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == PAGE)
			page_count(tally, page, text);
	}
}

static void look_at_memfd(pid_t pid, uint64_t start, uint64_t end, const char *text,
			  struct tally *tally)
{
	static char page[PAGE];
	char path[80];
	off_t data = 0, hole;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid,
		 (unsigned long)start, (unsigned long)end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		for (; data < hole; data += PAGE) {
			if (pread(fd, page, PAGE, data) == PAGE)
				page_count(tally, page, text);
		}
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct tally tally = {0};
	char path[64], line[512];
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = pid > 0 ? fopen(path, "re") : NULL;
	if (!maps) {
		fprintf(stderr, "usage: peek PID TEXT\n");
		return 2;
	}
	while (fgets(line, sizeof(line), maps)) {
		bool is_gmem = strstr(line, "[kvm-gmem]");
		uint64_t start, end;

		if ((!is_gmem && !strstr(line, "/memfd:")) ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		tally.n_pages += (end - start) / PAGE;
		(is_gmem ? look_at_gmem : look_at_memfd)(pid, start, end, argv[2], &tally);
	}
	fclose(maps);
	printf("pages=%lu seen=%lu found=%lu\n", tally.n_pages, tally.n_seen, tally.n_found);
	return 0;
}
