// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests with AMD SEV-SNP.
 *
 * Sources: Documentation/virt/kvm/x86/amd-memory-encryption.rst; Linux arch/x86/kvm/svm/sev.c;
 * AMD SEV-SNP firmware ABI (56860).
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/psp-sev.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/cpuid.h"
#include "vmm/cpuid_snp.h"
#include "vmm/host_cc.h"
#include "vmm/log.h"
#include "vmm/machine_launch.h"
#include "vmm/machine_parts.h"
#include "vmm/snp_status.h"
#include "vmm/snp_terms.h"
#include "vmm/type.h"

enum {
	CPUID_SEV = 0x8000001f,
	CPUID_SEV_FEATURES = 1 << 1 | 1 << 3 | 1 << 4, /* SEV, SEV-ES, SEV-SNP */
	CPUID_SEV_C_BIT = 0x3f,
	CPUID_SEV_ADDRESS = 0xfff, /* position of the C-bit, physical bits lost to it */

	GHCB_VERSION = 2,
	/* A failure before the firmware was asked can be of the moment: memory, a signal. */
	TRIES_MAX = 10,
	TRY_NS = 1000 * 1000,
	/* How often the firmware may correct the page of CPUID leaves. */
	CORRECTIONS_MAX = 5,
};

struct snp {
	int sev;
};

static int snp_fail(struct err *err, int ret, uint32_t status, const char *what)
{
	if (ret == -EIO || status)
		return err_set(err, ret, "snp: %s: %s (firmware status 0x%" PRIx32 ")", what,
			       snp_status_describe(status), status);
	return err_set(err, ret, "snp: %s: %s; `alcove probe --type=snp` tells more", what,
		       err_describe(ret));
}

/* Find the C-bit, and tell the guest what kind of guest it is. */
static int cpuid_adjust(struct machine *machine, struct err *err)
{
	struct kvm_cpuid_entry2 *leaf = cpuid_find(machine->cpuid, CPUID_SEV, 0);

	if (!leaf || !(leaf->ebx & CPUID_SEV_C_BIT))
		return err_set(err, -ENODEV,
			       "snp: KVM offers no leaf 0x%x of CPUID; `alcove probe "
			       "--type=snp` tells more",
			       (unsigned int)CPUID_SEV);
	*leaf = (struct kvm_cpuid_entry2){
		.function = CPUID_SEV,
		.eax = CPUID_SEV_FEATURES,
		.ebx = leaf->ebx & CPUID_SEV_ADDRESS,
	};
	machine->load_host.c_bit = leaf->ebx & CPUID_SEV_C_BIT;
	if (machine->load_host.gpa_bits > machine->load_host.c_bit)
		machine->load_host.gpa_bits = machine->load_host.c_bit;
	return 0;
}

static int sev_open(struct machine *machine, struct snp *snp, struct err *err)
{
	snp->sev = host_sev_open(machine->host);
	if (snp->sev >= 0)
		return 0;
	return err_set(err, snp->sev, "/dev/sev: cannot open: %s; %s", err_describe(snp->sev),
		       snp->sev == -EACCES || snp->sev == -EPERM
			       ? "give the user access to it"
			       : "load the module ccp, or turn SEV-SNP on in the host's "
				 "firmware");
}

