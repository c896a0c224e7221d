// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sequences of calls to iommufd, as tests/lab/conformance.c has them for KVM: one line per
 * call, and all lines of the fake kernel and of a real one must agree.
 *
 *   conformance_iommu fake-mock|fake-edu|mock|edu [0|1]    which device; does it convert in
 * place
 *
 * Areas cannot be asked for, but only whole ones can be unmapped: that tells where they were.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "memory/memory.h"
#include "tests/fault/random.h"
#include "tests/lab/desk.h"
#include "vmm/err.h"

/* --- Sequences --- */

static void options(struct plug *plug, const char *name)
{
	static const struct range allowed[][2] = {
		{{PLUG_IOVA, PLUG_IOVA_END}, {PLUG_IOVA_END, PLUG_IOVA_END + PAGE}},
		{{PLUG_IOVA, PLUG_IOVA_END}, {PLUG_IOVA_END - 1, PLUG_IOVA_END + PAGE}},
		{{PLUG_IOVA, PLUG_IOVA}, {PLUG_IOVA, PLUG_IOVA}},
		{{PLUG_IOVA, PLUG_IOVA + 1}, {0, PAGE}},
		{{PLUG_IOVA, PLUG_IOVA_END}, {UINT64_C(1) << 60, UINT64_C(1) << 61}},
	};
	struct desk desk;

	desk_start(&desk, plug, name);
	say(name, "no such option",
	    host_iommu_set_option(desk.host, desk.iommu, desk.ioas, 99, 0));
	say(name, "no such object",
	    host_iommu_set_option(desk.host, desk.iommu, 99, IOMMU_OPTION_HUGE_PAGES, 0));
	desk_set_huge(&desk, 2);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		say(name, "allow",
		    host_iommu_ioas_allow_iovas(desk.host, desk.iommu, desk.ioas, allowed[i],
						2));
	desk_show_ranges(&desk);
	/* What was allowed last cannot be mapped. */
	desk_attach(&desk);
	say(name, "allow",
	    host_iommu_ioas_allow_iovas(desk.host, desk.iommu, desk.ioas, allowed[0], 2));
	desk_set_huge(&desk, 0);
	desk_set_huge(&desk, 1);
	desk_map(&desk, 0, 1);
	desk_set_huge(&desk, 0);
	desk_show_ranges(&desk);
	desk_attach(&desk);
	desk_show_ranges(&desk);
	desk_set_huge(&desk, 0);
	desk_set_huge(&desk, 1);
	desk_set_huge(&desk, 0);
	say(name, "allow",
	    host_iommu_ioas_allow_iovas(desk.host, desk.iommu, desk.ioas, allowed[4], 2));
	say(name, "busy", host_iommu_destroy(desk.host, desk.iommu, desk.ioas));
	desk_unmap(&desk, 0, 1);
	desk_set_huge(&desk, 0);
	desk_show_ranges(&desk);
	desk_end(&desk);
}

static void large_option(struct plug *plug, const char *name)
{
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_set_compat(&desk);
	desk_attach(&desk);
	desk_map(&desk, 0, 8);
	/* Large pages: not while something is mapped, and nothing is cut. */
	desk_set_huge(&desk, 0);
	desk_cut(&desk, 2, 3);
	desk_cut(&desk, 8, 12);
	desk_cut(&desk, 0, 8);
	desk_set_huge(&desk, 0);
	desk_map(&desk, 0, 8);
	desk_cut(&desk, 2, 3);
	desk_tell_areas(&desk);
	desk_end(&desk);
}

