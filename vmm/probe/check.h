/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the preflight: what its checks share. */
#ifndef VMM_PROBE_CHECK_H
#define VMM_PROBE_CHECK_H

#include "vmm/probe/probe.h"

#define PROBE_BIT(subject)	(1u << (subject))
#define PROBE_BITS_TYPES	(PROBE_BIT(GUEST_TYPE_COUNT) - 1)
#define PROBE_BITS_PRIVATE	(PROBE_BITS_TYPES & ~PROBE_BIT(GUEST_TYPE_PLAIN))
#define PROBE_BITS_CONFIDENTIAL (PROBE_BIT(GUEST_TYPE_SNP) | PROBE_BIT(GUEST_TYPE_TDX))

/* The tables; each ends with a NULL name. In the order of the report. */
extern const struct probe_check probe_checks_kvm[];
extern const struct probe_check probe_checks_snp[];
extern const struct probe_check probe_checks_tdx[];
extern const struct probe_check probe_checks_log[];
extern const struct probe_check probe_checks_device[];
extern const struct probe_check probe_checks_config[];

/**
 * Add a line to the report, for the check that looks.
 *
 * @cure: NULL when all is well.
 */
void probe_say(struct probe *probe, enum probe_verdict verdict, const char *looked_at,
	       const char *cure, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What @err says: "looked at: found; cure". @fallback: the cure when it names none. */
void probe_say_err(struct probe *probe, enum probe_verdict verdict, const char *looked_at,
		   const char *fallback, const struct err *err);

/* --- Small files of the kernel --- */

/**
 * The start of a file, at most @size_bytes - 1 of it; always terminated, also on error.
 *
 * Returns the number of bytes or -errno.
 */
int probe_read(const char *path, char *buffer, size_t size_bytes);

/* Can it be opened for reading and writing? Returns 0 or -errno. */
int probe_open(const char *path);

/**
 * "/sys/" or another root of the question's paths, then the rest.
 */
void probe_path(char path[HOST_PCI_PATH_BYTES], const char *root, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The cure for a file that cannot be read. */
const char *probe_cure_access(int error, const char *otherwise);

/* Is @word one of the words, apart by white space, in @text? */
bool probe_has_word(const char *text, const char *word);

/* The number behind the word @key at the start of a line. "max" is UINT64_MAX. */
bool probe_find_number(const char *text, const char *key, uint64_t *ret_value);

/* A flag of /proc/cpuinfo, of the line @line ("flags", "bugs"). Returns 1, 0, -errno. */
int probe_cpuinfo_has(const struct probe *probe, const char *line, const char *flag);

/* Is @flag of the processor there, so that the kernel uses @feature ("SNP")? */
void probe_look_flag(struct probe *probe, const char *flag, const char *feature,
		     const char *cure);

/* A parameter of a module should be on ("Y" or a number other than 0). */
struct probe_parameter {
	const char *module;
	const char *name;
	const char *cure;
};
void probe_look_parameters(struct probe *probe, const struct probe_parameter *parameters,
			   size_t n);

/* Are all processors online? @why: what depends on it. */
void probe_look_cpus(struct probe *probe, const char *why);

/* Is a slot of the misc controller free? @key: "sev_es", "tdx". */
void probe_look_misc(struct probe *probe, const char *key, const char *cure);

/* What this process may still take of memory by its control groups. False: no limit. */
bool probe_find_memory_limit(const struct probe *probe, uint64_t *ret_bytes,
			     char path[HOST_PCI_PATH_BYTES]);

#endif
