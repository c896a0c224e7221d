// SPDX-License-Identifier: GPL-2.0-or-later
/* What a test asks of the fake kernel, and does to it. */
#include "tests/fake/fake_state.h"

#include <sys/eventfd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

struct host *fake_host(struct fake *fake)
{
	return &fake->host;
}

struct fake_traits *fake_traits(struct fake *fake)
{
	return &fake->traits;
}

void fake_set_guest(struct fake *fake, fake_guest_fn *fn, void *guest)
{
	WITH_LOCK(&fake->lock);

	fake->guest_fn = fn;
	fake->guest = guest;
}

void fake_on_convert(struct fake *fake, fake_convert_fn *fn, void *argument)
{
	fake->convert_fn = fn;
	fake->convert_argument = argument;
}

size_t fake_count_msis(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return fake->n_msis;
}

struct fake_msi fake_get_msi(struct fake *fake, size_t index)
{
	WITH_LOCK(&fake->lock);

	ASSERT(index < fake->n_msis);
	return fake->msis[index];
}

bool fake_write_gpa(struct fake *fake, gpa_t gpa, unsigned int size_bytes, uint64_t value)
{
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < FAKE_IOEVENTFDS_MAX; i++) {
		const struct kvm_ioeventfd *bound = &fake->ioeventfds[i];

		if (bound->fd <= 0 || bound->addr != gpa ||
		    (bound->len && bound->len != size_bytes))
			continue;
		if ((bound->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) && bound->datamatch != value)
			continue;
		return eventfd_write(bound->fd, 1) == 0;
	}
	return false;
}

size_t fake_count_ioeventfds(struct fake *fake)
{
	WITH_LOCK(&fake->lock);
	size_t n = 0;

	for (size_t i = 0; i < FAKE_IOEVENTFDS_MAX; i++)
		n += fake->ioeventfds[i].fd > 0;
	return n;
}

void fake_advance_clock(struct fake *fake, uint64_t ns)
{
	WITH_LOCK(&fake->lock);

	fake->now_ns += ns;
}
