// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/suite.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/args.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/nearest.h"
#include "vmm/range.h"
#include "vmm/suite/run.h"

enum {
	CASE_NAME_MAX_BYTES = 240, /* and ".log" */
	FILES_MAX = 1024,
	LOG_TAIL_MAX_BYTES = 1500,
};

/* One file of the suite, which holds one or more cases. */
struct planned_file {
	struct suite_file file;
	const char *name; /* the last part of its path */
};

struct suite {
	struct suite_env env;
	const char *log_dir;
	const char *wanted_case; /* NULL: all */
	bool lists;
	bool helps;
	struct planned_file *files[FILES_MAX];
	unsigned int n_files;
	unsigned int n_cases; /* that are wanted */
	unsigned int n_done;
	unsigned int n_failed;
	char program[4096];
};

/* --- Plan --- */

static int file_add(struct suite *suite, const char *path, struct err *err)
{
	struct planned_file *planned;
	const char *slash;
	int result;

	if (suite->n_files == FILES_MAX)
		return err_set(err, -E2BIG, "more than %d files; run some at a time",
			       FILES_MAX);
	planned = calloc(1, sizeof(*planned));
	if (!planned)
		return err_set(err, -ENOMEM, "out of memory; free some");
	result = suite_file_read(&planned->file, path, false, err);
	if (result < 0) {
		free(planned);
		return result;
	}
	slash = strrchr(planned->file.path, '/');
	planned->name = slash ? slash + 1 : planned->file.path;
	suite->files[suite->n_files++] = planned;

	/* Results and logs go by this name. */
	for (unsigned int i = 0; i + 1 < suite->n_files; i++) {
		if (!strcmp(suite->files[i]->name, planned->name))
			return err_set(err, -EEXIST, "'%s' and '%s': same name; rename one",
				       suite->files[i]->file.path, path);
	}
	return 0;
}

static int entry_is_test(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && suffix && !strcmp(suffix, ".conf");
}

static int directory_add(struct suite *suite, const char *path, struct err *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, entry_is_test, alphasort);
	int result = 0;

	if (n < 0)
		return err_set(err, -errno, "'%s': %s; check the path", path,
			       err_describe(errno));
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (result == 0 && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
			result = err_set(err, -ENOMEM, "out of memory; free some");
		if (result == 0)
			result = file_add(suite, file, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int path_add(struct suite *suite, const char *path, struct err *err)
{
	struct stat stat_;

	if (stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode))
		return directory_add(suite, path, err);
	return file_add(suite, path, err);
}

static int suite_takes_value(const char *name, struct err *err)
{
	static const struct {
		const char *name;
		int takes_value;
	} options[] = {
		{"case", 1}, {"log-dir", 1}, {"list", 0}, {"help", 0}, {"program", 1},
	};
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!strcmp(options[i].name, name))
			return options[i].takes_value;
		nearest_offer(&nearest, options[i].name);
	}
	if (nearest.best)
		return err_set(err, -EINVAL, "--%s: unknown option; did you mean --%s?", name,
			       nearest.best);
	return err_set(err, -EINVAL, "--%s: unknown option; `alcove help test` lists all",
		       name);
}

static int suite_read_arguments(struct suite *suite, char **argv, struct err *err)
{
	struct args args = {.next = argv, .takes_value = suite_takes_value};
	struct arg arg;
	int more;

	for (more = args_next(&args, &arg, err); more > 0; more = args_next(&args, &arg, err)) {
		int result = 0;

		if (!*arg.name)
			result = path_add(suite, arg.value, err);
		else if (!strcmp(arg.name, "case"))
			suite->wanted_case = arg.value;
		else if (!strcmp(arg.name, "log-dir"))
			suite->log_dir = arg.value;
		else if (!strcmp(arg.name, "program"))
			suite->env.program = arg.value;
		else if (!strcmp(arg.name, "list"))
			suite->lists = true;
		else if (!strcmp(arg.name, "help"))
			suite->helps = true;
		else /* -v, which args_next knows, but only `alcove run` takes */
			result = suite_takes_value(arg.name, err);
		if (result < 0)
			return result;
	}
	suite->env.options = args.next;
	return more;
}

