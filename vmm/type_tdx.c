// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests with Intel TDX.
 *
 * Sources: Documentation/virt/kvm/x86/intel-tdx.rst; Linux arch/x86/kvm/vmx/tdx.c; Intel TDX
 * Module Base Specification and ABI.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/cpuid.h"
#include "vmm/cpuid_tdx.h"
#include "vmm/host_cc.h"
#include "vmm/machine_launch.h"
#include "vmm/machine_parts.h"
#include "vmm/type.h"

/* Touching memory that was not accepted ends the TD, instead of telling it by an exception. */
#define ATTRIBUTE_SEPT_VE_DISABLE (UINT64_C(1) << 28)

enum {
	ROOM_FIRST = 32,    /* entries of CPUID; doubled until it is enough */
	APIC_CYCLE_NS = 40, /* the module tells the guest of a crystal of 25 MHz */

	/* The module runs out of random numbers, or a lock is taken, for moments. */
	TRIES_MAX = 1000,
	TRY_NS = 1000 * 1000,

	GPA_BITS_SMALL = 48, /* the highest bit says "shared" */
	GPA_BITS_LARGE = 52,
};

/* More than half of the smaller address space may be needed for RAM and BARs beyond this. */
#define RAM_BYTES_SMALL_MAX (UINT64_C(1) << (GPA_BITS_SMALL - 2))

static int tdx_fail(struct err *err, int ret, uint64_t status, const char *what)
{
	if (status)
		return err_set(err, ret, "tdx: %s: %s (status of the TDX module 0x%" PRIx64 ")",
			       what, err_describe(ret), status);
	return err_set(err, ret, "tdx: %s: %s; `alcove probe --type=tdx` tells more", what,
		       err_describe(ret));
}

/* What can be configured. The kernel does not tell how much room it wants. */
static int capabilities_get(struct machine *machine, struct kvm_tdx_capabilities **ret,
			    struct err *err)
{
	uint64_t status = 0;
	int result = -E2BIG;

	for (uint32_t room = ROOM_FIRST; room <= TDX_CPUID_ENTRIES_MAX && result == -E2BIG;
	     room *= 2) {
		_cleanup_free_ struct kvm_tdx_capabilities *capabilities =
			calloc(1, sizeof(*capabilities) +
					  room * sizeof(capabilities->cpuid.entries[0]));

		if (!capabilities)
			return err_set(err, -ENOMEM, "tdx: out of memory");
		capabilities->cpuid.nent = room;
		result = host_tdx_get_capabilities(machine->host, machine->vm, capabilities,
						   &status);
		if (result)
			continue;
		*ret = take_pointer(capabilities);
		return 0;
	}
	return tdx_fail(err, result, status, "KVM does not tell what a TD can be");
}

static int vm_init_again(struct machine *machine, const struct kvm_tdx_init_vm *init,
			 uint64_t *ret_status)
{
	int ret = -EAGAIN;

	for (unsigned int i = 0; i < TRIES_MAX && ret == -EAGAIN; i++) {
		*ret_status = 0;
		ret = host_tdx_init_vm(machine->host, machine->vm, init, ret_status);
		if (ret == -EAGAIN)
			host_clock_sleep_ns(machine->host, TRY_NS);
	}
	return ret;
}

static int vm_init(struct machine *machine, const struct kvm_tdx_capabilities *capabilities,
		   unsigned int gpa_bits, struct err *err)
{
	const struct config *config = machine->config;
	_cleanup_free_ struct kvm_tdx_init_vm *init = calloc(
		1, sizeof(*init) + capabilities->cpuid.nent * sizeof(init->cpuid.entries[0]));
	uint64_t status = 0;
	int ret;

	static_assert(sizeof(init->mrconfigid) == CONFIG_TDX_ID_BYTES, "a SHA-384");
	if (!init)
		return err_set(err, -ENOMEM, "tdx: out of memory");
	init->attributes = ATTRIBUTE_SEPT_VE_DISABLE | machine->terms.td_attributes;
	init->xfam = tdx_cpuid_choose_xfam(machine->cpuid, capabilities->supported_xfam);
	memcpy(init->mrconfigid, config->tdx_config_id, sizeof(init->mrconfigid));
	memcpy(init->mrowner, config->tdx_owner, sizeof(init->mrowner));
	memcpy(init->mrownerconfig, config->tdx_owner_config, sizeof(init->mrownerconfig));
	cpuid_set_topology(machine->cpuid, 0, config->n_vcpus);
	tdx_cpuid_configure(&capabilities->cpuid, machine->cpuid, gpa_bits, &init->cpuid);

	ret = vm_init_again(machine, init, &status);
	if (ret == -ENOSPC || ret == -EBUSY)
		return err_set(err, ret,
			       "tdx: no key is left for another TD; stop one, or raise tdx in "
			       "the misc cgroup");
	if (ret == -EIO && !status)
		return err_set(
			err, ret,
			"tdx: the key cannot be set on each package of processors; bring "
			"one processor of each online");
	if (ret == -EAGAIN)
		return err_set(err, ret,
			       "tdx: the TDX module has no random numbers; try again");
	return ret ? tdx_fail(err, ret, status, "the TD cannot be initialised") : 0;
}

