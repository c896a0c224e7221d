// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/control/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/args.h"
#include "vmm/cleanup.h"
#include "vmm/control/client.h"
#include "vmm/control/print.h"
#include "vmm/control/socket.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/options.h"

enum {
	VMS_MAX = 1024,
	WORDS_MAX = 2,
	PS_SECONDS = 2, /* for each VM; there may be many */
	ASK_SECONDS = 10,
	STOP_SECONDS = 30,
	DEVICE_SECONDS = 75, /* longer than the VM itself waits */
};

/* What a command line says. */
struct words {
	const char *words[WORDS_MAX];
	const char *device; /* NULL: not given */
	bool is_json;
	bool wants_help;
};

/* What a command may be told. */
struct verb {
	const char *name;
	unsigned int n_words;
	const char *usage;
	int (*takes_value)(const char *option, struct err *err);
};

static int fail(int status, const struct err *err)
{
	fprintf(stderr, "alcove: %s\n", err->text);
	return status;
}

static int none_takes_value(const char *option, struct err *err)
{
	if (!strcmp(option, "help"))
		return 0;
	return err_set(err, -EINVAL, "--%s: unknown option; leave it out", option);
}

static int json_takes_value(const char *option, struct err *err)
{
	if (!strcmp(option, "help") || !strcmp(option, "json"))
		return 0;
	return err_set(err, -EINVAL, "--%s: unknown option; there is only --json", option);
}

static int device_takes_value(const char *option, struct err *err)
{
	if (!strcmp(option, "help"))
		return 0;
	if (!strcmp(option, "device"))
		return 1;
	return err_set(err, -EINVAL, "--%s: unknown option; there is only --device", option);
}

/* Returns 0, -EINVAL with @err. */
static int words_read(char **argv, const struct verb *verb, struct words *words,
		      struct err *err)
{
	struct args args = {.next = argv, .takes_value = verb->takes_value};
	unsigned int n = 0;
	struct arg arg;
	int more;

	while ((more = args_next(&args, &arg, err)) > 0) {
		if (!strcmp(arg.name, "help"))
			words->wants_help = true;
		else if (!strcmp(arg.name, "json"))
			words->is_json = true;
		else if (!strcmp(arg.name, "device"))
			words->device = arg.value;
		else if (*arg.name)
			return err_set(err, -EINVAL, "--%s: unknown option; write %s", arg.name,
				       verb->usage);
		else if (n < verb->n_words)
			words->words[n++] = arg.value;
		else
			return err_set(err, -EINVAL, "'%s': unexpected here; write %s",
				       arg.value, verb->usage);
	}
	if (more < 0 || words->wants_help)
		return more;
	if (n < verb->n_words || *args.next)
		return err_set(err, -EINVAL, "%s: write %s", verb->name, verb->usage);
	return 0;
}

/* As control_client_open. */
static int vm_open(struct control_client *client, const char *name, struct err *err)
{
	_cleanup_close_ int directory = control_open_directory(false, err);

	if (directory == -ENOENT)
		err_prefix(err, "vm '%s'", name);
	return directory < 0 ? directory : control_client_open(client, directory, name, err);
}

/* Asks the VM @name once. Returns as control_client_ask. */
static int vm_ask(const char *name, const struct control_request *request,
		  unsigned int timeout_s, json_t **ret_result, struct err *err)
{
	struct control_client client;
	int ret = vm_open(&client, name, err);

	if (ret < 0)
		return ret;
	ret = control_client_ask(&client, request, timeout_s, ret_result, err);
	control_client_close(&client);
	return ret;
}

/* --- ps --- */

void ps_print_help(FILE *out)
{
	fputs("\n"
	      "  --json  As JSON: {\"vms\": [{\"name\": ..., \"pid\": ...}, ...]}\n"
	      "\n"
	      "Those of the calling user. What killed VMs left behind is cleaned up.\n",
	      out);
}

/* What one VM says of itself; of one that does not, its name and why. NULL: it is gone. */
static json_t *vm_describe(int directory, const char *name)
{
	const struct control_request request = {.command = CONTROL_STATUS};
	struct control_client client;
	struct err err = {0};
	json_t *status = NULL;
	int ret = control_client_open(&client, directory, name, &err);

	if (ret)
		return NULL;
	ret = control_client_ask(&client, &request, PS_SECONDS, &status, &err);
	control_client_close(&client);
	if (ret == -ECONNRESET || ret == -EPIPE)
		return NULL;
	return ret ? json_pack("{s:s,s:i,s:s}", "name", name, "pid", (int)client.pid, "error",
			       ret == -ETIMEDOUT ? "it does not answer"
						 : "it does not answer in known words")
		   : status;
}

static int vms_list(json_t *vms, struct err *err)
{
	_cleanup_free_ char(*names)[CONFIG_NAME_MAX_BYTES] = calloc(VMS_MAX, sizeof(*names));
	_cleanup_close_ int directory = control_open_directory(false, err);
	int n;

	/* Nobody of this user ever ran one. */
	if (directory == -ENOENT)
		return 0;
	if (directory < 0)
		return directory;
	n = names && vms ? control_list(directory, names, VMS_MAX) : -ENOMEM;
	if (n < 0)
		return err_set(err, n, "control directory: cannot list it: %s; try again",
			       err_describe(n));
	for (int i = 0; i < n; i++) {
		json_t *vm = vm_describe(directory, names[i]);

		if (vm)
			json_array_append_new(vms, vm);
	}
	return 0;
}

