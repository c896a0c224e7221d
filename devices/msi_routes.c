// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interrupt routes of a VM, all of them messages.
 *
 * KVM takes the whole table at once. Numbers start behind the pins of the IOAPIC, which a split
 * irqchip leaves to us and which go other ways. A route that nobody uses stays in KVM until the
 * next change: no irqfd has its number.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"
#include "vmm/platform.h"

enum { ROUTES_MAX = 4096 - PLATFORM_IOAPIC_PINS }; /* KVM_MAX_IRQ_ROUTES */

struct route {
	bool is_used;
	uint64_t address;
	uint32_t data;
};

struct msi_routes {
	struct host *host;
	int vm;
	pthread_mutex_t lock; /* guards what follows, and the order of tables; a leaf */
	struct route *routes; /* by number, from PLATFORM_IOAPIC_PINS on */
	unsigned int n_room;
	struct kvm_irq_routing *table; /* room for all of them */
};

int msi_routes_new(struct host *host, int vm, struct msi_routes **ret_routes)
{
	struct msi_routes *routes = calloc(1, sizeof(*routes));

	if (!routes)
		return -ENOMEM;
	routes->host = host;
	routes->vm = vm;
	pthread_mutex_init(&routes->lock, NULL);
	*ret_routes = routes;
	return 0;
}

void msi_routes_free(struct msi_routes *routes)
{
	if (!routes)
		return;
	for (unsigned int i = 0; i < routes->n_room; i++)
		ASSERT(!routes->routes[i].is_used);
	pthread_mutex_destroy(&routes->lock);
	free(routes->routes);
	free(routes->table);
	free(routes);
}

static int reserve_locked(struct msi_routes *routes)
{
	unsigned int n_room = routes->n_room ? 2 * routes->n_room : 32;
	struct kvm_irq_routing *table;
	struct route *grown;

	if (routes->n_room == ROUTES_MAX)
		return -ENOSPC;
	if (n_room > ROUTES_MAX)
		n_room = ROUTES_MAX;
	grown = reallocarray(routes->routes, n_room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	routes->routes = grown;
	table = realloc(routes->table, sizeof(*table) + n_room * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	routes->table = table;
	memset(grown + routes->n_room, 0, (n_room - routes->n_room) * sizeof(*grown));
	routes->n_room = n_room;
	return 0;
}

static int send_locked(struct msi_routes *routes)
{
	struct kvm_irq_routing *table = routes->table;

	table->nr = 0;
	table->flags = 0;
	for (unsigned int i = 0; i < routes->n_room; i++) {
		const struct route *route = &routes->routes[i];

		if (!route->is_used)
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = PLATFORM_IOAPIC_PINS + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)route->address,
				  .address_hi = (uint32_t)(route->address >> 32),
				  .data = route->data},
		};
	}
	return host_vm_set_routes(routes->host, routes->vm, table);
}

static struct route *route_of(struct msi_routes *routes, uint32_t gsi)
{
	ASSERT(gsi >= PLATFORM_IOAPIC_PINS);
	ASSERT(gsi - PLATFORM_IOAPIC_PINS < routes->n_room);
	ASSERT(routes->routes[gsi - PLATFORM_IOAPIC_PINS].is_used);
	return &routes->routes[gsi - PLATFORM_IOAPIC_PINS];
}

int msi_routes_add(struct msi_routes *routes, uint64_t address, uint32_t data,
		   uint32_t *ret_gsi)
{
	WITH_LOCK(&routes->lock);
	unsigned int i = 0;
	int ret = 0;

	while (i < routes->n_room && routes->routes[i].is_used)
		i++;
	if (i == routes->n_room)
		ret = reserve_locked(routes);
	if (ret)
		return ret;
	routes->routes[i] = (struct route){.is_used = true, .address = address, .data = data};
	ret = send_locked(routes);
	if (ret) {
		routes->routes[i].is_used = false;
		return ret;
	}
	*ret_gsi = PLATFORM_IOAPIC_PINS + i;
	return 0;
}

int msi_routes_set(struct msi_routes *routes, uint32_t gsi, uint64_t address, uint32_t data)
{
	WITH_LOCK(&routes->lock);
	struct route *route = route_of(routes, gsi);
	struct route old = *route;
	int ret;

	if (old.address == address && old.data == data)
		return 0;
	route->address = address;
	route->data = data;
	ret = send_locked(routes);
	if (ret)
		*route = old;
	return ret;
}

void msi_routes_remove(struct msi_routes *routes, uint32_t gsi)
{
	WITH_LOCK(&routes->lock);

	route_of(routes, gsi)->is_used = false;
}
