/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last line of defence for guest memory that the host does not deliver. */
#ifndef VMM_SIGBUS_H
#define VMM_SIGBUS_H

/**
 * From here on SIGBUS ends the process with EXIT_STATUS_INTERNAL and one line that names the
 * address, instead of a core dump: the host ran out of memory, memory is poisoned, or there is
 * a bug of ours.
 *
 * Once per process, before the terminal is made raw (which then is restored first).
 */
void sigbus_init(void);

#endif
