/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: where it lies in the guest's address space, what holds its bytes, and the only
 * ways by which the rest of Alcove reaches it.
 *
 * Nobody keeps a pointer into guest memory. Devices copy small things (guest_read, guest_write)
 * or borrow a range for the time of one I/O request (guest_borrow, guest_return), so that the
 * memory subsystem always knows who uses which page.
 *
 * The guest can write its memory at any time: copy once, then check the copy.
 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/range.h"

struct err;
struct host;

/* --- Layout: pure --- */

enum {
	LAYOUT_RAM_RANGES_MAX =
		3, /* below the hole, above 4 GiB, above the HyperTransport range */
	LAYOUT_MEMORY_RANGES_MAX = LAYOUT_RAM_RANGES_MAX + 1, /* and firmware */
};

/* The guest's physical address space. Fixed addresses are in vmm/platform.h. */
struct layout {
	struct range ram[LAYOUT_RAM_RANGES_MAX]; /* ascending, disjoint, none empty */
	unsigned int n_ram;
	uint64_t ram_bytes;  /* sum of the above */
	struct range mmio32; /* window for 32-bit BARs */
	struct range ecam;   /* PCI configuration space */
	struct range mmio64; /* window for 64-bit BARs, above all RAM */
	/*
	 * Memory that ends at 4 GiB, for firmware or a boot stub: it can be converted as RAM
	 * can, but is no RAM in what the guest is told. Empty: none.
	 */
	struct range firmware;
};

enum {
	LAYOUT_RAM_BYTES_MIN = 16 << 20,
};

/**
 * Lay RAM of @ram_bytes and the PCI windows out.
 *
 * @ram_bytes: a multiple of the granule, at least LAYOUT_RAM_BYTES_MIN.
 * @gpa_bits: width of a guest-physical address, from CPUID 0x80000008.
 * Returns 0; -EINVAL (size too small or no multiple); -E2BIG (does not fit @gpa_bits), with
 * @err set and @ret_layout untouched.
 */
int layout_init(struct layout *ret_layout, uint64_t ram_bytes, unsigned int gpa_bits,
		struct err *err);

enum {
	LAYOUT_FIRMWARE_BYTES_MAX = 16 << 20,
};

/**
 * Add memory for firmware below 4 GiB.
 *
 * @size_bytes: 1 .. LAYOUT_FIRMWARE_BYTES_MAX; rounded up to the granule.
 */
void layout_add_firmware(struct layout *layout, uint64_t size_bytes);

/**
 * All that memory is made for: RAM and firmware, ascending. They do not overlap, but may touch.
 *
 * Returns how many there are.
 */
unsigned int layout_list_memory(const struct layout *layout,
				struct range ret_ranges[LAYOUT_MEMORY_RANGES_MAX]);

/* --- Guest memory --- */

/* Which side a page is on. */
enum side {
	SIDE_SHARED,
	SIDE_PRIVATE,
	SIDE_BROKEN, /* its state in the kernel is not known: never used again */
	SIDE_COUNT,
};

/* Where the bytes live. */
enum backing {
	BACKING_PLAIN,	 /* mmap-able guest_memfd of an ordinary VM; nothing is ever private */
	BACKING_INPLACE, /* mmap-able guest_memfd; a page converts in place */
	BACKING_PAIRED,	 /* memfd for the shared side, guest_memfd for the private one */
};

struct guest_memory;

/**
 * Find out by trying whether @vm can have memory with @backing.
 *
 * Returns as backing_probe; -EOPNOTSUPP: not with this kernel and this type of VM.
 */
int backing_try(struct host *host, int vm, enum backing backing, struct err *err);

/**
 * Find out by trying how @vm, which is of a type with private memory, converts on this kernel.
 *
 * Returns 0, with nothing left behind; -EOPNOTSUPP (neither way works); -errno (a call failed
 * that should not: nothing is known, and @vm is of no more use), with @err naming the cure.
 */
int backing_probe(struct host *host, int vm, enum backing *ret_backing, struct err *err);

/**
 * Make RAM, memory for firmware, and their memslots in @vm, all shared.
 *
 * Returns 0; -EOPNOTSUPP (the kernel cannot do @backing), -ENOMEM, -errno, with @err naming the
 * cure; nothing is left behind then.
 */
