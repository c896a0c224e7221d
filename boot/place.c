// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/place.h"

#include <errno.h>
#include <inttypes.h>

#include "memory/memory.h"
#include "vmm/err.h"

/* The piece that overlaps @wanted, the highest if there are several; or NULL. */
static const struct place_piece *place_find(const struct place *place, struct range wanted)
{
	const struct place_piece *found = NULL;

	for (unsigned int i = 0; i < place->n_pieces; i++) {
		const struct place_piece *piece = &place->pieces[i];

		if (range_overlaps(piece->gpa, wanted) &&
		    (!found || piece->gpa.start > found->gpa.start))
			found = piece;
	}
	return found;
}

int place_add(struct place *place, const struct layout *layout, const char *what, gpa_t gpa,
	      uint64_t size_bytes, struct err *err)
{
	const struct place_piece *other;
	struct range wanted;

	if (!range_init(&wanted, gpa, size_bytes) || !range_covers(layout->ram[0], wanted))
		return err_set(err, -ENOSPC,
			       "%s: needs 0x%" PRIx64 " bytes at 0x%" PRIx64
			       ", but RAM below 4 GiB ends at 0x%" PRIx64
			       "; give the guest more memory",
			       what, size_bytes, gpa, layout->ram[0].end);
	other = place_find(place, wanted);
	if (other)
		return err_set(err, -ENOSPC,
			       "%s: needs 0x%" PRIx64 " bytes at 0x%" PRIx64
			       ", where %s lies (0x%" PRIx64 " to 0x%" PRIx64 ")",
			       what, size_bytes, gpa, other->what, other->gpa.start,
			       other->gpa.end);
	if (place->n_pieces == PLACE_PIECES_MAX)
		return err_set(err, -ENOSPC, "%s: more than %d pieces to load", what,
			       PLACE_PIECES_MAX);

	place->pieces[place->n_pieces++] = (struct place_piece){.gpa = wanted, .what = what};
	return 0;
}

int place_add_high(struct place *place, const struct layout *layout, const char *what,
		   uint64_t size_bytes, gpa_t last_max, gpa_t *ret_gpa, struct err *err)
{
	uint64_t end = layout->ram[0].end;
	int ret;

	if (last_max < end - 1)
		end = last_max + 1;
	while (end >= PLACE_HIGH_RAM_GPA && size_bytes <= end - PLACE_HIGH_RAM_GPA) {
		gpa_t gpa = align_down(end - size_bytes, GRANULE_BYTES);
		struct range wanted = {.start = gpa, .end = gpa + size_bytes};
		const struct place_piece *other = place_find(place, wanted);

		if (!other) {
			ret = place_add(place, layout, what, gpa, size_bytes, err);
			if (!ret)
				*ret_gpa = gpa;
			return ret;
		}
		end = other->gpa.start;
	}
	return err_set(err, -ENOSPC,
		       "%s: no room for 0x%" PRIx64 " bytes below 0x%" PRIx64
		       " beside the kernel; give the guest more memory or a smaller %s",
		       what, size_bytes,
		       last_max < layout->ram[0].end ? last_max + 1 : layout->ram[0].end, what);
}
