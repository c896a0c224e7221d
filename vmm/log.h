/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Alcove says about itself, one line each, on a descriptor that a raw terminal may own.
 *
 * Only vmm/ logs; the other folders return what happened. A line that a guest can cause goes
 * through log_guest, which bounds how many of them there are.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_NOTE,  /* what everybody is to know */
	LOG_INFO,  /* verbosity 1: what happens */
	LOG_DEBUG, /* verbosity 2: every exit of note */
};

enum {
	LOG_LINE_MAX_BYTES = 1024,
	LOG_GUEST_BURST = 10,	  /* lines at once, */
	LOG_GUEST_PER_SECOND = 1, /* and after them */
};

/* A token bucket. Zeroed, it is empty since the start of the clock. */
struct log_limit {
	uint64_t filled_ns; /* when @n_tokens was right */
	unsigned int n_tokens;
	unsigned int n_dropped; /* since a line went through */
};

struct log {
	pthread_mutex_t lock; /* of limit */
	struct log_limit limit;
	int fd;
	unsigned int verbosity;
	bool is_terminal;
};

/* @fd: not closed by log_fini. @verbosity: of struct config. */
void log_init(struct log *log, int fd, unsigned int verbosity);
/* Says how many lines of the guest were dropped, if any. */
void log_fini(struct log *log);

/* Any thread. What is longer than a line is cut; control characters become '?'. */
void log_error(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_note(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_guest(struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * May another line through at @now_ns? Pure, but for @limit.
 *
 * @ret_dropped: if so, how many were dropped since the one before.
 */
bool log_limit_take(struct log_limit *limit, uint64_t now_ns, unsigned int *ret_dropped);

#endif
