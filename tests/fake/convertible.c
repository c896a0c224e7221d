// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/convertible.h"

#include <linux/kvm.h>

#include "memory/ram.h"
#include "vmm/err.h"

void convertible_init(struct convertible *convertible, enum backing backing, uint64_t ram_bytes,
		      bool guards_private)
{
	struct err err = {0};
	int ret;

	*convertible = (struct convertible){.backing = backing, .fake = fake_new()};
	fake_traits(convertible->fake)->in_place = backing == BACKING_INPLACE;
	fake_traits(convertible->fake)->guards_private = guards_private;
	convertible->faulty = faulty_new(fake_host(convertible->fake));
	convertible->host = faulty_host(convertible->faulty);
	convertible->vm = host_vm_create(convertible->host, KVM_X86_SW_PROTECTED_VM);
	ret = layout_init(&convertible->layout, ram_bytes, 52, &err);
	ASSERT(ret == 0);
	ret = guest_memory_new(convertible->host, convertible->vm, &convertible->layout,
			       backing, &convertible->memory, &err);
	ASSERT(ret == 0);
}

void convertible_fini(struct convertible *convertible)
{
	guest_memory_free(convertible->memory);
	host_close(convertible->host, convertible->vm);
	faulty_free(convertible->faulty);
	fake_free(convertible->fake);
}

enum conversion_end convertible_convert(struct convertible *convertible, gpa_t gpa,
					uint64_t size_bytes, enum side to)
{
	return guest_convert(convertible->memory, gpa, size_bytes, to, CONVERSION_HYPERCALL);
}

void convertible_check(struct convertible *convertible, struct range gpa)
{
	const struct sides *sides = convertible->memory->sides;

	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		bool is_private;
		enum side side;

		end = sides_find_end(sides, at, gpa.end, &side);
		if (side == SIDE_BROKEN)
			continue;
		ASSERT(fake_find_end(convertible->fake, at, end, &is_private) == end);
		ASSERT(is_private == (side == SIDE_PRIVATE));
		fake_check_halves(convertible->fake, (struct range){.start = at, .end = end});
	}
}

void convertible_check_all(struct convertible *convertible)
{
	for (unsigned int i = 0; i < convertible->layout.n_ram; i++)
		convertible_check(convertible, convertible->layout.ram[i]);
}
