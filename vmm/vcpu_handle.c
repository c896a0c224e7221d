// SPDX-License-Identifier: GPL-2.0-or-later
/* What a vCPU's thread does about an exit. */
#include "vmm/vcpu_handle.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "memory/memory.h"
#include "vmm/host.h"
#include "vmm/type.h"

enum {
	REASON_MAX_BYTES = 160,

	/* Faults on end, at one page, that change nothing; those of a race are few. */
	FAULTS_IN_VAIN_MAX = 1000,
};

static void port_access(struct vcpu *vcpu, const struct exit *exit)
{
	char *data = exit->data;

	for (uint32_t i = 0; i < exit->count; i++, data += exit->size_bytes) {
		uint64_t value = 0;

		if (exit->is_write) {
			memcpy(&value, data, exit->size_bytes);
			bus_write(vcpu->env->pio, exit->address, value, exit->size_bytes);
		} else {
			value = bus_read(vcpu->env->pio, exit->address, exit->size_bytes);
			memcpy(data, &value, exit->size_bytes);
		}
	}
}

/* KVM passes pieces of any size up to 8; the bus takes powers of two. */
static void mmio_access(struct vcpu *vcpu, const struct exit *exit)
{
	unsigned int done_bytes = 0;

	while (done_bytes < exit->size_bytes) {
		unsigned int left_bytes = exit->size_bytes - done_bytes;
		unsigned int piece_bytes = 1u << (31 - __builtin_clz(left_bytes));
		char *data = (char *)exit->data + done_bytes;
		uint64_t address = exit->address + done_bytes;
		uint64_t value = 0;

		if (exit->is_write) {
			memcpy(&value, data, piece_bytes);
			bus_write(vcpu->env->mmio, address, value, piece_bytes);
		} else {
			value = bus_read(vcpu->env->mmio, address, piece_bytes);
			memcpy(data, &value, piece_bytes);
		}
		done_bytes += piece_bytes;
	}
}

void vcpu_end(struct vcpu *vcpu, enum vcpu_end end, const char *reason)
{
	vcpu->env->ended(vcpu->env->machine, end, reason);
}

static void vcpu_fail(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs = {0};
	char reason[REASON_MAX_BYTES];

	/* Best effort: a confidential guest does not show them. */
	host_vcpu_get_regs(vcpu->env->host, vcpu->fd, &regs);
	snprintf(reason, sizeof(reason),
		 "vcpu%" PRIu32 ": KVM gave up: %s (0x%" PRIx64 ") at rip 0x%" PRIx64, vcpu->id,
		 what, detail, (uint64_t)regs.rip);
	vcpu_end(vcpu, VCPU_FAILED, reason);
}

static void hypercall_answer(struct vcpu *vcpu, const struct exit *exit)
{
	enum conversion_end end = guest_convert(
		vcpu->env->memory, exit->address, exit->range_bytes,
		exit->to_private ? SIDE_PRIVATE : SIDE_SHARED, CONVERSION_HYPERCALL);

	vcpu->run->hypercall.ret = vcpu->env->type->replies[end];
}

/*
 * The guest touched a page on the side it is not on: a wish to convert it. When the page is
 * there already, another vCPU was faster and the access is tried again; but not for ever.
 */
static bool memory_fault_answer(struct vcpu *vcpu, const struct exit *exit)
{
	static const char *const whats[CONVERSION_END_COUNT] = {
		[CONVERSION_DONE] = "no memory for a page of the guest, gpa",
		[CONVERSION_REFUSED] = "the guest wants what cannot be converted, gpa",
		[CONVERSION_AGAIN] = "a page that the guest wants stays in use, gpa",
		[CONVERSION_BROKEN] = "a page of the guest is lost, gpa",
	};
	enum side to = exit->to_private ? SIDE_PRIVATE : SIDE_SHARED;
	bool in_vain = guest_get_side(vcpu->env->memory, exit->address) == to;
	bool can_convert = vcpu->env->type->has_private_memory;
	enum conversion_end end = CONVERSION_DONE;

	if (can_convert)
		end = guest_convert(vcpu->env->memory, exit->address, exit->range_bytes, to,
				    CONVERSION_MEMORY_FAULT);
	if (exit->address != vcpu->fault_gpa || !(in_vain || end == CONVERSION_AGAIN))
		vcpu->n_faults_in_vain = 0;
	else
		vcpu->n_faults_in_vain++;
	vcpu->fault_gpa = exit->address;
	if (!can_convert || (end != CONVERSION_DONE && end != CONVERSION_AGAIN) ||
	    vcpu->n_faults_in_vain > FAULTS_IN_VAIN_MAX) {
		vcpu_fail(vcpu, whats[end], exit->address);
		return false;
	}
	return true;
}

bool vcpu_handle(struct vcpu *vcpu, const struct exit *exit)
{
	/* The guest got on. */
	if (exit->kind != EXIT_NOTHING && exit->kind != EXIT_MEMORY_FAULT)
		vcpu->n_faults_in_vain = 0;
	switch (exit->kind) {
	case EXIT_NOTHING:
		return true;
	case EXIT_PORT:
		port_access(vcpu, exit);
		return true;
	case EXIT_MMIO:
		mmio_access(vcpu, exit);
		return true;
	case EXIT_SHUTDOWN:
		vcpu_end(vcpu, VCPU_SHUTDOWN, "");
		return false;
	case EXIT_HYPERCALL:
		hypercall_answer(vcpu, exit);
		return true;
	case EXIT_MEMORY_FAULT:
		return memory_fault_answer(vcpu, exit);
	case EXIT_FAILED:
		vcpu_fail(vcpu, exit->what, exit->detail);
		return false;
	}
	return false;
}
