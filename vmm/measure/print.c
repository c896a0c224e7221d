// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/measure/print.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/measure/measure.h"
#include "vmm/type.h"

enum { HEX_MAX_BYTES = 2 * 48 + 1 };

const char *const measure_profile_words[] = {
	[LAUNCH_PROFILE_QEMU] = "qemu",
	[LAUNCH_PROFILE_EC2] = "ec2",
	[LAUNCH_PROFILE_GCE] = "gce",
	[LAUNCH_PROFILE_COUNT] = NULL,
};

const char *const measure_order_words[] = {
	[LAUNCH_SINGLE_PASS] = "single",
	[LAUNCH_TWO_PASS] = "two",
	NULL,
};

static const char *const kind_words[LAUNCH_KIND_COUNT] = {
	[LAUNCH_MEASURED] = "measured",	    [LAUNCH_ZERO] = "zero",
	[LAUNCH_UNMEASURED] = "unmeasured", [LAUNCH_SECRETS] = "secrets",
	[LAUNCH_CPUID] = "cpuid",
};

/* As one member of JSON, and as one line: what was measured, and what goes with it. */
struct field {
	const char *name;
	char text[HEX_MAX_BYTES];
};

enum { FIELDS_MAX = 12 };

struct fields {
	struct field fields[FIELDS_MAX];
	unsigned int n_fields;
};

static struct field *field_add(struct fields *fields, const char *name)
{
	struct field *field = &fields->fields[fields->n_fields++];

	ASSERT(fields->n_fields <= FIELDS_MAX);
	field->name = name;
	return field;
}

static void add_bytes(struct fields *fields, const char *name, const uint8_t *bytes,
		      size_t n_bytes)
{
	struct field *field = field_add(fields, name);

	ASSERT(2 * n_bytes < sizeof(field->text));
	for (size_t i = 0; i < n_bytes; i++)
		snprintf(field->text + 2 * i, 3, "%02x", bytes[i]);
}

static void add_bits(struct fields *fields, const char *name, uint64_t bits)
{
	struct field *field = field_add(fields, name);

	snprintf(field->text, sizeof(field->text), "0x%" PRIx64, bits);
}

static void add_word(struct fields *fields, const char *name, const char *word)
{
	struct field *field = field_add(fields, name);

	snprintf(field->text, sizeof(field->text), "%s", word);
}

static void add_snp(struct fields *fields, const struct config *config,
		    const struct measure_request *request,
		    const struct measurement *measurement)
{
	if (measurement->has_signature)
		add_bits(fields, "vcpu_signature", measurement->signature);
	add_bits(fields, "vmsa_features", measurement->features | 1);
	add_word(fields, "profile", measure_profile_words[request->profile]);
	add_bits(fields, "policy", measurement->policy);
	add_bytes(fields, "host_data", config->snp_host_data, sizeof(config->snp_host_data));
	if (measurement->has_block)
		add_word(fields, "id_block",
			 id_block_is_of(measurement->block, measurement->digest,
					measurement->policy)
				 ? "of this launch"
				 : "of another launch");
	if (measurement->has_id)
		add_bytes(fields, "id_key_digest", measurement->id_key,
			  sizeof(measurement->id_key));
	if (measurement->has_author)
		add_bytes(fields, "author_key_digest", measurement->author_key,
			  sizeof(measurement->author_key));
}

static void add_tdx(struct fields *fields, const struct config *config,
		    const struct measure_request *request)
{
	add_word(fields, "mrtd_order", measure_order_words[request->order]);
	add_bytes(fields, "mrconfigid", config->tdx_config_id, sizeof(config->tdx_config_id));
	add_bytes(fields, "mrowner", config->tdx_owner, sizeof(config->tdx_owner));
	add_bytes(fields, "mrownerconfig", config->tdx_owner_config,
		  sizeof(config->tdx_owner_config));
}

static void fields_init(struct fields *ret_fields, const struct config *config,
			const struct measure_request *request,
			const struct measurement *measurement)
{
	*ret_fields = (struct fields){.n_fields = 0};
	add_word(ret_fields, "type", guest_type_find(config->type)->name);
	add_bytes(ret_fields, "digest", measurement->digest, sizeof(measurement->digest));
	if (config->type == GUEST_TYPE_SNP)
		add_snp(ret_fields, config, request, measurement);
	else
		add_tdx(ret_fields, config, request);
}

void measure_print(FILE *out, const struct config *config,
		   const struct measure_request *request, const struct measurement *measurement)
{
	const struct launch *launch = &measurement->launch;
	struct fields fields;

	fields_init(&fields, config, request, measurement);
	for (unsigned int i = 0; i < fields.n_fields; i++)
		fprintf(out, "%-18s %s\n", fields.fields[i].name, fields.fields[i].text);
	fprintf(out, "%-18s %u\n", "vcpus", config->n_vcpus);
	fprintf(out, "%-18s %" PRIu64 "\n", "launch_bytes", measurement->launch_bytes);
	for (unsigned int i = 0; i < LAUNCH_KIND_COUNT; i++) {
		if (measurement->n_pages[i])
			fprintf(out, "pages %-12s %" PRIu64 "\n", kind_words[i],
				measurement->n_pages[i]);
	}
	for (size_t i = 0; i < launch->n_pieces && config->verbosity; i++) {
		const struct launch_piece *piece = &launch->pieces[i];

		fprintf(out, "piece 0x%09" PRIx64 "..0x%09" PRIx64 " %s\n", piece->gpa.start,
			piece->gpa.end, kind_words[piece->kind]);
	}
}

static json_t *pieces_pack(const struct launch *launch)
{
	json_t *pieces = json_array();

	for (size_t i = 0; i < launch->n_pieces; i++) {
		const struct launch_piece *piece = &launch->pieces[i];
		char gpa[24];

		snprintf(gpa, sizeof(gpa), "0x%" PRIx64, piece->gpa.start);
		json_array_append_new(pieces, json_pack("{s:s,s:I,s:s}", "gpa", gpa, "bytes",
							(json_int_t)range_size(piece->gpa),
							"kind", kind_words[piece->kind]));
	}
	return pieces;
}

static json_t *pages_pack(const struct measurement *measurement)
{
	json_t *pages = json_object();

	for (unsigned int i = 0; i < LAUNCH_KIND_COUNT; i++)
		json_object_set_new(pages, kind_words[i],
				    json_integer((json_int_t)measurement->n_pages[i]));
	return pages;
}

int measure_print_json(FILE *out, const struct config *config,
		       const struct measure_request *request,
		       const struct measurement *measurement)
{
	json_t *report = json_object();
	struct fields fields;
	int ret = 0;

	fields_init(&fields, config, request, measurement);
	for (unsigned int i = 0; i < fields.n_fields; i++)
		ret |= json_object_set_new(report, fields.fields[i].name,
					   json_string(fields.fields[i].text));
	ret |= json_object_set_new(report, "vcpus", json_integer((json_int_t)config->n_vcpus));
	ret |= json_object_set_new(report, "launch_bytes",
				   json_integer((json_int_t)measurement->launch_bytes));
	ret |= json_object_set_new(report, "pages", pages_pack(measurement));
	ret |= json_object_set_new(report, "pieces", pieces_pack(&measurement->launch));
	if (!ret) {
		json_dumpf(report, out, JSON_INDENT(2));
		fputc('\n', out);
	}
	json_decref(report);
	return ret ? -ENOMEM : 0;
}
