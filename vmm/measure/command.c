// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Its own options are a table of the same kind as those of `alcove run`, all of which it takes
 * as well.
 */
#include "vmm/measure/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/args.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/measure/measure.h"
#include "vmm/measure/print.h"
#include "vmm/nearest.h"
#include "vmm/options_store.h"

#define AT(member) offsetof(struct measure_request, member)

static const struct option options[] = {
	{
		.key = "vcpu-model",
		.kind = OPTION_TEXT,
		.argument = "MODEL",
		.help = "SNP: processor of the host it will run on: EPYC-Milan, EPYC-Genoa, "
			"...; CPUID\n                        leaf 1 eax, as 0xa00f11; or host, "
			"for this one",
		.offset = AT(vcpu_model),
	},
	{
		.key = "profile",
		.kind = OPTION_CHOICE,
		.fallback = "qemu",
		.argument = "qemu|ec2|gce",
		.help = "SNP, firmware: who launches it; Alcove does as QEMU does (qemu)",
		.words = measure_profile_words,
		.offset = AT(profile),
	},
	{
		.key = "mrtd-order",
		.kind = OPTION_CHOICE,
		.fallback = "single",
		.argument = "single|two",
		.help = "TDX: each page added and measured, as KVM does (single), or in two "
			"passes",
		.words = measure_order_words,
		.offset = AT(order),
	},
	{
		.key = "c-bit",
		.kind = OPTION_UINT,
		.fallback = "51",
		.argument = "N",
		.help = "SNP, without firmware: the bit that makes a page private (51)",
		.min = 32,
		.max = 62,
		.offset = AT(c_bit),
	},
	{
		.key = "gpa-bits",
		.kind = OPTION_UINT,
		.fallback = "48",
		.argument = "N",
		.help = "Width of the host's guest-physical addresses (48); matters only where "
			"RAM\n                        comes near their end",
		.min = 36,
		.max = 52,
		.offset = AT(gpa_bits),
	},
	{
		.key = "features",
		.kind = OPTION_BITS,
		.fallback = "0",
		.argument = "BITS",
		.help = "SNP: VMSA features beyond those that it has anyway",
		.offset = AT(features),
	},
	{
		.key = "id-key",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "SNP: sign an ID block for this launch with this key (PEM, P-384)",
		.offset = AT(id_key),
	},
	{
		.key = "author-key",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "And that key with this one",
		.offset = AT(author_key),
	},
	{
		.key = "id-block-out",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Where the ID block goes, for `alcove run --id-block`",
		.offset = AT(id_block_out),
	},
	{
		.key = "id-auth-out",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "And its signatures, for `alcove run --id-auth`",
		.offset = AT(id_auth_out),
	},
	{
		.key = "family-id",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "16 bytes of the ID block; zeroes if not given",
		.max = ID_NAME_BYTES,
		.offset = AT(family),
	},
	{
		.key = "image-id",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "16 more",
		.max = ID_NAME_BYTES,
		.offset = AT(image),
	},
	{
		.key = "svn",
		.kind = OPTION_UINT,
		.fallback = "0",
		.argument = "N",
		.help = "Its security version (0)",
		.max = UINT32_MAX,
		.offset = AT(svn),
	},
	{.key = NULL},
};

static const struct option_section section = {.name = "measure", .options = options};

struct words {
	const char *file; /* NULL: none */
	bool is_json;
	bool wants_help;
};

static int fail(int status, const struct err *err)
{
	fprintf(stderr, "alcove: %s\n", err->text);
	return status;
}

void measure_print_help(FILE *out)
{
	fputs("\n"
	      "What the attestation report of an snp or tdx guest will say of its launch: "
	      "what\n"
	      "`alcove run` would load with the same CONFIG and options (see `alcove help "
	      "run`)\n"
	      "is measured, on any machine and without KVM. -v lists the pieces.\n"
	      "\n"
	      "  --json                The answer as JSON\n",
	      out);
	for (const struct option *option = options; option->key; option++) {
		int n = fprintf(out, "  --%s=%s", option->key, option->argument);

		fprintf(out, "%*s%s\n", n < 24 ? 24 - n : 1, "", option->help);
	}
}

static int takes_value(const char *name, struct err *err)
{
	struct nearest nearest;

	if (!strcmp(name, "help") || !strcmp(name, "json"))
		return 0;
	if (option_find_key(&section, name) || options_know(name, NULL))
		return 1;
	nearest_init(&nearest, name);
	for (const struct option *option = options; option->key; option++)
		nearest_offer(&nearest, option->key);
	if (nearest.best)
		return err_set(err, -EINVAL, "--%s: unknown option; did you mean --%s?", name,
			       nearest.best);
	options_know(name, err);
	return -EINVAL;
}