int ps_command(char **argv)
{
	static const struct verb verb = {"ps", 0, "`alcove ps [--json]`", json_takes_value};
	struct words words = {0};
	struct err err = {0};
	json_t *vms;
	int ret;

	if (words_read(argv, &verb, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	vms = json_array();
	ret = vms_list(vms, &err);
	if (ret) {
		json_decref(vms);
		return fail(EXIT_STATUS_SETUP, &err);
	}
	if (words.is_json)
		control_print_json(stdout, json_pack("{s:o}", "vms", vms));
	else
		control_print_vms(stdout, vms);
	return EXIT_STATUS_OK;
}

/* --- stats --- */

void stats_print_help(FILE *out)
{
	fputs("\n"
	      "  --json  The same as JSON\n"
	      "\n"
	      "Conversions of memory and how long they took, memory mapped for devices, and\n"
	      "devices, since the VM was made or last reset.\n",
	      out);
}

int stats_command(char **argv)
{
	static const struct verb verb = {"stats", 1, "`alcove stats NAME [--json]`",
					 json_takes_value};
	const struct control_request request = {.command = CONTROL_STATS};
	struct words words = {0};
	struct err err = {0};
	json_t *stats;

	if (words_read(argv, &verb, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	if (vm_ask(words.words[0], &request, ASK_SECONDS, &stats, &err))
		return fail(EXIT_STATUS_SETUP, &err);
	if (words.is_json)
		control_print_json(stdout, stats);
	else
		control_print_stats(stdout, stats);
	return EXIT_STATUS_OK;
}

/* --- stop --- */

void stop_print_help(FILE *out)
{
	fputs("\n"
	      "As if it were switched off: the guest is not asked. Waits until it is gone; "
	      "its\n"
	      "`alcove run` ends with status 207.\n",
	      out);
}

int stop_command(char **argv)
{
	static const struct verb verb = {"stop", 1, "`alcove stop NAME`", none_takes_value};
	struct control_client client;
	struct words words = {0};
	struct err err = {0};
	int ret;

	if (words_read(argv, &verb, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	ret = vm_open(&client, words.words[0], &err);
	if (!ret) {
		ret = control_client_stop(&client, STOP_SECONDS, &err);
		control_client_close(&client);
	}
	return ret ? fail(EXIT_STATUS_SETUP, &err) : EXIT_STATUS_OK;
}

/* --- attach, detach --- */

void attach_print_help(FILE *out)
{
	fputs("\n"
	      "  --device=[host=]ADDRESS[,name=NAME]...  As for `alcove run`\n"
	      "\n"
	      "Gives a device of the host to a VM that runs with --hotplug-ports, and prints "
	      "the\n"
	      "name it goes by; `alcove device bind` gets it ready.\n",
	      out);
}

void detach_print_help(FILE *out)
{
	fputs("\n"
	      "Takes an attached device from a VM that runs; the guest is asked, and given 20 "
	      "s.\n"
	      "`alcove stats NAME` shows which it has.\n",
	      out);
}

/* Is what follows --device= sound? The VM would say so, too, but in other words. */
static int device_check(const char *text, struct err *err)
{
	struct config config;
	int ret;

	if (strlen(text) >= CONTROL_DEVICE_MAX_BYTES)
		return err_set(err, -E2BIG, "--device: longer than %d bytes; shorten the name",
			       CONTROL_DEVICE_MAX_BYTES - 1);
	ret = config_init(&config, err);
	if (ret)
		return ret;
	ret = options_set(&config, "device", text, err);
	if (!ret)
		ret = config_check_device(&config.devices[0], err);
	config_fini(&config);
	return ret;
}

static int device_change(const char *vm, enum control_command command, const char *device)
{
	struct control_request request = {.command = command};
	struct err err = {0};
	const char *name;
	json_t *result;

	ASSERT(strlen(device) < sizeof(request.device));
	memcpy(request.device, device, strlen(device) + 1);
	if (vm_ask(vm, &request, DEVICE_SECONDS, &result, &err))
		return fail(EXIT_STATUS_SETUP, &err);
	/* Who gave it none has to know by which it goes. */
	name = json_string_value(json_object_get(result, "name"));
	if (name)
		puts(name);
	json_decref(result);
	return EXIT_STATUS_OK;
}

int attach_command(char **argv)
{
	static const struct verb verb = {"attach", 1, "`alcove attach NAME --device=ADDRESS`",
					 device_takes_value};
	struct words words = {0};
	struct err err = {0};

	if (words_read(argv, &verb, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	if (!words.device)
		err_set(&err, -EINVAL, "attach: no device given; add --device=ADDRESS");
	else if (device_check(words.device, &err) == 0)
		return device_change(words.words[0], CONTROL_ATTACH, words.device);
	return fail(EXIT_STATUS_USAGE, &err);
}

int detach_command(char **argv)
{
	static const struct verb verb = {"detach", 2, "`alcove detach NAME DEVICE`",
					 none_takes_value};
	struct words words = {0};
	struct err err = {0};

	if (words_read(argv, &verb, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	ASSERT(words.words[1]);
	if (strlen(words.words[1]) >= CONTROL_DEVICE_MAX_BYTES || !*words.words[1]) {
		err_set(&err, -EINVAL,
			"detach: the device has no such name; see `alcove stats`");
		return fail(EXIT_STATUS_USAGE, &err);
	}
	return device_change(words.words[0], CONTROL_DETACH, words.words[1]);
}
