// SPDX-License-Identifier: GPL-2.0-or-later
/* What KVM can do: types of guests, and how their memory converts. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>

#include "vmm/host.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"
#include "vmm/type.h"

#define KVM_PATH "/dev/kvm"

static void look_kvm(struct probe *probe, int argument)
{
	(void)argument;
	if (!probe->question.host)
		probe_say_err(probe, PROBE_FAIL, KVM_PATH, "look at the kernel log",
			      &probe->question.host_err);
	else
		probe_say(
			probe, PROBE_OK, KVM_PATH, NULL, "API version %d, %d vCPUs at most",
			KVM_API_VERSION,
			host_kvm_check_extension(probe->question.host, -1, KVM_CAP_MAX_VCPUS));
}

/* Capabilities of the system that a guest of ours needs whatever its type. */
static void look_capabilities(struct probe *probe, int argument)
{
	static const struct {
		unsigned int capability;
		const char *name;
		int bits;
		const char *cure;
	} needed[] = {
		{KVM_CAP_USER_MEMORY2, "KVM_CAP_USER_MEMORY2", 1, "use Linux 6.8 or newer"},
		{KVM_CAP_GUEST_MEMFD, "KVM_CAP_GUEST_MEMFD", 1,
		 "use Linux 6.8 or newer with CONFIG_KVM_GUEST_MEMFD"},
		{KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP", 1, "use Linux 6.8 or newer"},
		{KVM_CAP_X2APIC_API, "KVM_CAP_X2APIC_API",
		 KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
		 "use Linux 6.8 or newer"},
	};

	(void)argument;
	for (size_t i = 0; i < ARRAY_SIZE(needed) && probe->question.host; i++) {
		int value = host_kvm_check_extension(probe->question.host, -1,
						     needed[i].capability);

		if (value > 0 && (value & needed[i].bits) == needed[i].bits)
			probe_say(probe, PROBE_OK, needed[i].name, NULL, "%d", value);
		else
			probe_say(probe, PROBE_FAIL, needed[i].name, needed[i].cure, "%d",
				  value);
	}
}

/* Hypercalls by which guests convert memory. */
static void look_hypercalls(struct probe *probe, int argument)
{
	int value;

	(void)argument;
	if (!probe->question.host)
		return;
	value = host_kvm_check_extension(probe->question.host, -1, KVM_CAP_EXIT_HYPERCALL);
	if (value > 0 && value & 1 << KVM_HC_MAP_GPA_RANGE)
		probe_say(probe, PROBE_OK, "KVM_CAP_EXIT_HYPERCALL", NULL, "0x%x",
			  (unsigned int)value);
	else
		probe_say(probe, PROBE_FAIL, "KVM_CAP_EXIT_HYPERCALL", "use Linux 6.8 or newer",
			  "%d, without KVM_HC_MAP_GPA_RANGE", value);
}

/* --- Types --- */

/* Of those types whose checks say more; the others have a cure of their own. */
static const char *const type_cures[GUEST_TYPE_COUNT] = {
	[GUEST_TYPE_SNP] = "mend what the lines of snp below say, then load kvm_amd again",
	[GUEST_TYPE_TDX] = "mend what the lines of tdx below say, then boot again",
};

/* The only test that is enough by itself: KVM offers the type, and makes such a VM. */
static void look_type(struct probe *probe, int type)
{
	struct host *host = probe->question.host;
	unsigned long kvm_type = guest_type_find((enum guest_type)type)->kvm_type;
	const char *name = guest_type_find((enum guest_type)type)->name;
	const char *cure = type_cures[type] ? type_cures[type]
					    : guest_type_find((enum guest_type)type)->cure;
	int types, vm = probe->vms[type];

	if (!host) {
		probe_say(probe, PROBE_UNKNOWN, KVM_PATH, "mend " KVM_PATH " first",
			  "cannot be asked for type %s", name);
		return;
	}
	types = host_kvm_check_extension(host, -1, KVM_CAP_VM_TYPES);
	/* A kernel before 6.8 has the default type and does not say so. */
	if (types <= 0)
		types = 1 << KVM_X86_DEFAULT_VM;
	if (!(types >> kvm_type & 1))
		probe_say(probe, PROBE_FAIL, "KVM_CAP_VM_TYPES", cure, "0x%x, without type %s",
			  (unsigned int)types, name);
	else if (vm < 0)
		probe_say(probe, PROBE_FAIL, "KVM_CREATE_VM", cure, "type %s: %s", name,
			  err_describe(vm));
	else
		probe_say(probe, PROBE_OK, "KVM_CREATE_VM", NULL, "type %s, %d vCPUs at most",
			  name, host_kvm_check_extension(host, vm, KVM_CAP_MAX_VCPUS));
}

/* --- Memory --- */

static const struct {
	const char *name;
	const char *call; /* that shows it */
} backings[] = {
	[BACKING_PLAIN] = {"plain", "KVM_CREATE_GUEST_MEMFD"},
	[BACKING_INPLACE] = {"inplace", "KVM_SET_MEMORY_ATTRIBUTES2"},
	[BACKING_PAIRED] = {"paired", "KVM_SET_MEMORY_ATTRIBUTES"},
};

/* @err: "memory: cause; cure". */
static void say_memory(struct probe *probe, const char *looked_at, int ret, struct err *err)
{
	static const char object[] = "memory: ";

	if (!strncmp(err->text, object, strlen(object)))
		memmove(err->text, err->text + strlen(object),
			strlen(err->text + strlen(object)) + 1);
	probe_say_err(probe, ret == -EOPNOTSUPP ? PROBE_FAIL : PROBE_UNKNOWN, looked_at,
		      "look at the kernel log", err);
}

/* By trying, as a machine does. */
static void look_memory(struct probe *probe, int type)
{
	enum backing backing = BACKING_PLAIN;
	struct err err = {0};
	int ret;

	if (probe->vms[type] < 0) /* has been said */
		return;
	if (guest_type_find((enum guest_type)type)->has_private_memory)
		ret = backing_probe(probe->question.host, probe->vms[type], &backing, &err);
	else
		ret = backing_try(probe->question.host, probe->vms[type], backing, &err);
	if (ret)
		say_memory(probe, "guest_memfd", ret, &err);
	else
		probe_say(probe, PROBE_OK, "guest_memfd", NULL, "backing %s",
			  backings[backing].name);
}

/* Which VM shows it: all types with private memory convert alike. */
static int backing_choose_vm(const struct probe *probe, enum backing backing)
{
	if (backing == BACKING_PLAIN)
		return probe->vms[GUEST_TYPE_PLAIN];
	for (unsigned int i = GUEST_TYPE_SW; i < GUEST_TYPE_COUNT; i++) {
		if (probe->vms[i] >= 0)
			return probe->vms[i];
	}
	return -ENODEV;
}

static void look_backing(struct probe *probe, int backing)
{
	int vm = backing_choose_vm(probe, (enum backing)backing);
	struct err err = {0};
	int ret;

	if (vm < 0) {
		probe_say(probe, PROBE_UNKNOWN, backings[backing].call,
			  "it takes a type of guest that KVM can make",
			  "there is no VM to try");
		return;
	}
	ret = backing_try(probe->question.host, vm, (enum backing)backing, &err);
	if (ret)
		say_memory(probe, backings[backing].call, ret, &err);
	else
		probe_say(probe, PROBE_OK, backings[backing].call, NULL, "works");
}

#define TYPE_ROWS(row_name, type)                                                             \
	{.name = row_name ".kvm",                                                             \
	 .subjects = PROBE_BIT(type),                                                         \
	 .look = look_type,                                                                   \
	 .argument = (type)},                                                                 \
	{                                                                                     \
		.name = row_name ".memory", .subjects = PROBE_BIT(type), .look = look_memory, \
		.argument = (type)                                                            \
	}

const struct probe_check probe_checks_kvm[] = {
	{.name = "kvm", .subjects = PROBE_BITS_TYPES, .look = look_kvm},
	{.name = "kvm.capability", .subjects = PROBE_BITS_TYPES, .look = look_capabilities},
	{.name = "kvm.hypercall", .subjects = PROBE_BITS_PRIVATE, .look = look_hypercalls},
	{.name = "backing.plain",
	 .subjects = PROBE_BIT(GUEST_TYPE_PLAIN),
	 .weight = PROBE_HINT,
	 .look = look_backing,
	 .argument = BACKING_PLAIN},
	{.name = "backing.inplace",
	 .subjects = PROBE_BITS_PRIVATE,
	 .weight = PROBE_HINT,
	 .look = look_backing,
	 .argument = BACKING_INPLACE},
	{.name = "backing.paired",
	 .subjects = PROBE_BITS_PRIVATE,
	 .weight = PROBE_HINT,
	 .look = look_backing,
	 .argument = BACKING_PAIRED},
	TYPE_ROWS("plain", GUEST_TYPE_PLAIN),
	TYPE_ROWS("sw", GUEST_TYPE_SW),
	TYPE_ROWS("snp", GUEST_TYPE_SNP),
	TYPE_ROWS("tdx", GUEST_TYPE_TDX),
	{.name = NULL},
};
