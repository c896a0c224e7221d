/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locals that free themselves; see gcc's cleanup attribute. */
#ifndef VMM_CLEANUP_H
#define VMM_CLEANUP_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_unlock(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

#define _cleanup_close_	 __attribute__((cleanup(cleanup_close)))
#define _cleanup_free_	 __attribute__((cleanup(cleanup_free)))
#define _cleanup_fclose_ __attribute__((cleanup(cleanup_fclose)))

/* Hold @mutex to the end of the scope. */
#define WITH_LOCK(mutex)                                                                       \
	pthread_mutex_t *held_lock __attribute__((cleanup(cleanup_unlock), unused)) = (mutex); \
	pthread_mutex_lock(held_lock)

/* Hand @fd over: returns its value and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Hand a pointer over: returns its value and leaves NULL behind. */
#define take_pointer(pointer)                           \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

#endif