static int read_words(char **argv, struct words *words, struct err *err)
{
	struct args args = {.next = argv, .takes_value = takes_value};
	struct arg arg;
	int more;

	for (more = args_next(&args, &arg, err); more > 0; more = args_next(&args, &arg, err)) {
		words->wants_help |= !strcmp(arg.name, "help");
		words->is_json |= !strcmp(arg.name, "json");
		if (*arg.name)
			continue;
		if (words->file)
			return err_set(err, -EINVAL,
				       "'%s': second config file after '%s'; leave one out",
				       arg.value, words->file);
		words->file = arg.value;
	}
	if (!more && *args.next)
		return err_set(err, -EINVAL, "'%s': unexpected here; leave it out", *args.next);
	return more;
}

static int read_options(char **argv, struct config *config, struct measure_request *request,
			struct err *err)
{
	struct args args = {.next = argv, .takes_value = takes_value};
	struct arg arg;
	int more;

	for (more = args_next(&args, &arg, err); more > 0; more = args_next(&args, &arg, err)) {
		const struct option *option = option_find_key(&section, arg.name);
		int ret = 0;

		if (option && option_store(request, option, arg.value, err))
			ret = err_prefix(err, "--%s", arg.name);
		else if (!option && arg.value && *arg.name)
			ret = options_set(config, arg.name, arg.value, err);
		if (ret)
			return ret;
	}
	return more;
}

static int request_init(struct measure_request *request, struct err *err)
{
	int ret = 0;

	for (const struct option *option = options; option->key && !ret; option++) {
		if (option->fallback)
			ret = option_store(request, option, option->fallback, err);
	}
	return ret;
}

static void request_fini(struct measure_request *request)
{
	free(request->vcpu_model);
	free(request->id_key);
	free(request->author_key);
	free(request->id_block_out);
	free(request->id_auth_out);
}

static int request_check(const struct measure_request *request, const struct config *config,
			 struct err *err)
{
	if (!request->id_key &&
	    (request->author_key || request->id_block_out || request->id_auth_out))
		return err_set(
			err, -EINVAL,
			"--id-key: without that key there is no ID block; add it, or leave "
			"--author-key, --id-block-out and --id-auth-out out");
	if (request->id_key && (!request->id_block_out || !request->id_auth_out))
		return err_set(err, -EINVAL,
			       "--id-key: an ID block and its signatures belong together; give "
			       "both --id-block-out=FILE and --id-auth-out=FILE");
	if (request->id_key && !strcmp(request->id_block_out, request->id_auth_out))
		return err_set(err, -EINVAL,
			       "--id-auth-out: '%s' is where the ID block goes; name another "
			       "file",
			       request->id_auth_out);
	if (request->id_key && config->type != GUEST_TYPE_SNP)
		return err_set(err, -EINVAL,
			       "--id-key: only SEV-SNP guests have an ID block; leave it out");
	return 0;
}

/* The file first, so that the command line overrides it. */
static int read_all(char **argv, const struct words *words, struct config *config,
		    struct measure_request *request, struct err *err)
{
	int ret = config_init(config, err);

	if (!ret)
		ret = request_init(request, err);
	if (!ret && words->file)
		ret = options_read_file(config, words->file, err);
	if (!ret)
		ret = read_options(argv, config, request, err);
	if (!ret)
		ret = config_check(config, err);
	return ret ? ret : request_check(request, config, err);
}

static int report(const struct words *words, const struct config *config,
		  const struct measure_request *request)
{
	struct measurement measurement;
	struct err err = {0};
	int ret = measure(config, request, &measurement, &err);
	int status = EXIT_STATUS_OK;

	if (!ret && request->id_key)
		ret = measure_sign(request, &measurement, &err);
	if (!ret && !words->is_json)
		measure_print(stdout, config, request, &measurement);
	if (!ret && words->is_json && measure_print_json(stdout, config, request, &measurement))
		ret = err_set(&err, -ENOMEM, "measure: out of memory; free some");
	if (ret)
		status = fail(EXIT_STATUS_SETUP, &err);
	measurement_fini(&measurement);
	return status;
}

int measure_command(char **argv)
{
	struct measure_request request = {.vcpu_model = NULL};
	struct config config = {0};
	struct words words = {0};
	struct err err = {0};
	int status;

	if (read_words(argv, &words, &err))
		return fail(EXIT_STATUS_USAGE, &err);
	if (words.wants_help)
		return -1;
	if (read_all(argv, &words, &config, &request, &err))
		status = fail(EXIT_STATUS_USAGE, &err);
	else
		status = report(&words, &config, &request);
	request_fini(&request);
	config_fini(&config);
	return status;
}
