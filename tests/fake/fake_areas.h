/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas of the fake kernel's iommufd. All is called with the lock. */
#ifndef TESTS_FAKE_FAKE_AREAS_H
#define TESTS_FAKE_FAKE_AREAS_H

#include "tests/fake/fake_state.h"

/* The first area that ends above @iova; n_areas: none does. */
size_t fake_area_find(const struct fake_ioas *ioas, uint64_t iova);

void fake_area_insert(struct fake_ioas *ioas, size_t index, const struct fake_area *area);

/* Unmapped and unpinned. */
void fake_area_drop(struct fake *fake, struct fake_ioas *ioas, size_t index);

/* The last device has gone. */
void fake_areas_unpin(struct fake *fake, struct fake_ioas *ioas);

#endif
