// SPDX-License-Identifier: GPL-2.0-or-later
/* Certificates for an SEV-SNP guest: the table, the file, and requests for it. */
#include "vmm/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/convertible.h"
#include "tests/unit/certs_rig.h"
#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/log.h"

#define RAM_BYTES (16 * MIB)
#define GPA	  UINT64_C(0x200000)
#define PAGE	  GRANULE_BYTES

static uint8_t table[CERTS_MAX_BYTES + 4096];

static void expect_refused(size_t bytes, const char *why)
{
	struct err err = {0};

	ck_assert_int_lt(certs_check(table, bytes, &err), 0);
	ck_assert_msg(strstr(err.text, why), "%s", err.text);
}

START_TEST(test_tables_that_are_one)
{
	struct err err = {0};
	size_t bytes = certs_make(table, 3, 1500, 1);

	ck_assert_int_eq(certs_check(table, bytes, &err), 0);
	/* None at all, as KVM itself answers. */
	memset(table, 0, 24);
	ck_assert_int_eq(certs_check(table, 24, &err), 0);
	/* All the room there is. */
	bytes = certs_make(table, 1, CERTS_MAX_BYTES - 48, 1);
	ck_assert_uint_eq(bytes, CERTS_MAX_BYTES);
	ck_assert_int_eq(certs_check(table, bytes, &err), 0);
}
END_TEST

START_TEST(test_tables_that_are_none)
{
	static const struct {
		uint32_t offset, bytes;
	} entries[] = {
		{0, 8},
		{95, 8},
		{96, 0},
		{96, 4505},
		{4600, 1},
		{4601, 0},
		{UINT32_MAX, 8},
		{96, UINT32_MAX},
		{UINT32_MAX, UINT32_MAX},
		{0x80000000, 0x80000000},
	};
	size_t bytes = certs_make(table, 3, 1500, 1);

	ck_assert_uint_eq(bytes, 4596);
	for (size_t n = 0; n < 24; n++)
		expect_refused(n, "no end of the table");
	expect_refused(95, "no end of the table: 24 zero bytes at offset 72");
	expect_refused(96, "entry 0: 1500 bytes at offset 96");
	expect_refused(bytes - 1, "entry 2");
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		certs_make(table, 3, 1500, 1);
		certs_put_entry(table, 1, entries[i].offset, entries[i].bytes);
		expect_refused(bytes, "entry 1");
	}
	memset(table, 0xff, sizeof(table));
	expect_refused(CERTS_MAX_BYTES, "no end of the table");
	certs_make(table, 1, CERTS_MAX_BYTES - 47, 1);
	expect_refused(CERTS_MAX_BYTES + 1, "more than 128 KiB");
}
END_TEST

/* --- Requests --- */

struct rig {
	struct convertible c;
	struct scratch file;
	struct log log;
	struct certs *certs;
	int tool; /* the file, as who changes keys has it */
};

static void rig_init(struct rig *rig)
{
	size_t bytes = certs_make(table, 3, 1500, 0x11);
	struct err err = {0};

	convertible_init(&rig->c, BACKING_INPLACE, RAM_BYTES, true);
	scratch_init(&rig->file, "certs", (char *)table, bytes);
	log_init(&rig->log, STDERR_FILENO, 0);
	ck_assert_msg(certs_open(rig->file.path, &rig->log, &rig->certs, &err) == 0, "%s",
		      err.text);
	rig->tool = open(rig->file.path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(rig->tool, 0);
}

static void rig_fini(struct rig *rig)
{
	certs_close(rig->certs);
	close(rig->tool);
	scratch_fini(&rig->file);
	convertible_fini(&rig->c);
	log_fini(&rig->log);
}

static int give(struct rig *rig, gpa_t gpa, uint64_t size_bytes, uint64_t *ret_pages)
{
	*ret_pages = 0;
	return certs_give(rig->certs, rig->c.memory, gpa, size_bytes, ret_pages);
}

/* May the tool change the keys now? It keeps the lock then. */
static int tool_lock(struct rig *rig)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(rig->tool, F_OFD_SETLK, &lock) ? -errno : 0;
}

static void tool_unlock(struct rig *rig)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	ck_assert_int_eq(fcntl(rig->tool, F_OFD_SETLK, &lock), 0);
}

