// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of a machine are made in the order of a table and unmade in the reverse order,
 * whether the machine was finished or not.
 */
#include "vmm/machine_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/conversion_log.h"
#include "vmm/cpuid.h"
#include "vmm/host.h"
#include "vmm/machine_control.h"
#include "vmm/sandbox.h"
#include "vmm/type.h"

enum {
	DISK_QUEUES_DEFAULT_MAX = 4,
};

static void machine_raise(void *opaque, enum machine_event event, unsigned int code)
{
	static const enum end_kind kinds[] = {
		[MACHINE_POWER_OFF] = END_POWER_OFF, [MACHINE_RESET] = END_RESET,
		[MACHINE_PANIC] = END_PANIC,	     [MACHINE_EXIT] = END_EXIT,
		[MACHINE_QUIT] = END_QUIT,
	};

	machine_end(opaque, kinds[event], code, "");
}

static void machine_vcpu_ended(void *opaque, enum vcpu_end end, const char *reason)
{
	static const enum end_kind kinds[] = {
		[VCPU_SHUTDOWN] = END_SHUTDOWN,
		[VCPU_CRASHED] = END_CRASH,
		[VCPU_FAILED] = END_FAILED,
	};

	machine_end(opaque, kinds[end], 0, reason);
}

static void machine_on_signal(struct loop_op *op, int result)
{
	struct machine *machine = container_of(op, struct machine, on_signal);
	struct signalfd_siginfo info;

	if (result < 0)
		return;
	if (read(machine->signals, &info, sizeof(info)) == sizeof(info))
		machine_end(machine, END_SIGNAL, info.ssi_signo, "");
	else
		loop_poll(machine->loop, &machine->on_signal, machine->signals, POLLIN);
}

static int vm_start(struct machine *machine, struct err *err)
{
	struct host *host = machine->host;
	struct kvm_enable_cap split_irqchip = {
		.cap = KVM_CAP_SPLIT_IRQCHIP,
		.args = {PLATFORM_IOAPIC_PINS},
	};
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
	};
	int ret;

	machine->sink = (struct machine_sink){.raise = machine_raise, .machine = machine};
	machine->vm = host_vm_create(host, machine->type->kvm_type);
	if (machine->vm < 0)
		return err_set(err, machine->vm, "vm: KVM cannot create one of type %s: %s; %s",
			       machine->type->name, err_describe(machine->vm),
			       machine->type->cure);
	ret = host_vm_set_identity_map(host, machine->vm, PLATFORM_KVM_IDMAP_GPA);
	if (!ret)
		ret = host_vm_set_tss_address(host, machine->vm, PLATFORM_KVM_TSS_GPA);
	if (ret)
		return err_set(err, ret, "vm: KVM refused its own pages: %s",
			       err_describe(ret));
	ret = host_vm_enable_cap(host, machine->vm, &split_irqchip);
	if (!ret)
		ret = host_vm_enable_cap(host, machine->vm, &x2apic);
	if (ret)
		return err_set(err, ret, "vm: this kernel has no split irqchip with x2APIC: %s",
			       err_describe(ret));
	machine->msi = (struct msi_sink){.host = host, .vm = machine->vm};
	return 0;
}

static void vm_stop(struct machine *machine)
{
	if (machine->vm >= 0)
		host_close(machine->host, machine->vm);
	machine->vm = -1;
}

/* Hypercalls by which the guest converts memory come to us. */
static int conversion_enable(struct machine *machine, struct err *err)
{
	struct kvm_enable_cap hypercalls = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = {1u << KVM_HC_MAP_GPA_RANGE},
	};
	int ret = host_vm_enable_cap(machine->host, machine->vm, &hypercalls);

	if (ret)
		return err_set(err, ret, "vm: KVM does not pass hypercalls on: %s",
			       err_describe(ret));
	cpuid_offer_conversion(machine->cpuid);
	return 0;
}

