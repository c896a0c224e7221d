// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SEV-SNP of the fake kernel: arch/x86/kvm/svm/sev.c in front, a secure processor behind it
 * that keeps the launch digest (SEV-SNP firmware ABI, AMD 56860).
 */
#include <errno.h>
#include <linux/psp-sev.h>
#include <string.h>

#include "tests/fake/fake_cc_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

#define POLICY_SMT	   (UINT64_C(1) << 16)
#define POLICY_ALWAYS_ONE  (UINT64_C(1) << 17)
#define FEATURE_SNP_ACTIVE UINT64_C(1)
#define VMSA_GPA	   UINT64_C(0xfffffffff000)

/* Of the firmware: the ABI's major and minor version. */
enum { ABI_MAJOR = 1, ABI_MINOR = 55 };

/* --- The secure processor --- */

/* A command is sent. Returns its status, which is 0 unless the test has other plans. */
static uint32_t command(struct fake *fake)
{
	bool is_bad = ++fake->n_snp_commands == fake->traits.snp.bad_command;

	return is_bad ? fake->traits.snp.bad_status : SEV_RET_SUCCESS;
}

static uint32_t firmware_start(struct fake *fake, uint64_t policy)
{
	uint32_t status = command(fake);
	unsigned int minor = policy & 0xff, major = policy >> 8 & 0xff;

	if (status)
		return status;
	if (major > ABI_MAJOR || (major == ABI_MAJOR && minor > ABI_MINOR))
		return SEV_RET_POLICY_FAILURE;
	return !(policy & POLICY_SMT) && !fake->traits.snp.no_smt ? SEV_RET_POLICY_FAILURE
								  : SEV_RET_SUCCESS;
}

/* Firmware writes what it would have accepted. */
static bool correct_cpuid(struct fake *fake, uint8_t page[GRANULE_BYTES])
{
	uint32_t count, *registers = (uint32_t *)(void *)(page + 16 + 24);

	if (!fake_firmware_check_cpuid(page))
		return true;
	memcpy(&count, page, sizeof(count));
	if (!fake->traits.snp.n_cpuid_rejections || !count)
		return false;
	fake->traits.snp.n_cpuid_rejections--;
	for (unsigned int i = 0; i < 4; i++) {
		if (!registers[i])
			continue;
		registers[i] &= registers[i] - 1;
		return true;
	}
	registers[0] = 1;
	return true;
}

static void make_secrets(uint8_t page[GRANULE_BYTES])
{
	memset(page, 0, GRANULE_BYTES);
	page[0] = 3; /* version */
	for (unsigned int i = 0x20; i < 0xa0; i++)
		page[i] = (uint8_t)(i * 29 + 7); /* VMPCK0 .. VMPCK3 */
}

/* SNP_LAUNCH_UPDATE of a page of guest memory. */
static uint32_t firmware_update(struct fake *fake, struct fake_vm *vm, uint8_t type, gpa_t gpa,
				uint8_t page[GRANULE_BYTES])
{
	uint32_t status = command(fake);
	const uint8_t *measured = type == KVM_SEV_SNP_PAGE_TYPE_NORMAL ? page : NULL;
	int ret;

	if (status)
		return status;
	if (vm->is_launched)
		return SEV_RET_INVALID_GUEST_STATE;
	if (type == KVM_SEV_SNP_PAGE_TYPE_CPUID && correct_cpuid(fake, page))
		return SEV_RET_INVALID_PARAM;
	if (type == KVM_SEV_SNP_PAGE_TYPE_ZERO)
		memset(page, 0, GRANULE_BYTES);
	if (type == KVM_SEV_SNP_PAGE_TYPE_SECRETS)
		make_secrets(page);
	ret = snp_digest_page(&vm->digest, (enum snp_page_type)type, gpa, measured);
	ASSERT(!ret);
	return SEV_RET_SUCCESS;
}

