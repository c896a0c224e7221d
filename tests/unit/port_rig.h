/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PCI host with one hot-plug port, and what its guest and its user see. */
#ifndef TESTS_UNIT_PORT_RIG_H
#define TESTS_UNIT_PORT_RIG_H

#include "devices/pci.h"
#include "tests/unit/pci_rig.h"
#include "vmm/host.h"

enum {
	PORT_SLOT = 1,	/* on bus 0 */
	PORT_BUS = 1,	/* behind it */
	EXPRESS = 0x40, /* where its capability is */
	MSIX = 0x7c,
	SLOT_ENABLES = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE |
		       PCI_EXP_SLTCTL_DLLSCE,
};

struct port_rig {
	struct rig pci;
	struct host host;
	unsigned int n_msis;
	struct pci_port *port;
	struct pci_port_user user;
	unsigned int n_released;
};

static inline int port_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct port_rig *rig = container_of(host, struct port_rig, host);

	(void)vm;
	ck_assert_uint_eq(address, 0xfee01000);
	ck_assert_uint_eq(data, 0x41);
	rig->n_msis++;
	return 0;
}

static inline void port_released(struct pci_port_user *user)
{
	struct port_rig *rig = container_of(user, struct port_rig, user);

	rig->n_released++;
}

static const struct host_ops port_host_ops = {.vm_signal_msi = port_signal_msi};

static inline void port_rig_init(struct port_rig *rig)
{
	struct msi_sink sink = {.host = &rig->host};

	*rig = (struct port_rig){
		.pci = make_rig(),
		.host.ops = &port_host_ops,
		.user.released = port_released,
	};
	ck_assert_int_eq(pci_host_add_port(rig->pci.host, &sink, &rig->port), 0);
}

static inline void port_rig_fini(struct port_rig *rig)
{
	free_rig(&rig->pci);
}

/* Where a function has its configuration. */
static inline uint64_t config_at(unsigned int bus, unsigned int slot, unsigned int offset)
{
	return ECAM + bus * 0x100000 + slot * 0x8000 + offset;
}

static inline uint32_t port_get(struct port_rig *rig, unsigned int offset,
				unsigned int size_bytes)
{
	return (uint32_t)read_ecam(&rig->pci, PORT_SLOT, offset, size_bytes);
}

static inline void port_set(struct port_rig *rig, unsigned int offset, uint32_t value,
			    unsigned int size_bytes)
{
	write_ecam(&rig->pci, PORT_SLOT, offset, value, size_bytes);
}

static inline uint16_t express_get(struct port_rig *rig, unsigned int offset)
{
	return (uint16_t)port_get(rig, EXPRESS + offset, 2);
}

static inline void express_set(struct port_rig *rig, unsigned int offset, uint16_t value)
{
	port_set(rig, EXPRESS + offset, value, 2);
}

/* Those that were shown, cleared. */
static inline uint16_t take_events(struct port_rig *rig)
{
	const uint16_t events = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC;
	uint16_t shown = express_get(rig, PCI_EXP_SLTSTA) & events;

	express_set(rig, PCI_EXP_SLTSTA, shown);
	return shown;
}

static inline void show(struct port_rig *rig, uint16_t indicator)
{
	uint16_t control = express_get(rig, PCI_EXP_SLTCTL);

	express_set(rig, PCI_EXP_SLTCTL,
		    (uint16_t)((control & ~PCI_EXP_SLTCTL_PIC) | indicator));
}

/* The guest's driver of ports starts: the message, all events, decoding. */
static inline void start_driver(struct port_rig *rig)
{
	uint64_t table = MMIO32 + 0x1000 * (PORT_SLOT - 1);

	port_set(rig, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(get_bar(&rig->pci, PORT_SLOT, 0), table);
	bus_write(rig->pci.mmio, table, 0xfee01000, 8);
	bus_write(rig->pci.mmio, table + 8, 0x41, 8);
	port_set(rig, MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	take_events(rig);
	express_set(rig, PCI_EXP_SLTCTL,
		    express_get(rig, PCI_EXP_SLTCTL) | (uint16_t)SLOT_ENABLES);
}

static inline void tagged_new(struct tagged *tagged, uint64_t size_bytes, uint32_t kind)
{
	*tagged = (struct tagged){.tag = 0x100, .gpa = PCI_BAR_UNMAPPED};
	ck_assert_int_eq(pci_device_new(&info, &tagged->device), 0);
	pci_device_add_bar(tagged->device, 0, size_bytes, kind, &tagged_ops, tagged);
}

static inline void plug_in(struct port_rig *rig, struct tagged *tagged)
{
	tagged_new(tagged, 16 * KIB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	ck_assert_int_eq(pci_port_plug(rig->port, tagged->device, &rig->user), 0);
}

/* The guest takes the device into use: what Linux shows meanwhile. */
static inline void take_into_use(struct port_rig *rig)
{
	take_events(rig);
	show(rig, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	show(rig, PCI_EXP_SLTCTL_PWR_IND_ON);
}

#endif
