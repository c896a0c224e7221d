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
 * A suite with one case that holds @tests, @seconds for each (times CK_TIMEOUT_MULTIPLIER of
 * the environment).
 */
static inline Suite *unit_suite_slow(const char *name, const TTest *const *tests,
				     size_t n_tests, unsigned int seconds)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, seconds);
	for (size_t i = 0; i < n_tests; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}

/* The same with 30 s for each. */
static inline Suite *unit_suite(const char *name, const TTest *const *tests, size_t n_tests)
{
	return unit_suite_slow(name, tests, n_tests, 30);
}

#endif
