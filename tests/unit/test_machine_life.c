// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole machines of types snp and tdx while they run: memory, devices, and life after life. */
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "tests/fake/trace.h"
#include "tests/fake/verb.h"
#include "tests/unit/cc_guest.h"

#define RAM_BYTES (64 * MIB)
#define PAGE	  GRANULE_BYTES

enum {
	BUFFER_GPA = 0x2000000,
	BUFFER_PAGES = 8,
	HOLE_PAGES = 0x3ec00, /* from the end of low RAM to the IOAPIC */
};

static const struct {
	enum guest_type type;
	bool in_place;
} ways[] = {
	{GUEST_TYPE_SNP, false},
	{GUEST_TYPE_SNP, true},
	{GUEST_TYPE_TDX, false},
	{GUEST_TYPE_TDX, true},
};

static void machine_init(struct fixture *fixture, int way)
{
	fixture_init(fixture, ways[way].type, ways[way].in_place);
	fixture->config.memory_bytes = RAM_BYTES;
}

/* --- Conversions that the guest asks for --- */

static const struct {
	gpa_t gpa;
	uint64_t n_pages;
	bool to_private;
	uint64_t reply;
} requests[] = {
	{BUFFER_GPA, BUFFER_PAGES, false, 0},
	{BUFFER_GPA, BUFFER_PAGES, false, 0}, /* as it is already */
	{BUFFER_GPA + PAGE, 1, true, 0},
	{BUFFER_GPA, BUFFER_PAGES, true, 0},
	{BUFFER_GPA, BUFFER_PAGES, true, 0},
	/* Firmware makes what is no memory shared, and wants to hear that it is. */
	{PLATFORM_HOLE_GPA, HOLE_PAGES, false, 0},
	{PLATFORM_IOAPIC_GPA, 1, false, 0},
	{64 * GIB, 512, false, 0},
	{PLATFORM_HOLE_GPA, HOLE_PAGES, true, EINVAL},
	{PLATFORM_IOAPIC_GPA, 1, true, EINVAL},
	/* Half of it memory: none of it changes. */
	{RAM_BYTES - PAGE, 2, true, EINVAL},
	{RAM_BYTES - PAGE, 2, false, EINVAL},
	{0, UINT64_C(1) << 52, false, EINVAL},
	{0, UINT64_MAX, true, EINVAL},
	{UINT64_MAX - PAGE + 1, 2, false, EINVAL},
	{BUFFER_GPA, 0, false, EINVAL},
	{BUFFER_GPA + 1, 1, false, EINVAL},
};

static void ask_for_all(struct guest *guest)
{
	struct fake *fake = guest->fixture->fake;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint64_t n_calls = fake_count_conversion_calls(fake);
		uint64_t reply = guest_map_gpa(guest, requests[i].gpa, requests[i].n_pages,
					       requests[i].to_private);
		bool is_memory = requests[i].gpa < RAM_BYTES && !requests[i].reply;

		ck_assert_msg(reply == requests[i].reply, "request %zu: %" PRIu64, i, reply);
		if (is_memory)
			ck_assert_int_eq(fake_is_private(fake, requests[i].gpa),
					 requests[i].to_private);
		else
			ck_assert_uint_eq(fake_count_conversion_calls(fake), n_calls);
		ck_assert(fake_is_private(fake, RAM_BYTES - PAGE));
	}
}

START_TEST(test_conversions_are_answered_as_kvm_wants_it)
{
	struct fixture fixture;

	machine_init(&fixture, _i);
	guest_run_program(&fixture, ask_for_all);
	fixture_fini(&fixture);
}
END_TEST

/* Somebody has the page: the guest may try again. */
static void ask_for_a_page_in_use(struct guest *guest)
{
	struct fake *fake = guest->fixture->fake;

	ck_assert_uint_eq(guest_map_gpa(guest, BUFFER_GPA, BUFFER_PAGES, false), 0);
	ck_assert_int_eq(fake_pin(fake, BUFFER_GPA + 2 * PAGE, 0), 0);
	ck_assert_uint_eq(guest_map_gpa(guest, BUFFER_GPA, BUFFER_PAGES, true), EAGAIN);
	ck_assert(!fake_is_private(fake, BUFFER_GPA));
	fake_unpin(fake, BUFFER_GPA + 2 * PAGE);
	ck_assert_uint_eq(guest_map_gpa(guest, BUFFER_GPA, BUFFER_PAGES, true), 0);
	ck_assert(fake_is_private(fake, BUFFER_GPA + 2 * PAGE));
}

