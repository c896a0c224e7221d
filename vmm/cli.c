// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/args.h"
#include "vmm/control/command.h"
#include "vmm/device/command.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/machine.h"
#include "vmm/measure/command.h"
#include "vmm/nearest.h"
#include "vmm/options.h"
#include "vmm/probe/command.h"
#include "vmm/suite/suite.h"
#include "vmm/value.h"
#include "vmm/version.h"

struct command {
	const char *name;
	const char *synopsis;	       /* what follows the name */
	const char *help;	       /* NULL: not listed */
	const char *options;	       /* for the completion; NULL: none */
	void (*print_help)(FILE *out); /* more help; NULL: none */
	/* @argv: what follows the name. Returns the exit status; -1 when help was asked for. */
	int (*run)(char **argv);
};

static void run_print_help(FILE *out);
static int run_command(char **argv);
static int options_command(char **argv);
static int help_command(char **argv);
static int version_command(char **argv);

static const struct command commands[] = {
	{
		.name = "run",
		.synopsis = "[CONFIG] [--option=value]...",
		.help = "Run a virtual machine to its end",
		.print_help = run_print_help,
		.run = run_command,
	},
	{
		.name = "test",
		.synopsis = "PATH... [--option=value]... [-- RUN-OPTION...]",
		.help = "Run tests of virtual machines, report in KTAP",
		.print_help = suite_print_help,
		.run = suite_command,
	},
	{
		.name = "device",
		.synopsis = "list | bind ADDRESS... | unbind ADDRESS...",
		.help = "List devices of the host, get them ready for guests and back",
		.print_help = device_print_help,
		.run = device_command,
	},
	{
		.name = "probe",
		.synopsis = "[--json] [--type=TYPE]... [--device=ADDRESS]... [CONFIG]",
		.help = "Say whether this host can run a guest, and what it lacks",
		.options = "--json --type= --device=",
		.print_help = probe_print_help,
		.run = probe_command,
	},
	{
		.name = "measure",
		.synopsis = "[CONFIG] [--json] [--option=value]...",
		.help = "Say what the launch of a confidential guest is measured as",
		.options = MEASURE_OPTIONS,
		.print_help = measure_print_help,
		.run = measure_command,
	},
	{
		.name = "ps",
		.synopsis = "[--json]",
		.help = "List the virtual machines that run",
		.options = "--json",
		.print_help = ps_print_help,
		.run = ps_command,
	},
	{
		.name = "stats",
		.synopsis = "NAME [--json]",
		.help = "Show what a running virtual machine has counted",
		.options = "--json",
		.print_help = stats_print_help,
		.run = stats_command,
	},
	{
		.name = "stop",
		.synopsis = "NAME",
		.help = "Switch a running virtual machine off",
		.print_help = stop_print_help,
		.run = stop_command,
	},
	{
		.name = "attach",
		.synopsis = "NAME --device=ADDRESS[,KEY=VALUE]...",
		.help = "Give a device of the host to a running virtual machine",
		.options = "--device=",
		.print_help = attach_print_help,
		.run = attach_command,
	},
	{
		.name = "detach",
		.synopsis = "NAME DEVICE",
		.help = "Take a device from a running virtual machine",
		.print_help = detach_print_help,
		.run = detach_command,
	},
	{
		.name = "help",
		.synopsis = "[COMMAND]",
		.help = "Explain the program or one command",
		.run = help_command,
	},
	{
		.name = "version",
		.synopsis = "",
		.help = "Print the version",
		.run = version_command,
	},
	{
		/* For the Makefile. */
		.name = "options",
		.synopsis = "--format=man|completion",
		.run = options_command,
	},
};

/* Says why on stderr; @status is passed on. */
static int fail(int status, const struct err *err)
{
	fprintf(stderr, "alcove: %s\n", err->text);
	return status;
}

/* Fails when @argv has a word left. */
static int expect_end(char **argv, struct err *err)
{
	if (*argv)
		return err_set(err, -EINVAL, "'%s': unexpected here; leave it out", *argv);
	return 0;
}

static const struct command *command_find(const char *name, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		if (commands[i].help)
			nearest_offer(&nearest, commands[i].name);
	}
	if (nearest.best)
		err_set(err, -EINVAL, "'%s': unknown command; did you mean '%s'?", name,
			nearest.best);
	else
		err_set(err, -EINVAL, "'%s': unknown command; `alcove help` lists all", name);
	return NULL;
}

/* --- run --- */

