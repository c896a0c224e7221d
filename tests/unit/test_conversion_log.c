// SPDX-License-Identifier: GPL-2.0-or-later
/* The trace of conversions and the counters, of one life of a machine after another. */
#include "vmm/conversion_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"
#include "vmm/type.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

enum { TEXT_BYTES = 4096 };

struct rig {
	struct convertible c;
	struct config config;
	struct log log;
	struct machine machine;
	int log_fd;
	char log_path[40];
};

static void rig_init(struct rig *rig, const char *trace)
{
	*rig = (struct rig){.log_path = "/tmp/alcove-test-log-XXXXXX"};
	rig->log_fd = mkstemp(rig->log_path);
	ck_assert_int_ge(rig->log_fd, 0);
	log_init(&rig->log, rig->log_fd, 0);
	rig->config.trace = strdup(trace);
	rig->machine.config = &rig->config;
	rig->machine.type = guest_type_find(GUEST_TYPE_SW);
	rig->machine.log = &rig->log;
}

/* Another life: [gpa, gpa + size_bytes) to private. */
static void rig_live(struct rig *rig, gpa_t gpa, uint64_t size_bytes, struct fault fault)
{
	struct err err = {0};

	convertible_init(&rig->c, BACKING_PAIRED, RAM_BYTES, true);
	rig->machine.memory = rig->c.memory;
	ck_assert_int_eq(conversion_log_start(&rig->machine, &err), 0);
	faulty_arm(rig->c.faulty, fault);
	convertible_convert(&rig->c, gpa, size_bytes, SIDE_PRIVATE);
	conversion_log_stop(&rig->machine);
	convertible_fini(&rig->c);
	rig->machine.n_resets++;
}

static void file_read(const char *path, char *text)
{
	FILE *file = fopen(path, "re");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, TEXT_BYTES - 1, file);
	text[n] = '\0';
	fclose(file);
}

static void rig_fini(struct rig *rig)
{
	log_fini(&rig->log);
	close(rig->log_fd);
	unlink(rig->log_path);
	free(rig->config.trace);
}

static void expect_line(const char *line, const char *start)
{
	ck_assert_msg(line && !strncmp(line, start, strlen(start)), "%s", line);
}

START_TEST(test_trace_tells_what_was_asked_for_and_outlives_a_reset)
{
	char path[] = "/tmp/alcove-test-trace-XXXXXX";
	char text[TEXT_BYTES];
	int fd = mkstemp(path);
	struct rig rig;

	ck_assert_int_eq(write(fd, "old\n", 4), 4);
	close(fd);
	rig_init(&rig, path);
	rig_live(&rig, PAGE, 2 * PAGE, (struct fault){0});
	rig_live(&rig, 5, UINT64_MAX, (struct fault){0});
	file_read(path, text);
	expect_line(strtok(text, "\n"),
		    "n=1 gpa=0x1000 size=0x2000 to=private source=hypercall "
		    "end=done noop=0 pages=2 error=0 ");
	expect_line(strtok(NULL, "\n"),
		    "n=1 gpa=0x5 size=0xffffffffffffffff to=private source=hypercall "
		    "end=refused noop=0 pages=0 error=-22 ");
	ck_assert_ptr_null(strtok(NULL, "\n"));
	file_read(rig.log_path, text);
	ck_assert_str_eq(text, "");
	rig_fini(&rig);
	unlink(path);
}
END_TEST

START_TEST(test_trace_that_cannot_be_written_is_told)
{
	char text[TEXT_BYTES];
	struct rig rig;

	rig_init(&rig, "/dev/full");
	rig_live(&rig, 0, PAGE, (struct fault){0});
	file_read(rig.log_path, text);
	ck_assert_msg(strstr(text, "/dev/full") != NULL, "%s", text);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_pages_that_are_lost_are_told)
{
	char text[TEXT_BYTES];
	struct rig rig;

	rig_init(&rig, "/dev/null");
	rig_live(&rig, PAGE, PAGE, (struct fault){.nth = 2, .for_ever = true, .errnum = EPERM});
	file_read(rig.log_path, text);
	ck_assert_msg(strstr(text, "0x1000..0x2000 are lost") != NULL, "%s", text);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_trace_tells_what_was_asked_for_and_outlives_a_reset,
		test_trace_that_cannot_be_written_is_told,
		test_pages_that_are_lost_are_told,
	};

	return unit_run(unit_suite("conversion log", tests, ARRAY_SIZE(tests)));
}
