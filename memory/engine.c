// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One request to bring a range to a side, from its validation to its end.
 *
 *   validate -> claim the range (others that overlap wait) -> drop what is no change -> wait
 * for borrows -> walk the arcs of convert.c, performing each operation -> commit the sides ->
 * release
 *
 * Every wait is bounded. Requests for disjoint ranges run side by side: nothing here is held
 * while the kernel works but the claim.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "memory/ram.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"

/*
 * How long a page may be in use by somebody else (a pin, a transient reference), or the kernel
 * short of memory, before the guest is told to try again. Transient references are gone within
 * microseconds; the first retries are at once.
 */
#define BUSY_BOUND_NS	 (UINT64_C(200) * 1000 * 1000)
#define BUSY_WAIT_MIN_NS (UINT64_C(20) * 1000)
#define BUSY_WAIT_MAX_NS (UINT64_C(10) * 1000 * 1000)
/* How long borrows and overlapping conversions are waited for. */
#define CLAIM_BOUND_NS (UINT64_C(2) * 1000 * 1000 * 1000)

enum {
	BUSY_RETRIES_AT_ONCE = 4,
};

/* Of so many conversions one is timed when there is no trace. A power of two. */
#define TIMED_EVERY 16

/* A conversion on its way. */
struct conversion {
	struct guest_memory *memory;
	const struct ram *ram;
	struct claim claim;
	bool is_claimed;
	bool has_borrows; /* when it was claimed; no others come */
	bool has_waited;  /* for one or the other */
	bool is_timed;
	enum side to;
	enum convert_state state;
	unsigned int n_waits; /* since the kernel last did what it was told */
	uint64_t deadline_ns; /* for claims and borrows; 0: has not waited yet */
	uint64_t busy_since_ns;
	uint64_t at_ns; /* up to here the record tells where time went */
	struct conversion_record record;
};

/*
 * All since the last time was for this. Reading the clock costs as much as the rest of the
 * engine, so only what asks the kernel or waits is timed, and that not always.
 */
static void conversion_take_time(struct conversion *conversion, uint64_t *time_ns)
{
	uint64_t now_ns;

	if (!conversion->is_timed)
		return;
	now_ns = host_clock_now_ns(conversion->memory->host);
	*time_ns += now_ns - conversion->at_ns;
	conversion->at_ns = now_ns;
}

/* --- Claims and borrows --- */

static bool claims_overlap(const struct guest_memory *memory, struct range gpa)
{
	for (const struct claim *claim = memory->claims; claim; claim = claim->next) {
		if (range_overlaps(claim->gpa, gpa))
			return true;
	}
	return false;
}

static bool borrows_overlap(const struct guest_memory *memory, struct range gpa)
{
	for (const struct borrow *borrow = memory->borrows; borrow; borrow = borrow->next) {
		if (range_overlaps(borrow->gpa, gpa))
			return true;
	}
	return false;
}

/*
 * Wait for @changed, in all at most CLAIM_BOUND_NS of the host's clock. Called with the lock.
 * False: the time is over, by the host's clock or by the one that the condition goes by.
 */
static bool conversion_wait_locked(struct conversion *conversion)
{
	struct guest_memory *memory = conversion->memory;
	struct timespec until;
	uint64_t now_ns;
	int ret;

	conversion->has_waited = true;
	if (!conversion->deadline_ns)
		conversion->deadline_ns = host_clock_now_ns(memory->host) + CLAIM_BOUND_NS;
	now_ns = host_clock_now_ns(memory->host);
	if (now_ns >= conversion->deadline_ns)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)((conversion->deadline_ns - now_ns) / 1000000000);
	until.tv_nsec += (long)((conversion->deadline_ns - now_ns) % 1000000000);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	memory->n_waiting++;
	ret = pthread_cond_timedwait(&memory->changed, &memory->lock, &until);
	memory->n_waiting--;
	return ret == 0;
}

/* Make the range this thread's own; false when others did not let go of it in time. */
static bool conversion_claim(struct conversion *conversion)
{
	struct guest_memory *memory = conversion->memory;
	WITH_LOCK(&memory->lock);

	while (claims_overlap(memory, conversion->claim.gpa)) {
		if (!conversion_wait_locked(conversion))
			return false;
	}
	conversion->claim.next = memory->claims;
	memory->claims = &conversion->claim;
	conversion->is_claimed = true;
	/* From here on no new borrow is admitted of what is to be private. */
	conversion->has_borrows = conversion->to == SIDE_PRIVATE &&
				  borrows_overlap(memory, conversion->claim.gpa);
	return true;
}