static void suite_fini(struct suite *suite)
{
	for (unsigned int i = 0; i < suite->n_files; i++) {
		suite_file_fini(&suite->files[i]->file);
		free(suite->files[i]);
	}
}

/* --- Cases in turn --- */

/* What to do with each wanted case; a result other than 0 ends the walk. */
typedef int case_fn(struct suite *suite, const struct planned_file *planned,
		    const struct suite_case *suite_case);

static int suite_walk(struct suite *suite, case_fn *visit)
{
	for (unsigned int i = 0; i < suite->n_files; i++) {
		const struct planned_file *planned = suite->files[i];
		unsigned int n = suite_file_count_cases(&planned->file);

		for (unsigned int j = 0; j < n; j++) {
			struct suite_case suite_case;
			int result = suite_file_make_case(&planned->file, j, &suite_case);

			if (result < 0)
				return result;
			if (!suite->wanted_case || !strcmp(suite->wanted_case, suite_case.name))
				result = visit(suite, planned, &suite_case);
			suite_case_fini(&suite_case);
			if (result)
				return result;
		}
	}
	return 0;
}

/* "boot.conf[cpus=2]"; false when it is too long for the name of a log. */
static bool case_name(const struct planned_file *planned, const struct suite_case *suite_case,
		      char *name)
{
	const char *open = *suite_case->name ? "[" : "";
	const char *close = *suite_case->name ? "]" : "";

	return snprintf(name, CASE_NAME_MAX_BYTES, "%s%s%s%s", planned->name, open,
			suite_case->name, close) < CASE_NAME_MAX_BYTES;
}

static int case_count(struct suite *suite, const struct planned_file *planned,
		      const struct suite_case *suite_case)
{
	char name[CASE_NAME_MAX_BYTES];

	suite->n_cases++;
	return case_name(planned, suite_case, name) ? 0 : -ENAMETOOLONG;
}

static int case_list(struct suite *suite, const struct planned_file *planned,
		     const struct suite_case *suite_case)
{
	char name[CASE_NAME_MAX_BYTES];

	(void)suite;
	case_name(planned, suite_case, name);
	puts(name);
	return 0;
}

/* The end of a log, as diagnostics. */
static void log_print(const char *path)
{
	_cleanup_fclose_ FILE *log = fopen(path, "re");
	char line[LOG_TAIL_MAX_BYTES];
	bool is_whole = true;

	if (!log)
		return;
	/* A shorter log cannot be sought so far back: all of it is printed. */
	if (fseek(log, -LOG_TAIL_MAX_BYTES, SEEK_END) == 0)
		is_whole = false;
	for (; fgets(line, sizeof(line), log); is_whole = true) {
		line[strcspn(line, "\r\n")] = '\0';
		for (char *c = line; *c; c++) {
			if ((unsigned char)*c < 0x20 || *c == 0x7f)
				*c = '?';
		}
		if (is_whole)
			printf("#   %s\n", line);
	}
}

static void failure_print(const struct planned_file *planned,
			  const struct suite_case *suite_case, const char *log_path,
			  const struct err *reason)
{
	printf("# %s\n", reason->text);
	log_print(log_path);
	printf("# log: %s\n# again: alcove test %s", log_path, planned->file.path);
	if (*suite_case->name)
		printf(" --case '%s'", suite_case->name);
	puts("");
}

static int case_run(struct suite *suite, const struct planned_file *planned,
		    const struct suite_case *suite_case)
{
	_cleanup_free_ char *log_path = NULL;
	char name[CASE_NAME_MAX_BYTES];
	char file_name[CASE_NAME_MAX_BYTES];
	struct err reason = {0};
	enum suite_verdict verdict;

	case_name(planned, suite_case, name);
	memcpy(file_name, name, sizeof(name));
	for (char *c = file_name; *c; c++) {
		if (*c == '/')
			*c = '_';
	}
	if (asprintf(&log_path, "%s/%s.log", suite->log_dir, file_name) < 0)
		return -ENOMEM;

	verdict = suite_run(&suite->env, &planned->file, suite_case, log_path, &reason);
	suite->n_done++;
	if (verdict == SUITE_PASSED) {
		printf("ok %u %s\n", suite->n_done, name);
	} else if (verdict == SUITE_SKIPPED) {
		printf("ok %u %s # SKIP %s\n", suite->n_done, name, reason.text);
	} else {
		suite->n_failed++;
		failure_print(planned, suite_case, log_path, &reason);
		printf("not ok %u %s\n", suite->n_done, name);
	}
	fflush(stdout);
	return verdict == SUITE_INTERRUPTED ? -EINTR : 0;
}