/* The same with a page of registers. */
static uint32_t firmware_update_vmsa(struct fake *fake, struct fake_vm *vm,
				     const struct fake_vcpu *vcpu)
{
	uint32_t status = command(fake);
	uint8_t page[GRANULE_BYTES];
	int ret;

	if (status)
		return status;
	if (vm->is_launched)
		return SEV_RET_INVALID_GUEST_STATE;
	vmsa_init(page, &vcpu->registers, vm->snp.vmsa_features);
	ret = snp_digest_page(&vm->digest, SNP_PAGE_VMSA, VMSA_GPA, page);
	ASSERT(!ret);
	return SEV_RET_SUCCESS;
}

/* --- KVM: the beginning --- */

/* The descriptor is that of /dev/sev, and KVM still cares for the VM. */
static int begin(struct fake *fake, int vm, int sev, uint32_t *ret_firmware)
{
	fake_fd_get(fake, sev, FAKE_SEV);
	*ret_firmware = 0;
	return fake_check_alive(fake, vm);
}

/* sev_guest_init2, __sev_guest_init. */
int fake_snp_init(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
		  uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, vm, FAKE_VM);
	struct fake_vm *state = description->vm_state;
	const struct fake_snp_traits *traits = &fake->traits.snp;
	int ret = begin(fake, vm, sev, ret_firmware);

	if (ret)
		return ret;
	/* sev_mem_enc_ioctl: SNP guests know no command below LAUNCH_START. */
	if (state->is_snp)
		return -EPERM;
	if (description->vm_type != KVM_X86_SNP_VM || state->n_vcpus || init->flags ||
	    (init->vmsa_features & ~traits->vmsa_features) || init->ghcb_version > 2 ||
	    init->ghcb_version == 1)
		return -EINVAL;
	if (traits->no_asid_range)
		return -ENOTTY;
	if (fake->n_snp_guests >= traits->n_asids)
		return -EBUSY;
	fake->n_snp_guests++;
	state->is_snp = true;
	state->snp.vmsa_features = init->vmsa_features | FEATURE_SNP_ACTIVE;
	return 0;
}

/* snp_enable_certs. */
int fake_snp_enable_certs(struct host *host, int vm, int sev, uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	int ret = begin(fake, vm, sev, ret_firmware);

	if (ret)
		return ret;
	if (fake->traits.snp.no_req_certs || state->n_vcpus || !state->is_snp)
		return -EINVAL;
	state->snp.has_req_certs = true;
	return 0;
}

/* snp_launch_start. */
int fake_snp_launch_start(struct host *host, int vm, int sev,
			  const struct kvm_sev_snp_launch_start *start, uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	int ret = begin(fake, vm, sev, ret_firmware);

	if (ret)
		return ret;
	if (!state->is_snp)
		return -ENOTTY;
	if (state->has_context || start->flags ||
	    (start->policy & ~fake->traits.snp.policy_bits) ||
	    !(start->policy & POLICY_ALWAYS_ONE))
		return -EINVAL;
	/* snp_context_create: SNP_GCTX_CREATE. */
	*ret_firmware = command(fake);
	if (*ret_firmware)
		return -ENOTTY;
	*ret_firmware = firmware_start(fake, start->policy);
	/* snp_bind_asid: SNP_ACTIVATE. */
	if (!*ret_firmware)
		*ret_firmware = command(fake);
	if (*ret_firmware)
		return -EIO;
	state->has_context = true;
	state->snp.policy = start->policy;
	memcpy(state->snp.gosvw, start->gosvw, sizeof(state->snp.gosvw));
	snp_digest_init(&state->digest);
	return 0;
}

/* --- KVM: pages --- */