static bool conversion_wait_borrows(struct conversion *conversion)
{
	struct guest_memory *memory = conversion->memory;
	WITH_LOCK(&memory->lock);

	while (borrows_overlap(memory, conversion->claim.gpa)) {
		if (!conversion_wait_locked(conversion))
			return false;
	}
	return true;
}

static void conversion_release_locked(struct conversion *conversion)
{
	struct guest_memory *memory = conversion->memory;

	for (struct claim **link = &memory->claims; *link; link = &(*link)->next) {
		if (*link == &conversion->claim) {
			*link = conversion->claim.next;
			break;
		}
	}
	if (memory->n_waiting)
		pthread_cond_broadcast(&memory->changed);
}

/* --- Operations --- */

/* Wait a little for whoever uses a page; RESULT_AGAIN when that has been done long enough. */
static enum convert_result conversion_back_off(struct conversion *conversion)
{
	struct host *host = conversion->memory->host;
	unsigned int n = conversion->n_waits++;
	uint64_t wait_ns = BUSY_WAIT_MIN_NS;

	if (n == BUSY_RETRIES_AT_ONCE)
		conversion->busy_since_ns = host_clock_now_ns(host);
	if (n > BUSY_RETRIES_AT_ONCE &&
	    host_clock_now_ns(host) - conversion->busy_since_ns >= BUSY_BOUND_NS) {
		/* What is done next has a time of its own. */
		conversion->n_waits = 0;
		return RESULT_AGAIN;
	}
	conversion->record.n_retries++;
	if (n < BUSY_RETRIES_AT_ONCE)
		return RESULT_OK;
	for (; n > BUSY_RETRIES_AT_ONCE && wait_ns < BUSY_WAIT_MAX_NS; n--)
		wait_ns *= 2;
	host_clock_sleep_ns(host, wait_ns < BUSY_WAIT_MAX_NS ? wait_ns : BUSY_WAIT_MAX_NS);
	return RESULT_OK;
}

/* The pieces of the range that are not on the side asked for: the map changes only at the end.
 */
static int conversion_for_pieces(struct conversion *conversion,
				 int (*fn)(struct conversion *conversion, struct range gpa))
{
	struct range gpa = conversion->claim.gpa;
	int ret = 0;

	for (gpa_t at = gpa.start, end; at < gpa.end && !ret; at = end) {
		enum side side;

		end = sides_find_end(conversion->memory->sides, at, gpa.end, &side);
		if (side != conversion->to)
			ret = fn(conversion, (struct range){.start = at, .end = end});
	}
	return ret;
}

static int piece_set_back(struct conversion *conversion, struct range gpa)
{
	enum side back = conversion->to == SIDE_PRIVATE ? SIDE_SHARED : SIDE_PRIVATE;

	return ram_set(conversion->memory, conversion->ram, gpa, back,
		       &conversion->record.busy_gpa);
}

/* All at once on the way there: the kernel changes all or nothing. On the way back, what was
 * changed. */
static int conversion_set(struct conversion *conversion, enum side side)
{
	if (side != conversion->to)
		return conversion_for_pieces(conversion, piece_set_back);
	return ram_set(conversion->memory, conversion->ram, conversion->claim.gpa, side,
		       &conversion->record.busy_gpa);
}

static int piece_discard_back(struct conversion *conversion, struct range gpa)
{
	return ram_discard(conversion->memory, conversion->ram, gpa, conversion->to);
}

/* The half on @side. On the way back, pages that were on the side asked for before keep it. */
static int conversion_discard(struct conversion *conversion, enum side side)
{
	if (side == conversion->to)
		return conversion_for_pieces(conversion, piece_discard_back);
	return ram_discard(conversion->memory, conversion->ram, conversion->claim.gpa, side);
}

static int piece_dma_unmap(struct conversion *conversion, struct range gpa)
{
	return dma_unmap(conversion->memory, conversion->ram, gpa);
}

static int piece_dma_map(struct conversion *conversion, struct range gpa)
{
	return dma_map(conversion->memory, conversion->ram, gpa);
}