int guest_memory_new(struct host *host, int vm, const struct layout *layout,
		     enum backing backing, struct guest_memory **ret_memory, struct err *err);

/* After every vCPU and device is gone. Accepts NULL. Deletes no memslot: the VM goes next. */
void guest_memory_free(struct guest_memory *memory);

/* --- Conversion --- */

/* Who asked. */
enum conversion_source {
	CONVERSION_HYPERCALL,	 /* KVM_HC_MAP_GPA_RANGE and what KVM turns into it */
	CONVERSION_MEMORY_FAULT, /* an access to the other side */
	CONVERSION_LAUNCH,	 /* Alcove itself, before the guest runs */
	CONVERSION_SOURCE_COUNT,
};

/* How it ended. */
enum conversion_end {
	CONVERSION_DONE,    /* the whole range is on the side asked for */
	CONVERSION_REFUSED, /* nothing changed; asking again is of no use */
	CONVERSION_AGAIN, /* nothing changed; a page stayed in use to the bound, or the host has
			     no memory for its books */
	CONVERSION_BROKEN, /* a step could not be taken back; the pages that were to change are
			      SIDE_BROKEN from now on */
	CONVERSION_END_COUNT,
};

/* One conversion, for trace and statistics. */
struct conversion_record {
	uint64_t number; /* in the order in which they took effect */
	gpa_t gpa;	 /* as asked for: any value */
	uint64_t size_bytes;
	enum side to;
	enum conversion_source source;
	enum conversion_end end;
	bool is_noop;	  /* the range was on that side already, or is no RAM */
	uint64_t n_pages; /* DONE: that changed side */
	/*
	 * -errno of the operation that failed first; -EINVAL no such range, -EIO a page is
	 * broken, -EBUSY waiting for others took too long; or 0
	 */
	int error;
	gpa_t busy_gpa; /* the page that was in use, when n_retries */
	unsigned int n_retries;
	uint64_t claim_ns; /* waiting for other conversions and borrows */
	uint64_t unmap_ns;
	uint64_t set_ns; /* KVM, back-off included */
	uint64_t discard_ns;
	uint64_t map_ns;
};

/**
 * Bring [gpa, gpa + size_bytes) to @to. Blocks at most about two seconds, most often
 * microseconds. Any vCPU thread; disjoint ranges convert side by side, overlapping ones one
 * after the other.
 *
 * Refused: empty, unaligned or wrapping ranges; RAM and not RAM in one range; what is no RAM to
 * private (to shared it is done without action: firmware asks for that); a page that is broken;
 * plain memory to private.
 */
enum conversion_end guest_convert(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
				  enum side to, enum conversion_source source);

/* The side of the page at @gpa; SIDE_SHARED for what is no RAM. Any thread. */
enum side guest_get_side(const struct guest_memory *memory, gpa_t gpa);

enum { CONVERSION_BUCKETS = 24 };

/*
 * Since the VM was made. Times of those that were no no-op, in buckets of 2^i us: of all when
 * they are traced, else of one in 16.
 */
struct conversion_stats {
	uint64_t n_ended[SIDE_COUNT][CONVERSION_END_COUNT]; /* [to] */
	uint64_t n_noops;
	uint64_t n_pages[SIDE_COUNT]; /* converted, [to] */
	uint64_t n_retries;
	uint64_t n_in_bucket[CONVERSION_BUCKETS];
};

struct conversion_stats guest_get_stats(struct guest_memory *memory);

/* Called after each conversion, on its thread; set before any. NULL turns it off. */
typedef void conversion_trace_fn(void *trace, const struct conversion_record *record);
void guest_set_trace(struct guest_memory *memory, conversion_trace_fn *fn, void *trace);

/* --- Devices that do DMA --- */

/* What the IOMMU's entries are like, and with that what can be taken away from devices. */
enum dma_mode {
	DMA_CUT,  /* of 4 KiB: any page can be taken, and its neighbours notice nothing */
	DMA_HUGE, /* as large as can be: only what was made shared at a time, as a whole */
};

/**
 * Get ready for devices: an iommufd for them to be bound to, with an empty IOAS. Memory that
 * never converts has large entries whatever @mode says. Once for each device.
 *
 * @iommu: /dev/iommu, open, which stays the caller's; -1: open it here.
 * Returns its descriptor, valid until guest_dma_close; or -errno with @err naming the cure and
 * nothing left behind.
 */
