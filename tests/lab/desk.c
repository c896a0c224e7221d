// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/desk.h"

#include <linux/iommufd.h>
#include <stdio.h>

#include "vmm/err.h"

uint64_t desk_value(uint64_t page)
{
	return UINT64_C(0x5a5a0000) + page;
}

void desk_start(struct desk *desk, struct plug *plug, const char *name)
{
	void *hva;

	*desk = (struct desk){.plug = plug, .host = plug->host, .name = name};
	desk->iommu = host_iommu_open(desk->host);
	ASSERT(desk->iommu >= 0);
	ASSERT(host_iommu_ioas_alloc(desk->host, desk->iommu, &desk->ioas) == 0);
	desk->file = host_mem_create(desk->host, (DESK_PAGES + 1) * PAGE);
	ASSERT(host_mem_map(desk->host, desk->file, 0, (DESK_PAGES + 1) * PAGE, &hva) == 0);
	desk->hva = hva;
	for (uint64_t page = 0; page <= DESK_PAGES; page++)
		*(uint64_t *)(void *)(desk->hva + page * PAGE) = desk_value(page);
	plug_add_device(plug, desk->iommu);
	plug->scratch_iova = PLUG_IOVA - PAGE;
	plug->scratch = (uint64_t *)(void *)(desk->hva + DESK_PAGES * PAGE);
}

void desk_end(struct desk *desk)
{
	host_device_detach_ioas(desk->host, desk->plug->device);
	plug_remove_device(desk->plug);
	say(desk->name, "destroy", host_iommu_destroy(desk->host, desk->iommu, desk->ioas));
	say(desk->name, "destroy again",
	    host_iommu_destroy(desk->host, desk->iommu, desk->ioas));
	host_close(desk->host, desk->iommu);
	host_mem_unmap(desk->host, desk->hva, (DESK_PAGES + 1) * PAGE);
	host_close(desk->host, desk->file);
}

void desk_attach(struct desk *desk)
{
	say(desk->name, "attach",
	    host_device_attach_ioas(desk->host, desk->plug->device, desk->ioas));
}

struct range desk_iova(uint64_t first, uint64_t end)
{
	return (struct range){.start = PLUG_IOVA + first * PAGE, .end = PLUG_IOVA + end * PAGE};
}

void desk_map(struct desk *desk, uint64_t first, uint64_t end)
{
	int ret = host_iommu_ioas_map(desk->host, desk->iommu, desk->ioas,
				      desk->hva + first * PAGE, desk_iova(first, end));

	printf("%s: map [%ju, %ju)", desk->name, (uintmax_t)first, (uintmax_t)end);
	say("", "", ret);
}

void desk_map_scratch(struct desk *desk)
{
	struct range iova = {.start = desk->plug->scratch_iova, .end = PLUG_IOVA};

	say(desk->name, "map scratch",
	    host_iommu_ioas_map(desk->host, desk->iommu, desk->ioas,
				desk->hva + DESK_PAGES * PAGE, iova));
}

void desk_unmap(struct desk *desk, uint64_t first, uint64_t end)
{
	uint64_t bytes = 0;
	int ret = host_iommu_ioas_unmap(desk->host, desk->iommu, desk->ioas,
					desk_iova(first, end), &bytes);

	printf("%s: unmap [%ju, %ju) 0x%jx", desk->name, (uintmax_t)first, (uintmax_t)end,
	       (uintmax_t)bytes);
	say("", "", ret);
}

void desk_cut(struct desk *desk, uint64_t first, uint64_t end)
{
	uint64_t bytes = 0;
	int ret =
		host_iommu_compat_unmap(desk->host, desk->iommu, desk_iova(first, end), &bytes);

	printf("%s: cut [%ju, %ju) 0x%jx", desk->name, (uintmax_t)first, (uintmax_t)end,
	       (uintmax_t)bytes);
	say("", "", ret);
}

void desk_set_huge(struct desk *desk, uint64_t value)
{
	printf("%s: huge pages %ju", desk->name, (uintmax_t)value);
	say("", "",
	    host_iommu_set_option(desk->host, desk->iommu, desk->ioas, IOMMU_OPTION_HUGE_PAGES,
				  value));
}

void desk_set_compat(struct desk *desk)
{
	say(desk->name, "compat",
	    host_iommu_compat_set_ioas(desk->host, desk->iommu, desk->ioas));
}

void desk_show_ranges(struct desk *desk)
{
	struct range ranges[16];
	uint64_t alignment = 0;
	size_t n = ARRAY_SIZE(ranges);
	int ret = host_iommu_ioas_get_iova_ranges(desk->host, desk->iommu, desk->ioas, ranges,
						  &n, &alignment);

	say(desk->name, "ranges", ret);
	printf("%s: %zu ranges, alignment %ju\n", desk->name, n, (uintmax_t)alignment);
	for (size_t i = 0; i < n && !ret; i++)
		printf("%s: 0x%jx 0x%jx\n", desk->name, (uintmax_t)ranges[i].start,
		       (uintmax_t)ranges[i].end);
	n = 0;
	ret = host_iommu_ioas_get_iova_ranges(desk->host, desk->iommu, desk->ioas, NULL, &n,
					      &alignment);
	printf("%s: %zu ranges", desk->name, n);
	say("", "", ret);
}

void desk_look(struct desk *desk)
{
	printf("%s: device:", desk->name);
	for (uint64_t page = 0; page < DESK_PAGES; page++)
		printf(" %d", plug_reaches(desk->plug, PLUG_IOVA + page * PAGE,
					   desk->hva + page * PAGE, desk_value(page)));
	printf("\n");
}

void desk_tell_areas(struct desk *desk)
{
	for (uint64_t first = 0; first < DESK_PAGES; first++) {
		for (uint64_t end = first + 1; end <= DESK_PAGES; end++) {
			uint64_t bytes;

			if (host_iommu_ioas_unmap(desk->host, desk->iommu, desk->ioas,
						  desk_iova(first, end), &bytes))
				continue;
			printf("%s: area [%ju, %ju) 0x%jx\n", desk->name, (uintmax_t)first,
			       (uintmax_t)end, (uintmax_t)bytes);
			break;
		}
	}
}