static int attributes_check(struct machine *machine,
			    const struct kvm_tdx_capabilities *capabilities, struct err *err)
{
	uint64_t lacking;

	ASSERT(capabilities);
	lacking = machine->terms.td_attributes & ~capabilities->supported_attrs;
	if (!(capabilities->supported_attrs & ATTRIBUTE_SEPT_VE_DISABLE))
		return err_set(err, -EOPNOTSUPP,
			       "tdx: the TDX module has no SEPT_VE_DISABLE, which Linux guests "
			       "need; update it");
	if (lacking)
		return err_set(err, -EOPNOTSUPP,
			       "tdx: this host cannot do attributes 0x%" PRIx64
			       ", which the IGVM file wants; give one whose policy does not",
			       lacking);
	return 0;
}

static int vcpus_check(struct machine *machine, struct err *err)
{
	int n_max = host_kvm_check_extension(machine->host, machine->vm, KVM_CAP_MAX_VCPUS);

	if (n_max > 0 && machine->config->n_vcpus > (unsigned int)n_max)
		return err_set(err, -EINVAL,
			       "tdx: %u processors, but a TD has at most as many as this host: "
			       "%d; give it fewer",
			       machine->config->n_vcpus, n_max);
	return 0;
}

static int apic_set_cycle(struct machine *machine, struct err *err)
{
	struct kvm_enable_cap cycle = {
		.cap = KVM_CAP_X86_APIC_BUS_CYCLES_NS,
		.args = {APIC_CYCLE_NS},
	};
	int ret = host_vm_enable_cap(machine->host, machine->vm, &cycle);

	return ret ? err_set(err, ret,
			     "tdx: KVM cannot set the rate of the APIC's timer: %s; use Linux "
			     "6.16 or newer",
			     err_describe(ret))
		   : 0;
}

/* What is in an IGVM file knows where its shared bit is; other guests look. */
static int gpa_bits_choose(const struct machine *machine, unsigned int *ret_gpa_bits,
			   struct err *err)
{
	bool is_large = machine->config->memory_bytes > RAM_BYTES_SMALL_MAX;

	*ret_gpa_bits = machine->terms.gpa_bits;
	if (!*ret_gpa_bits)
		*ret_gpa_bits = is_large ? GPA_BITS_LARGE : GPA_BITS_SMALL;
	if (is_large && *ret_gpa_bits == GPA_BITS_SMALL)
		return err_set(err, -EINVAL,
			       "tdx: the IGVM file is made for addresses of %d bits, too few "
			       "for so much memory; give the guest less",
			       GPA_BITS_SMALL);
	return 0;
}

static int tdx_start(struct machine *machine, struct err *err)
{
	_cleanup_free_ struct kvm_tdx_capabilities *capabilities = NULL;
	unsigned int gpa_bits;
	int ret = gpa_bits_choose(machine, &gpa_bits, err);

	if (!ret)
		ret = vcpus_check(machine, err);
	if (!ret)
		ret = apic_set_cycle(machine, err);
	if (!ret)
		ret = capabilities_get(machine, &capabilities, err);
	if (!ret)
		ret = attributes_check(machine, capabilities, err);
	if (!ret)
		ret = vm_init(machine, capabilities, gpa_bits, err);
	if (ret)
		return ret;
	/* What the processor cannot address it cannot address in a TD either. */
	if (machine->load_host.gpa_bits > gpa_bits - 1)
		machine->load_host.gpa_bits = gpa_bits - 1;
	return 0;
}