/* Perform one operation. */
static int conversion_apply(struct conversion *conversion, enum convert_op op)
{
	switch (op) {
	case OP_SET_PRIVATE:
		return conversion_set(conversion, SIDE_PRIVATE);
	case OP_SET_SHARED:
		return conversion_set(conversion, SIDE_SHARED);
	case OP_DISCARD_SHARED:
		return conversion_discard(conversion, SIDE_SHARED);
	case OP_DISCARD_PRIVATE:
		return conversion_discard(conversion, SIDE_PRIVATE);
	/* There and back it is what changes sides: all else stays mapped without a break. */
	case OP_DMA_UNMAP:
		return conversion_for_pieces(conversion, piece_dma_unmap);
	case OP_DMA_MAP:
		return conversion_for_pieces(conversion, piece_dma_map);
	case OP_NONE:
	case OP_WAIT:
	case OP_COUNT:
		break;
	}
	return 0;
}

/* What an operation took; NULL: it does nothing here. */
static uint64_t *conversion_time_of(struct conversion *conversion, enum convert_op op)
{
	bool has_devices = dma_is_at(conversion->memory, conversion->claim.gpa);

	switch (op) {
	case OP_DMA_UNMAP:
		return has_devices ? &conversion->record.unmap_ns : NULL;
	case OP_DMA_MAP:
		return has_devices ? &conversion->record.map_ns : NULL;
	case OP_DISCARD_SHARED:
	case OP_DISCARD_PRIVATE:
		return ram_has_halves(conversion->ram) ? &conversion->record.discard_ns : NULL;
	default:
		return &conversion->record.set_ns;
	}
}

/* The first error is the reason; of an operation that is tried again, how the last try went. */
static void conversion_take_error(struct conversion *conversion, enum convert_op op, int ret)
{
	bool to_private = conversion->to == SIDE_PRIVATE;
	bool is_on_the_way = op == (to_private ? OP_SET_PRIVATE : OP_SET_SHARED) ||
			     op == (to_private ? OP_DMA_UNMAP : OP_DMA_MAP);

	if (is_on_the_way || !conversion->record.error)
		conversion->record.error = ret;
}

/* Memory that the kernel lacks may be there in a moment: no reason to refuse for good. */
static enum convert_result result_of(int ret)
{
	if (!ret)
		return RESULT_OK;
	return ret == -EAGAIN || ret == -ENOMEM ? RESULT_AGAIN : RESULT_FAIL;
}

static enum convert_result conversion_step(struct conversion *conversion, enum convert_op op)
{
	uint64_t *time_ns = conversion_time_of(conversion, op);
	enum convert_result result;

	if (op == OP_WAIT) {
		result = conversion_back_off(conversion);
	} else {
		int ret = time_ns ? conversion_apply(conversion, op) : 0;

		conversion_take_error(conversion, op, ret);
		if (!ret)
			conversion->n_waits = 0;
		result = result_of(ret);
	}
	if (time_ns)
		conversion_take_time(conversion, time_ns);
	return result;
}

/* --- One request --- */

/* What was on the side asked for before is as it was: no step touches it. */
static int piece_set_broken(struct conversion *conversion, struct range gpa)
{
	dma_expel(conversion->memory, conversion->ram, gpa);
	sides_set(conversion->memory->sides, gpa, SIDE_BROKEN);
	return 0;
}

static enum conversion_end conversion_run(struct conversion *conversion)
{
	static const enum conversion_end ends[CONVERT_COUNT] = {
		[CONVERT_DONE] = CONVERSION_DONE,
		[CONVERT_REFUSED] = CONVERSION_REFUSED,
		[CONVERT_AGAIN] = CONVERSION_AGAIN,
		[CONVERT_BROKEN] = CONVERSION_BROKEN,
	};
	struct sides *sides = conversion->memory->sides;
	const struct convert_arc *arc;

	conversion->state = convert_first(conversion->to);
	for (arc = convert_arc(conversion->state); arc->op != OP_NONE;
	     arc = convert_arc(conversion->state))
		conversion->state = arc->next[conversion_step(conversion, arc->op)];
	if (conversion->state == CONVERT_DONE)
		sides_set(sides, conversion->claim.gpa, conversion->to);
	else if (conversion->state == CONVERT_BROKEN)
		conversion_for_pieces(conversion, piece_set_broken);
	return ends[conversion->state];
}

/* Under the claim: is there anything to do, and may it be done? DONE: go on, or no-op. */
static enum conversion_end conversion_begin(struct conversion *conversion)
{
	struct sides *sides = conversion->memory->sides;
	struct range gpa = conversion->claim.gpa;

	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		enum side side;

