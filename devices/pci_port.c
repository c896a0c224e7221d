// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A root port of PCI Express with a hot-plug slot, as the guest's own driver of ports knows it:
 * no firmware takes part.
 *
 * The slot has an attention button, a power indicator, no power controller and no lock, and
 * allows surprise. The indicator tells us what the guest does with the device:
 *
 *	on	it is in use
 *	blinks	it is being taken into use, or out of it
 *	off	the guest is done with it; it may go
 *
 * So the indicator going off is the end of every orderly removal, whoever asked for it: we, by
 * the button, or somebody in the guest. Linux waits five seconds after the button, in which it
 * can be pressed again to call that off.
 *
 * Without a power controller nothing is cut off and nothing has to be waited for: what Linux
 * does for a second after it turned a slot off would make it deaf for what is plugged in then.
 *
 * Source: PCI Express Base Specification 6.0, 6.7 (hot plug), 7.5.1.3 and 7.5.3 (registers).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	SPEED = 4,     /* 16 GT/s */
	SPEEDS = 0x1e, /* all up to that */
	WIDTH = 16,
	LINK_UP = SPEED | WIDTH << 4 | PCI_EXP_LNKSTA_DLLLA,
	SLOT_EVENTS = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC,
};

/* --- The slot --- */

/* clang-format off */
static const struct pci_slot_step steps[PCI_SLOT_STATES][PCI_SLOT_EVENTS] = {
	[PCI_SLOT_EMPTY] = {
		[PCI_SLOT_PLUG]      = {.to = PCI_SLOT_USED},
	},
	[PCI_SLOT_USED] = {
		[PCI_SLOT_ASK_OFF]   = {.to = PCI_SLOT_RELEASED, .release = true},
		[PCI_SLOT_ASK_BUSY]  = {.to = PCI_SLOT_WANTED},
		[PCI_SLOT_ASK_ON]    = {.to = PCI_SLOT_PRESSED, .press = true},
		[PCI_SLOT_SHOW_OFF]  = {.to = PCI_SLOT_RELEASED, .release = true},
	},
	/* A button pressed now would not be heard. */
	[PCI_SLOT_WANTED] = {
		[PCI_SLOT_ASK_OFF]   = {.to = PCI_SLOT_RELEASED, .release = true},
		[PCI_SLOT_SHOW_ON]   = {.to = PCI_SLOT_PRESSED, .press = true},
		[PCI_SLOT_SHOW_OFF]  = {.to = PCI_SLOT_RELEASED, .release = true},
	},
	/* Pressing it again would call it off. */
	[PCI_SLOT_PRESSED] = {
		[PCI_SLOT_ASK_OFF]   = {.to = PCI_SLOT_RELEASED, .release = true},
		[PCI_SLOT_SHOW_OFF]  = {.to = PCI_SLOT_RELEASED, .release = true},
	},
};
/* clang-format on */

struct pci_slot_step pci_slot_next(enum pci_slot_state state, enum pci_slot_event event)
{
	struct pci_slot_step step;

	ASSERT(state < PCI_SLOT_STATES);
	ASSERT(event < PCI_SLOT_EVENTS);
	step = steps[state][event];
	if (event == PCI_SLOT_UNPLUG)
		return (struct pci_slot_step){.to = PCI_SLOT_EMPTY};
	/* Nothing leads to EMPTY but that. */
	if (step.to == PCI_SLOT_EMPTY)
		step.to = state;
	return step;
}

/* --- The capability --- */

static uint16_t express_get(const struct pci_port *port, unsigned int offset)
{
	uint16_t value;

	memcpy(&value, port->express + offset, sizeof(value));
	return value;
}

static void express_set(struct pci_port *port, unsigned int offset, uint16_t value)
{
	memcpy(port->express + offset, &value, sizeof(value));
}

/*
 * 6.7.3.4: a message is sent when the first event is shown that is enabled, and not again until
 * there was none.
 */
