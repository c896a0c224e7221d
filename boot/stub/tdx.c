// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TDX: accept all RAM that was not launched, on as many processors as take part.
 *
 * All processors start at once. The boot processor checks the parameters and opens the work;
 * the others help until no chunk is left, then they wait in the mailbox's loop. The kernel is
 * entered when every chunk is done, so one that fails or stalls keeps it from running, and one
 * that comes late finds nothing to do. State, mailbox and stacks are launched as measured
 * zeroes: there is no time before the others run in which to clear them.
 *
 * A page that was accepted before is the end: a host that takes a page away and gives it back
 * empty would be hidden by going on.
 *
 * Sources: Intel TDX module ABI 348551, TDG.VP.INFO, TDG.MEM.PAGE.ACCEPT; GHCI 726792,
 * ReportFatalError.
 */
#include "boot/stub/machine.h"
#include "boot/stub/texts.h"

#define GPA_BITS_LOW  48
#define GPA_BITS_HIGH 52
#define BUSY_TRIES    1000000

/* At STUB_STATE_GPA. */
struct state {
	uint64_t n_chunks;
	uint64_t next_chunk;
	uint64_t n_done;
	uint32_t is_open;
};

static struct state *state_get(void)
{
	return (struct state *)(uint64_t)STUB_STATE_GPA;
}

static const struct stub_params *params_get(void)
{
	return (const struct stub_params *)(uint64_t)STUB_PARAMS_GPA;
}

static _Noreturn void give_up(enum stub_fault fault)
{
	static const char prefix[] = "alcove stub: ";
	char text[64] = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; prefix[i]; i++)
		text[n++] = prefix[i];
	for (uint32_t i = 0; i < sizeof(stub_texts[0]) && stub_texts[fault][i]; i++)
		text[n++] = stub_texts[fault][i];
	tdx_terminate(fault, text);
}

/* The entry may be busy for a moment when the host works on a neighbour. */
static uint32_t page_accept(uint64_t gpa, uint64_t level)
{
	uint32_t status = TDX_OPERAND_BUSY;

	for (uint32_t i = 0; i < BUSY_TRIES && status == TDX_OPERAND_BUSY; i++)
		status = tdx_accept(gpa, level);
	return status;
}

static void accept_check(uint32_t status)
{
	if (status == TDX_PAGE_ALREADY_ACCEPTED)
		give_up(STUB_ACCEPTED);
	if (status != TDX_SUCCESS)
		give_up(STUB_ACCEPT);
}

static void chunk_accept(struct stub_range chunk)
{
	uint32_t status = TDX_PAGE_SIZE_MISMATCH;

	if (stub_chunk_is_whole(chunk))
		status = page_accept(chunk.start, TDX_LEVEL_2M);
	if (status != TDX_PAGE_SIZE_MISMATCH) {
		accept_check(status);
		return;
	}
	for (uint64_t gpa = chunk.start; gpa < chunk.end; gpa += STUB_PAGE_BYTES)
		accept_check(page_accept(gpa, TDX_LEVEL_4K));
}

void tdx_help(void)
{
	struct state *state = state_get();
	uint64_t chunk;

	while (!__atomic_load_n(&state->is_open, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	for (;;) {
		chunk = __atomic_fetch_add(&state->next_chunk, 1, __ATOMIC_RELAXED);
		if (chunk >= state->n_chunks)
			return;
		chunk_accept(stub_chunk_get(params_get(), chunk));
		__atomic_fetch_add(&state->n_done, 1, __ATOMIC_RELEASE);
	}
}

void tdx_main(void)
{
	const struct stub_params *params = params_get();
	struct state *state = state_get();
	struct tdx_info info = tdx_get_info();
	enum stub_fault fault;

	if (info.status != TDX_SUCCESS ||
	    (info.gpa_bits != GPA_BITS_LOW && info.gpa_bits != GPA_BITS_HIGH))
		give_up(STUB_VP_INFO);
	/* The highest bit of an address says that it is shared. */
	fault = stub_params_check(params, STUB_PLATFORM_TDX,
				  UINT64_C(1) << (info.gpa_bits - 1));
	if (fault)
		give_up(fault);
	if (info.n_vcpus != params->n_vcpus)
		give_up(STUB_OTHER_VCPUS);
	state->n_chunks = stub_chunks_count(params);
	__atomic_store_n(&state->is_open, 1, __ATOMIC_RELEASE);
	tdx_help();
	while (__atomic_load_n(&state->n_done, __ATOMIC_ACQUIRE) != state->n_chunks)
		__builtin_ia32_pause();
}
