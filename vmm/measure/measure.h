/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launch of a configuration will be, told without KVM: the guest is put together as
 * `alcove run` does it, behind a host that is nothing but memory.
 */
#ifndef VMM_MEASURE_H
#define VMM_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/launch.h"
#include "vmm/measure/id_block.h"

struct config;
struct err;

/* What the configuration does not say. */
struct measure_request {
	char *vcpu_model;     /* NULL: not known; "host", of QEMU, or a signature */
	unsigned int profile; /* enum launch_profile */
	unsigned int order;   /* enum launch_order */
	unsigned int c_bit;
	unsigned int gpa_bits;
	uint64_t features; /* of VMSAs, beyond those that it has anyway */
	/* An ID block. */
	char *id_key; /* NULL: no ID block; then the others are not used */
	char *author_key;
	char *id_block_out;
	char *id_auth_out;
	uint8_t family[ID_NAME_BYTES];
	uint8_t image[ID_NAME_BYTES];
	unsigned int svn;
};

struct measurement {
	uint8_t digest[LAUNCH_DIGEST_BYTES]; /* SNP: launch digest; TDX: MRTD */
	struct launch launch;
	uint64_t n_pages[LAUNCH_KIND_COUNT];
	uint64_t launch_bytes;
	/* SNP. */
	uint64_t policy;
	uint64_t features; /* of VMSAs, as for KVM_SEV_INIT2 */
	bool has_block;	   /* the guest comes with an ID block, for this launch or another */
	uint8_t block[ID_BLOCK_BYTES];
	bool has_signature;
	uint32_t signature; /* CPUID 1 EAX of its processors */
	/* Digests of keys, as reports have them. */
	bool has_id, has_author;
	uint8_t id_key[ID_DIGEST_BYTES];
	uint8_t author_key[ID_DIGEST_BYTES];
};

/**
 * Measure.
 *
 * @config: accepted by config_check.
 * Returns 0; -EINVAL (a type that launches nothing, or an option that does not fit, named);
 * as load_get_layout, load_guest, id_key_read and writing of files, with @err set. Release with
 * measurement_fini, also on error.
 */
int measure(const struct config *config, const struct measure_request *request,
	    struct measurement *ret_measurement, struct err *err);

/* Accepts a zeroed struct. */
void measurement_fini(struct measurement *measurement);

/**
 * Sign an ID block for a measured launch and write both files.
 *
 * @request: with an id_key. Returns 0, or -errno with @err set.
 */
int measure_sign(const struct measure_request *request, struct measurement *measurement,
		 struct err *err);

#endif
