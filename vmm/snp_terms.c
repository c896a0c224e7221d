// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/snp_terms.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "vmm/err.h"
#include "vmm/host_cc.h"
#include "vmm/load.h"

enum { POLICY_ALWAYS_ONE = 1 << 17 };

static int policy_check(struct host *host, uint64_t policy, struct err *err)
{
	uint64_t allowed = UINT64_MAX;

	if (!(policy & POLICY_ALWAYS_ONE))
		return err_set(err, -EINVAL,
			       "snp: policy 0x%" PRIx64 ": bit 17 has to be 1; add 0x20000",
			       policy);
	/* Kernels that do not tell have KVM_SEV_SNP_LAUNCH_START say the same without a reason.
	 */
	if (host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SNP_POLICY_BITS, &allowed))
		return 0;
	if (policy & ~allowed)
		return err_set(err, -EINVAL,
			       "snp: policy 0x%" PRIx64 ": this host cannot do bits 0x%" PRIx64
			       "; leave them out",
			       policy, policy & ~allowed);
	return 0;
}

/* Only IGVM files want some. */
static int features_check(struct host *host, uint64_t wanted, struct err *err)
{
	uint64_t allowed = UINT64_MAX;

	if (!wanted ||
	    host_cc_get_attr(host, KVM_X86_GRP_SEV, KVM_X86_SEV_VMSA_FEATURES, &allowed))
		return 0;
	if (wanted & ~allowed)
		return err_set(err, -EOPNOTSUPP,
			       "snp: this host cannot do features 0x%" PRIx64
			       " of a VMSA, which the IGVM file wants; give one without",
			       wanted & ~allowed);
	return 0;
}

int snp_terms_check(struct host *host, const struct load_terms *terms, struct err *err)
{
	int ret = policy_check(host, terms->policy, err);

	return ret ? ret : features_check(host, terms->vmsa_features, err);
}
