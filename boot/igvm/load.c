// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/igvm/load.h"

#include <errno.h>
#include <inttypes.h>

#include "boot/igvm/file.h"
#include "boot/launch.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

struct loader {
	const struct igvm *igvm;
	struct guest_memory *memory;
	const struct igvm_target *target;
	struct launch *launch;
	size_t n_before; /* pieces that are none of ours */
	struct err *err;
};

static const enum launch_kind launch_kinds[IGVM_KIND_COUNT] = {
	[IGVM_MEASURED] = LAUNCH_MEASURED,     [IGVM_ZERO] = LAUNCH_ZERO,
	[IGVM_UNMEASURED] = LAUNCH_UNMEASURED, [IGVM_SECRETS] = LAUNCH_SECRETS,
	[IGVM_CPUID] = LAUNCH_CPUID,	       [IGVM_AREA] = LAUNCH_UNMEASURED,
};

static int check_memory(const struct loader *loader, struct range gpa, uint32_t header_offset)
{
	const struct layout *layout = loader->target->machine->layout;

	for (unsigned int i = 0; i < layout->n_ram; i++)
		if (range_covers(layout->ram[i], gpa))
			return 0;
	if (range_covers(layout->firmware, gpa))
		return 0;
	return err_set(
		loader->err, -ENOSPC,
		"igvm '%s': offset 0x%" PRIx32 ": needs memory at 0x%" PRIx64 " to 0x%" PRIx64
		", but RAM below 4 GiB ends at 0x%" PRIx64 "; give the guest more memory",
		loader->igvm->file.path, header_offset, gpa.start, gpa.end, layout->ram[0].end);
}

static int check_all_memory(const struct loader *loader)
{
	const struct igvm *igvm = loader->igvm;
	int ret = 0;

	for (size_t i = 0; i < igvm->n_pieces && !ret; i++) {
		const struct igvm_piece *piece = &igvm->pieces[i];

		ret = check_memory(loader,
				   (struct range){piece->gpa, piece->gpa + piece->size_bytes},
				   piece->header_offset);
	}
	for (unsigned int i = 0; i < igvm->n_ranges && !ret; i++)
		ret = check_memory(loader, igvm->ranges[i].gpa, igvm->ranges[i].header_offset);
	return ret;
}

static int piece_write(const struct loader *loader, const struct igvm_piece *piece)
{
	const struct igvm *igvm = loader->igvm;
	bool is_filled = piece->kind != IGVM_SECRETS && piece->kind != IGVM_CPUID;
	int ret;

	if (piece->data_offset && is_filled)
		ret = guest_write(loader->memory, piece->gpa,
				  igvm->file.bytes + piece->data_offset,
				  (size_t)piece->size_bytes);
	else
		ret = guest_zero(loader->memory, piece->gpa, piece->size_bytes);
	if (ret)
		return err_set(loader->err, ret,
			       "igvm '%s': cannot write to guest memory at 0x%" PRIx64 ": %s",
			       igvm->file.path, piece->gpa, err_describe(ret));
	return 0;
}

/* Secrets and CPUID pages are launched one by one. */
static bool kind_joins(enum launch_kind kind)
{
	return kind != LAUNCH_SECRETS && kind != LAUNCH_CPUID;
}

static int piece_launch(const struct loader *loader, const struct igvm_piece *piece)
{
	struct launch *launch = loader->launch;
	enum launch_kind kind = launch_kinds[piece->kind];
	struct launch_piece *last;
	int ret;

	if (!launch)
		return 0;
	last = launch->n_pieces > loader->n_before ? &launch->pieces[launch->n_pieces - 1]
						   : NULL;
	if (last && last->kind == kind && last->gpa.end == piece->gpa && kind_joins(kind)) {
		last->gpa.end += piece->size_bytes;
		return 0;
	}
	ret = launch_add(launch, piece->gpa, piece->size_bytes, kind);
	if (ret)
		return err_set(loader->err, ret, "igvm '%s': no memory for its pages",
			       loader->igvm->file.path);
	return 0;
}

static int parameter_write(const struct loader *loader, const struct igvm_parameter *parameter)
{
	_cleanup_free_ void *value = NULL;
	size_t value_bytes = 0;
	int ret = igvm_parameter_new(parameter->type, loader->target, &value, &value_bytes);

	if (ret)
		return err_set(loader->err, ret, "igvm '%s': no memory for a parameter",
			       loader->igvm->file.path);
	if (value_bytes > parameter->room_bytes)
		return err_set(loader->err, -E2BIG,
			       "igvm '%s': offset 0x%" PRIx32
			       ": the parameter has %zu bytes, but its area room for %" PRIu64,
			       loader->igvm->file.path, parameter->header_offset, value_bytes,
			       parameter->room_bytes);
	if (value_bytes)
		ret = guest_write(loader->memory, parameter->gpa, value, value_bytes);
	if (ret)
		return err_set(loader->err, ret,
			       "igvm '%s': cannot write to guest memory at 0x%" PRIx64 ": %s",
			       loader->igvm->file.path, parameter->gpa, err_describe(ret));
	return 0;
}

int igvm_load(const struct igvm *igvm, struct guest_memory *memory,
	      const struct igvm_target *target, struct launch *launch, struct err *err)
{
	struct loader loader = {
		.igvm = igvm,
		.memory = memory,
		.target = target,
		.launch = launch,
		.n_before = launch ? launch->n_pieces : 0,
		.err = err,
	};
	int ret = check_all_memory(&loader);

	for (size_t i = 0; i < igvm->n_pieces && !ret; i++) {
		ret = piece_write(&loader, &igvm->pieces[i]);
		if (!ret)
			ret = piece_launch(&loader, &igvm->pieces[i]);
	}
	for (unsigned int i = 0; i < igvm->n_parameters && !ret; i++)
		ret = parameter_write(&loader, &igvm->parameters[i]);
	return ret;
}