static int backing_choose(struct machine *machine, enum backing *ret_backing, struct err *err)
{
	static const enum backing chosen[] = {
		[BACKING_CHOICE_INPLACE] = BACKING_INPLACE,
		[BACKING_CHOICE_PAIRED] = BACKING_PAIRED,
	};
	enum backing probed;
	int ret;

	if (!machine->type->has_private_memory) {
		*ret_backing = BACKING_PLAIN;
		return 0;
	}
	ret = backing_probe(machine->host, machine->vm, &probed, err);
	if (ret)
		return ret;
	*ret_backing = probed;
	if (machine->config->backing == BACKING_CHOICE_AUTO)
		return 0;
	*ret_backing = chosen[machine->config->backing];
	/* A kernel does one or the other, by kvm.gmem_in_place_conversion. */
	if (*ret_backing != probed)
		return err_set(
			err, -EOPNOTSUPP, "memory: backing=%s, but this kernel %s",
			*ret_backing == BACKING_INPLACE ? "inplace" : "paired",
			probed == BACKING_INPLACE
				? "converts in place; leave backing out, or load kvm with "
				  "gmem_in_place_conversion=0"
				: "keeps two backings; leave backing out, or load a kvm that "
				  "can with gmem_in_place_conversion=1");
	return 0;
}

static int type_start(struct machine *machine, struct err *err)
{
	int ret = cpuid_new(machine->host, machine->vm, &machine->cpuid, err);

	if (!ret)
		machine->load_host.gpa_bits = cpuid_gpa_bits(machine->cpuid);
	if (!ret && machine->type->has_private_memory)
		ret = conversion_enable(machine, err);
	if (!ret && machine_starts_private(machine))
		cpuid_drop_writers(machine->cpuid, machine->type->shares_clock);
	if (!ret)
		ret = load_get_terms(machine->config, &machine->terms, err);
	if (!ret && machine->type->start)
		ret = machine->type->start(machine, err);
	return ret;
}

static void type_stop(struct machine *machine)
{
	if (machine->type->stop)
		machine->type->stop(machine);
	free(machine->cpuid);
}

static int memory_start(struct machine *machine, struct err *err)
{
	int ret = load_get_layout(machine->config, &machine->load_host, &machine->terms,
				  &machine->layout, err);

	if (!ret)
		ret = backing_choose(machine, &machine->backing, err);
	if (!ret)
		ret = guest_memory_new(machine->host, machine->vm, &machine->layout,
				       machine->backing, &machine->memory, err);
	return ret ? ret : conversion_log_start(machine, err);
}

static void memory_stop(struct machine *machine)
{
	conversion_log_stop(machine);
	guest_memory_free(machine->memory);
}

static int buses_start(struct machine *machine, struct err *err)
{
	int ret = bus_new(&machine->pio);

	if (!ret)
		ret = bus_new(&machine->mmio);
	if (ret)
		return err_set(err, ret, "bus: %s", err_describe(ret));
	return loop_new(&machine->loop, err);
}

static void buses_stop(struct machine *machine)
{
	bus_free(machine->mmio);
	bus_free(machine->pio);
}

/* The ends of the lines: standard input and output for one, a file or nothing for the other. */
static int consoles_start(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	bool has_stdio = config->console != CONSOLE_NONE;
	int serial_fd = config->console == CONSOLE_VIRTIO ? STDOUT_FILENO : -1;
	int ret;

	if (config->serial_log) {
		/* What led to a reset is what the log is read for. */
		int how = machine->n_resets ? O_APPEND : O_TRUNC;

		machine->serial_log =
			open(config->serial_log, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);
		if (machine->serial_log < 0)
			return err_set(err, -errno, "console log '%s': cannot open: %s",
				       config->serial_log, err_describe(errno));
		serial_fd = machine->serial_log;
	}
	ret = console_new(machine->loop, has_stdio ? STDIN_FILENO : -1,
			  has_stdio ? STDOUT_FILENO : -1, has_stdio && isatty(STDIN_FILENO),
			  &machine->sink, &machine->console);
	if (!ret && config->console != CONSOLE_SERIAL)
		ret = console_new(machine->loop, -1, serial_fd, false, &machine->sink,
				  &machine->serial_console);
	return ret ? err_set(err, ret, "console: %s", err_describe(ret)) : 0;
}