static void mapping(struct plug *plug, const char *name)
{
	static const struct {
		uint64_t start, end;
	} ranges[] = {
		{PLUG_IOVA, PLUG_IOVA},
		{PLUG_IOVA, PLUG_IOVA + PAGE + 1},
		{PLUG_IOVA + 1, PLUG_IOVA + PAGE + 1},
		{UINT64_C(1) << 60, (UINT64_C(1) << 60) + PAGE},
		{UINT64_MAX - PAGE + 1, UINT64_MAX},
		{UINT64_MAX, UINT64_MAX},
	};
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_set_huge(&desk, 0);
	for (int has_device = 0; has_device < 2; has_device++) {
		if (has_device)
			desk_attach(&desk);
		for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
			say(name, "map",
			    host_iommu_ioas_map(desk.host, desk.iommu, desk.ioas, desk.hva,
						(struct range){.start = ranges[i].start,
							       .end = ranges[i].end}));
		say(name, "no such IOAS",
		    host_iommu_ioas_map(desk.host, desk.iommu, 99, desk.hva, desk_iova(0, 1)));
		say(name, "unaligned memory",
		    host_iommu_ioas_map(desk.host, desk.iommu, desk.ioas, desk.hva + 8,
					desk_iova(0, 1)));
		desk_unmap(&desk, 0, 16);
		desk_map(&desk, 2, 4);
		desk_map(&desk, 2, 4);
		desk_map(&desk, 3, 5);
		desk_map(&desk, 1, 3);
		desk_map(&desk, 0, 16);
		desk_map(&desk, 4, 6);
		desk_map(&desk, 0, 2);
		desk_tell_areas(&desk);
		desk_unmap(&desk, 0, 0);
	}
	desk_end(&desk);
}

/* Without a device nobody looks at the memory; with the first one all of it is pinned. */
static void lazy(struct plug *plug, const char *name)
{
	void *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_map_scratch(&desk);
	desk_map(&desk, 0, 2);
	say(name, "map nothing",
	    host_iommu_ioas_map(desk.host, desk.iommu, desk.ioas, hole, desk_iova(2, 3)));
	desk_map(&desk, 3, 4);
	desk_attach(&desk);
	desk_unmap(&desk, 2, 3);
	desk_attach(&desk);
	desk_look(&desk);
	say(name, "map nothing",
	    host_iommu_ioas_map(desk.host, desk.iommu, desk.ioas, hole, desk_iova(2, 3)));
	desk_map(&desk, 2, 3);
	desk_tell_areas(&desk);
	desk_end(&desk);
	munmap(hole, PAGE);
}

static void unmapping(struct plug *plug, const char *name)
{
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_set_huge(&desk, 0);
	desk_attach(&desk);
	for (uint64_t page = 0; page < DESK_PAGES; page += 4)
		desk_map(&desk, page, page + 3);
	desk_unmap(&desk, 1, 2);
	desk_unmap(&desk, 0, 2);
	desk_unmap(&desk, 1, 3);
	desk_unmap(&desk, 3, 4);
	/* Two go, the third is in the way. */
	desk_unmap(&desk, 0, 10);
	desk_unmap(&desk, 0, 8);
	desk_unmap(&desk, 7, 16);
	desk_unmap(&desk, 0, 16);
	desk_map(&desk, 0, 16);
	desk_unmap(&desk, 0, 16);
	desk_end(&desk);
}

static void cutting(struct plug *plug, const char *name)
{
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_cut(&desk, 0, 1);
	desk_set_huge(&desk, 0);
	desk_set_compat(&desk);
	desk_cut(&desk, 0, 1);
	desk_attach(&desk);
	desk_map_scratch(&desk);
	desk_map(&desk, 0, 16);
	desk_cut(&desk, 5, 6);
	desk_cut(&desk, 5, 6);
	desk_look(&desk);
	/* Over a hole, at both ends, at an area's end, in two areas. */
	desk_cut(&desk, 4, 8);
	desk_cut(&desk, 0, 1);
	desk_cut(&desk, 15, 16);
	desk_cut(&desk, 3, 4);
	desk_cut(&desk, 2, 10);
	desk_cut(&desk, 13, 13);
	desk_cut(&desk, 14, 13);
	desk_map(&desk, 4, 8);
	desk_map(&desk, 15, 16);
	desk_look(&desk);
	desk_tell_areas(&desk);
	desk_end(&desk);
}

static void cutting_unattached(struct plug *plug, const char *name)
{
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_set_huge(&desk, 0);
	desk_set_compat(&desk);
	desk_map(&desk, 0, 16);
	desk_cut(&desk, 5, 6);
	desk_cut(&desk, 4, 8);
	desk_cut(&desk, 12, 16);
	desk_set_huge(&desk, 1);
	desk_cut(&desk, 9, 10);
	desk_tell_areas(&desk);
	desk_end(&desk);
}

