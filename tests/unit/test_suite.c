// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests of the harness: files as somebody would write them, run by suite_command with a shell
 * script in the place of alcove (tests/unit/fake_alcove), and what is reported about them.
 */
#include <glob.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/machine.h"
#include "vmm/range.h"
#include "vmm/suite/suite.h"
#include "vmm/suite/prepare.h"

static struct scratch scratch;
static char report[64 * 1024];

/* Starts `alcove test` on @text as x.conf, with @option if not NULL. */
static pid_t start_suite(const char *text, const char *option)
{
	char out_path[128];
	char log_dir[128];
	pid_t pid;

	scratch_init(&scratch, "x.conf", text, strlen(text));
	snprintf(out_path, sizeof(out_path), "%s/out", scratch.directory);
	snprintf(log_dir, sizeof(log_dir), "--log-dir=%s/logs/deep", scratch.directory);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		char *argv[] = {
			(char[]){"--program=tests/unit/fake_alcove"},
			log_dir,
			scratch.path,
			option ? strdup(option) : NULL,
			NULL,
		};
		int status;

		if (!freopen(out_path, "we", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(99);
		status = suite_command(argv);
		fflush(stdout);
		_exit(status);
	}
	return pid;
}

/* What it printed is in report. Returns its exit status. */
static int finish_suite(pid_t pid)
{
	char path[128];
	FILE *out;
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	snprintf(path, sizeof(path), "%s/out", scratch.directory);
	out = fopen(path, "re");
	ck_assert_ptr_nonnull(out);
	report[fread(report, 1, sizeof(report) - 1, out)] = '\0';
	fclose(out);
	suite_remove_scratch(scratch.directory);
	return WEXITSTATUS(status);
}

static int run_suite(const char *text, const char *option)
{
	return finish_suite(start_suite(text, option));
}

static void expect_report(const char *text, int status, const char *line)
{
	int got = run_suite(text, NULL);

	ck_assert_msg(got == status, "status %d: %s", got, report);
	ck_assert_msg(strstr(report, line), "'%s' is not in: %s", line, report);
}

static void expect_pass(const char *text)
{
	expect_report(text, 0, "KTAP version 1\n1..1\nok 1 x.conf\n");
}

/* @reason: the first line of the diagnostics. */
static void expect_failure(const char *text, const char *reason)
{
	char line[512];

	snprintf(line, sizeof(line), "\n# %s\n", reason);
	expect_report(text, 1, line);
	ck_assert_ptr_nonnull(strstr(report, "\nnot ok 1 x.conf\n"));
	ck_assert_ptr_nonnull(strstr(report, "# again: alcove test "));
}

START_TEST(test_case_passes_with_what_it_expects)
{
	expect_pass("[fake]\necho one two; echo three >&2; printf 'four\\r\\n'; exit 7\n"
		    "[expect]\nconsole = ^one\nconsole = two$\nconsole = ^four$\n"
		    "error = ^three$\nforbid = five\nexit = 7\n");
}
END_TEST

START_TEST(test_case_without_expectations_wants_status_0)
{
	expect_pass("[fake]\ntrue\n");
	expect_failure("[fake]\nexit 3\n", "exit status 3 instead of 0");
}
END_TEST

START_TEST(test_console_patterns_have_an_order)
{
	expect_failure("[fake]\necho b; echo a\n[expect]\nconsole = a\nconsole = b\n",
		       "exit status 0; console: 'b' did not appear");
	expect_pass("[fake]\necho a b\n[expect]\nconsole = a\nconsole = b\n");
	expect_failure("[fake]\necho ab\n[expect]\nconsole = a\nconsole = ^b\n",
		       "exit status 0; console: '^b' did not appear");
}
END_TEST

START_TEST(test_unfinished_line_is_judged_at_the_end)
{
	expect_pass("[fake]\nprintf 'cpus=24'\n[expect]\nconsole = cpus=24$\n");
	expect_failure("[fake]\nprintf cpus=2; sleep 0.2; printf '4\\n'\n"
		       "[expect]\nconsole = cpus=2$\n",
		       "exit status 0; console: 'cpus=2$' did not appear");
}
END_TEST

START_TEST(test_forbidden_line_ends_the_case_at_once)
{
	expect_failure("[fake]\necho kernel panic; sleep 100\n[expect]\nforbid = panic\n",
		       "console: forbidden 'panic' appeared");
}
END_TEST

START_TEST(test_forbidden_line_counts_at_the_very_end)
{
	expect_failure("[fake]\nprintf panic\n[expect]\nforbid = panic\n",
		       "console: forbidden 'panic' appeared");
}
END_TEST

START_TEST(test_signal_is_not_an_exit_status)
{
	expect_failure("[fake]\nkill -SEGV $$\n[expect]\nexit = 11\n",
		       "signal SEGV instead of 11");
}
END_TEST

START_TEST(test_status_above_200_needs_an_explanation)
{
	expect_failure("[fake]\nexit 205\n[expect]\nexit = 205\n",
		       "exit status 205 was not explained on stderr");
	expect_pass("[fake]\necho alcove: because >&2; exit 205\n[expect]\nexit = 205\n");
	/* That it was on its way is no reason. */
	expect_failure("[fake]\necho alcove: info: vcpu0 stopped >&2; exit 205\n"
		       "[expect]\nexit = 205\n",
		       "exit status 205 was not explained on stderr");
}
END_TEST

START_TEST(test_stderr_is_no_console)
{
	expect_failure("[fake]\necho a >&2\n[expect]\nconsole = a\n",
		       "exit status 0; console: 'a' did not appear");
	expect_failure("[fake]\necho a\n[expect]\nerror = a\n", "stderr: 'a' did not appear");
	/* A pattern sees one line at a time. */
	expect_failure("[fake]\n(echo a; echo b) >&2\n[expect]\nerror = a.b\n",
		       "stderr: 'a.b' did not appear");
}
END_TEST

START_TEST(test_text_is_typed_after_its_prompt)
{
	expect_pass("[fake]\nprintf 'login: '; read -r name; echo \"hello $name\"\n"
		    "[expect]\nsend = login: => me\\x21\\n\nconsole = hello me!\n");
	expect_failure("[fake]\nprintf 'Login: '; echo\n[expect]\nsend = login: => me\\n\n",
		       "exit status 0; console: 'login:' did not appear");
}
END_TEST

START_TEST(test_nobody_has_to_read_what_is_typed)
{
	expect_pass("[fake]\nexec <&-; echo a\n[expect]\nsend = a => xyz\n");
}
END_TEST

START_TEST(test_signal_is_sent_after_its_pattern)
{
	expect_pass("[fake]\ntrap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; "
		    "done\n"
		    "[expect]\nsignal = ready => TERM\nconsole = bye\nexit = 4\n");
}
END_TEST

START_TEST(test_terminal_is_one)
{
	expect_pass("[fake]\ntest -t 0 && test -t 1 && ! test -t 2 && echo tty\n"
		    "[test]\nterminal = yes\n[expect]\nconsole = ^tty$\n");
	expect_pass(
		"[fake]\ntest -t 0 || test -t 1 || echo pipe\n[expect]\nconsole = ^pipe$\n");
}
END_TEST

/* Does any process have @word as its second argument? */
static bool process_runs(const char *word)
{
	glob_t found;
	bool runs = false;

	ck_assert_int_eq(glob("/proc/[0-9]*/cmdline", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc && !runs; i++) {
		char line[64] = "";
		FILE *file = fopen(found.gl_pathv[i], "re");

		/* "sleep\0NUMBER" */
		if (file && fread(line, 1, sizeof(line) - 1, file) > 6)
			runs = !strcmp(line, "sleep") && !strcmp(line + 6, word);
		cleanup_fclose(&file);
	}
	globfree(&found);
	return runs;
}

START_TEST(test_time_limit_kills_everything_it_started)
{
	/* One child in the group, one in a session of its own; both ignore what can be ignored.
	 */
	expect_failure("[fake]\necho begun\ntrap '' TERM HUP INT\n"
		       "sleep 86341 & setsid sleep 86342 & wait\n"
		       "[expect]\nconsole = begun\nconsole = finished\ntime-limit = 1\n",
		       "still running after 1 s; console: 'finished' did not appear");
	ck_assert(!process_runs("86341"));
	ck_assert(!process_runs("86342"));
}
END_TEST

START_TEST(test_time_limit_leaves_time_for_last_words)
{
	expect_failure("[fake]\ntrap 'echo stopped here >&2; exit 0' TERM\nsleep 86345 & wait\n"
		       "[expect]\ntime-limit = 1\n",
		       "still running after 1 s");
	ck_assert_ptr_nonnull(strstr(report, "\n#   stopped here\n"));
	ck_assert(!process_runs("86345"));
}
END_TEST

START_TEST(test_time_limit_stops_endless_output)
{
	expect_failure("[fake]\nyes & yes >&2\n[expect]\ntime-limit = 1\n",
		       "still running after 1 s");
}
END_TEST

START_TEST(test_nothing_is_left_of_a_case_that_ends_early)
{
	expect_pass("[fake]\nsleep 86343 >/dev/null 2>&1 & setsid sleep 86344 & exit 0\n");
	ck_assert(!process_runs("86343"));
	ck_assert(!process_runs("86344"));
}
END_TEST

START_TEST(test_matrix_is_every_combination)
{
	expect_report("[fake]\necho \"<$options>\"\n"
		      "[matrix]\ncpus = 1 2\nhw = acpi  fdt\n[matrix more]\nmemory = 1G\n"
		      "[expect]\nconsole = ^<--(cpus=[12] --hw=(acpi|fdt)|memory=1G) >$\n",
		      0,
		      "KTAP version 1\n1..5\n"
		      "ok 1 x.conf[cpus=1,hw=acpi]\n"
		      "ok 2 x.conf[cpus=1,hw=fdt]\n"
		      "ok 3 x.conf[cpus=2,hw=acpi]\n"
		      "ok 4 x.conf[cpus=2,hw=fdt]\n"
		      "ok 5 x.conf[memory=1G]\n");
}
END_TEST

START_TEST(test_values_of_a_case_are_variables)
{
	expect_report("[fake]\necho \"$options cpus: $cpus\"\n[matrix]\ncpus = 1 12\n"
		      "[expect]\nconsole = ^--cpus=${cpus}  cpus: ${cpus}$\n",
		      0, "ok 1 x.conf[cpus=1]\nok 2 x.conf[cpus=12]\n");
	expect_report(
		"[fake]\ntrue\n[expect]\nconsole = ${memory}\n[matrix]\ncpus = 1\n", 1,
		"x.conf:4: [expect] console: variable ${memory} is not set; set it in the "
		"environment\n");
}
END_TEST

START_TEST(test_one_case_can_be_chosen_and_repeated)
{
	static const char text[] = "[fake]\ncase $options in *=2*) exit 1; esac\n"
				   "[matrix]\ncpus = 1 2 3\n";

	ck_assert_int_eq(run_suite(text, "--case=cpus=2"), 1);
	ck_assert_ptr_nonnull(strstr(report, "1..1\n"));
	ck_assert_ptr_nonnull(strstr(report, " --case 'cpus=2'\n"));
	ck_assert_int_eq(run_suite(text, "--case=cpus=3"), 0);
	ck_assert_int_eq(run_suite(text, NULL), 1);
	ck_assert_ptr_nonnull(strstr(report, "ok 1 x.conf[cpus=1]\n"));
	ck_assert_ptr_nonnull(strstr(report, "not ok 2 x.conf[cpus=2]\n"));
	ck_assert_ptr_nonnull(strstr(report, "ok 3 x.conf[cpus=3]\n"));
	ck_assert_int_eq(run_suite(text, "--case=cpus=4"), EXIT_STATUS_USAGE);
	ck_assert_int_eq(run_suite(text, "--list"), 0);
	ck_assert_str_eq(report, "x.conf[cpus=1]\nx.conf[cpus=2]\nx.conf[cpus=3]\n");
}
END_TEST

START_TEST(test_unmet_requirement_skips)
{
	unsetenv("UNIT_UNSET");
	expect_report("[fake]\nexit 1\n[require]\nfile = /nonexistent\n", 0,
		      "ok 1 x.conf # SKIP file '/nonexistent': No such file or directory\n");
	expect_report("[fake]\nexit 1\n[require]\nfile = ${UNIT_UNSET}\n", 0,
		      "ok 1 x.conf # SKIP variable ${UNIT_UNSET} is not set; set it in the "
		      "environment\n");
	expect_report("[fake]\nexit 1\n[require]\nfile = ${kernel}\n"
		      "[matrix]\nkernel = /nonexistent\n",
		      0, "[kernel=/nonexistent] # SKIP file '/nonexistent': No such file");
	expect_report("[fake]\nexit 1\n[require]\nmemory-available = 1000T\n", 0,
		      "ok 1 x.conf # SKIP less than 1000T of memory available\n");
	expect_pass(
		"[fake]\ntrue\n[require]\nfile = x.conf\nmemory-available = 1M\nkvm = no\n");
}
END_TEST

START_TEST(test_unknown_capability_is_no_reason_to_skip)
{
	expect_failure("[fake]\ntrue\n[require]\ncap = guest-memdf\n",
		       "[require] cap: 'guest-memdf' is not known here; write exit-hypercall, "
		       "guest-memfd, guest-memfd-flags, memory-attributes, user-memory2 or "
		       "vm-types");
	expect_failure("[fake]\ntrue\n[require]\nbacking = plain\n",
		       "[require] backing: 'plain' is not known here; write inplace or paired");
}
END_TEST

START_TEST(test_scratch_files_are_made_and_removed)
{
	char *path;

	expect_report(
		"[fake]\necho \"$scratch\"; cd \"$scratch\" && wc -c * && cat short; echo\n"
		"[scratch]\nblank = disk 1M\ncopy = whole ${dir}/x.conf\n"
		"copy = short x.conf 0K\n"
		"[expect]\nconsole = ^/.*/alcove-test-\nconsole = 1048576 disk\n"
		"console =  0 short\nconsole = whole\nexit = 9\n",
		1, "exit status 0 instead of 9");
	/* The program printed where they were. */
	path = strstr(report, "#   /");
	ck_assert_ptr_nonnull(path);
	path += strlen("#   ");
	path[strcspn(path, "\n")] = '\0';
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_bad_scratch_files_break_the_case)
{
	expect_failure("[fake]\ntrue\n[scratch]\nblank = disk\n",
		       "[scratch]: write 'blank = NAME SIZE' or 'copy = NAME FILE [SIZE]'");
	expect_failure(
		"[fake]\ntrue\n[scratch]\ncopy = a /nonexistent\n[test]\nmust-fail = .\n",
		"'/nonexistent': No such file or directory; check the path");
}
END_TEST

START_TEST(test_arguments_reach_the_program)
{
	setenv("UNIT_ONE", "one", 1);
	expect_pass("[fake]\necho \"<$options>\"\n[test]\narguments = --bogus ${UNIT_ONE}\n"
		    "[expect]\nconsole = <--bogus one >\n");
}
END_TEST

START_TEST(test_known_bad_case_must_fail_for_its_reason)
{
	expect_pass("[fake]\nexit 3\n[test]\nmust-fail = status 3 instead\n");
	expect_failure("[fake]\ntrue\n[test]\nmust-fail = status 3\n",
		       "passed, but must fail with 'status 3'");
	expect_failure("[fake]\nexit 4\n[test]\nmust-fail = status 3\n",
		       "failed, but not with 'status 3': exit status 4 instead of 0");
}
END_TEST

START_TEST(test_program_that_cannot_start_is_a_failure)
{
	ck_assert_int_eq(run_suite("[fake]\ntrue\n", "--program=/nonexistent"), 1);
	ck_assert_ptr_nonnull(strstr(report, "# exit status 127 instead of 0\n"));
	ck_assert_ptr_nonnull(strstr(report, "/nonexistent: No such file or directory"));
}
END_TEST

START_TEST(test_output_without_end_is_read_to_its_end)
{
	expect_pass("[fake]\nhead -c 300000 /dev/zero; echo; echo last; head -c 300000 "
		    "/dev/zero >&2\n"
		    "[expect]\nconsole = ^last$\n");
}
END_TEST

START_TEST(test_bad_options_are_explained)
{
	ck_assert_int_eq(run_suite("[fake]\ntrue\n", "-v"), EXIT_STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(report, "alcove: --verbosity: unknown option"));
	ck_assert_int_eq(run_suite("[fake]\ntrue\n", "--log-dir="), EXIT_STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(report, "alcove: log directory ''"));
}
END_TEST

START_TEST(test_end_is_seen_by_who_was_started_to_ignore_it)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = start_suite("[fake]\nsleep 0.5; exit 3\n[expect]\nexit = 3\ntime-limit = 5\n",
			  NULL);
	signal(SIGCHLD, SIG_DFL);
	ck_assert_int_eq(finish_suite(pid), 0);
}
END_TEST

START_TEST(test_errors_in_sections_of_run_are_left_to_run)
{
	expect_pass("[vm]\ngarbage\n[fake]\ntrue\n");
}
END_TEST

START_TEST(test_interrupted_suite_leaves_nothing)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	pid_t pid = start_suite("[fake]\nsleep 86345 & setsid sleep 86346 & wait\n", NULL);

	while (!process_runs("86345") || !process_runs("86346"))
		nanosleep(&pause, NULL);
	kill(pid, SIGINT);
	ck_assert_int_eq(finish_suite(pid), EXIT_STATUS_STOPPED);
	ck_assert_ptr_nonnull(
		strstr(report, "alcove: tests: Interrupted system call; 1 of 1 are done\n"));
	ck_assert(!process_runs("86345"));
	ck_assert(!process_runs("86346"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_case_passes_with_what_it_expects,
		test_case_without_expectations_wants_status_0,
		test_console_patterns_have_an_order,
		test_unfinished_line_is_judged_at_the_end,
		test_forbidden_line_ends_the_case_at_once,
		test_forbidden_line_counts_at_the_very_end,
		test_signal_is_not_an_exit_status,
		test_status_above_200_needs_an_explanation,
		test_stderr_is_no_console,
		test_text_is_typed_after_its_prompt,
		test_nobody_has_to_read_what_is_typed,
		test_signal_is_sent_after_its_pattern,
		test_terminal_is_one,
		test_time_limit_kills_everything_it_started,
		test_time_limit_leaves_time_for_last_words,
		test_time_limit_stops_endless_output,
		test_nothing_is_left_of_a_case_that_ends_early,
		test_matrix_is_every_combination,
		test_values_of_a_case_are_variables,
		test_one_case_can_be_chosen_and_repeated,
		test_unmet_requirement_skips,
		test_unknown_capability_is_no_reason_to_skip,
		test_scratch_files_are_made_and_removed,
		test_bad_scratch_files_break_the_case,
		test_arguments_reach_the_program,
		test_known_bad_case_must_fail_for_its_reason,
		test_program_that_cannot_start_is_a_failure,
		test_output_without_end_is_read_to_its_end,
		test_bad_options_are_explained,
		test_end_is_seen_by_who_was_started_to_ignore_it,
		test_errors_in_sections_of_run_are_left_to_run,
		test_interrupted_suite_leaves_nothing,
	};

	return unit_run(unit_suite("suite", tests, ARRAY_SIZE(tests)));
}