/* --- Command --- */

/* Like mkdir -p. */
static int directory_make(const char *path, struct err *err)
{
	_cleanup_free_ char *parent = strdup(path);

	if (!parent)
		return err_set(err, -ENOMEM, "out of memory; free some");
	for (char *slash = strchr(parent + strspn(parent, "/"), '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(parent, 0777);
		*slash = '/';
	}
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return err_set(err, -errno, "log directory '%s': %s; choose another --log-dir",
			       path, err_describe(errno));
	return 0;
}

/* Signals that end the suite, or tell of a program's end, come through a descriptor. */
static int signals_prepare(struct suite_env *env, struct err *err)
{
	static const int caught[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, &env->mask);
	signal(SIGCHLD, SIG_DFL); /* who inherits it ignored gets no status of its programs */
	signal(SIGPIPE, SIG_IGN); /* a program may end before it has read what we type */
	env->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (env->signal_fd < 0)
		return err_set(err, -errno, "signalfd: %s; close some programs",
			       err_describe(errno));
	return 0;
}

static int program_find(struct suite *suite, struct err *err)
{
	ssize_t bytes;

	if (suite->env.program)
		return 0;
	bytes = readlink("/proc/self/exe", suite->program, sizeof(suite->program) - 1);
	if (bytes < 0)
		return err_set(err, -errno, "/proc/self/exe: %s; mount /proc",
			       err_describe(errno));
	suite->env.program = suite->program;
	return 0;
}

static int suite_report(struct suite *suite, struct err *err)
{
	int result = directory_make(suite->log_dir, err);

	if (result == 0)
		result = program_find(suite, err);
	if (result == 0)
		result = signals_prepare(&suite->env, err);
	if (result < 0)
		return result;
	printf("KTAP version 1\n1..%u\n", suite->n_cases);
	fflush(stdout);
	result = suite_walk(suite, case_run);
	close(suite->env.signal_fd);
	if (result < 0)
		err_set(err, result, "tests: %s; %u of %u are done", err_describe(result),
			suite->n_done, suite->n_cases);
	return result;
}

static int suite_run_all(struct suite *suite, struct err *err)
{
	int result = suite_walk(suite, case_count);

	if (result < 0)
		return err_set(err, result, "test %u: %s; shorten its values", suite->n_cases,
			       err_describe(result));
	/* A suite without tests must not look like one that passed. */
	if (!suite->n_cases)
		return err_set(err, -ENOENT,
			       "no such test; `alcove test PATH --list` lists all");
	if (suite->lists)
		return suite_walk(suite, case_list);
	return suite_report(suite, err);
}

void suite_print_help(FILE *out)
{
	fputs("\n"
	      "PATH is a test, or a directory of tests (*.conf); see alcove-test(5). What "
	      "follows\n"
	      "a lone -- is added to each command line.\n"
	      "\n"
	      "  --case=NAME     Only the cases of that name, such as cpus=2,hw=fdt\n"
	      "  --list          Print the names of the tests instead\n"
	      "  --log-dir=DIR   Where logs go (default build/test-logs)\n"
	      "  --program=FILE  Test this program instead of alcove itself\n",
	      out);
}

int suite_command(char **argv)
{
	_cleanup_free_ struct suite *suite = calloc(1, sizeof(*suite));
	struct err err = {0};
	int result;

	if (!suite)
		return EXIT_STATUS_INTERNAL;
	suite->log_dir = "build/test-logs";
	result = suite_read_arguments(suite, argv, &err);
	if (result == 0 && !suite->helps)
		result = suite_run_all(suite, &err);
	suite_fini(suite);
	if (result < 0)
		fprintf(stderr, "alcove: %s\n", err.text);
	if (result == -EINTR)
		return EXIT_STATUS_STOPPED;
	if (result < 0)
		return EXIT_STATUS_USAGE;
	if (suite->helps)
		return -1;
	return suite->n_failed ? 1 : 0;
}
