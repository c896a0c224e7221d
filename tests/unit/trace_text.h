/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace in words: one line for each call, with names for descriptors and capabilities, to be
 * compared with lines that somebody wrote by hand.
 */
#ifndef TESTS_UNIT_TRACE_TEXT_H
#define TESTS_UNIT_TRACE_TEXT_H

#include <check.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/trace.h"
#include "tests/fake/verb.h"
#include "vmm/range.h"

/* The names of a verb's numbers; '@': a descriptor, '&': an address, '*': KVM_CAP_*. */
static const char *const trace_words[VERB_COUNT][TRACE_NUMBERS_MAX] = {
	[VERB_KVM_CHECK_EXTENSION] = {"@", "*"},
	[VERB_VM_CREATE] = {"type"},
	[VERB_VM_ENABLE_CAP] = {"@", "*", "args"},
	[VERB_VM_SET_TSS_ADDRESS] = {"@", "gpa"},
	[VERB_VM_SET_IDENTITY_MAP] = {"@", "gpa"},
	[VERB_VM_CREATE_GUEST_MEMFD] = {"@", "bytes", "flags"},
	[VERB_VM_SET_ATTRIBUTES] = {"@", "start", "end", "attributes"},
	[VERB_GMEM_SET_ATTRIBUTES] = {"@", "start", "end", "attributes"},
	[VERB_VCPU_CREATE] = {"@", "id"},
	[VERB_VCPU_CLOSE] = {"@"},
	[VERB_VCPU_RUN] = {"@"},
	[VERB_VCPU_ENABLE_CAP] = {"@", "*", "args"},
	[VERB_VCPU_SET_CPUID] = {"@", "apic", "sev"},
	[VERB_VCPU_GET_REGS] = {"@"},
	[VERB_VCPU_SET_REGS] = {"@", "rip", "rsi", "rdx", "rflags"},
	[VERB_VCPU_GET_SREGS] = {"@"},
	[VERB_VCPU_SET_SREGS] = {"@", "cr0", "cr3", "cr4", "efer", "cs"},
	[VERB_VCPU_SET_MSRS] = {"@"},
	[VERB_VCPU_SET_MP_STATE] = {"@"},
	[VERB_VCPU_SET_DEBUGREGS] = {"@", "dr6", "dr7"},
	[VERB_VCPU_SET_XSAVE] = {"@"},
	[VERB_MEM_CREATE] = {"bytes"},
	[VERB_MEM_DISCARD] = {"@", "start", "end"},
	[VERB_MEM_MAP] = {"@", "offset", "bytes"},
	[VERB_MEM_UNMAP] = {"&", "bytes"},
	[VERB_CLOSE] = {"@"},
	[VERB_CC_GET_ATTR] = {"group", "attribute"},
	[VERB_SNP_INIT] = {"@", "features", "flags", "ghcb"},
	[VERB_SNP_ENABLE_CERTS] = {"@"},
	[VERB_SNP_LAUNCH_START] = {"@", "policy", "flags"},
	[VERB_SNP_LAUNCH_UPDATE] = {"@", "type", "gfn", "bytes", "source", "flags"},
	[VERB_SNP_LAUNCH_FINISH] = {"@", "id", "author", "vcek", "data", "flags"},
	[VERB_TDX_GET_CAPABILITIES] = {"@", "room"},
	[VERB_TDX_INIT_VM] = {"@", "attributes", "xfam", "leaves", "config", "owner"},
	[VERB_TDX_INIT_VCPU] = {"@", "value"},
	[VERB_TDX_GET_CPUID] = {"@", "room"},
	[VERB_TDX_INIT_MEM_REGION] = {"@", "gpa", "pages", "source", "measure"},
	[VERB_TDX_FINALIZE_VM] = {"@"},
};

