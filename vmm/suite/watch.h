/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares what a console says with what a test expects of it. Pure. */
#ifndef VMM_SUITE_WATCH_H
#define VMM_SUITE_WATCH_H

#include <stddef.h>

#include "vmm/suite/file.h"

enum { WATCH_LINE_MAX_BYTES = 4096 }; /* longer lines are taken in parts */

struct watch {
	const struct suite_file *file;
	/* A pattern of @item was seen that asks for more: type, or send a signal. */
	void (*act)(struct watch *watch, const struct item *item);
	const struct item *forbidden; /* the first that appeared all the same */
	unsigned int next;	      /* item that is waited for; file->n_items: none is left */
	size_t used;
	size_t from; /* bytes of the line that patterns have taken */
	char line[WATCH_LINE_MAX_BYTES];
};

void watch_init(struct watch *watch, const struct suite_file *file,
		void (*act)(struct watch *watch, const struct item *item));
void watch_feed(struct watch *watch, const char *bytes, size_t n_bytes);
/* There is no more; a line without its end is a line now. */
void watch_finish(struct watch *watch);
/* What is waited for; NULL when nothing is. */
const struct item *watch_pending(const struct watch *watch);

#endif