static void update_signal(struct pci_port *port)
{
	uint16_t control = express_get(port, PCI_EXP_SLTCTL);
	uint16_t status = express_get(port, PCI_EXP_SLTSTA);
	bool is_signalling =
		control & PCI_EXP_SLTCTL_HPIE &&
		((status & PCI_EXP_SLTSTA_ABP && control & PCI_EXP_SLTCTL_ABPE) ||
		 (status & PCI_EXP_SLTSTA_PDC && control & PCI_EXP_SLTCTL_PDCE) ||
		 (status & PCI_EXP_SLTSTA_DLLSC && control & PCI_EXP_SLTCTL_DLLSCE));

	if (is_signalling && !port->is_signalling)
		pci_device_raise_msix(port->device, 0);
	port->is_signalling = is_signalling;
}

static void show_event(struct pci_port *port, uint16_t events)
{
	express_set(port, PCI_EXP_SLTSTA, express_get(port, PCI_EXP_SLTSTA) | events);
	update_signal(port);
}

static void slot_step(struct pci_port *port, enum pci_slot_event event)
{
	struct pci_slot_step step = pci_slot_next(port->state, event);

	port->state = step.to;
	if (step.press)
		show_event(port, PCI_EXP_SLTSTA_ABP);
	if (step.release && event != PCI_SLOT_ASK_OFF)
		port->user->released(port->user);
}

static uint16_t indicator(const struct pci_port *port)
{
	return express_get(port, PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_PIC;
}

static void indicator_changed(struct pci_port *port)
{
	switch (indicator(port)) {
	case PCI_EXP_SLTCTL_PWR_IND_ON:
		slot_step(port, PCI_SLOT_SHOW_ON);
		break;
	case PCI_EXP_SLTCTL_PWR_IND_BLINK:
		slot_step(port, PCI_SLOT_SHOW_BUSY);
		break;
	case PCI_EXP_SLTCTL_PWR_IND_OFF:
		slot_step(port, PCI_SLOT_SHOW_OFF);
		break;
	default: /* reserved */
		break;
	}
}

/* What the guest can change: bits it writes, and bits it clears by writing one. */
static const struct express_register {
	unsigned int offset;
	uint16_t writable;
	uint16_t clearable;
} express_registers[] = {
	{.offset = PCI_EXP_DEVCTL,
	 .writable = PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		     PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		     PCI_EXP_DEVCTL_READRQ},
	{.offset = PCI_EXP_LNKCTL,
	 .writable = PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES},
	{.offset = PCI_EXP_SLTCTL,
	 .writable = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE |
		     PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_DLLSCE},
	{.offset = PCI_EXP_SLTSTA, .clearable = SLOT_EVENTS},
	{.offset = PCI_EXP_RTCTL,
	 .writable = PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE |
		     PCI_EXP_RTCTL_PMEIE},
	{.offset = PCI_EXP_LNKCTL2, .writable = PCI_EXP_LNKCTL2_TLS},
};

/* @value: as far as @mask says that it was written. */
static void express_write_register(struct pci_port *port, const struct express_register *reg,
				   uint16_t value, uint16_t mask)
{
	uint16_t changes = reg->writable & mask;
	uint16_t now = express_get(port, reg->offset);

	now = (uint16_t)((now & ~changes) | (value & changes));
	now &= (uint16_t) ~(value & mask & reg->clearable);
	express_set(port, reg->offset, now);
}

static uint32_t express_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	const struct pci_port *port = owner;
	uint32_t value = 0;

	ASSERT(offset + size_bytes <= PCI_EXPRESS_BYTES);
	memcpy(&value, port->express + offset, size_bytes);
	return value;
}

static void express_write(void *owner, unsigned int offset, uint32_t value,
			  unsigned int size_bytes)
{
	struct pci_port *port = owner;
	uint16_t old_indicator = indicator(port);
	uint8_t values[PCI_EXPRESS_BYTES] = {0};
	uint8_t masks[PCI_EXPRESS_BYTES] = {0};

	ASSERT(offset + size_bytes <= PCI_EXPRESS_BYTES);
	memcpy(values + offset, &value, size_bytes);
	memset(masks + offset, 0xff, size_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(express_registers); i++) {
		const struct express_register *reg = &express_registers[i];
		uint16_t written, mask;

		memcpy(&written, values + reg->offset, sizeof(written));
		memcpy(&mask, masks + reg->offset, sizeof(mask));
		if (mask)
			express_write_register(port, reg, written, mask);
	}
	update_signal(port);
	if (indicator(port) != old_indicator)
		indicator_changed(port);
}