START_TEST(test_guest_gets_the_table)
{
	uint8_t got[2 * 4096], after[4096];
	struct rig rig;
	uint64_t n_pages;

	rig_init(&rig);
	memset(got, 0xcc, sizeof(got));
	guest_write(rig.c.memory, GPA, got, sizeof(got));
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), 0);
	guest_read(rig.c.memory, GPA, got, sizeof(got));
	certs_make(table, 3, 1500, 0x11);
	ck_assert_mem_eq(got, table, 4596);
	memset(after, 0xcc, sizeof(after));
	ck_assert_mem_eq(got + 4596, after, sizeof(got) - 4596);
	certs_release(rig.certs);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_file_is_locked_until_the_report_is_there)
{
	struct rig rig;
	uint64_t n_pages;

	rig_init(&rig);
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), 0);
	ck_assert_int_eq(tool_lock(&rig), -EAGAIN);
	/* Another processor does not make it any longer. */
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), -EAGAIN);
	certs_release(rig.certs);
	ck_assert_int_eq(tool_lock(&rig), 0);
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), -EAGAIN);
	tool_unlock(&rig);
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), 0);
	certs_release(rig.certs);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_requests_that_fail_leave_no_lock)
{
	static const struct {
		gpa_t gpa;
		uint64_t bytes;
		int ret;
		uint64_t n_pages;
	} cases[] = {
		{GPA, 0, -ENOSPC, 2},
		{GPA, PAGE, -ENOSPC, 2},
		{UINT64_MAX - 0xfff, PAGE, -ENOSPC, 2},
		{GPA, 2 * PAGE, 0, 0},
		{GPA, UINT64_MAX, -EIO, 0},
		{GPA, RAM_BYTES, -EIO, 0},
		{RAM_BYTES, 2 * PAGE, -EIO, 0},
		{RAM_BYTES - PAGE, 2 * PAGE, -EIO, 0},
		{UINT64_MAX - 0xfff, 2 * PAGE, -EIO, 0},
		/* What is written is shared, but not all that the guest names. */
		{GPA, 5 * PAGE, -EIO, 0},
		{GPA, 4 * PAGE, 0, 0},
	};
	struct rig rig;

	rig_init(&rig);
	convertible_convert(&rig.c, GPA + 4 * PAGE, PAGE, SIDE_PRIVATE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t n_pages;
		int ret = give(&rig, cases[i].gpa, cases[i].bytes, &n_pages);

		ck_assert_msg(ret == cases[i].ret, "case %zu: %d", i, ret);
		if (ret == -ENOSPC)
			ck_assert_uint_eq(n_pages, cases[i].n_pages);
		if (ret == 0)
			certs_release(rig.certs);
		ck_assert_int_eq(tool_lock(&rig), 0);
		tool_unlock(&rig);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(test_file_may_change)
{
	uint8_t got[4 * 4096];
	struct rig rig;
	uint64_t n_pages;
	size_t bytes;

	rig_init(&rig);
	bytes = certs_make(table, 2, 5000, 0x22);
	ck_assert_int_eq(pwrite(rig.tool, table, bytes, 0), (ssize_t)bytes);
	ck_assert_int_eq(give(&rig, GPA, 2 * PAGE, &n_pages), -ENOSPC);
	ck_assert_uint_eq(n_pages, 3);
	ck_assert_int_eq(give(&rig, GPA, 3 * PAGE, &n_pages), 0);
	certs_release(rig.certs);
	guest_read(rig.c.memory, GPA, got, sizeof(got));
	ck_assert_mem_eq(got, table, bytes);

	/* And become what no guest should see. */
	ck_assert_int_eq(ftruncate(rig.tool, 100), 0);
	ck_assert_int_eq(give(&rig, GPA, 4 * PAGE, &n_pages), -EIO);
	ck_assert_int_eq(ftruncate(rig.tool, 0), 0);
	ck_assert_int_eq(give(&rig, GPA, 4 * PAGE, &n_pages), -EIO);
	ck_assert_int_eq(ftruncate(rig.tool, 1 << 20), 0);
	ck_assert_int_eq(give(&rig, GPA, 4 * PAGE, &n_pages), -EIO);
	ck_assert_int_eq(tool_lock(&rig), 0);
	rig_fini(&rig);
}
END_TEST

static void expect_no_open(const char *path, const char *why)
{
	struct certs *certs = NULL;
	struct err err = {0};

	ck_assert_int_lt(certs_open(path, NULL, &certs, &err), 0);
	ck_assert_msg(strstr(err.text, why) && strstr(err.text, path), "%s", err.text);
	ck_assert_ptr_null(certs);
}

START_TEST(test_files_that_are_of_no_use)
{
	struct scratch file;
	struct rig rig;
	char fifo[128];

	expect_no_open("/nowhere/certs", "cannot be opened: No such file");
	scratch_init(&file, "certs", "not a table", 11);
	expect_no_open(file.path, "no end of the table");
	expect_no_open(file.directory, "cannot be read");
	snprintf(fifo, sizeof(fifo), "%s/fifo", file.directory);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	expect_no_open(fifo, "cannot be");
	unlink(fifo);
	scratch_fini(&file);

	rig_init(&rig);
	ck_assert_int_eq(tool_lock(&rig), 0);
	expect_no_open(rig.file.path, "somebody is changing it");
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_tables_that_are_one,
		test_tables_that_are_none,
		test_guest_gets_the_table,
		test_file_is_locked_until_the_report_is_there,
		test_requests_that_fail_leave_no_lock,
		test_file_may_change,
		test_files_that_are_of_no_use,
	};

	return unit_run(unit_suite("certs", tests, ARRAY_SIZE(tests)));
}
