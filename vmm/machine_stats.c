// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine_stats.h"

#include <time.h>
#include <unistd.h>

#include "vmm/control/socket.h"
#include "vmm/machine_parts.h"
#include "vmm/type.h"

/* JSON's integers have a sign; no counter of ours comes near it. */
static json_int_t json_count(uint64_t count)
{
	return (json_int_t)count;
}

/* @object with @value, which becomes its own. NULL, with @object released, on failure. */
static json_t *object_add(json_t *object, const char *key, json_t *value)
{
	if (value && json_object_set_new(object, key, value) == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *machine_get_status(struct machine *machine)
{
	const struct config *config = machine->config;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return json_pack("{s:s,s:i,s:s,s:i,s:I,s:I,s:i}", "name", machine->control_socket->name,
			 "pid", (int)getpid(), "type", machine->type->name, "cpus",
			 (int)config->n_vcpus, "memory_bytes", json_count(config->memory_bytes),
			 "uptime_s", (json_int_t)(now.tv_sec - machine->started.tv_sec),
			 "resets", (int)machine->n_resets);
}

/* --- Devices --- */

/* The list, until one does not fit. */
struct device_list {
	json_t *devices;
	int result;
};

static int device_append(json_t *devices, const char *name, const char *kind, const char *host)
{
	json_t *device = json_pack("{s:s,s:s}", "name", name, "kind", kind);

	if (device && host)
		json_object_set_new(device, "host", json_string(host));
	return device ? json_array_append_new(devices, device) : -1;
}

static void assigned_append(void *opaque, const char *name, const char *address)
{
	struct device_list *list = opaque;

	if (!list->result)
		list->result = device_append(list->devices, name, "assigned", address);
}

static json_t *devices_get(struct machine *machine)
{
	const struct config *config = machine->config;
	json_t *devices = json_array();
	struct device_list list = {.devices = devices};
	int ret = devices ? 0 : -1;

	for (unsigned int i = 0; i < config->n_disks && !ret; i++)
		ret = device_append(devices, config->disks[i].name, "disk", NULL);
	if (machine->virtio_console && !ret)
		ret = device_append(devices, "console", "console", NULL);
	if (machine->rng && !ret)
		ret = device_append(devices, "rng", "rng", NULL);
	if (!ret)
		machine_visit_assigned(machine, assigned_append, &list);
	if (!ret && !list.result)
		return devices;
	json_decref(devices);
	return NULL;
}

/* --- Conversions --- */

static json_t *conversions_to(const struct conversion_stats *stats, enum side to)
{
	const uint64_t *n_ended = stats->n_ended[to];

	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "done", json_count(n_ended[CONVERSION_DONE]),
			 "pages", json_count(stats->n_pages[to]), "refused",
			 json_count(n_ended[CONVERSION_REFUSED]), "again",
			 json_count(n_ended[CONVERSION_AGAIN]), "broken",
			 json_count(n_ended[CONVERSION_BROKEN]));
}

/* From the fastest on; those that took as long as the last one or longer are in it. */
static json_t *latency_get(const struct conversion_stats *stats)
{
	json_t *buckets = json_array();
	int ret = buckets ? 0 : -1;

	for (unsigned int i = 0; i < CONVERSION_BUCKETS && !ret; i++)
		ret = json_array_append_new(
			buckets,
			json_pack("{s:I,s:I}", "from_us", json_count(i ? 1ull << (i - 1) : 0),
				  "count", json_count(stats->n_in_bucket[i])));
	if (!ret)
		return buckets;
	json_decref(buckets);
	return NULL;
}

static json_t *conversions_get(struct machine *machine)
{
	struct conversion_stats stats = guest_get_stats(machine->memory);

	return json_pack("{s:o,s:o,s:I,s:I,s:o}", "to_shared",
			 conversions_to(&stats, SIDE_SHARED), "to_private",
			 conversions_to(&stats, SIDE_PRIVATE), "noops",
			 json_count(stats.n_noops), "retries", json_count(stats.n_retries),
			 "latency", latency_get(&stats));
}

static json_t *dma_get(struct machine *machine)
{
	struct dma_stats stats = guest_get_dma_stats(machine->memory);

	return json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "devices",
			 (int)stats.n_devices, "areas", json_count(stats.n_areas),
			 "mapped_bytes", json_count(stats.mapped_bytes), "broken_bytes",
			 json_count(stats.broken_bytes), "maps", json_count(stats.n_maps),
			 "unmaps", json_count(stats.n_unmaps), "cuts", json_count(stats.n_cuts),
			 "refusals", json_count(stats.n_refusals), "mismatches",
			 json_count(stats.n_mismatches));
}

json_t *machine_get_stats(struct machine *machine)
{
	json_t *stats = machine_get_status(machine);

	if (stats)
		stats = object_add(stats, "conversions", conversions_get(machine));
	if (stats)
		stats = object_add(stats, "dma", dma_get(machine));
	if (stats)
		stats = object_add(stats, "devices", devices_get(machine));
	return stats;
}