START_TEST(test_guest_is_asked_to_try_again)
{
	struct fixture fixture;

	machine_init(&fixture, 2 * _i + 1); /* in place */
	guest_run_program(&fixture, ask_for_a_page_in_use);
	fixture_fini(&fixture);
}
END_TEST

static void touch(struct guest *guest)
{
	static const bool wishes[] = {false, false, true, true, false};
	struct fake *fake = guest->fixture->fake;
	uint64_t value = 0x1234;

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		guest_fault(guest, BUFFER_GPA, wishes[i]);
		ck_assert_int_eq(fake_is_private(fake, BUFFER_GPA), wishes[i]);
		ck_assert(fake_is_private(fake, BUFFER_GPA + PAGE));
	}
	ck_assert(fake_guest_write(fake, BUFFER_GPA, &value, sizeof(value)));
}

START_TEST(test_page_goes_to_the_side_on_which_it_is_touched)
{
	struct fixture fixture;

	machine_init(&fixture, _i);
	guest_run_program(&fixture, touch);
	fixture_fini(&fixture);
}
END_TEST

/* --- A device, by memory that is shared --- */

struct driver {
	struct guest *guest;
	gpa_t config, common, notify;
	uint32_t notify_step;
};

enum {
	QUEUE_SIZE = 8,
	DESC_GPA = BUFFER_GPA,
	AVAIL_GPA = BUFFER_GPA + 0x1000,
	USED_GPA = BUFFER_GPA + 0x2000,
	DATA_GPA = BUFFER_GPA + 0x3000,
	DATA_BYTES = 64,
};

static uint32_t config_read(struct driver *driver, unsigned int offset, unsigned int size_bytes)
{
	return (uint32_t)guest_load(driver->guest, driver->config + offset, size_bytes);
}

static void common_write(struct driver *driver, unsigned int offset, unsigned int size_bytes,
			 uint64_t value)
{
	guest_store(driver->guest, driver->common + offset, size_bytes, value);
}

