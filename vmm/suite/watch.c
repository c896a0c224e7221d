// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/watch.h"

/* Does the item wait for its turn? */
static bool item_is_step(const struct item *item)
{
	return item->kind == ITEM_SEE || item->kind == ITEM_SEND || item->kind == ITEM_SIGNAL;
}

/* On to the next step, from @watch->next on. */
static void steps_skip(struct watch *watch)
{
	while (watch->next < watch->file->n_items &&
	       !item_is_step(&watch->file->items[watch->next]))
		watch->next++;
}

void watch_init(struct watch *watch, const struct suite_file *file,
		void (*act)(struct watch *watch, const struct item *item))
{
	*watch = (struct watch){.file = file, .act = act};
	steps_skip(watch);
}

const struct item *watch_pending(const struct watch *watch)
{
	return watch->next < watch->file->n_items ? &watch->file->items[watch->next] : NULL;
}

/*
 * A line that is not complete is good enough to answer to (a prompt has no end), but not to
 * judge: more of it may follow.
 */
static void steps_advance(struct watch *watch, bool is_complete)
{
	const struct item *item;
	size_t taken;

	watch->line[watch->used] = '\0';
	for (item = watch_pending(watch); item; item = watch_pending(watch)) {
		if (item->kind == ITEM_SEE && !is_complete)
			return;
		if (!pattern_match(&item->pattern, watch->line + watch->from, !watch->from,
				   &taken))
			return;
		watch->from += taken;
		watch->next++;
		steps_skip(watch);
		if (item->kind != ITEM_SEE)
			watch->act(watch, item);
	}
}

static void line_end(struct watch *watch)
{
	const struct item *items = watch->file->items;

	while (watch->used && watch->line[watch->used - 1] == '\r')
		watch->used--;
	if (watch->from > watch->used)
		watch->from = watch->used;
	steps_advance(watch, true);
	for (unsigned int i = 0; i < watch->file->n_items && !watch->forbidden; i++) {
		if (items[i].kind == ITEM_FORBID &&
		    pattern_match(&items[i].pattern, watch->line, true, NULL))
			watch->forbidden = &items[i];
	}
	watch->used = 0;
	watch->from = 0;
}

void watch_feed(struct watch *watch, const char *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		if (bytes[i] == '\n') {
			line_end(watch);
			continue;
		}
		watch->line[watch->used++] = bytes[i] ? bytes[i] : '?';
		if (watch->used == sizeof(watch->line) - 1)
			line_end(watch);
	}
	if (watch->used)
		steps_advance(watch, false);
}

void watch_finish(struct watch *watch)
{
	if (watch->used)
		line_end(watch);
}