/* A page that a device reaches does not turn private in place. */
static void pins(struct plug *plug, const char *name)
{
	struct desk desk;
	struct host *host = plug->host;
	int vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
	int file = host_vm_create_guest_memfd(host, vm, 4 * PAGE, MMAP | SHARED);
	struct bench bench = {.subject = &plug->subject, .name = name, .file = file};
	void *hva;

	desk_start(&desk, plug, name);
	desk_set_huge(&desk, 0);
	desk_set_compat(&desk);
	desk_attach(&desk);
	say(name, "file", file);
	if (file >= 0) {
		ASSERT(host_mem_map(host, file, 0, 4 * PAGE, &hva) == 0);
		say(name, "map",
		    host_iommu_ioas_map(host, desk.iommu, desk.ioas, hva, desk_iova(0, 4)));
		set_file(&bench, 0, PAGE, PRIVATE);
		set_file(&bench, PAGE, 4 * PAGE, PRIVATE);
		desk_cut(&desk, 0, 2);
		set_file(&bench, 0, 4 * PAGE, PRIVATE);
		set_file(&bench, 0, 2 * PAGE, PRIVATE);
		say(name, "map private",
		    host_iommu_ioas_map(host, desk.iommu, desk.ioas, hva, desk_iova(0, 2)));
		set_file(&bench, 0, 2 * PAGE, 0);
		say(name, "map shared",
		    host_iommu_ioas_map(host, desk.iommu, desk.ioas, hva, desk_iova(0, 2)));
		desk_tell_areas(&desk);
		set_file(&bench, 0, 4 * PAGE, PRIVATE);
		host_mem_unmap(host, hva, 4 * PAGE);
		host_close(host, file);
	}
	desk_end(&desk);
	host_close(host, vm);
}

/* What nobody thought of. */
static void chance(struct plug *plug, const char *name)
{
	enum { STEPS = 1500 };
	uint64_t random = random_setting("FAULT_SEED", 1);
	struct desk desk;

	desk_start(&desk, plug, name);
	desk_set_huge(&desk, 0);
	desk_set_compat(&desk);
	desk_attach(&desk);
	for (uint64_t i = 0; i < STEPS; i++) {
		uint64_t first = random_below(&random, DESK_PAGES);
		uint64_t end = first + random_below(&random, DESK_PAGES - first + 1);

		switch (random_below(&random, 4)) {
		case 0:
			desk_unmap(&desk, first, end);
			break;
		case 1:
			desk_cut(&desk, first, end);
			break;
		default:
			desk_map(&desk, first, end);
		}
		if (i % 100 == 99)
			desk_tell_areas(&desk);
	}
	desk_end(&desk);
}

/* --- The engine --- */

static void say_stats(const char *name, struct guest_memory *memory)
{
	struct dma_stats stats = guest_get_dma_stats(memory);

	printf("%s: %u devices, %ju areas, 0x%jx mapped, %ju maps, %ju unmaps, %ju cuts, "
	       "%ju refusals, %ju mismatches\n",
	       name, stats.n_devices, (uintmax_t)stats.n_areas, (uintmax_t)stats.mapped_bytes,
	       (uintmax_t)stats.n_maps, (uintmax_t)stats.n_unmaps, (uintmax_t)stats.n_cuts,
	       (uintmax_t)stats.n_refusals, (uintmax_t)stats.n_mismatches);
}

/* Where the device reaches pages. */
static void look_guest(struct plug *plug, const char *name, struct guest_memory *memory,
		       const char *hva, uint64_t *random)
{
	for (int i = 0; i < 4; i++) {
		uint64_t page = random_below(random, DESK_PAGES);
		gpa_t gpa = PLUG_IOVA + page * PAGE;
		bool is_reached = plug_reaches(plug, gpa, hva + page * PAGE, desk_value(page));

		printf("%s: page %ju: side %d, reached %d\n", name, (uintmax_t)page,
		       guest_get_side(memory, gpa), is_reached);
		ASSERT(is_reached == (guest_get_side(memory, gpa) == SIDE_SHARED));
	}
}

static void fill_guest(struct guest_memory *memory)
{
	for (uint64_t page = 0; page < DESK_PAGES; page++) {
		uint64_t value = desk_value(page);

		/* What is private has it from before, or is not looked for. */
		guest_write(memory, PLUG_IOVA + page * PAGE, &value, sizeof(value));
	}
}