static const struct {
	uint64_t number;
	const char *name;
} trace_caps[] = {
	{KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP"},
	{KVM_CAP_X2APIC_API, "X2APIC_API"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER"},
	{KVM_CAP_EXIT_HYPERCALL, "EXIT_HYPERCALL"},
	{KVM_CAP_X86_APIC_BUS_CYCLES_NS, "X86_APIC_BUS_CYCLES_NS"},
	{KVM_CAP_MAX_VCPUS, "MAX_VCPUS"},
	{KVM_CAP_ENFORCE_PV_FEATURE_CPUID, "ENFORCE_PV_FEATURE_CPUID"},
	{KVM_CAP_GUEST_MEMFD_FLAGS, "GUEST_MEMFD_FLAGS"},
	{KVM_CAP_MEMORY_ATTRIBUTES, "MEMORY_ATTRIBUTES"},
};

/* What the descriptors that calls make are called; a number follows where there are several. */
static const char *const trace_makers[VERB_COUNT] = {
	[VERB_VM_CREATE] = "vm",
	[VERB_SEV_OPEN] = "sev",
	[VERB_VM_CREATE_GUEST_MEMFD] = "gmem",
	[VERB_MEM_CREATE] = "memfd",
	[VERB_VCPU_CREATE] = "vcpu",
	[VERB_MEM_MAP] = "map",
};

/* "gmem1" is what the second call of that verb made. */
static inline void trace_put_maker(FILE *file, struct trace *trace, uint64_t made_by)
{
	const struct trace_call *maker;
	unsigned int n = 0;

	if (made_by >= trace_count(trace)) {
		fprintf(file, " none");
		return;
	}
	maker = trace_get(trace, made_by);
	for (size_t i = 0; i < made_by; i++)
		n += trace_get(trace, i)->verb == maker->verb;
	ck_assert_ptr_nonnull(trace_makers[maker->verb]);
	fprintf(file, " %s%u", trace_makers[maker->verb], n);
}

static inline void trace_put_cap(FILE *file, uint64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(trace_caps); i++) {
		if (trace_caps[i].number == number) {
			fprintf(file, " %s", trace_caps[i].name);
			return;
		}
	}
	fprintf(file, " cap%" PRIu64, number);
}

static inline void trace_put_number(FILE *file, struct trace *trace, const char *word,
				    uint64_t number)
{
	switch (word[0]) {
	case '@':
		trace_put_maker(file, trace, number);
		break;
	case '&':
		trace_put_maker(file, trace, number >> 48);
		break;
	case '*':
		trace_put_cap(file, number);
		break;
	default:
		fprintf(file, " %s=%" PRIx64, word, number);
	}
}

/* Its numbers are packed; see trace_vm_set_memory_region. */
static inline void trace_put_slot(FILE *file, struct trace *trace, const uint64_t *numbers)
{
	fprintf(file, " slot=%" PRIu64 " flags=%" PRIx64 " gpa=%" PRIx64 " bytes=%" PRIx64,
		numbers[1] >> 32, numbers[1] & UINT32_MAX, numbers[2], numbers[3]);
	trace_put_maker(file, trace, numbers[4] >> 48);
	trace_put_maker(file, trace, numbers[5] & UINT32_MAX);
}

static inline void trace_put_call(FILE *file, struct trace *trace, size_t index)
{
	const struct trace_call *call = trace_get(trace, index);

	fprintf(file, "%s", verb_name(call->verb));
	if (call->verb == VERB_VM_SET_MEMORY_REGION)
		trace_put_slot(file, trace, call->numbers);
	for (size_t i = 0; i < TRACE_NUMBERS_MAX && trace_words[call->verb][i]; i++)
		trace_put_number(file, trace, trace_words[call->verb][i], call->numbers[i]);
	if (call->result)
		fprintf(file, " = %" PRId64, call->result);
	fputc('\n', file);
}

/* All calls; of processors that run only the first time, since the threads are many. */
static inline char *trace_write(struct trace *trace)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *file = open_memstream(&text, &n_bytes);
	bool has_run = false;

	for (size_t i = 0; i < trace_count(trace); i++) {
		if (trace_get(trace, i)->verb != VERB_VCPU_RUN)
			trace_put_call(file, trace, i);
		else if (!has_run)
			fputs("vcpu_run\n", file);
		has_run |= trace_get(trace, i)->verb == VERB_VCPU_RUN;
	}
	fclose(file);
	return text;
}

/* --- Lines written by hand --- */

/*
 * What the file at @path expects: '#' begins a comment; a line "NAME: call" counts when @name
 * is NAME.
 */
static inline char *golden_read(const char *path, const char *name)
{
	char *text = NULL, line[256];
	size_t n_bytes = 0, n_name = strlen(name);
	FILE *in = fopen(path, "re"), *out = open_memstream(&text, &n_bytes);

	ck_assert_msg(in, "%s is missing", path);
	while (fgets(line, sizeof(line), in)) {
		char *call = line, *colon = strchr(line, ':');

		line[strcspn(line, "#\n")] = '\0';
		for (size_t n = strlen(line); n && line[n - 1] == ' '; n--)
			line[n - 1] = '\0';
		if (colon && strchr(line, ':') == colon) {
			if ((size_t)(colon - line) != n_name ||
			    strncmp(line, name, n_name) != 0)
				continue;
			call = colon + 1 + strspn(colon + 1, " ");
		}
		if (*call)
			fprintf(out, "%s\n", call);
	}
	fclose(in);
	fclose(out);
	return text;
}

/* The lines around the first that differ, one below the other. */
static inline void golden_expect(const char *path, const char *name, const char *actual)
{
	char *expected = golden_read(path, name);
	const char *want = expected, *have = actual;
	unsigned int line = 1;

	while (*want && *have) {
		size_t n_want = strcspn(want, "\n"), n_have = strcspn(have, "\n");

		if (n_want != n_have || strncmp(want, have, n_want) != 0)
			break;
		want += n_want + 1;
		have += n_have + 1;
		line++;
	}
	ck_assert_msg(!*want && !*have,
		      "%s (%s), call %u:\n-%.*s\n+%.*s\nwhat came, from there on:\n%.1000s",
		      path, name, line, (int)strcspn(want, "\n"), want,
		      (int)strcspn(have, "\n"), have, have);
	free(expected);
}

#endif