static void consoles_stop(struct machine *machine)
{
	console_free(machine->serial_console);
	console_free(machine->console);
	if (machine->serial_log >= 0)
		close(machine->serial_log);
}

static int platform_start(struct machine *machine, struct err *err)
{
	int ret = ioapic_new(machine->mmio, &machine->msi, &machine->ioapic);

	if (!ret)
		ret = serial_new(machine->pio, machine->ioapic,
				 machine->serial_console ? machine->serial_console
							 : machine->console,
				 &machine->serial);
	if (!ret)
		ret = power_new(machine->pio, machine->mmio, &machine->sink, &machine->power);
	if (!ret)
		ret = pci_host_new(machine->mmio, machine->pio, &machine->layout,
				   &machine->pci);
	return ret ? err_set(err, ret, "devices: %s", err_describe(ret)) : 0;
}

static void platform_stop(struct machine *machine)
{
	pci_host_free(machine->pci);
	power_free(machine->power);
	serial_free(machine->serial);
	ioapic_free(machine->ioapic);
}

static int disk_start(struct machine *machine, const struct virtio_env *env, unsigned int index,
		      struct err *err)
{
	const struct disk_config *disk = &machine->config->disks[index];
	unsigned int n_vcpus = machine->config->n_vcpus;
	struct virtio_blk_config blk = {
		.path = disk->path,
		.serial = disk->serial ? disk->serial : disk->name,
		.readonly = disk->readonly,
		.direct = disk->direct,
		.n_queues = disk->n_queues,
	};

	if (!blk.n_queues)
		blk.n_queues =
			n_vcpus < DISK_QUEUES_DEFAULT_MAX ? n_vcpus : DISK_QUEUES_DEFAULT_MAX;
	return virtio_blk_new(env, &blk, &machine->disks[index], err);
}

static int virtio_start(struct machine *machine, struct err *err)
{
	struct virtio_env env = {
		.host = machine->host,
		.vm = machine->vm,
		.memory = machine->memory,
		.loop = machine->loop,
		.pci = machine->pci,
		.msi = machine->msi,
	};
	int ret = 0;

	for (unsigned int i = 0; i < machine->config->n_disks && !ret; i++)
		ret = disk_start(machine, &env, i, err);
	if (!ret && machine->config->console == CONSOLE_VIRTIO)
		ret = virtio_console_new(&env, machine->console, &machine->virtio_console, err);
	if (!ret && machine->config->rng)
		ret = virtio_rng_new(&env, &machine->rng, err);
	return ret;
}

static void virtio_stop(struct machine *machine)
{
	virtio_rng_free(machine->rng);
	virtio_console_free(machine->virtio_console);
	for (unsigned int i = 0; i < CONFIG_DISKS_MAX; i++)
		virtio_blk_free(machine->disks[i]);
}

static void *loop_thread(void *argument)
{
	struct machine *machine = argument;
	struct err err = {0};
	int ret;

	pthread_setname_np(pthread_self(), "loop");
	ret = sandbox_enter(SANDBOX_LOOP | (machine->quote ? SANDBOX_QUOTES : 0),
			    machine->config->sandbox, &err);
	if (!ret) {
		ret = loop_run(machine->loop);
		machine->loop_result = ret;
		if (ret)
			err_set(&err, ret, "loop: io_uring failed: %s", err_describe(ret));
	}
	if (ret)
		machine_end(machine, END_FAILED, 0, err.text);
	return NULL;
}

