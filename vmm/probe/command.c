// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/probe/command.h"

#include <errno.h>
#include <string.h>

#include "vmm/args.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/probe/probe.h"
#include "vmm/probe/print.h"
#include "vmm/range.h"

/* Exit status, beside those of every command. */
enum {
	STATUS_FAIL = 1,
	STATUS_UNKNOWN = 2,
};

struct words {
	struct probe_question question;
	const char *config_path; /* NULL: none */
	bool is_json;
	bool wants_help;
};

static int fail(int status, const struct err *err)
{
	fprintf(stderr, "alcove: %s\n", err->text);
	return status;
}

void probe_print_help(FILE *out)
{
	fputs("\n"
	      "  --type=plain|sw|snp|tdx  Can this host run guests of this type? May be given "
	      "again\n"
	      "  --device=ADDRESS         Can this device be given to a guest? May be given "
	      "again\n"
	      "  CONFIG                   Can this host run what the file says?\n"
	      "  --json                   The answer as JSON\n"
	      "\n"
	      "Without any of these: what can this host do? Nothing is changed. Lines say ok,\n"
	      "fail or unknown, what was looked at and what was found, and what to do about "
	      "it.\n"
	      "\n"
	      "Exit status:\n"
	      "  0    All that was asked for is ok; asked for nothing: some type of guest is\n"
	      "  1    Something fails\n"
	      "  2    Nothing fails, but something is not known, most often for want of root\n"
	      "  200  The command line or the config file is wrong\n"
	      "  201  Out of memory\n",
	      out);
}

static int takes_value(const char *option, struct err *err)
{
	if (!strcmp(option, "help") || !strcmp(option, "json"))
		return 0;
	if (!strcmp(option, "type") || !strcmp(option, "device"))
		return 1;
	return err_set(err, -EINVAL,
		       "--%s: unknown option; there are --json, --type and --device", option);
}

static int device_add(struct probe_question *question, const char *text, struct err *err)
{
	char address[PCI_ADDRESS_BYTES];

	if (!pci_address_parse(text, address))
		return err_set(err, -EINVAL, "'%s' is no PCI address; write it as 0000:01:00.0",
			       text);
	for (unsigned int i = 0; i < question->n_devices; i++) {
		if (!strcmp(question->devices[i], address))
			return 0;
	}
	if (question->n_devices == PROBE_DEVICES_MAX)
		return err_set(err, -E2BIG, "--device: more than %d; ask again for the others",
			       PROBE_DEVICES_MAX);
	memcpy(question->devices[question->n_devices++], address, sizeof(address));
	return 0;
}

static int type_add(struct probe_question *question, const char *text, struct err *err)
{
	enum guest_type type;

	if (!probe_type_parse(text, &type))
		return err_set(err, -EINVAL,
			       "--type: '%s' is not known; write plain, sw, snp or tdx", text);
	question->subjects |= 1u << type;
	return 0;
}

static int words_read(char **argv, struct words *words, struct err *err)
{
	struct args args = {.next = argv, .takes_value = takes_value};
	struct arg arg;
	int more, ret = 0;

	while (!ret && (more = args_next(&args, &arg, err)) != 0) {
		if (more < 0)
			return more;
		if (!strcmp(arg.name, "help"))
			words->wants_help = true;
		else if (!strcmp(arg.name, "json"))
			words->is_json = true;
		else if (!strcmp(arg.name, "type"))
			ret = type_add(&words->question, arg.value, err);
		else if (!strcmp(arg.name, "device"))
			ret = device_add(&words->question, arg.value, err);
		else if (*arg.name)
			ret = err_set(err, -EINVAL, "--%s: unknown option; leave it out",
				      arg.name);
		else if (words->config_path)
			ret = err_set(err, -EINVAL,
				      "'%s': second config file after '%s'; leave one out",
				      arg.value, words->config_path);
		else
			words->config_path = arg.value;
	}
	if (!ret && *args.next)
		ret = err_set(err, -EINVAL, "'%s': unexpected here; leave it out", *args.next);
	return ret;
}

/* The config is the caller's to free in any case. */
static int config_read(struct words *words, struct config *config, struct err *err)
{
	int ret = 0;

	if (!words->config_path)
		return 0;
	ret = config_init(config, err);
	if (!ret)
		ret = options_read_file(config, words->config_path, err);
	if (!ret)
		ret = config_check(config, err);
	for (unsigned int i = 0; !ret && i < config->n_devices; i++)
		ret = device_add(&words->question, config->devices[i].host, err);
	words->question.config = config;
	return ret;
}

static int report(const struct words *words)
{
	static const int statuses[PROBE_VERDICT_COUNT] = {
		[PROBE_OK] = EXIT_STATUS_OK,
		[PROBE_FAIL] = STATUS_FAIL,
		[PROBE_UNKNOWN] = STATUS_UNKNOWN,
	};
	struct err err = {0};
	struct probe *probe;
	int status, ret = probe_new(&words->question, &probe);

	if (!ret && words->is_json)
		ret = probe_print_json(stdout, probe);
	else if (!ret)
		probe_print(stdout, probe);
	if (ret) {
		err_set(&err, ret, "probe: %s; free some memory", err_describe(ret));
		return fail(EXIT_STATUS_SETUP, &err);
	}
	status = statuses[probe_judge_all(probe)];
	probe_free(probe);
	return status;
}

int probe_command(char **argv)
{
	struct words words = {
		.question.paths = {.sysfs = "/sys",
				   .dev = "/dev",
				   .proc = "/proc",
				   .state = "/run/alcove"},
	};
	struct config config = {0};
	struct err err = {0};
	int status;

	if (words_read(argv, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	if (config_read(&words, &config, &err)) {
		status = fail(EXIT_STATUS_USAGE, &err);
	} else {
		probe_cpu_read(&words.question.cpu);
		/* No KVM is an answer, too. */
		if (host_linux_new(&words.question.host, &words.question.host_err))
			words.question.host = NULL;
		status = report(&words);
		host_linux_free(words.question.host);
	}
	config_fini(&config);
	return status;
}