		end = sides_find_end(sides, at, gpa.end, &side);
		if (side == SIDE_BROKEN) {
			conversion->record.error = -EIO;
			return CONVERSION_REFUSED;
		}
		if (side != conversion->to)
			conversion->record.n_pages += (end - at) / GRANULE_BYTES;
	}
	conversion->record.is_noop = !conversion->record.n_pages;
	if (conversion->record.is_noop)
		return CONVERSION_DONE;
	conversion->record.error = sides_reserve(sides, gpa);
	if (conversion->record.error)
		return CONVERSION_AGAIN;
	if (conversion->has_borrows && !conversion_wait_borrows(conversion)) {
		conversion->record.error = -EBUSY;
		return CONVERSION_AGAIN;
	}
	return CONVERSION_DONE;
}

/* Let go of the range and count. */
static void conversion_finish(struct conversion *conversion)
{
	struct guest_memory *memory = conversion->memory;
	WITH_LOCK(&memory->lock);

	if (conversion->is_claimed)
		conversion_release_locked(conversion);
	conversion->record.number = ++memory->n_conversions;
	conversion_stats_add(&memory->stats, &conversion->record, conversion->is_timed);
}

/* Where a range lies, and with that whether it can be converted at all. */
enum place { PLACE_RAM, PLACE_NO_RAM, PLACE_INVALID };

static enum place range_place(const struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
			      struct range *ret_range)
{
	if (!size_bytes || !is_aligned(gpa, GRANULE_BYTES) ||
	    !is_aligned(size_bytes, GRANULE_BYTES) || !range_init(ret_range, gpa, size_bytes))
		return PLACE_INVALID;
	for (unsigned int i = 0; i < memory->n_ram; i++) {
		if (range_covers(memory->ram[i].gpa, *ret_range))
			return PLACE_RAM;
		if (range_overlaps(memory->ram[i].gpa, *ret_range))
			return PLACE_INVALID;
	}
	return PLACE_NO_RAM;
}

static enum conversion_end ram_convert(struct guest_memory *memory,
				       struct conversion *conversion)
{
	enum conversion_end end = CONVERSION_AGAIN;

	conversion->ram = ram_find(memory, conversion->claim.gpa);
	conversion->is_timed =
		memory->trace_fn || atomic_fetch_add(&memory->n_to_time, 1) % TIMED_EVERY == 0;
	if (conversion->is_timed)
		conversion->at_ns = host_clock_now_ns(memory->host);
	if (conversion_claim(conversion))
		end = conversion_begin(conversion);
	else
		conversion->record.error = -EBUSY;
	if (conversion->has_waited)
		conversion_take_time(conversion, &conversion->record.claim_ns);
	if (end == CONVERSION_DONE && !conversion->record.is_noop)
		end = conversion_run(conversion);
	return end;
}

enum conversion_end guest_convert(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
				  enum side to, enum conversion_source source)
{
	struct conversion conversion = {
		.memory = memory,
		.to = to,
		.claim.to = to,
		.record = {.gpa = gpa, .size_bytes = size_bytes, .to = to, .source = source},
	};
	struct conversion_record *record = &conversion.record;
	enum place place = range_place(memory, gpa, size_bytes, &conversion.claim.gpa);

	ASSERT(to == SIDE_PRIVATE || to == SIDE_SHARED);
	if (place == PLACE_INVALID || (place == PLACE_NO_RAM && to == SIDE_PRIVATE) ||
	    (!memory->sides && to == SIDE_PRIVATE)) {
		record->end = CONVERSION_REFUSED;
		record->error = -EINVAL;
	} else if (place == PLACE_NO_RAM || !memory->sides) {
		record->end = CONVERSION_DONE;
		record->is_noop = true;
	} else {
		record->end = ram_convert(memory, &conversion);
	}
	if (record->end != CONVERSION_DONE)
		record->n_pages = 0;
	conversion_finish(&conversion);
	if (memory->trace_fn)
		memory->trace_fn(memory->trace, record);
	return record->end;
}

struct conversion_stats guest_get_stats(struct guest_memory *memory)
{
	WITH_LOCK(&memory->lock);

	return memory->stats;
}

void guest_set_trace(struct guest_memory *memory, conversion_trace_fn *fn, void *trace)
{
	memory->trace_fn = fn;
	memory->trace = trace;
}
