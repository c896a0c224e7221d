/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can this host launch an SEV-SNP guest on such terms? */
#ifndef VMM_SNP_TERMS_H
#define VMM_SNP_TERMS_H

struct err;
struct host;
struct load_terms;

/**
 * Compare the policy and the VMSA features with what KVM says it can do. Kernels that do not
 * tell refuse at the launch, without a reason.
 *
 * Returns 0; -EINVAL (policy), -EOPNOTSUPP (features), with @err set. Source:
 * KVM_X86_SNP_POLICY_BITS, KVM_X86_SEV_VMSA_FEATURES; AMD SEV-SNP firmware ABI (56860), guest
 * policy.
 */
int snp_terms_check(struct host *host, const struct load_terms *terms, struct err *err);

#endif
