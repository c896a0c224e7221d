// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/conversion_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "memory/memory.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"
#include "vmm/type.h"

static const char *const side_names[SIDE_COUNT] = {
	[SIDE_SHARED] = "shared",
	[SIDE_PRIVATE] = "private",
	[SIDE_BROKEN] = "broken",
};

static const char *const source_names[CONVERSION_SOURCE_COUNT] = {
	[CONVERSION_HYPERCALL] = "hypercall",
	[CONVERSION_MEMORY_FAULT] = "fault",
	[CONVERSION_LAUNCH] = "launch",
};

static const char *const end_names[CONVERSION_END_COUNT] = {
	[CONVERSION_DONE] = "done",
	[CONVERSION_REFUSED] = "refused",
	[CONVERSION_AGAIN] = "again",
	[CONVERSION_BROKEN] = "broken",
};

/* On any vCPU's thread; stdio locks the file, so lines stay whole. */
static void record_write(FILE *trace, const struct conversion_record *record)
{
	fprintf(trace,
		"n=%" PRIu64 " gpa=0x%" PRIx64 " size=0x%" PRIx64
		" to=%s source=%s end=%s noop=%d pages=%" PRIu64 " error=%d "
		"retries=%u busy=0x%" PRIx64 " claim_ns=%" PRIu64 " unmap_ns=%" PRIu64
		" set_ns=%" PRIu64 " discard_ns=%" PRIu64 " map_ns=%" PRIu64 "\n",
		record->number, record->gpa, record->size_bytes, side_names[record->to],
		source_names[record->source], end_names[record->end], record->is_noop,
		record->n_pages, record->error, record->n_retries, record->busy_gpa,
		record->claim_ns, record->unmap_ns, record->set_ns, record->discard_ns,
		record->map_ns);
}

static void record_handle(void *opaque, const struct conversion_record *record)
{
	struct machine *machine = opaque;

	if (machine->trace)
		record_write(machine->trace, record);
	if (record->end == CONVERSION_BROKEN)
		log_guest(machine->log, LOG_ERROR,
			  "memory: pages of gpa 0x%" PRIx64 "..0x%" PRIx64
			  " are lost: a conversion to %s failed and could not be taken "
			  "back; look at the kernel log",
			  record->gpa, record->gpa + record->size_bytes,
			  side_names[record->to]);
}

int conversion_log_start(struct machine *machine, struct err *err)
{
	const char *path = machine->config->trace;

	if (path) {
		/* What led to a reset is what the trace is read for. */
		machine->trace = fopen(path, machine->n_resets ? "ae" : "we");
		if (!machine->trace)
			return err_set(err, -errno, "trace '%s': cannot open: %s", path,
				       err_describe(errno));
		/* A buffer of our own: stdio would ask about the file, which a vCPU may not. */
		setvbuf(machine->trace, machine->trace_buffer, _IOLBF,
			sizeof(machine->trace_buffer));
	}
	guest_set_trace(machine->memory, record_handle, machine);
	return 0;
}

/* A trace with lines missing must not pass for one of all that happened. */
static void trace_close(struct machine *machine)
{
	FILE *trace = machine->trace;
	bool has_failed;

	if (!trace)
		return;
	machine->trace = NULL;
	has_failed = ferror(trace);
	if (fclose(trace) || has_failed)
		log_warn(machine->log, "trace '%s': lines are missing: it cannot be written",
			 machine->config->trace);
}

void conversion_log_stop(struct machine *machine)
{
	struct conversion_stats stats;

	trace_close(machine);
	if (!machine->memory || !machine->type->has_private_memory)
		return;
	stats = guest_get_stats(machine->memory);
	for (unsigned int to = SIDE_SHARED; to <= SIDE_PRIVATE; to++)
		log_info(machine->log,
			 "conversions to %s: done %" PRIu64 " (%" PRIu64
			 " pages) refused %" PRIu64 " again %" PRIu64 " broken %" PRIu64,
			 side_names[to], stats.n_ended[to][CONVERSION_DONE], stats.n_pages[to],
			 stats.n_ended[to][CONVERSION_REFUSED],
			 stats.n_ended[to][CONVERSION_AGAIN],
			 stats.n_ended[to][CONVERSION_BROKEN]);
	log_info(machine->log, "conversions without change %" PRIu64 ", retries %" PRIu64,
		 stats.n_noops, stats.n_retries);
}