/* KVM emulates by the leaves that the TD really sees. */
static int vcpu_adopt_cpuid(struct machine *machine, unsigned int index, uint64_t *ret_status)
{
	int vcpu = vcpu_fd(machine->vcpus[index]);
	_cleanup_free_ struct kvm_cpuid2 *actual =
		calloc(1, sizeof(*actual) + TDX_CPUID_ENTRIES_MAX * sizeof(actual->entries[0]));
	int ret;

	if (!actual)
		return -ENOMEM;
	actual->nent = TDX_CPUID_ENTRIES_MAX;
	ret = host_tdx_get_cpuid(machine->host, vcpu, actual, ret_status);
	if (ret)
		return ret;
	tdx_cpuid_adopt(machine->cpuid, actual);
	/* What is read is the TD's, and knows no APIC IDs. */
	cpuid_set_topology(machine->cpuid, index, machine->config->n_vcpus);
	return host_vcpu_set_cpuid(machine->host, vcpu, machine->cpuid);
}

static int tdx_start_vcpu(struct machine *machine, unsigned int index, struct err *err)
{
	int vcpu = vcpu_fd(machine->vcpus[index]);
	uint64_t status = 0;
	int ret = host_tdx_init_vcpu(machine->host, vcpu, machine->entry.tdx_value, &status);

	if (ret)
		return tdx_fail(err, ret, status, "a processor cannot be initialised");
	ret = vcpu_adopt_cpuid(machine, index, &status);
	return ret ? tdx_fail(err, ret, status, "the leaves of CPUID cannot be read back") : 0;
}

static int part_launch(struct machine *machine, const struct launch_part *part, struct err *err)
{
	struct kvm_tdx_init_mem_region region = {
		.source_addr = (uintptr_t)part->source,
		.gpa = part->gpa.start,
		.nr_pages = range_size(part->gpa) / GRANULE_BYTES,
	};
	bool is_measured = launch_is_extended(part->kind);
	unsigned int n_tries = 0;
	uint64_t status = 0;
	int ret = 0;

	while (region.nr_pages && n_tries < TRIES_MAX) {
		uint64_t n_left = region.nr_pages;

		status = 0;
		ret = host_tdx_init_mem_region(machine->host, vcpu_fd(machine->vcpus[0]),
					       &region, is_measured, &status);
		if (ret && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
			break;
		n_tries = region.nr_pages < n_left ? 0 : n_tries + 1;
		if (n_tries)
			host_clock_sleep_ns(machine->host, TRY_NS);
	}
	if (!region.nr_pages)
		return 0;
	return err_set(err, ret ? ret : -EIO,
		       "tdx: gpa 0x%" PRIx64
		       " cannot be launched: %s (status of the TDX module 0x%" PRIx64 ")",
		       (uint64_t)region.gpa, err_describe(ret ? ret : -EIO), status);
}

static int digest_log(struct machine *machine, struct err *err)
{
	uint8_t mrtd[LAUNCH_DIGEST_BYTES];
	int ret =
		launch_digest_tdx(machine->memory, &machine->launch, LAUNCH_SINGLE_PASS, mrtd);

	if (ret)
		return err_set(err, ret, "tdx: the launch cannot be measured: %s",
			       err_describe(ret));
	machine_log_digest(machine, "MRTD", mrtd);
	return 0;
}

static int tdx_launch(struct machine *machine, struct err *err)
{
	uint64_t status = 0;
	int ret = digest_log(machine, err);

	if (!ret)
		ret = machine_launch_pieces(machine, part_launch, err);

	if (ret)
		return ret;
	ret = -EBUSY;
	for (unsigned int i = 0; i < TRIES_MAX && ret == -EBUSY; i++) {
		ret = host_tdx_finalize_vm(machine->host, machine->vm, &status);
		if (ret == -EBUSY)
			host_clock_sleep_ns(machine->host, TRY_NS);
	}
	return ret ? tdx_fail(err, ret, status, "the launch cannot be finished") : 0;
}

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
	.start = tdx_start,
	.start_vcpu = tdx_start_vcpu,
	.launch = tdx_launch,
};
