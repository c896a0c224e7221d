/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the secure processor says when it refuses a command. */
#ifndef VMM_SNP_STATUS_H
#define VMM_SNP_STATUS_H

#include <stdint.h>

/*
 * A status of the firmware in words, and where there is one the cure.
 *
 * @status: of linux/psp-sev.h, HOST_SEV_NO_CALL, or 0 for a refusal of the kernel.
 */
const char *snp_status_describe(uint32_t status);

#endif