static const struct pci_config_ops express_ops = {
	.read = express_read,
	.write = express_write,
};

static void express_init(struct pci_port *port)
{
	const uint32_t link = SPEED | WIDTH << 4 | PCI_EXP_LNKCAP_DLLLARC | port->index << 24;
	const uint32_t slot = PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_HPS |
			      PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_NCCS |
			      (port->index + 1) << 19;
	const uint32_t device = PCI_EXP_DEVCAP_RBER;
	const uint32_t speeds = SPEEDS;

	express_set(port, PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ROOT_PORT << 4 | PCI_EXP_FLAGS_SLOT);
	memcpy(port->express + PCI_EXP_DEVCAP, &device, sizeof(device));
	memcpy(port->express + PCI_EXP_LNKCAP, &link, sizeof(link));
	memcpy(port->express + PCI_EXP_SLTCAP, &slot, sizeof(slot));
	memcpy(port->express + PCI_EXP_LNKCAP2, &speeds, sizeof(speeds));
	express_set(port, PCI_EXP_SLTCTL, PCI_EXP_SLTCTL_PWR_IND_OFF);
	express_set(port, PCI_EXP_LNKCTL2, SPEED);
}

/* --- What is forwarded --- */

unsigned int pci_port_bus(const struct pci_port *port)
{
	const uint8_t *config = port->device->config;
	unsigned int bus = config[PCI_SECONDARY_BUS];

	return bus <= config[PCI_SUBORDINATE_BUS] ? bus : 0;
}

static uint32_t config_get(const struct pci_port *port, unsigned int offset,
			   unsigned int size_bytes)
{
	uint32_t value = 0;

	memcpy(&value, port->device->config + offset, size_bytes);
	return value;
}

static void config_set(struct pci_port *port, unsigned int offset, uint64_t value,
		       unsigned int size_bytes)
{
	memcpy(port->device->config + offset, &value, size_bytes);
}

/* In units of 1 MiB; both ends belong to it, and a limit below the base means none. */
struct range pci_port_window(const struct pci_port *port, enum pci_window_kind kind)
{
	unsigned int at = kind == PCI_WINDOW_32 ? PCI_MEMORY_BASE : PCI_PREF_MEMORY_BASE;
	uint64_t base = (uint64_t)(config_get(port, at, 2) & 0xfff0) << 16;
	uint64_t limit = (uint64_t)(config_get(port, at + 2, 2) & 0xfff0) << 16;

	if (kind == PCI_WINDOW_64) {
		base |= (uint64_t)config_get(port, PCI_PREF_BASE_UPPER32, 4) << 32;
		limit |= (uint64_t)config_get(port, PCI_PREF_LIMIT_UPPER32, 4) << 32;
	}
	/* One up to the last byte of all would end beyond it; nothing is there. */
	if (limit < base || limit + MIB < limit)
		return (struct range){0};
	return (struct range){.start = base, .end = limit + MIB};
}

void pci_port_set_windows(struct pci_port *port, unsigned int bus, struct range window_32,
			  struct range window_64)
{
	uint64_t last_32 = window_32.end - 1, last_64 = window_64.end - 1;

