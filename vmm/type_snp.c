// SPDX-License-Identifier: GPL-2.0-or-later
/* Guests with AMD SEV-SNP. */
#include <errno.h>
#include <linux/kvm.h>

#include "vmm/type.h"

const struct guest_type_ops guest_type_snp = {
	.name = "snp",
	.kvm_type = KVM_X86_SNP_VM,
	.has_private_memory = true,
	.is_opaque = true,
	.guard = BOOT_GUARD_SNP,
	/* Positive, and nothing else: KVM ends the vCPU otherwise (snp_complete_psc). */
	.replies = {[CONVERSION_DONE] = 0,
		    [CONVERSION_REFUSED] = EINVAL,
		    [CONVERSION_AGAIN] = EAGAIN,
		    [CONVERSION_BROKEN] = EINVAL},
	.cure = "`alcove probe --type=snp` tells what this host lacks",
};