/* One page: __kvm_gmem_populate, sev_gmem_post_populate. @uaddr: 0 for none. */
static int populate(struct fake *fake, struct fake_vm *vm, uint8_t type, gpa_t gpa,
		    uint64_t uaddr, uint32_t *ret_firmware)
{
	bool is_cpuid = type == KVM_SEV_SNP_PAGE_TYPE_CPUID;
	uint8_t page[GRANULE_BYTES];
	uint64_t offset;
	int ret, fd;

	if (uaddr) {
		ret = fake_user_read(fake, uaddr, page, sizeof(page));
		/* FOLL_WRITE: firmware may have something to say. */
		if (!ret && is_cpuid)
			ret = fake_user_write(fake, uaddr, page, sizeof(page));
		if (ret)
			return ret;
	}
	ret = fake_page_find(fake, gpa, &fd, &offset);
	if (ret || !fake_page_is_private(fake, gpa))
		return -EINVAL;
	if (fake_page_is_assigned(fake, fd, offset))
		return -EEXIST;
	if (!uaddr)
		fake_page_read(fd, offset, page);
	*ret_firmware = firmware_update(fake, vm, type, gpa, page);
	/* On an error the page is reclaimed as firmware left it. */
	fake_page_write(fd, offset, page);
	if (!*ret_firmware) {
		fake_page_set_assigned(fake, fd, offset, true);
		return 0;
	}
	if (uaddr && is_cpuid && *ret_firmware == SEV_RET_INVALID_PARAM) {
		ret = fake_user_write(fake, uaddr, page, sizeof(page));
		ASSERT(!ret);
	}
	return -EIO;
}

static bool has_known_type(const struct kvm_sev_snp_launch_update *update)
{
	return update->type >= KVM_SEV_SNP_PAGE_TYPE_NORMAL &&
	       update->type <= KVM_SEV_SNP_PAGE_TYPE_CPUID && update->type != SNP_PAGE_VMSA;
}

/* kvm_gmem_populate: up to the end of the slot, a signal or the first error. */
static int update_pages(struct fake *fake, struct fake_vm *vm,
			struct kvm_sev_snp_launch_update *update, uint64_t size_bytes,
			uint32_t *ret_firmware)
{
	bool has_source = update->type != KVM_SEV_SNP_PAGE_TYPE_ZERO && update->uaddr;
	uint64_t done = 0;
	uint32_t firmware = 0;
	int ret = 0;

	while (!ret && done < size_bytes) {
		if (fake->traits.pages_per_call &&
		    done == fake->traits.pages_per_call * GRANULE_BYTES)
			break;
		ret = populate(fake, vm, update->type, update->gfn_start * GRANULE_BYTES + done,
			       has_source ? update->uaddr + done : 0, &firmware);
		if (!ret)
			done += GRANULE_BYTES;
	}
	if (!done) {
		*ret_firmware = firmware;
		return -EIO;
	}
	update->gfn_start += done / GRANULE_BYTES;
	update->len -= done;
	if (has_source)
		update->uaddr += done;
	return 0;
}

