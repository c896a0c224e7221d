/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version, in one place. */
#ifndef VMM_VERSION_H
#define VMM_VERSION_H

#define ALCOVE_VERSION "0.1.0"

#endif
