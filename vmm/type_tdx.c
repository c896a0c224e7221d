// SPDX-License-Identifier: GPL-2.0-or-later
/* Guests with Intel TDX. */
#include <errno.h>
#include <linux/kvm.h>

#include "vmm/type.h"

const struct guest_type_ops guest_type_tdx = {
	.name = "tdx",
	.kvm_type = KVM_X86_TDX_VM,
	.has_private_memory = true,
	.is_opaque = true,
	.guard = BOOT_GUARD_TDX,
	/* KVM turns these into statuses of TDG.VP.VMCALL<MapGPA> (tdx_complete_vmcall_map_gpa).
	 */
	.replies = {[CONVERSION_DONE] = 0,
		    [CONVERSION_REFUSED] = EINVAL,
		    [CONVERSION_AGAIN] = EAGAIN,
		    [CONVERSION_BROKEN] = EINVAL},
	.cure = "`alcove probe --type=tdx` tells what this host lacks",
};