/* What status says about the guest, or about us. */
static const struct {
	enum exit_status status;
	const char *meaning;
} statuses[] = {
	{EXIT_STATUS_OK, "The guest turned itself off"},
	{EXIT_STATUS_GUEST_MAX, "Up to here: what the guest wrote to the debug-exit port"},
	{EXIT_STATUS_USAGE, "The command line or the config file is wrong"},
	{EXIT_STATUS_SETUP, "The machine could not be built: a file, the host or its kernel"},
	{EXIT_STATUS_PANIC, "The guest's kernel crashed, or a confidential guest ended itself"},
	{EXIT_STATUS_SHUTDOWN, "The guest's processor gave up (triple fault)"},
	{EXIT_STATUS_RESET, "The guest reset itself, with --on-reboot=exit"},
	{EXIT_STATUS_INTERNAL, "KVM or Alcove failed while the guest ran"},
	{EXIT_STATUS_TIME_LIMIT, "The time limit was reached"},
	{EXIT_STATUS_STOPPED, "Stopped by a signal, by Ctrl-A x or by `alcove stop`"},
};

static void run_print_help(FILE *out)
{
	options_print_help(out);
	fputs("\nExit status:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		fprintf(out, "  %-3u  %s\n", statuses[i].status, statuses[i].meaning);
}

/* The part of the manual page that is not written by hand. */
static void run_print_man(FILE *out)
{
	options_print_man(out);
	fputs("# EXIT STATUS\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		fprintf(out, "*%u*\n\t%s.\n\n", statuses[i].status, statuses[i].meaning);
}

static int run_takes_value(const char *name, struct err *err)
{
	if (!strcmp(name, "help"))
		return 0;
	return options_know(name, err) ? 1 : -EINVAL;
}

/* What is no option: the file, and the wish for help. */
static int run_read_words(char **argv, const char **ret_file, bool *ret_help, struct err *err)
{
	struct args args = {.next = argv, .takes_value = run_takes_value};
	struct arg arg;
	int more;

	for (more = args_next(&args, &arg, err); more > 0; more = args_next(&args, &arg, err)) {
		if (!strcmp(arg.name, "help"))
			*ret_help = true;
		if (*arg.name)
			continue;
		if (*ret_file)
			return err_set(err, -EINVAL,
				       "'%s': second config file after '%s'; leave one out",
				       arg.value, *ret_file);
		*ret_file = arg.value;
	}
	return more < 0 ? more : expect_end(args.next, err);
}

static int run_read_options(char **argv, struct config *config, struct err *err)
{
	struct args args = {.next = argv, .takes_value = run_takes_value};
	struct arg arg;
	int more;

	for (more = args_next(&args, &arg, err); more > 0; more = args_next(&args, &arg, err)) {
		int result = 0;

		if (*arg.name)
			result = options_set(config, arg.name, arg.value, err);
		if (result < 0)
			return result;
	}
	return more;
}

/*
 * One that nobody gave: "demo-1234" of configs/demo.conf, "vm-1234" without a file. The
 * process's number tells it from others of the same file.
 */
static int run_choose_name(const char *file, struct config *config, struct err *err)
{
	const char *base = file ? strrchr(file, '/') : NULL;
	char name[CONFIG_NAME_MAX_BYTES];
	size_t bytes;

	if (config->name)
		return 0;
	base = base ? base + 1 : file ? file : "vm";
	if (*base == '.')
		base = "vm";
	bytes = (size_t)(strchrnul(base, '.') - base);
	if (bytes > sizeof(name) / 2)
		bytes = sizeof(name) / 2;
	snprintf(name, sizeof(name), "%.*s-%d", (int)bytes, base, (int)getpid());
	for (char *c = name; *c; c++) {
		char one[] = {*c, '\0'};

		if (value_check_name(one, NULL))
			*c = '-';
	}
	config->name = strdup(name);
	return config->name ? 0 : err_set(err, -ENOMEM, "name: out of memory; free some");
}

/* The file first, so that the command line overrides it wherever the file's name stands. */
static int run_read(char **argv, const char *file, struct config *config, struct err *err)
{
	int result = config_init(config, err);

	if (result == 0 && file)
		result = options_read_file(config, file, err);
	if (result == 0)
		result = run_read_options(argv, config, err);
	if (result == 0)
		result = config_check(config, err);
	return result == 0 ? run_choose_name(file, config, err) : result;
}

static int run_machine(const struct config *config)
{
	struct host *host;
	struct err err = {0};
	int status;

	if (host_linux_new(&host, &err) < 0)
		return fail(EXIT_STATUS_SETUP, &err);
	status = (int)machine_run(host, config);
	host_linux_free(host);
	return status;
}

static int run_command(char **argv)
{
	struct config config = {0};
	struct err err = {0};
	const char *file = NULL;
	bool help = false;
	int status;

	if (run_read_words(argv, &file, &help, &err) < 0)
		return fail(EXIT_STATUS_USAGE, &err);
	if (help)
		return -1;
	if (run_read(argv, file, &config, &err) < 0)
		status = fail(EXIT_STATUS_USAGE, &err);
	else
		status = run_machine(&config);
	config_fini(&config);
	return status;
}

/* --- options --- */

static int options_takes_value(const char *name, struct err *err)
{
	if (!strcmp(name, "format"))
		return 1;
	return err_set(err, -EINVAL, "--%s: unknown option; write --format", name);
}

static void completion_print(FILE *out)
{
	struct command_words words[ARRAY_SIZE(commands) + 1] = {{NULL, NULL}};
	char names[128] = "";
	size_t n_words = 0;
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && used < sizeof(names); i++) {
		if (commands[i].help)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? " " : "", commands[i].name);
		if (commands[i].options)
			words[n_words++] =
				(struct command_words){commands[i].name, commands[i].options};
	}
	ASSERT(used < sizeof(names));
	options_print_completion(out, names, words);
}

