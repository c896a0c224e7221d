/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test program shares: one check suite, TAP on stdout, an exit status. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdio.h>

/**
 * Report, as a TAP line of its own, something this machine cannot test. Before unit_run.
 *
 * @what: the test that is missing. @why: what would make it run.
 */
static inline void unit_skip(const char *what, const char *why)
{
	printf("ok - %s # SKIP %s\n", what, why);
	fflush(stdout);
}

/**
 * Run @suite, each test in a process of its own (CK_FORK=no in the environment: in this one,
 * for debuggers), and free it.
 *
 * Returns the exit status for main: 0 when every test passed, else 1.
 */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int n_failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}

/**
 * A suite with one case that holds @tests, 30 s for each (times CK_TIMEOUT_MULTIPLIER of the
 * environment).
 */
static inline Suite *unit_suite(const char *name, const TTest *const *tests, size_t n_tests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 30);
	for (size_t i = 0; i < n_tests; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}

#endif
