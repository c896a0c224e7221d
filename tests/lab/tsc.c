// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Print the rate of this machine's time stamp counter in kHz. A busy machine
 * interrupts the measurement: pair each clock with a counter read just beside
 * it, and take the closest of some pairs.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct pair {
	uint64_t tsc;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct pair pair_read(void)
{
	struct pair best = {0};
	uint64_t width = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = now_ns();
		uint64_t after = __rdtsc();

		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct pair){.tsc = before + width / 2, .ns = ns};
	}
	return best;
}

int main(void)
{
	struct timespec pause = {.tv_nsec = 300000000};
	struct pair first = pair_read(), last;

	nanosleep(&pause, NULL);
	last = pair_read();
	printf("%llu\n",
	       (unsigned long long)((last.tsc - first.tsc) * 1000000 / (last.ns - first.ns)));
	return 0;
}
