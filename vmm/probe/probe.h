/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preflight: what this host can do, found out without making a guest that runs.
 *
 * A table of checks looks at the processor, KVM, the kernel's files and the files of a config,
 * and each adds lines to a report: what was looked at, what was found, and what to do about it.
 * A check belongs to subjects (a type of guest, devices, a config file); what it finds counts
 * for their verdicts by its weight.
 */
#ifndef VMM_PROBE_H
#define VMM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/assigned.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/probe/cpu.h"

struct host;

enum probe_subject {
	/* First each enum guest_type. */
	PROBE_DEVICES = GUEST_TYPE_COUNT, /* of the host, for guests, at all */
	PROBE_DEVICE,			  /* those that were named */
	PROBE_CONFIG,
	PROBE_SUBJECT_COUNT,
};

enum probe_verdict {
	PROBE_OK,
	PROBE_FAIL,
	PROBE_UNKNOWN,
	PROBE_VERDICT_COUNT,
};

enum probe_weight {
	PROBE_MUST,  /* the subject is what this is */
	PROBE_LIMIT, /* a failure counts; nothing known of it is no harm */
	PROBE_HINT,  /* says why another check fails */
};

struct probe;

struct probe_check {
	const char *name;
	unsigned int subjects; /* bits, 1 << enum probe_subject */
	enum probe_weight weight;
	const char *vendor; /* of the processor; NULL: any. Skipped with others */
	void (*look)(struct probe *probe, int argument);
	int argument;
};

enum {
	PROBE_LINES_MAX = 512,
	PROBE_TEXT_BYTES = 320,
	PROBE_DEVICES_MAX = CONFIG_DEVICES_MAX + 1,
};

/* Printable ASCII. */
struct probe_line {
	const struct probe_check *check;
	enum probe_verdict verdict;
	char looked_at[PROBE_TEXT_BYTES];
	char found[PROBE_TEXT_BYTES];
	char cure[PROBE_TEXT_BYTES]; /* empty when all is well */
};

/* What to ask, and of whom. */
struct probe_question {
	struct host *host; /* NULL: there is no KVM; @host_err says why */
	struct err host_err;
	struct host_paths paths;
	struct probe_cpu cpu;
	unsigned int subjects;	     /* asked for; 0: nothing in particular, look at all */
	const struct config *config; /* NULL: none */
	char devices[PROBE_DEVICES_MAX][PCI_ADDRESS_BYTES];
	unsigned int n_devices;
};

struct probe {
	struct probe_question question;
	unsigned int subjects;		 /* that are looked at */
	int vms[GUEST_TYPE_COUNT];	 /* one of each type, or -errno */
	const struct probe_check *check; /* the one that looks */
	struct probe_line lines[PROBE_LINES_MAX];
	unsigned int n_lines;
};

/**
 * Look at everything. Leaves nothing behind but the report.
 *
 * @question: copied; what it points to stays.
 * Returns 0 with a report to be freed by probe_free; -ENOMEM.
 */
int probe_new(const struct probe_question *question, struct probe **ret_probe);
void probe_free(struct probe *probe);

/* @subject: enum probe_subject or enum guest_type. */
enum probe_verdict probe_judge(const struct probe *probe, unsigned int subject);

/*
 * All that was asked for together. When nothing was: can this host run a guest of any type at
 * all?
 */
enum probe_verdict probe_judge_all(const struct probe *probe);

const char *probe_subject_name(unsigned int subject);
/* False: there is no such type of guest. */
bool probe_type_parse(const char *name, enum guest_type *ret_type);

#endif
