// SPDX-License-Identifier: GPL-2.0-or-later
/* What is counted of conversions. */
#include "memory/ram.h"

static unsigned int bucket_of(const struct conversion_record *record)
{
	uint64_t us = (record->claim_ns + record->unmap_ns + record->set_ns +
		       record->discard_ns + record->map_ns) /
		      1000;
	unsigned int bucket = us ? 64 - (unsigned int)__builtin_clzll(us) : 0;

	return bucket < CONVERSION_BUCKETS ? bucket : CONVERSION_BUCKETS - 1;
}

void conversion_stats_add(struct conversion_stats *stats,
			  const struct conversion_record *record, bool is_timed)
{
	stats->n_ended[record->to][record->end]++;
	stats->n_retries += record->n_retries;
	if (record->is_noop) {
		stats->n_noops++;
		return;
	}
	stats->n_pages[record->to] += record->n_pages;
	if (is_timed)
		stats->n_in_bucket[bucket_of(record)]++;
}
