// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/probe/print.h"

#include <errno.h>
#include <jansson.h>

#include "vmm/probe/check.h"

static const char *const verdict_words[PROBE_VERDICT_COUNT] = {
	[PROBE_OK] = "ok",
	[PROBE_FAIL] = "fail",
	[PROBE_UNKNOWN] = "unknown",
};

/* Only what counts: hints are there to explain. */
static const char *const weight_words[] = {
	[PROBE_MUST] = "must",
	[PROBE_LIMIT] = "limit",
	[PROBE_HINT] = "hint",
};

void probe_print(FILE *out, const struct probe *probe)
{
	for (unsigned int i = 0; i < probe->n_lines; i++) {
		const struct probe_line *line = &probe->lines[i];

		fprintf(out, "%-7s  %-15s  %s: %s\n", verdict_words[line->verdict],
			line->check->name, line->looked_at, line->found);
		if (*line->cure)
			fprintf(out, "%-7s  %-15s  -> %s\n", "", "", line->cure);
	}
	fputc('\n', out);
	for (unsigned int i = 0; i < PROBE_SUBJECT_COUNT; i++) {
		if (!(probe->subjects & PROBE_BIT(i)))
			continue;
		fprintf(out, "%-7s  %s\n", verdict_words[probe_judge(probe, i)],
			probe_subject_name(i));
	}
}

static json_t *line_pack(const struct probe_line *line)
{
	json_t *subjects = json_array();

	for (unsigned int i = 0; i < PROBE_SUBJECT_COUNT; i++) {
		if (line->check->subjects & PROBE_BIT(i))
			json_array_append_new(subjects, json_string(probe_subject_name(i)));
	}
	return json_pack("{s:s,s:s,s:s,s:o,s:s,s:s,s:s*}", "check", line->check->name,
			 "verdict", verdict_words[line->verdict], "weight",
			 weight_words[line->check->weight], "subjects", subjects, "looked_at",
			 line->looked_at, "found", line->found, "cure",
			 *line->cure ? line->cure : NULL);
}

int probe_print_json(FILE *out, const struct probe *probe)
{
	json_t *subjects = json_object();
	json_t *lines = json_array();
	json_t *report;

	for (unsigned int i = 0; i < PROBE_SUBJECT_COUNT; i++) {
		if (probe->subjects & PROBE_BIT(i))
			json_object_set_new(subjects, probe_subject_name(i),
					    json_string(verdict_words[probe_judge(probe, i)]));
	}
	for (unsigned int i = 0; i < probe->n_lines; i++)
		json_array_append_new(lines, line_pack(&probe->lines[i]));
	report = json_pack("{s:s,s:o,s:o}", "verdict", verdict_words[probe_judge_all(probe)],
			   "subjects", subjects, "checks", lines);
	if (!report)
		return -ENOMEM;
	json_dumpf(report, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(report);
	return 0;
}
