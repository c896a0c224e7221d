// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as firmware: what is accepted can be launched from that very file, what is refused
 * is refused with one line that names it.
 *
 * Inputs are padded in front to whole pages, because what is read first is at the end.
 */
#include "boot/firmware/ovmf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"
#include "boot/firmware/launch.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_offline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

/* More than that is hashed too slowly, and says nothing new. */
#define MEASURE_MAX_BYTES (64 * KIB)

static void check_refusal(int result, const struct err *err)
{
	ASSERT(result < 0 && result == err->code);
	ASSERT(strncmp(err->text, "firmware 'fuzz': ", 17) == 0);
	for (const char *c = err->text; *c; c++)
		ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* Pieces are pages of the guest, each in one of them. */
static uint64_t check_pieces(const struct launch *launch)
{
	uint64_t total_bytes = 0;

	for (size_t i = 0; i < launch->n_pieces; i++) {
		struct range gpa = launch->pieces[i].gpa;

		ASSERT(!range_is_empty(gpa) && is_aligned(gpa.start | gpa.end, GRANULE_BYTES));
		ASSERT(launch_find(launch, gpa) == &launch->pieces[i]);
		total_bytes += range_size(gpa);
	}
	return total_bytes;
}

static void check_snp(struct guest_memory *memory, const struct ovmf_image *image,
		      const struct ovmf_snp *snp)
{
	const struct boot_entry entry = {.mode = BOOT_MODE_RESET, .ap_start = snp->ap_entry};
	const struct launch_vcpus vcpus = {.entry = &entry, .n_vcpus = 2};
	bool has_hashes = !range_is_empty(snp->hash_table);
	_cleanup_launch_ struct launch launch = {.profile = LAUNCH_PROFILE_EC2};
	uint8_t digest[LAUNCH_DIGEST_BYTES];
	struct ovmf_hashes hashes = {0};
	struct err err = {0};
	int ret;

	ASSERT(snp->n_sections > 0 && snp->n_sections <= OVMF_SECTIONS_MAX);
	if (!has_hashes)
		ASSERT(ovmf_launch(memory, image, snp, &hashes, &launch, NULL) == -EINVAL);
	ret = ovmf_launch(memory, image, snp, has_hashes ? &hashes : NULL, &launch, &err);
	if (ret) {
		check_refusal(ret, &err);
		return;
	}
	ASSERT(launch.n_pieces == snp->n_sections + 1);
	if (check_pieces(&launch) <= MEASURE_MAX_BYTES)
		ASSERT(launch_digest_snp(memory, &launch, &vcpus, digest) == 0);
}

static void check_tdvf(struct guest_memory *memory, const struct ovmf_image *image,
		       const struct tdvf *tdvf)
{
	_cleanup_launch_ struct launch launch = {0};
	uint8_t mrtd[LAUNCH_DIGEST_BYTES];
	struct err err = {0};
	int ret;

	ASSERT(tdvf->n_sections > 0 && tdvf->n_sections <= OVMF_SECTIONS_MAX);
	ret = tdvf_launch(memory, image, tdvf, &launch, &err);
	if (ret)
		check_refusal(ret, &err);
	else if (check_pieces(&launch) <= MEASURE_MAX_BYTES)
		ASSERT(launch_digest_tdx(memory, &launch, LAUNCH_TWO_PASS, mrtd) == 0);
}

/* A guest as small as can be. */
static void check_launch(const struct ovmf_image *image, const struct ovmf_snp *snp,
			 const struct tdvf *tdvf)
{
	struct guest_memory *memory;
	struct layout layout;
	struct host host;

	host_offline_init(&host);
	ASSERT(layout_init(&layout, LAYOUT_RAM_BYTES_MIN, 46, NULL) == 0);
	layout_add_firmware(&layout, image->size_bytes);
	ASSERT(guest_memory_new(&host, HOST_OFFLINE_VM, &layout, BACKING_PLAIN, &memory,
				NULL) == 0);
	if (snp)
		check_snp(memory, image, snp);
	else
		check_tdvf(memory, image, tdvf);
	guest_memory_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	size_t size_bytes = align_up(data_bytes ? data_bytes : 1, GRANULE_BYTES);
	_cleanup_free_ uint8_t *bytes = calloc(1, size_bytes);
	struct ovmf_image image = {.path = "fuzz", .bytes = bytes, .size_bytes = size_bytes};
	struct err err = {0};
	struct ovmf_snp snp;
	struct tdvf tdvf;
	int ret;

	ASSERT(bytes);
	if (data_bytes)
		memcpy(bytes + size_bytes - data_bytes, data, data_bytes);
	ret = ovmf_parse_snp(&image, &snp, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		check_launch(&image, &snp, NULL);
	err = (struct err){0};
	ret = tdvf_parse(&image, &tdvf, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		check_launch(&image, NULL, &tdvf);
	return 0;
}
