// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/probe/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host.h"
#include "vmm/probe/check.h"
#include "vmm/type.h"

static const struct probe_check *const tables[] = {
	probe_checks_kvm, probe_checks_snp,    probe_checks_tdx,
	probe_checks_log, probe_checks_device, probe_checks_config,
};

/* --- Lines --- */

/* What files and the kernel log say is text from elsewhere, and JSON takes no odd bytes. */
static void text_clean(char *text)
{
	for (; *text; text++) {
		if (*text < 0x20 || *text >= 0x7f)
			*text = '?';
	}
}

void probe_say(struct probe *probe, enum probe_verdict verdict, const char *looked_at,
	       const char *cure, const char *format, ...)
{
	struct probe_line *line = &probe->lines[probe->n_lines];
	va_list args;

	ASSERT(probe->n_lines < PROBE_LINES_MAX);
	ASSERT(verdict == PROBE_OK || cure);
	*line = (struct probe_line){.check = probe->check, .verdict = verdict};
	snprintf(line->looked_at, sizeof(line->looked_at), "%s", looked_at);
	va_start(args, format);
	vsnprintf(line->found, sizeof(line->found), format, args);
	va_end(args);
	snprintf(line->cure, sizeof(line->cure), "%s", verdict == PROBE_OK ? "" : cure);
	text_clean(line->looked_at);
	text_clean(line->found);
	text_clean(line->cure);
	probe->n_lines++;
}

void probe_say_err(struct probe *probe, enum probe_verdict verdict, const char *looked_at,
		   const char *fallback, const struct err *err)
{
	size_t length = strlen(looked_at);
	const char *found = err->text;
	const char *cure = strrchr(err->text, ';');
	int found_bytes;

	if (!strncmp(found, looked_at, length) && !strncmp(found + length, ": ", 2))
		found += length + 2;
	if (cure && cure < found)
		cure = NULL;
	found_bytes = cure ? (int)(cure - found) : (int)strlen(found);
	probe_say(probe, verdict, looked_at, cure ? cure + 1 + strspn(cure + 1, " ") : fallback,
		  "%.*s", found_bytes, found);
}

/* --- The walk --- */

static bool is_survey(const struct probe_question *question)
{
	return !question->subjects && !question->n_devices && !question->config;
}

static unsigned int subjects_choose(const struct probe_question *question)
{
	unsigned int subjects = question->subjects;

	if (is_survey(question))
		subjects = PROBE_BITS_TYPES | PROBE_BIT(PROBE_DEVICES);
	if (question->n_devices)
		subjects |= PROBE_BIT(PROBE_DEVICES) | PROBE_BIT(PROBE_DEVICE);
	if (question->config)
		subjects |= PROBE_BIT(PROBE_CONFIG) | PROBE_BIT(question->config->type);
	return subjects;
}

static bool is_due(const struct probe *probe, const struct probe_check *check)
{
	if (!(check->subjects & probe->subjects))
		return false;
	return !check->vendor || !strcmp(check->vendor, probe->question.cpu.vendor);
}

static void vms_open(struct probe *probe)
{
	struct host *host = probe->question.host;

	for (unsigned int i = 0; i < GUEST_TYPE_COUNT; i++) {
		unsigned long type = guest_type_find((enum guest_type)i)->kvm_type;

		probe->vms[i] = host ? host_vm_create(host, type) : -ENODEV;
	}
}

static void vms_close(struct probe *probe)
{
	for (unsigned int i = 0; i < GUEST_TYPE_COUNT; i++) {
		if (probe->vms[i] >= 0)
			host_close(probe->question.host, probe->vms[i]);
		probe->vms[i] = -ENODEV;
	}
}

int probe_new(const struct probe_question *question, struct probe **ret_probe)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return -ENOMEM;
	probe->question = *question;
	probe->subjects = subjects_choose(question);
	vms_open(probe);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct probe_check *check = tables[i]; check->name; check++) {
			probe->check = check;
			if (is_due(probe, check))
				check->look(probe, check->argument);
		}
	}
	vms_close(probe);
	*ret_probe = probe;
	return 0;
}

void probe_free(struct probe *probe)
{
	free(probe);
}

/* --- Verdicts --- */

static bool counts(const struct probe_line *line)
{
	switch (line->check->weight) {
	case PROBE_MUST:
		return true;
	case PROBE_LIMIT:
		return line->verdict == PROBE_FAIL;
	case PROBE_HINT:
		return false;
	}
	return false;
}

static enum probe_verdict worse(enum probe_verdict a, enum probe_verdict b)
{
	if (a == PROBE_FAIL || b == PROBE_FAIL)
		return PROBE_FAIL;
	return a == PROBE_UNKNOWN ? a : b;
}

enum probe_verdict probe_judge(const struct probe *probe, unsigned int subject)
{
	enum probe_verdict verdict = PROBE_OK;

	for (unsigned int i = 0; i < probe->n_lines; i++) {
		const struct probe_line *line = &probe->lines[i];

		if (line->check->subjects & PROBE_BIT(subject) && counts(line))
			verdict = worse(verdict, line->verdict);
	}
	return verdict;
}

static enum probe_verdict judge_any_type(const struct probe *probe)
{
	enum probe_verdict verdict = PROBE_FAIL;

	for (unsigned int i = 0; i < GUEST_TYPE_COUNT; i++) {
		enum probe_verdict one = probe_judge(probe, i);

		if (one == PROBE_OK)
			return PROBE_OK;
		if (one == PROBE_UNKNOWN)
			verdict = PROBE_UNKNOWN;
	}
	return verdict;
}

enum probe_verdict probe_judge_all(const struct probe *probe)
{
	const struct probe_question *question = &probe->question;
	enum probe_verdict verdict = PROBE_OK;

	if (is_survey(question))
		return judge_any_type(probe);
	for (unsigned int i = 0; i < PROBE_SUBJECT_COUNT; i++) {
		if (probe->subjects & PROBE_BIT(i))
			verdict = worse(verdict, probe_judge(probe, i));
	}
	return verdict;
}

const char *probe_subject_name(unsigned int subject)
{
	static const char *const names[PROBE_SUBJECT_COUNT] = {
		[PROBE_DEVICES] = "devices",
		[PROBE_DEVICE] = "device",
		[PROBE_CONFIG] = "config",
	};

	return names[subject] ? names[subject]
			      : guest_type_find((enum guest_type)subject)->name;
}

bool probe_type_parse(const char *name, enum guest_type *ret_type)
{
	for (unsigned int i = 0; i < GUEST_TYPE_COUNT; i++) {
		if (strcmp(guest_type_find((enum guest_type)i)->name, name) != 0)
			continue;
		*ret_type = (enum guest_type)i;
		return true;
	}
	return false;
}