/* Where the guest's memory lies in ours. */
static char *find_guest(struct guest_memory *memory, gpa_t gpa)
{
	struct borrow borrow;
	struct iovec iov;

	ASSERT(guest_borrow(memory, gpa, PAGE, &borrow, &iov) == 0);
	guest_return(memory, &borrow);
	return iov.iov_base;
}

static void engine_in(struct plug *plug, const char *name, enum dma_mode mode, int steps)
{
	static const struct layout layout = {.ram = {{PLUG_IOVA, PLUG_IOVA_END}},
					     .n_ram = 1,
					     .ram_bytes = PLUG_IOVA_END - PLUG_IOVA};
	struct host *host = plug->host;
	uint64_t random = random_setting("FAULT_SEED", 1);
	int vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
	struct guest_memory *memory;
	enum backing backing;
	struct err err = {0};
	char *hva;
	int iommu;

	ASSERT(backing_probe(host, vm, &backing, &err) == 0);
	ASSERT(guest_memory_new(host, vm, &layout, backing, &memory, &err) == 0);
	iommu = guest_dma_open(memory, mode, -1, &err);
	plug_add_device(plug, iommu);
	say(name, "attach", guest_dma_attach(memory, plug->device, false, &err));
	hva = find_guest(memory, PLUG_IOVA);
	plug->scratch_iova = PLUG_IOVA_END - PAGE;
	plug->scratch = (uint64_t *)(void *)find_guest(memory, PLUG_IOVA_END - PAGE);
	for (int i = 0; i < steps; i++) {
		uint64_t first = random_below(&random, DESK_PAGES);
		uint64_t n = 1 + random_below(&random, DESK_PAGES - first);
		enum conversion_end end =
			guest_convert(memory, PLUG_IOVA + first * PAGE, n * PAGE,
				      i % 2 ? SIDE_SHARED : SIDE_PRIVATE, CONVERSION_HYPERCALL);

		printf("%s: step %d: end %d\n", name, i, end);
		fill_guest(memory);
		look_guest(plug, name, memory, hva, &random);
		say_stats(name, memory);
	}
	say(name, "detach", guest_dma_detach(memory, plug->device));
	say_stats(name, memory);
	plug->stdev = 0;
	plug_remove_device(plug);
	guest_dma_close(memory);
	guest_memory_free(memory);
	host_close(host, vm);
}

static void engine_cut(struct plug *plug, const char *name)
{
	engine_in(plug, name, DMA_CUT,
		  plug->kind == PLUG_EDU || plug->kind == PLUG_FAKE_EDU ? 16 : 200);
}

static void engine_huge(struct plug *plug, const char *name)
{
	engine_in(plug, name, DMA_HUGE, 8);
}

static const struct {
	const char *name;
	void (*run)(struct plug *plug, const char *name);
} sequences[] = {
	{"options", options},
	{"large pages", large_option},
	{"mapping", mapping},
	{"no device yet", lazy},
	{"unmapping", unmapping},
	{"cutting", cutting},
	{"cutting, no device", cutting_unattached},
	{"pages in use", pins},
	{"by chance", chance},
	{"engine, cutting", engine_cut},
	{"engine, large entries", engine_huge},
};

int main(int argc, char **argv)
{
	static const char *const kinds[] = {
		[PLUG_FAKE_MOCK] = "fake-mock",
		[PLUG_FAKE_EDU] = "fake-edu",
		[PLUG_MOCK] = "mock",
		[PLUG_EDU] = "edu",
	};
	enum plug_kind kind = PLUG_FAKE_MOCK;

	while (argc == 3 && kind <= PLUG_EDU && strcmp(argv[1], kinds[kind]) != 0)
		kind++;
	if (argc != 3 || kind > PLUG_EDU) {
		fprintf(stderr, "usage: conformance_iommu fake-mock|fake-edu|mock|edu 0|1\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		struct plug plug;

		plug_init(&plug, kind, argv[2][0] == '1');
		sequences[i].run(&plug, sequences[i].name);
		plug_fini(&plug);
		fflush(stdout);
	}
	return 0;
}