static int snp_start(struct machine *machine, struct err *err)
{
	struct snp *snp = malloc(sizeof(*snp));
	const struct kvm_sev_init init = {.vmsa_features = machine->terms.vmsa_features,
					  .ghcb_version = GHCB_VERSION};
	const struct kvm_sev_snp_launch_start start = {.policy = machine->terms.policy};
	uint32_t status = 0;
	int ret;

	if (!snp)
		return err_set(err, -ENOMEM, "snp: out of memory");
	*snp = (struct snp){.sev = -1};
	machine->type_state = snp;
	ret = cpuid_adjust(machine, err);
	if (!ret)
		ret = snp_terms_check(machine->host, &machine->terms, err);
	if (!ret)
		ret = sev_open(machine, snp, err);
	if (ret)
		return ret;

	ret = host_snp_init(machine->host, machine->vm, snp->sev, &init, &status);
	if (ret == -EBUSY)
		return err_set(err, ret,
			       "snp: no ASID is left for another guest; stop one, or raise "
			       "sev_es in the misc cgroup");
	if (ret)
		return snp_fail(err, ret, status, "KVM cannot begin");
	if (machine->config->snp_certs) {
		ret = host_snp_enable_certs(machine->host, machine->vm, snp->sev, &status);
		if (ret)
			return snp_fail(err, ret, status,
					"this kernel does not ask for certificates; leave "
					"--certs out");
	}
	ret = host_snp_launch_start(machine->host, machine->vm, snp->sev, &start, &status);
	return ret ? snp_fail(err, ret, status, "the launch cannot begin") : 0;
}

static void snp_stop(struct machine *machine)
{
	struct snp *snp = machine->type_state;

	if (snp && snp->sev >= 0)
		host_close(machine->host, snp->sev);
	free(snp);
	machine->type_state = NULL;
}

/* Until all of it is done, or it fails for good. */
static int pages_update(struct machine *machine, struct kvm_sev_snp_launch_update *update,
			uint32_t *ret_status)
{
	const struct snp *snp = machine->type_state;
	unsigned int n_tries = 0;

	while (update->len) {
		uint64_t left_bytes = update->len;
		int ret;

		*ret_status = 0;
		ret = host_snp_launch_update(machine->host, machine->vm, snp->sev, update,
					     ret_status);
		if (!ret && update->len < left_bytes) {
			n_tries = 0;
			continue;
		}
		/* What the firmware refused it will refuse again. */
		if ((ret && ret != -EAGAIN && ret != -EINTR && ret != -EIO) || *ret_status ||
		    ++n_tries >= TRIES_MAX)
			return ret ? ret : -EIO;
		host_clock_sleep_ns(machine->host, TRY_NS);
	}
	return 0;
}

/* The firmware put what it would take into @page. Logs what that changes. */
static void corrections_log(struct machine *machine, const struct snp_cpuid_page *ours,
			    const struct snp_cpuid_page *page)
{
	uint32_t next = 0;
	int at;

	while ((at = snp_cpuid_page_compare(ours, page, &next)) >= 0) {
		const struct snp_cpuid_entry *old = &ours->entries[at];
		const struct snp_cpuid_entry *new = &page->entries[at];

		log_info(machine->log,
			 "snp: CPUID 0x%" PRIx32 ".%" PRIu32 ": the firmware takes %08" PRIx32
			 " %08" PRIx32 " %08" PRIx32 " %08" PRIx32 ", not %08" PRIx32
			 " %08" PRIx32 " %08" PRIx32 " %08" PRIx32,
			 old->function, old->index, new->eax, new->ebx, new->ecx, new->edx,
			 old->eax, old->ebx, old->ecx, old->edx);
	}
}

/* The firmware says what it does not like by correcting it; that is what it is given next. */
static int cpuid_launch(struct machine *machine, struct kvm_sev_snp_launch_update *update,
			struct snp_cpuid_page *page, uint32_t *ret_status)
{
	unsigned int n_corrections = 0;
	struct snp_cpuid_page ours;
	int ret;

	cpuid_set_topology(machine->cpuid, 0, machine->config->n_vcpus);
	ret = snp_cpuid_page_init(page, machine->cpuid);
	while (!ret) {
		uint32_t next = 0;

		ours = *page;
		ret = pages_update(machine, update, ret_status);
		if (!ret || *ret_status != SEV_RET_INVALID_PARAM ||
		    snp_cpuid_page_compare(&ours, page, &next) < 0 ||
		    n_corrections++ == CORRECTIONS_MAX)
			break;
		corrections_log(machine, &ours, page);
		ret = 0;
	}
	return ret;
}

