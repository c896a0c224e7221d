// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/control/print.h"

#include <inttypes.h>
#include <stdint.h>

#include "vmm/range.h"
#include "vmm/value.h"

enum { CELL_BYTES = 64 };

void control_print_json(FILE *out, json_t *value)
{
	json_dumpf(value, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(value);
}

/* --- Members as text --- */

/*
 * What a VM says is text from elsewhere: a terminal must not take part of it for a command.
 * Names have no blanks, and are cut to what a cell holds.
 */
static const char *cell_text(const json_t *object, const char *key, char *cell)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t n = 0;

	for (; text && text[n] && n < CELL_BYTES - 1; n++)
		cell[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	if (!n)
		cell[n++] = '-';
	cell[n] = '\0';
	return cell;
}

static const char *cell_count(const json_t *object, const char *key, char *cell)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		snprintf(cell, CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(cell, CELL_BYTES, "-");
	return cell;
}

static const char *cell_size(const json_t *object, const char *key, char *cell)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return cell_count(object, key, cell);
	return value_format_size((uint64_t)json_integer_value(value), cell, CELL_BYTES);
}

/* "3d04:05:06", days only if there are any. */
static const char *cell_time(const json_t *object, const char *key, char *cell)
{
	const json_t *value = json_object_get(object, key);
	uint64_t seconds = (uint64_t)json_integer_value(value);
	char days[24] = "";

	if (!json_is_integer(value))
		return cell_count(object, key, cell);
	if (seconds >= 86400)
		snprintf(days, sizeof(days), "%" PRIu64 "d", seconds / 86400);
	snprintf(cell, CELL_BYTES, "%s%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, days,
		 seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
	return cell;
}

struct row {
	const char *label;
	const char *key;
	const char *(*cell)(const json_t *object, const char *key, char *cell);
};

static void rows_print(FILE *out, const json_t *object, const struct row *rows, size_t n_rows)
{
	char cell[CELL_BYTES];

	for (size_t i = 0; i < n_rows; i++)
		fprintf(out, "%-20s %s\n", rows[i].label,
			rows[i].cell(object, rows[i].key, cell));
}

/* --- ps --- */

void control_print_vms(FILE *out, json_t *vms)
{
	char cells[6][CELL_BYTES];
	const json_t *vm;
	size_t i;

	fprintf(out, "%-24s %8s %-6s %4s %8s %12s\n", "NAME", "PID", "TYPE", "CPUS", "MEMORY",
		"UPTIME");
	json_array_foreach(vms, i, vm)
	{
		const char *error = json_string_value(json_object_get(vm, "error"));

		fprintf(out, "%-24s %8s", cell_text(vm, "name", cells[0]),
			cell_count(vm, "pid", cells[1]));
		if (error)
			fprintf(out, " %s\n", cell_text(vm, "error", cells[2]));
		else
			fprintf(out, " %-6s %4s %8s %12s\n", cell_text(vm, "type", cells[2]),
				cell_count(vm, "cpus", cells[3]),
				cell_size(vm, "memory_bytes", cells[4]),
				cell_time(vm, "uptime_s", cells[5]));
	}
	json_decref(vms);
}

/* --- stats --- */

static void conversions_print(FILE *out, const json_t *conversions)
{
	static const char *const ends[] = {"done", "pages", "refused", "again", "broken"};
	static const char *const sides[] = {"to_shared", "to_private"};
	static const char *const labels[] = {"to shared", "to private"};
	static const struct row rows[] = {
		{"without change", "noops", cell_count},
		{"retries", "retries", cell_count},
	};
	char cell[CELL_BYTES];

	fprintf(out, "\n%-20s", "CONVERSIONS");
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		fprintf(out, " %11s", ends[i]);
	fputc('\n', out);
	for (size_t side = 0; side < ARRAY_SIZE(sides); side++) {
		const json_t *counts = json_object_get(conversions, sides[side]);

		fprintf(out, "%-20s", labels[side]);
		for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
			fprintf(out, " %11s", cell_count(counts, ends[i], cell));
		fputc('\n', out);
	}
	rows_print(out, conversions, rows, ARRAY_SIZE(rows));
}

/* Buckets that are empty are left out. */
static void latency_print(FILE *out, const json_t *buckets)
{
	char from[CELL_BYTES], count[CELL_BYTES];
	const json_t *bucket;
	size_t i;

	fprintf(out, "\n%-20s %11s\n", "LATENCY, FROM US", "count");
	json_array_foreach(buckets, i, bucket)
	{
		if (json_integer_value(json_object_get(bucket, "count")))
			fprintf(out, "%-20s %11s\n", cell_count(bucket, "from_us", from),
				cell_count(bucket, "count", count));
	}
}

static void devices_print(FILE *out, const json_t *devices)
{
	char name[CELL_BYTES], kind[CELL_BYTES], host[CELL_BYTES];
	const json_t *device;
	size_t i;

	fprintf(out, "\n%-20s %-10s %s\n", "DEVICES", "kind", "host");
	json_array_foreach(devices, i, device)
		fprintf(out, "%-20s %-10s %s\n", cell_text(device, "name", name),
			cell_text(device, "kind", kind), cell_text(device, "host", host));
}

void control_print_stats(FILE *out, json_t *stats)
{
	static const struct row vm_rows[] = {
		{"name", "name", cell_text},	       {"pid", "pid", cell_count},
		{"type", "type", cell_text},	       {"cpus", "cpus", cell_count},
		{"memory", "memory_bytes", cell_size}, {"uptime", "uptime_s", cell_time},
		{"resets", "resets", cell_count},
	};
	static const struct row dma_rows[] = {
		{"devices", "devices", cell_count},
		{"areas", "areas", cell_count},
		{"mapped", "mapped_bytes", cell_size},
		{"broken", "broken_bytes", cell_size},
		{"maps", "maps", cell_count},
		{"unmaps", "unmaps", cell_count},
		{"cuts", "cuts", cell_count},
		{"refusals", "refusals", cell_count},
		{"mismatches", "mismatches", cell_count},
	};
	const json_t *conversions = json_object_get(stats, "conversions");

	rows_print(out, stats, vm_rows, ARRAY_SIZE(vm_rows));
	conversions_print(out, conversions);
	latency_print(out, json_object_get(conversions, "latency"));
	fputs("\nDMA\n", out);
	rows_print(out, json_object_get(stats, "dma"), dma_rows, ARRAY_SIZE(dma_rows));
	devices_print(out, json_object_get(stats, "devices"));
	json_decref(stats);
}
