// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/sigbus.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/machine.h"
#include "vmm/range.h"

/* Behind the end of a file there is nothing to deliver, as in a page that is damaged. */
START_TEST(test_page_that_is_not_delivered_is_named)
{
	int file = memfd_create("empty", MFD_CLOEXEC);
	volatile char *page = mmap(NULL, GRANULE_BYTES, PROT_READ, MAP_SHARED, file, 0);
	char said[512] = "", address[32];
	int output[2];
	int status;
	pid_t pid;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(pipe(output), 0);
	pid = fork();
	if (!pid) {
		dup2(output[1], STDERR_FILENO);
		sigbus_init();
		_exit(page[0]);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_STATUS_INTERNAL);

	ck_assert_int_gt(read(output[0], said, sizeof(said) - 1), 0);
	snprintf(address, sizeof(address), "0x%016lx;", (unsigned long)page);
	ck_assert_ptr_nonnull(strstr(said, address));
	ck_assert_ptr_nonnull(strstr(said, "alcove: memory: "));
	close(file);
	close(output[0]);
	close(output[1]);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_page_that_is_not_delivered_is_named,
	};

	return unit_run(unit_suite("sigbus", tests, ARRAY_SIZE(tests)));
}