static int loop_start(struct machine *machine, struct err *err)
{
	int ret;

	machine->signals = signalfd(-1, &machine->stop_signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (machine->signals < 0)
		return err_set(err, -errno, "signals: signalfd: %s", err_describe(errno));
	machine->on_signal.done = machine_on_signal;
	loop_poll(machine->loop, &machine->on_signal, machine->signals, POLLIN);

	ret = -pthread_create(&machine->loop_thread, NULL, loop_thread, machine);
	if (ret)
		return err_set(err, ret, "loop: cannot start its thread: %s",
			       err_describe(ret));
	machine->has_loop_thread = true;
	return 0;
}

/* Ends all operations that devices have in flight, so that the devices can go. */
static void loop_end(struct machine *machine)
{
	if (machine->has_loop_thread) {
		loop_stop(machine->loop);
		pthread_join(machine->loop_thread, NULL);
	}
	machine->is_stuck = machine->loop_result != 0;
	if (machine->is_stuck)
		return;
	loop_free(machine->loop);
	if (machine->signals >= 0)
		close(machine->signals);
}

/* All that they may need in their lives: a filter cannot be widened later. */
static unsigned int vcpu_roles(const struct machine *machine)
{
	unsigned int roles = SANDBOX_VCPU;

	if (machine->config->n_devices || machine->config->n_hotplug_ports)
		roles |= SANDBOX_DEVICES;
	if (machine->certs)
		roles |= SANDBOX_CERTS;
	return roles;
}

static int vcpus_start(struct machine *machine, struct err *err)
{
	unsigned int n_vcpus = machine->config->n_vcpus;
	int ret = 0;

	machine->vcpu_env = (struct vcpu_env){
		.host = machine->host,
		.pio = machine->pio,
		.mmio = machine->mmio,
		.memory = machine->memory,
		.type = machine->type,
		.sandbox = machine->config->sandbox,
		.roles = vcpu_roles(machine),
		.quote = machine->quote,
		.certs = machine->certs,
		.log = machine->log,
		.is_reset = machine->entry.mode == BOOT_MODE_RESET,
		.enforces_features = machine_starts_private(machine),
		.ended = machine_vcpu_ended,
		.machine = machine,
	};
	for (unsigned int i = 0; i < n_vcpus && !ret; i++) {
		cpuid_set_topology(machine->cpuid, i, n_vcpus);
		ret = vcpu_new(&machine->vcpu_env, machine->vm, i, machine->cpuid,
			       &machine->vcpus[i], err);
		if (!ret && machine->type->start_vcpu)
			ret = machine->type->start_vcpu(machine, i, err);
	}
	return ret;
}

static void vcpus_stop(struct machine *machine)
{
	/* Tell all before waiting for the first: they leave the guest side by side. */
	for (unsigned int i = 0; i < PLATFORM_VCPUS_MAX && machine->vcpus[i]; i++)
		vcpu_stop(machine->vcpus[i]);
	for (unsigned int i = 0; i < PLATFORM_VCPUS_MAX && machine->vcpus[i]; i++)
		vcpu_free(machine->vcpus[i]);
}

/* Made downwards, unmade upwards: processors first, then the loop, then the devices they call.
 */
static const struct part {
	int (*start)(struct machine *machine, struct err *err);
	void (*stop)(struct machine *machine); /* also when start failed or was never called */
} parts[] = {
	{vm_start, vm_stop},
	{type_start, type_stop},
	{memory_start, memory_stop},
	{machine_start_load, machine_stop_load},
	{buses_start, buses_stop},
	{consoles_start, consoles_stop},
	{platform_start, platform_stop},
	{machine_start_firmware, machine_stop_firmware},
	{virtio_start, virtio_stop},
	{machine_start_assigned, machine_stop_assigned},
	{machine_start_hotplug, machine_stop_hotplug},
	{machine_start_quotes, machine_stop_quotes},
	{machine_start_control, machine_stop_control},
	{loop_start, loop_end},
	{vcpus_start, vcpus_stop},
	{machine_start_guest, machine_stop_guest},
};

int machine_start_parts(struct machine *machine, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && !ret; i++)
		ret = parts[i].start(machine, err);
	return ret;
}

bool machine_stop_parts(struct machine *machine)
{
	for (size_t i = ARRAY_SIZE(parts); i-- > 0 && !machine->is_stuck;)
		parts[i].stop(machine);
	return !machine->is_stuck;
}