static int part_launch(struct machine *machine, const struct launch_part *part, struct err *err)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = part->gpa.start / GRANULE_BYTES,
		.uaddr = (uintptr_t)part->source,
		.len = range_size(part->gpa),
		.type = launch_get_snp_type(part->kind),
	};
	uint32_t status = 0;
	int ret;

	if (part->kind == LAUNCH_CPUID)
		ret = cpuid_launch(machine, &update, part->source, &status);
	else
		ret = pages_update(machine, &update, &status);
	if (ret == -ENOSPC)
		return err_set(err, ret, "snp: KVM offers more than %d leaves of CPUID",
			       SNP_CPUID_ENTRIES_MAX);
	if (ret)
		return err_set(err, ret,
			       "snp: gpa 0x%" PRIx64 " cannot be launched: %s: %s (firmware "
			       "status 0x%" PRIx32 ")",
			       (uint64_t)update.gfn_start * GRANULE_BYTES, err_describe(ret),
			       snp_status_describe(status), status);
	return 0;
}

static int launch_finish(struct machine *machine, struct err *err)
{
	const struct load_terms *terms = &machine->terms;
	const struct snp *snp = machine->type_state;
	struct kvm_sev_snp_launch_finish finish = {0};
	uint32_t status = 0;
	int ret;

	if (terms->has_id) {
		finish.id_block_en = 1;
		finish.id_block_uaddr = (uintptr_t)terms->id.block;
		finish.id_auth_uaddr = (uintptr_t)terms->id.auth;
		finish.auth_key_en = terms->has_author;
	}
	memcpy(finish.host_data, machine->config->snp_host_data, sizeof(finish.host_data));
	ret = host_snp_launch_finish(machine->host, machine->vm, snp->sev, &finish, &status);
	return ret ? snp_fail(err, ret, status, "the launch cannot be finished") : 0;
}

/* The launch that the guest's owner expects; logged before it begins. */
static int digest_log(struct machine *machine, struct err *err)
{
	const struct launch_vcpus vcpus = {
		.entry = &machine->entry,
		.n_vcpus = machine->config->n_vcpus,
		.signature = cpuid_signature(machine->cpuid),
		.features = machine->terms.vmsa_features,
	};
	uint8_t digest[LAUNCH_DIGEST_BYTES];
	int ret = launch_digest_snp(machine->memory, &machine->launch, &vcpus, digest);

	if (ret)
		return err_set(err, ret, "snp: the launch cannot be measured: %s",
			       err_describe(ret));
	machine_log_digest(machine, "launch digest", digest);
	return 0;
}

static int registers_set(struct machine *machine, unsigned int index, struct err *err)
{
	struct boot_vcpu vcpu;

	boot_entry_get_vcpu(&machine->entry, index == 0, cpuid_signature(machine->cpuid),
			    &vcpu);
	return vcpu_set_registers(machine->vcpus[index], &vcpu, err);
}

static int snp_launch(struct machine *machine, struct err *err)
{
	int ret = digest_log(machine, err);

	for (unsigned int i = 0; i < machine->config->n_vcpus && !ret; i++)
		ret = registers_set(machine, i, err);
	if (!ret)
		ret = machine_launch_pieces(machine, part_launch, err);
	return ret ? ret : launch_finish(machine, err);
}

const struct guest_type_ops guest_type_snp = {
	.name = "snp",
	.kvm_type = KVM_X86_SNP_VM,
	.has_private_memory = true,
	.shares_clock = true,
	.is_opaque = true,
	.guard = BOOT_GUARD_SNP,
	/* Positive, and nothing else: KVM ends the vCPU otherwise (snp_complete_psc). */
	.replies = {[CONVERSION_DONE] = 0,
		    [CONVERSION_REFUSED] = EINVAL,
		    [CONVERSION_AGAIN] = EAGAIN,
		    [CONVERSION_BROKEN] = EINVAL},
	.cure = "`alcove probe --type=snp` tells what this host lacks",
	.start = snp_start,
	.launch = snp_launch,
	.stop = snp_stop,
};