int guest_dma_open(struct guest_memory *memory, enum dma_mode mode, int iommu, struct err *err);

/* Undo guest_dma_open, after guest_dma_detach and when the device's file is closed. */
void guest_dma_close(struct guest_memory *memory);

/**
 * Let @device, bound to the iommufd, reach what is shared, at the same addresses as the guest.
 * With the first one that is pinned and mapped, and from then on every conversion maps or
 * unmaps. Conversions go on meanwhile: they wait for the part that is being mapped.
 *
 * @is_running: vCPUs run, so let them wait for small parts; else areas are as large as can be.
 * Returns 0, or -errno with @err naming the cure; the device is attached to nothing then, and
 * nothing is mapped for it alone.
 */
int guest_dma_attach(struct guest_memory *memory, int device, bool is_running, struct err *err);

/**
 * Undo that; @device does no DMA any more. With the last one, nothing is mapped or pinned.
 *
 * Returns 0; -errno: the kernel does not detach it, which closing it will.
 */
int guest_dma_detach(struct guest_memory *memory, int device);

struct dma_stats {
	unsigned int n_devices;
	uint64_t n_areas;
	uint64_t mapped_bytes;
	uint64_t broken_bytes; /* of broken pages that could not be taken from devices */
	uint64_t n_maps;       /* since the VM was made, as the rest is */
	uint64_t n_unmaps;
	uint64_t n_cuts;       /* of the latter, those that left a part of an area */
	uint64_t n_refusals;   /* DMA_HUGE: they would have */
	uint64_t n_mismatches; /* what the kernel unmapped, or had mapped, was not what is known
				*/
};

struct dma_stats guest_get_dma_stats(struct guest_memory *memory);

/* --- Access --- */

/**
 * Copy out of, or into, guest memory. RAM ranges never touch, so a range lies in one of them.
 *
 * Any thread. Returns 0, or -EFAULT when any byte of [gpa, gpa + size_bytes) is not shared RAM;
 * nothing was copied then. Bytes the guest writes meanwhile may be torn.
 */
int guest_read(struct guest_memory *memory, gpa_t gpa, void *buffer, size_t size_bytes);
int guest_write(struct guest_memory *memory, gpa_t gpa, const void *buffer, size_t size_bytes);

/* Set @size_bytes bytes to zero. Returns as guest_write. */
int guest_zero(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes);

/**
 * Single-copy-atomic access to a naturally aligned word, for memory shared with a running vCPU:
 * loads acquire, stores release (virtio 1.3, 2.7.13). Little endian.
 *
 * Returns 0, or -EFAULT (not shared RAM, or not aligned) with nothing read or written.
 */
int guest_load_u16(struct guest_memory *memory, gpa_t gpa, uint16_t *ret_value);
int guest_store_u16(struct guest_memory *memory, gpa_t gpa, uint16_t value);

/**
 * Read @size_bytes of @fd at @offset into guest memory, as pread does, without a copy between.
 *
 * Returns 0; -EFAULT as guest_write; -ENODATA when the file ends before; -errno of pread.
 * Memory is partly written on error.
 */
int guest_read_file(struct guest_memory *memory, gpa_t gpa, int fd, off_t offset,
		    uint64_t size_bytes);

/* A range in use by one request. Zero-initialise; the memory subsystem owns the fields. */
struct borrow {
	struct range gpa;
	struct borrow *next;
	struct borrow **link; /* what points here; NULL when not listed */
};

/**
 * Use [gpa, gpa + size_bytes) in place, for reading and writing, until guest_return.
 *
 * Meant for one I/O request that ends by itself; a conversion of the range waits for it.
 *
 * @ret_iov: receives the one piece of host memory: a range never crosses a RAM range.
 * Returns 0; -EFAULT (empty, or not wholly shared RAM); -EBUSY (the range is being made
 * private: drop the request or try again). On error nothing is held.
 */
int guest_borrow(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
		 struct borrow *borrow, struct iovec *ret_iov);

/* End a borrow. Any thread; never fails. */
void guest_return(struct guest_memory *memory, struct borrow *borrow);

#endif