/* snp_launch_update. */
int fake_snp_launch_update(struct host *host, int vm, int sev,
			   struct kvm_sev_snp_launch_update *update, uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	const struct kvm_userspace_memory_region2 *slot;
	int ret = begin(fake, vm, sev, ret_firmware);
	bool needs_source = update->type != KVM_SEV_SNP_PAGE_TYPE_ZERO &&
			    (!fake->traits.in_place || update->uaddr);
	uint64_t left;

	if (ret)
		return ret;
	if (!state->is_snp || !state->has_context || !update->len ||
	    !is_aligned(update->len, GRANULE_BYTES) || update->flags || !has_known_type(update))
		return -EINVAL;
	if (needs_source && (!update->uaddr || !is_aligned(update->uaddr, GRANULE_BYTES)))
		return -EINVAL;
	if (update->gfn_start > UINT64_MAX / GRANULE_BYTES)
		return -EINVAL;
	slot = fake_slot_find(fake, update->gfn_start * GRANULE_BYTES);
	if (!slot || !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return -EINVAL;
	left = slot->guest_phys_addr + slot->memory_size - update->gfn_start * GRANULE_BYTES;
	return update_pages(fake, state, update, left < update->len ? left : update->len,
			    ret_firmware);
}

/* --- KVM: the end --- */

/* snp_launch_update_vmsa, sev_es_sync_vmsa. What was added stays added, also on an error. */
static int add_vcpus(struct fake *fake, int vm, uint32_t *ret_firmware)
{
	struct fake_vm *state = fake_vm_get(fake, vm);
	struct fake_vcpu *vcpu;

	for (unsigned int i = 0; i < state->n_vcpus; i++) {
		vcpu = fake_vm_find_vcpu(fake, vm, i);
		/* KVM keeps a vCPU whose descriptor is closed; we never do that. */
		ASSERT(vcpu);
		if (vcpu->is_protected || vcpu->registers.state.dr7 & ~UINT64_C(0x400))
			return -EINVAL;
		*ret_firmware = firmware_update_vmsa(fake, state, vcpu);
		if (*ret_firmware)
			return -EIO;
		vcpu->is_protected = true;
	}
	return 0;
}

/* SNP_LAUNCH_FINISH. */
static int finish(struct fake *fake, struct fake_vm *vm,
		  const struct kvm_sev_snp_launch_finish *wanted, uint32_t *ret_firmware)
{
	uint8_t block[KVM_SEV_SNP_ID_BLOCK_SIZE], auth[KVM_SEV_SNP_ID_AUTH_SIZE];

	/* psp_copy_user_blob: no address is -EINVAL. */
	if (wanted->id_block_en && (!wanted->id_block_uaddr || !wanted->id_auth_uaddr))
		return -EINVAL;
	if (wanted->id_block_en &&
	    (fake_user_read(fake, wanted->id_block_uaddr, block, sizeof(block)) ||
	     fake_user_read(fake, wanted->id_auth_uaddr, auth, sizeof(auth))))
		return -EFAULT;
	*ret_firmware = command(fake);
	if (!*ret_firmware && vm->is_launched)
		*ret_firmware = SEV_RET_INVALID_GUEST_STATE;
	if (!*ret_firmware && wanted->id_block_en)
		*ret_firmware =
			fake_firmware_check_id(block, auth, wanted->auth_key_en, &vm->snp);
	return *ret_firmware ? -EIO : 0;
}

/* snp_launch_finish. */
int fake_snp_launch_finish(struct host *host, int vm, int sev,
			   const struct kvm_sev_snp_launch_finish *wanted,
			   uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	int ret = begin(fake, vm, sev, ret_firmware);

	if (ret)
		return ret;
	if (!state->is_snp)
		return -ENOTTY;
	if (!state->has_context || wanted->flags)
		return -EINVAL;
	fake_judge_idle(fake, vm);
	ret = add_vcpus(fake, vm, ret_firmware);
	if (ret)
		return ret;
	memcpy(state->snp.digest, state->digest.bytes, sizeof(state->snp.digest));
	ret = finish(fake, state, wanted, ret_firmware);
	if (ret)
		return ret;
	memcpy(state->snp.host_data, wanted->host_data, sizeof(state->snp.host_data));
	state->snp.has_id_block = wanted->id_block_en;
	state->snp.has_author_key = wanted->id_block_en && wanted->auth_key_en;
	state->snp.is_vcek_disabled = wanted->vcek_disabled;
	state->snp.n_vcpus = state->n_vcpus;
	state->is_launched = true;
	fake->has_snp_launch = true;
	fake->snp_launch = state->snp;
	return 0;
}

/* --- Questions --- */

bool fake_get_snp_launch(struct fake *fake, struct fake_snp_launch *ret_launch)
{
	WITH_LOCK(&fake->lock);

	*ret_launch = fake->snp_launch;
	return fake->has_snp_launch;
}

bool fake_get_snp_digest(struct fake *fake, uint8_t ret_digest[FAKE_DIGEST_BYTES])
{
	struct fake_snp_launch launch;
	bool has_launch = fake_get_snp_launch(fake, &launch);

	memcpy(ret_digest, launch.digest, FAKE_DIGEST_BYTES);
	return has_launch;
}

unsigned int fake_count_snp_commands(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return fake->n_snp_commands;
}