/* A virtio device, and where its structures are. */
static void driver_probe(struct driver *driver, unsigned int virtio_id)
{
	uint32_t wanted = 0x1af4 | (0x1040 + virtio_id) << 16;
	unsigned int slot = 0, offset;
	gpa_t bar;

	do {
		ck_assert_uint_lt(slot, 32);
		driver->config = PLATFORM_ECAM_GPA + slot++ * 0x8000;
	} while (config_read(driver, PCI_VENDOR_ID, 4) != wanted);
	guest_store(driver->guest, driver->config + PCI_COMMAND, 2,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	bar = (uint64_t)config_read(driver, PCI_BASE_ADDRESS_1, 4) << 32 |
	      (config_read(driver, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK);
	for (offset = config_read(driver, PCI_CAPABILITY_LIST, 1); offset;
	     offset = config_read(driver, offset + PCI_CAP_LIST_NEXT, 1)) {
		gpa_t at = bar + config_read(driver, offset + VIRTIO_PCI_CAP_OFFSET, 4);

		if (config_read(driver, offset, 1) != PCI_CAP_ID_VNDR)
			continue;
		switch (config_read(driver, offset + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
		case VIRTIO_PCI_CAP_COMMON_CFG:
			driver->common = at;
			break;
		case VIRTIO_PCI_CAP_NOTIFY_CFG:
			driver->notify = at;
			break;
		default:
			break;
		}
	}
	ck_assert(driver->common && driver->notify);
}

/* Up to DRIVER_OK, with one queue in shared memory. */
static void driver_start(struct driver *driver)
{
	static const uint8_t statuses[] = {1, 3, 11};
	uint64_t features;

	for (size_t i = 0; i < 2; i++)
		common_write(driver, VIRTIO_PCI_COMMON_STATUS, 1, statuses[i]);
	common_write(driver, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	features = guest_load(driver->guest, driver->common + VIRTIO_PCI_COMMON_DF, 4);
	/* Without the second one a driver would use its private memory. */
	ck_assert_uint_eq(features & 3, 1u << (VIRTIO_F_VERSION_1 - 32) |
						1u << (VIRTIO_F_ACCESS_PLATFORM - 32));
	common_write(driver, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	common_write(driver, VIRTIO_PCI_COMMON_GF, 4, 3);
	common_write(driver, VIRTIO_PCI_COMMON_STATUS, 1, statuses[2]);
	common_write(driver, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	common_write(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2, QUEUE_SIZE);
	common_write(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 4, DESC_GPA);
	common_write(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, AVAIL_GPA);
	common_write(driver, VIRTIO_PCI_COMMON_Q_USEDLO, 4, USED_GPA);
	common_write(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	common_write(driver, VIRTIO_PCI_COMMON_STATUS, 1, 15);
	ck_assert_uint_eq(
		guest_load(driver->guest, driver->common + VIRTIO_PCI_COMMON_STATUS, 1), 15);
}

/* One buffer that the device is to fill. */
static void driver_ask(struct driver *driver)
{
	struct fake *fake = driver->guest->fixture->fake;
	const struct vring_desc desc = {
		.addr = DATA_GPA, .len = DATA_BYTES, .flags = VRING_DESC_F_WRITE};
	const uint16_t avail[] = {0, 1, 0}; /* flags, index, the head of the chain */

	ck_assert(fake_guest_write(fake, DESC_GPA, &desc, sizeof(desc)));
	ck_assert(fake_guest_write(fake, AVAIL_GPA, avail, sizeof(avail)));
	guest_store(driver->guest, driver->notify, 2, 0);
}

static void draw_random_bytes(struct guest *guest)
{
	struct driver driver = {.guest = guest};
	struct fake *fake = guest->fixture->fake;
	uint8_t bytes[DATA_BYTES], zeroes[DATA_BYTES] = {0};
	struct {
		uint16_t flags, index;
		struct vring_used_elem element;
	} used = {.index = 0};

	ck_assert_uint_eq(guest_map_gpa(guest, BUFFER_GPA, BUFFER_PAGES, false), 0);
	driver_probe(&driver, VIRTIO_ID_RNG);
	driver_start(&driver);
	driver_ask(&driver);
	for (int i = 0; i < 10000 && !used.index; i++) {
		usleep(1000);
		ck_assert(fake_guest_read(fake, USED_GPA, &used, sizeof(used)));
	}
	ck_assert_uint_eq(used.index, 1);
	ck_assert_uint_eq(used.element.len, DATA_BYTES);
	ck_assert(fake_guest_read(fake, DATA_GPA, bytes, sizeof(bytes)));
	ck_assert_mem_ne(bytes, zeroes, sizeof(bytes));
}

START_TEST(test_device_works_by_shared_memory)
{
	struct fixture fixture;

	machine_init(&fixture, _i);
	guest_run_program(&fixture, draw_random_bytes);
	fixture_fini(&fixture);
}
END_TEST

/* --- Life after life --- */

enum { LIVES = 3 };

static void reset_twice(struct guest *guest)
{
	struct fake *fake = guest->fixture->fake;

	for (int life = 0; life < LIVES; life++) {
		/* Nothing is left of the life before. */
		ck_assert(fake_is_private(fake, BUFFER_GPA));
		ck_assert_uint_eq(guest_map_gpa(guest, BUFFER_GPA, 1, false), 0);
		if (life == LIVES - 1)
			return;
		guest_reset(guest);
	}
}

/* What a call makes that has to be closed: 1, -1, 0. */
static int count_open(const struct trace_call *call)
{
	switch (call->verb) {
	case VERB_VM_CREATE:
	case VERB_VM_CREATE_GUEST_MEMFD:
	case VERB_VCPU_CREATE:
	case VERB_MEM_CREATE:
	case VERB_MEM_MAP:
	case VERB_SEV_OPEN:
		return call->result == 0;
	case VERB_CLOSE:
	case VERB_VCPU_CLOSE:
	case VERB_MEM_UNMAP:
		return -1;
	default:
		return 0;
	}
}

START_TEST(test_reset_lets_go_of_all_before_it_builds_anew)
{
	unsigned int n_vms = 0;
	struct fixture fixture;
	struct trace *trace;
	int n_open = 0;

	machine_init(&fixture, _i);
	/* There is none for a second guest. */
	fake_traits(fixture.fake)->snp.n_asids = 1;
	fake_traits(fixture.fake)->tdx.n_keys = 1;
	trace = trace_new(fake_host(fixture.fake));
	guest_run_on(&fixture, reset_twice, trace_host(trace));
	for (size_t i = 0; i < trace_count(trace); i++) {
		const struct trace_call *call = trace_get(trace, i);

		if (call->verb == VERB_VM_CREATE) {
			ck_assert_int_eq(n_open, 0);
			n_vms++;
		}
		n_open += count_open(call);
	}
	ck_assert_uint_eq(n_vms, LIVES);
	ck_assert_int_eq(n_open, 0);
	trace_free(trace);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("machine_life");
	TCase *tcase = tcase_create("machine_life");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_conversions_are_answered_as_kvm_wants_it, 0,
			    ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, test_guest_is_asked_to_try_again, 0, 2);
	tcase_add_loop_test(tcase, test_page_goes_to_the_side_on_which_it_is_touched, 0,
			    ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, test_device_works_by_shared_memory, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, test_reset_lets_go_of_all_before_it_builds_anew, 0,
			    ARRAY_SIZE(ways));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