	ASSERT(bus > 0 && bus <= UINT8_MAX);
	ASSERT(is_aligned(window_32.start | window_32.end, MIB));
	ASSERT(is_aligned(window_64.start | window_64.end, MIB));
	config_set(port, PCI_SECONDARY_BUS, bus, 1);
	config_set(port, PCI_SUBORDINATE_BUS, bus, 1);
	config_set(port, PCI_MEMORY_BASE, window_32.start >> 16 & 0xfff0, 2);
	config_set(port, PCI_MEMORY_LIMIT, last_32 >> 16 & 0xfff0, 2);
	config_set(port, PCI_PREF_MEMORY_BASE,
		   (window_64.start >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64, 2);
	config_set(port, PCI_PREF_MEMORY_LIMIT,
		   (last_64 >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64, 2);
	config_set(port, PCI_PREF_BASE_UPPER32, window_64.start >> 32, 4);
	config_set(port, PCI_PREF_LIMIT_UPPER32, last_64 >> 32, 4);
}

bool pci_port_forwards(const struct pci_port *port, struct range range)
{
	if (!(port->device->config[PCI_COMMAND] & PCI_COMMAND_MEMORY))
		return false;
	return range_covers(pci_port_window(port, PCI_WINDOW_32), range) ||
	       range_covers(pci_port_window(port, PCI_WINDOW_64), range);
}

/* --- Coming and going --- */

static bool is_heard(const struct pci_port *port)
{
	return express_get(port, PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_HPIE;
}

/* As firmware does: a driver of ports that starts later finds a device in use. */
static void turn_on(struct pci_port *port)
{
	uint16_t control = express_get(port, PCI_EXP_SLTCTL);

	control &= (uint16_t)~PCI_EXP_SLTCTL_PIC;
	express_set(port, PCI_EXP_SLTCTL, control | PCI_EXP_SLTCTL_PWR_IND_ON);
}

void pci_port_filled_locked(struct pci_port *port)
{
	slot_step(port, PCI_SLOT_PLUG);
	if (!is_heard(port))
		turn_on(port);
	express_set(port, PCI_EXP_LNKSTA, LINK_UP);
	show_event(port, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
}

void pci_port_emptied_locked(struct pci_port *port)
{
	uint16_t status = express_get(port, PCI_EXP_SLTSTA);

	slot_step(port, PCI_SLOT_UNPLUG);
	port->user = NULL;
	express_set(port, PCI_EXP_LNKSTA, 0);
	express_set(port, PCI_EXP_SLTSTA, status & (uint16_t)~PCI_EXP_SLTSTA_PDS);
	show_event(port, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
}

bool pci_port_ask(struct pci_port *port)
{
	WITH_LOCK(&port->host->lock);

	ASSERT(port->state != PCI_SLOT_EMPTY);
	if (!is_heard(port) || indicator(port) == PCI_EXP_SLTCTL_PWR_IND_OFF)
		slot_step(port, PCI_SLOT_ASK_OFF);
	else if (indicator(port) == PCI_EXP_SLTCTL_PWR_IND_ON)
		slot_step(port, PCI_SLOT_ASK_ON);
	else
		slot_step(port, PCI_SLOT_ASK_BUSY);
	return port->state == PCI_SLOT_RELEASED;
}

/* --- Set-up --- */

int pci_port_new(struct pci_host *host, unsigned int index, const struct msi_sink *sink,
		 struct pci_port **ret_port)
{
	/* QEMU's generic root port; drivers go by the class. */
	static const struct pci_device_info info = {
		.vendor_id = 0x1b36,
		.device_id = 0x000c,
		.class_code = 0x060400,
	};
	struct pci_port *port = calloc(1, sizeof(*port));
	int ret;

	if (!port)
		return -ENOMEM;
	port->host = host;
	port->index = index;
	express_init(port);
	ret = pci_device_new(&info, &port->device);
	if (!ret) {
		pci_device_make_bridge(port->device);
		pci_device_extend_config(port->device);
		ret = pci_device_add_capability(
			port->device, PCI_CAP_ID_EXP, port->express + PCI_EXP_FLAGS,
			PCI_EXPRESS_BYTES - PCI_EXP_FLAGS, &express_ops, PCI_EXP_FLAGS, port);
	}
	if (ret >= 0)
		ret = pci_device_add_msix(port->device, 0, 1, sink);
	if (ret < 0) {
		pci_port_free(port);
		return ret;
	}
	*ret_port = port;
	return 0;
}

void pci_port_free(struct pci_port *port)
{
	if (!port)
		return;
	ASSERT(port->state == PCI_SLOT_EMPTY);
	pci_device_free(port->device);
	free(port);
}