static int options_command(char **argv)
{
	static const struct {
		const char *format;
		void (*print)(FILE *out);
	} formats[] = {
		{"man", run_print_man},
		{"completion", completion_print},
	};
	struct args args = {.next = argv, .takes_value = options_takes_value};
	struct arg arg = {.value = ""};
	struct err err = {0};

	if (args_next(&args, &arg, &err) < 0)
		return fail(EXIT_STATUS_USAGE, &err);
	if (!arg.value) /* -h */
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (!strcmp(arg.value, formats[i].format)) {
			formats[i].print(stdout);
			return EXIT_STATUS_OK;
		}
	}
	err_set(&err, -EINVAL, "--format: '%s' is not known; write man or completion",
		arg.value);
	return fail(EXIT_STATUS_USAGE, &err);
}

/* --- help, version --- */

static void program_print_help(FILE *out)
{
	fputs("Usage: alcove COMMAND [ARGUMENT]...\n\n"
	      "A small virtual machine monitor for KVM.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].help)
			fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	}
	fputs("\n`alcove help COMMAND` says more, alcove(1) says all.\n", out);
}

static void command_print_help(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: alcove %s %s\n\n%s.\n", command->name, command->synopsis,
		command->help ? command->help : "For the Makefile");
	if (command->print_help)
		command->print_help(out);
}

static int help_command(char **argv)
{
	const struct command *command;
	struct err err = {0};

	if (!*argv) {
		program_print_help(stdout);
		return EXIT_STATUS_OK;
	}
	command = command_find(*argv, &err);
	if (!command || expect_end(argv + 1, &err) < 0)
		return fail(EXIT_STATUS_USAGE, &err);
	command_print_help(command, stdout);
	return EXIT_STATUS_OK;
}

static int version_command(char **argv)
{
	struct err err = {0};

	if (expect_end(argv, &err) < 0)
		return fail(EXIT_STATUS_USAGE, &err);
	puts("alcove " ALCOVE_VERSION);
	return EXIT_STATUS_OK;
}

/* Were one of the three closed, a disk or a VM would get its number, and our messages. */
static bool standard_files_open(struct err *err)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
			err_set(err, -EBADF, "/dev/null: cannot be opened; check the file");
			return false;
		}
	}
	return true;
}

int cli_main(char **argv)
{
	/* What users of other programs type. */
	static const struct {
		const char *text;
		const char *name;
	} aliases[] = {{"--help", "help"},
		       {"-h", "help"},
		       {"--version", "version"},
		       {"-V", "version"}};
	const struct command *command;
	struct err err = {0};
	const char *name;
	int status;

	if (!standard_files_open(&err))
		return fail(EXIT_STATUS_SETUP, &err);
	if (!argv[0] || !argv[1]) {
		program_print_help(stderr);
		return EXIT_STATUS_USAGE;
	}
	name = argv[1];
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (!strcmp(name, aliases[i].text))
			name = aliases[i].name;
	}
	command = command_find(name, &err);
	if (!command)
		return fail(EXIT_STATUS_USAGE, &err);
	status = command->run(argv + 2);
	if (status < 0) {
		command_print_help(command, stdout);
		status = EXIT_STATUS_OK;
	}
	return status;
}
