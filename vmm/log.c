// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

static const uint64_t second_ns = 1000000000;

static const struct {
	const char *prefix;
	unsigned int verbosity; /* least one that shows it */
} levels[] = {
	[LOG_ERROR] = {"alcove: ", 0},	      [LOG_WARN] = {"alcove: warning: ", 0},
	[LOG_NOTE] = {"alcove: ", 0},	      [LOG_INFO] = {"alcove: info: ", 1},
	[LOG_DEBUG] = {"alcove: debug: ", 2},
};

void log_init(struct log *log, int fd, unsigned int verbosity)
{
	*log = (struct log){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.fd = fd,
		.verbosity = verbosity,
		.is_terminal = isatty(fd) == 1,
	};
}

/* One write for the whole line, so that lines of several threads do not mix. */
__attribute__((format(printf, 3, 0))) static void line_write(const struct log *log,
							     enum log_level level,
							     const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX_BYTES];
	size_t room = sizeof(line) - 2; /* the end of the line, which replaces the NUL */
	size_t used;

	if (log->verbosity < levels[level].verbosity)
		return;
	used = (size_t)snprintf(line, room, "%s", levels[level].prefix);
	vsnprintf(line + used, room - used, fmt, ap);
	used = strlen(line);
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	/* A raw terminal does not return by itself, and any terminal may be raw. */
	if (log->is_terminal)
		line[used++] = '\r';
	line[used++] = '\n';
	/* There is no one left to tell when this fails. */
	while (write(log->fd, line, used) < 0 && errno == EINTR)
		;
}

#define LINE_WRITE(log, level, fmt)                    \
	do {                                           \
		va_list ap;                            \
		va_start(ap, fmt);                     \
		line_write((log), (level), (fmt), ap); \
		va_end(ap);                            \
	} while (0)

void log_error(struct log *log, const char *fmt, ...)
{
	LINE_WRITE(log, LOG_ERROR, fmt);
}

void log_warn(struct log *log, const char *fmt, ...)
{
	LINE_WRITE(log, LOG_WARN, fmt);
}

void log_note(struct log *log, const char *fmt, ...)
{
	LINE_WRITE(log, LOG_NOTE, fmt);
}

void log_info(struct log *log, const char *fmt, ...)
{
	LINE_WRITE(log, LOG_INFO, fmt);
}

void log_debug(struct log *log, const char *fmt, ...)
{
	LINE_WRITE(log, LOG_DEBUG, fmt);
}

bool log_limit_take(struct log_limit *limit, uint64_t now_ns, unsigned int *ret_dropped)
{
	const uint64_t token_ns = second_ns / LOG_GUEST_PER_SECOND;
	uint64_t n_new = (now_ns - limit->filled_ns) / token_ns;

	ASSERT(now_ns >= limit->filled_ns);
	if (n_new >= LOG_GUEST_BURST - limit->n_tokens) {
		limit->n_tokens = LOG_GUEST_BURST;
		limit->filled_ns = now_ns;
	} else {
		limit->n_tokens += (unsigned int)n_new;
		limit->filled_ns += n_new * token_ns;
	}
	if (!limit->n_tokens) {
		limit->n_dropped++;
		return false;
	}
	limit->n_tokens--;
	*ret_dropped = limit->n_dropped;
	limit->n_dropped = 0;
	return true;
}

static uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

void log_guest(struct log *log, enum log_level level, const char *fmt, ...)
{
	unsigned int n_dropped = 0;
	bool may;

	if (log->verbosity < levels[level].verbosity)
		return;
	{
		WITH_LOCK(&log->lock);
		may = log_limit_take(&log->limit, clock_now_ns(), &n_dropped);
	}
	if (!may)
		return;
	if (n_dropped)
		log_warn(log, "%u lines about the guest were dropped", n_dropped);
	LINE_WRITE(log, level, fmt);
}

void log_fini(struct log *log)
{
	if (log->limit.n_dropped)
		log_warn(log, "%u lines about the guest were dropped", log->limit.n_dropped);
	pthread_mutex_destroy(&log->lock);
}
