// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/measure/measure.h"

#include <errno.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/host_offline.h"
#include "vmm/load.h"
#include "vmm/probe/cpu.h"
#include "vmm/type.h"
#include "vmm/value.h"

/* What is put together. */
struct guest {
	const struct config *config;
	const struct measure_request *request;
	struct load_host host;
	struct guest_memory *memory;
	struct boot_entry entry;
};

/* --- SEV-SNP --- */

static int signature_parse(const char *text, uint32_t *ret_signature, struct err *err)
{
	struct probe_cpu cpu;
	uint64_t bits;

	if (!strcmp(text, "host")) {
		probe_cpu_read(&cpu);
		*ret_signature = cpu.features.eax;
		return 0;
	}
	if (!cpu_signature_find(text, ret_signature))
		return 0;
	if (value_parse_bits(text, &bits, NULL) || bits > UINT32_MAX)
		return err_set(
			err, -EINVAL,
			"--vcpu-model: '%s' is not known; write host, a model of QEMU as "
			"EPYC-Milan, or what CPUID leaf 1 has in eax as 0xa00f11",
			text);
	*ret_signature = (uint32_t)bits;
	return 0;
}

/* Does a processor start with the signature in a register, as one does after a reset? */
static bool shows_signature(const struct guest *guest, bool is_first)
{
	struct boot_vcpu vcpu, other;

	boot_entry_get_vcpu(&guest->entry, is_first, 0, &vcpu);
	boot_entry_get_vcpu(&guest->entry, is_first, UINT32_MAX, &other);
	return vcpu.regs.rdx != other.regs.rdx;
}

static int get_signature(const struct guest *guest, struct measurement *measurement,
			 struct err *err)
{
	bool is_needed = measurement->launch.profile == LAUNCH_PROFILE_QEMU &&
			 (shows_signature(guest, true) ||
			  (guest->config->n_vcpus > 1 && shows_signature(guest, false)));

	if (guest->request->vcpu_model) {
		measurement->has_signature = true;
		return signature_parse(guest->request->vcpu_model, &measurement->signature,
				       err);
	}
	if (is_needed)
		return err_set(
			err, -EINVAL,
			"--vcpu-model: the digest depends on it; write that of the host "
			"the guest will run on: EPYC-Milan, EPYC-Genoa, ..., or host for "
			"this one");
	return 0;
}

static int digest_snp(const struct guest *guest, struct measurement *measurement,
		      struct err *err)
{
	struct launch_vcpus vcpus = {
		.entry = &guest->entry,
		.n_vcpus = guest->config->n_vcpus,
		.features = measurement->features,
	};
	int ret = get_signature(guest, measurement, err);

	if (ret)
		return ret;
	if (measurement->launch.profile != LAUNCH_PROFILE_QEMU &&
	    guest->entry.mode != BOOT_MODE_RESET)
		return err_set(err, -EINVAL,
			       "--profile: others do not start a guest at an entry of its own; "
			       "leave it out, or give firmware");
	vcpus.signature = measurement->signature;
	ret = launch_digest_snp(guest->memory, &measurement->launch, &vcpus,
				measurement->digest);
	return ret ? err_set(err, ret, "launch digest: %s", err_describe(ret)) : 0;
}

/* --- TDX --- */

static int digest_tdx(const struct guest *guest, struct measurement *measurement,
		      struct err *err)
{
	int ret = launch_digest_tdx(guest->memory, &measurement->launch, guest->request->order,
				    measurement->digest);

	return ret ? err_set(err, ret, "MRTD: %s", err_describe(ret)) : 0;
}

/* --- The guest --- */

static int (*const digests[GUEST_TYPE_COUNT])(const struct guest *guest,
					      struct measurement *measurement,
					      struct err *err) = {
	[GUEST_TYPE_SNP] = digest_snp,
	[GUEST_TYPE_TDX] = digest_tdx,
};

/* Also what SNP's page tables and a TD's have no room for is no address. */
static struct load_host get_host(const struct config *config,
				 const struct measure_request *request)
{
	struct load_host host = {.gpa_bits = request->gpa_bits};

	if (config->type == GUEST_TYPE_SNP) {
		host.c_bit = request->c_bit;
		if (host.gpa_bits > host.c_bit)
			host.gpa_bits = host.c_bit;
	} else {
		host.gpa_bits--; /* the shared bit */
	}
	return host;
}

/* With a new ID block to be signed, that of the configuration need not be there yet. */
static int get_terms(const struct config *config, const struct measure_request *request,
		     struct load_terms *ret_terms, struct measurement *measurement,
		     struct err *err)
{
	struct config wanted = *config;
	int ret;

	if (request->id_key)
		wanted.snp_id_block = wanted.snp_id_auth = NULL;
	ret = load_get_terms(&wanted, ret_terms, err);
	if (ret)
		return ret;
	measurement->features = ret_terms->vmsa_features | request->features;
	measurement->policy = ret_terms->policy;
	measurement->has_block = ret_terms->has_id && !request->id_key;
	memcpy(measurement->block, ret_terms->id.block, sizeof(measurement->block));
	return 0;
}

static void count_pages(struct measurement *measurement)
{
	for (size_t i = 0; i < measurement->launch.n_pieces; i++) {
		const struct launch_piece *piece = &measurement->launch.pieces[i];
		uint64_t size_bytes = range_size(piece->gpa);

		measurement->n_pages[piece->kind] += size_bytes / GRANULE_BYTES;
		measurement->launch_bytes += size_bytes;
	}
}

static int load_and_digest(struct guest *guest, const struct layout *layout,
			   struct measurement *measurement, struct err *err)
{
	struct firmware_items items = {0};
	int ret = load_guest(guest->config, &guest->host, layout, guest->memory,
			     &measurement->launch, &items, &guest->entry, err);

	firmware_items_fini(&items);
	if (!ret)
		ret = digests[guest->config->type](guest, measurement, err);
	if (!ret)
		count_pages(measurement);
	return ret;
}

int measure(const struct config *config, const struct measure_request *request,
	    struct measurement *ret_measurement, struct err *err)
{
	struct guest guest = {.config = config, .request = request};
	struct load_terms terms;
	struct layout layout;
	struct host host;
	int ret;

	*ret_measurement = (struct measurement){.launch.profile = request->profile};
	if (!digests[config->type])
		return err_set(
			err, -EINVAL,
			"type '%s': nothing of such a guest is measured; give --type=snp "
			"or --type=tdx",
			guest_type_find(config->type)->name);
	ret = get_terms(config, request, &terms, ret_measurement, err);
	if (ret)
		return ret;
	guest.host = get_host(config, request);
	ret = load_get_layout(config, &guest.host, &terms, &layout, err);
	if (ret)
		return ret;
	host_offline_init(&host);
	ret = guest_memory_new(&host, HOST_OFFLINE_VM, &layout, BACKING_PLAIN, &guest.memory,
			       err);
	if (!ret)
		ret = load_and_digest(&guest, &layout, ret_measurement, err);
	guest_memory_free(guest.memory);
	return ret;
}

void measurement_fini(struct measurement *measurement)
{
	launch_fini(&measurement->launch);
}
