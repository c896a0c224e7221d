// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/type.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>

static const struct guest_type_ops plain = {
	.name = "plain",
	.kvm_type = KVM_X86_DEFAULT_VM,
	.cure = "look at the kernel log",
};

static const struct guest_type_ops sw = {
	.name = "sw",
	.kvm_type = KVM_X86_SW_PROTECTED_VM,
	.has_private_memory = true,
	/* VMCALL and VMMCALL hand the value to the guest as it is: 0 or -KVM_E*. */
	.replies = {[CONVERSION_DONE] = 0,
		    [CONVERSION_REFUSED] = (uint64_t)-KVM_EINVAL,
		    [CONVERSION_AGAIN] = (uint64_t)-EAGAIN,
		    [CONVERSION_BROKEN] = (uint64_t)-KVM_EINVAL},
	.cure = "use a kernel with CONFIG_KVM_SW_PROTECTED_VM, and a processor with nested "
		"paging",
};

const struct guest_type_ops *guest_type_find(enum guest_type type)
{
	static const struct guest_type_ops *const types[GUEST_TYPE_COUNT] = {
		[GUEST_TYPE_PLAIN] = &plain,
		[GUEST_TYPE_SW] = &sw,
		[GUEST_TYPE_SNP] = &guest_type_snp,
		[GUEST_TYPE_TDX] = &guest_type_tdx,
	};

	return types[type];
}
