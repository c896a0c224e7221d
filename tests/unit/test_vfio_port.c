// SPDX-License-Identifier: GPL-2.0-or-later
/* Assigned devices in hot-plug ports: they come and go while the guest and the loop run. */
#include <errno.h>

#include "tests/unit/vfio_rig.h"

enum { PORT_CONFIG = 0x8000, BEHIND_CONFIG = 0x100000 };

struct port_rig {
	struct vfio_rig vfio;
	struct pci_port *port;
	struct pci_port_user user;
	unsigned int n_released;
	struct vfio_quiet quiet;
	unsigned int n_quiet;
};

static void on_released(struct pci_port_user *user)
{
	struct port_rig *rig = container_of(user, struct port_rig, user);

	rig->n_released++;
}

static void on_quiet(struct vfio_quiet *quiet)
{
	struct port_rig *rig = container_of(quiet, struct port_rig, quiet);

	rig->n_quiet++;
	loop_stop(rig->vfio.loop);
}

/* A running VM that has no devices yet. */
static void port_rig_init(struct port_rig *rig)
{
	struct vfio_rig *vfio = &rig->vfio;
	struct msi_sink sink;
	struct vfio_env env;

	*rig = (struct port_rig){.user.released = on_released, .quiet.quiet = on_quiet};
	rig_init(vfio);
	env = rig_env(vfio);
	sink = (struct msi_sink){.host = vfio->host, .vm = vfio->vm};
	ck_assert_int_eq(vfio_new(&env, &vfio->vfio, &vfio->err), 0);
	vfio_start(vfio->vfio);
	ck_assert_int_eq(pci_host_add_port(vfio->pci, &sink, &rig->port), 0);
}

static int port_attach(struct port_rig *rig)
{
	const struct vfio_place place = {.port = rig->port, .user = &rig->user};
	struct vfio_rig *vfio = &rig->vfio;

	return vfio_device_new_at(vfio->vfio, "disk", NVME, &place, &vfio->device, &vfio->err);
}

static uint32_t behind_get(struct port_rig *rig, unsigned int offset, unsigned int size_bytes)
{
	return (uint32_t)bus_read(rig->vfio.mmio, PLATFORM_ECAM_GPA + BEHIND_CONFIG + offset,
				  size_bytes);
}

START_TEST(test_device_is_reset_before_the_guest_sees_it)
{
	struct port_rig rig;

	port_rig_init(&rig);
	ck_assert_uint_eq(behind_get(&rig, 0, 4), UINT32_MAX);
	ck_assert_msg(port_attach(&rig) == 0, "%s", rig.vfio.err.text);
	ck_assert_uint_eq(fake_device_count_resets(rig.vfio.nvme), 1);
	ck_assert_uint_eq(behind_get(&rig, 0, 4), hardware_get(rig.vfio.nvme, 0));
	vfio_device_free(rig.vfio.device);
	ck_assert_uint_eq(behind_get(&rig, 0, 4), UINT32_MAX);
	ck_assert_uint_eq(fake_device_count_resets(rig.vfio.nvme), 2);
	ck_assert(!fake_device_is_open(rig.vfio.nvme));
	rig_fini(&rig.vfio);
}
END_TEST

START_TEST(test_device_comes_and_goes_many_times)
{
	struct port_rig rig;

	port_rig_init(&rig);
	bus_write(rig.vfio.mmio, PLATFORM_ECAM_GPA + PORT_CONFIG + PCI_COMMAND, COMMAND, 2);
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_msg(port_attach(&rig) == 0, "%s", rig.vfio.err.text);
		bus_write(rig.vfio.mmio, PLATFORM_ECAM_GPA + BEHIND_CONFIG + PCI_COMMAND,
			  COMMAND, 2);
		ck_assert_int_eq(
			fake_try_guest(rig.vfio.fake,
				       behind_get(&rig, PCI_BASE_ADDRESS_0, 4) & 0xfffffff0),
			FAKE_ACCESS_OK);
		ck_assert(pci_port_ask(rig.port));
		vfio_device_free(rig.vfio.device);
		ck_assert_uint_eq(fake_count_irqfds(rig.vfio.fake), 0);
	}
	ck_assert_uint_eq(rig.vfio.n_warnings, 0);
	rig_fini(&rig.vfio);
}
END_TEST

struct hush {
	struct loop_post post;
	struct port_rig *rig;
};

static void hush(struct loop_post *post)
{
	struct hush *wish = container_of(post, struct hush, post);

	vfio_device_hush(wish->rig->vfio.device, &wish->rig->quiet);
}

START_TEST(test_device_that_is_hushed_can_be_freed_while_the_loop_runs)
{
	struct port_rig rig;
	struct hush wish = {.post.fn = hush, .rig = &rig};

	port_rig_init(&rig);
	ck_assert_int_eq(port_attach(&rig), 0);
	vfio_device_listen(rig.vfio.device);
	loop_post(rig.vfio.loop, &wish.post);
	ck_assert_int_eq(loop_run(rig.vfio.loop), 0);
	ck_assert_uint_eq(rig.n_quiet, 1);
	ck_assert_str_eq(rig.vfio.lost, "");
	vfio_device_free(rig.vfio.device);
	rig_fini(&rig.vfio);
}
END_TEST

START_TEST(test_host_that_wants_it_back_is_told_about)
{
	struct port_rig rig;

	port_rig_init(&rig);
	ck_assert_int_eq(port_attach(&rig), 0);
	vfio_device_listen(rig.vfio.device);
	ck_assert(fake_device_raise(rig.vfio.nvme, VFIO_PCI_REQ_IRQ_INDEX, 0));
	ck_assert_int_eq(loop_run(rig.vfio.loop), 0);
	ck_assert_ptr_nonnull(strstr(rig.vfio.lost, "the host takes it back"));
	rig_fini(&rig.vfio);
}
END_TEST

START_TEST(test_port_in_use_refuses_a_second_device)
{
	struct port_rig rig;
	struct vfio_device *twin;
	struct vfio_place place;

	port_rig_init(&rig);
	ck_assert_int_eq(port_attach(&rig), 0);
	place = (struct vfio_place){.port = rig.port, .user = &rig.user};
	ck_assert_int_eq(
		vfio_device_new_at(rig.vfio.vfio, "twin", TWIN, &place, &twin, &rig.vfio.err),
		-EBUSY);
	ck_assert(!fake_device_is_open(rig.vfio.twin));
	rig_fini(&rig.vfio);
}
END_TEST

/* The fake kernel aborts when a file, a mapping or a slot is left. */
START_TEST(test_failure_of_any_call_leaves_nothing_behind)
{
	unsigned int nth = 0, n_fired;

	do {
		struct port_rig rig;
		int ret;

		port_rig_init(&rig);
		faulty_arm(rig.vfio.faulty, (struct fault){.nth = ++nth});
		ret = port_attach(&rig);
		n_fired = faulty_count_fired(rig.vfio.faulty);
		faulty_arm(rig.vfio.faulty, (struct fault){0});
		if (ret) {
			ck_assert_str_ne(rig.vfio.err.text, "");
			ck_assert(!fake_device_is_open(rig.vfio.nvme));
			ck_assert_uint_eq(behind_get(&rig, 0, 4), UINT32_MAX);
			ck_assert_msg(port_attach(&rig) == 0, "%s", rig.vfio.err.text);
		}
		rig_fini(&rig.vfio);
	} while (n_fired);
	ck_assert_uint_gt(nth, 20);
}
END_TEST

/* With its BARs on the bus; returns where the first one is. */
static gpa_t port_attach_on(struct port_rig *rig)
{
	port_rig_init(rig);
	ck_assert_msg(port_attach(rig) == 0, "%s", rig->vfio.err.text);
	bus_write(rig->vfio.mmio, PLATFORM_ECAM_GPA + PORT_CONFIG + PCI_COMMAND, COMMAND, 2);
	bus_write(rig->vfio.mmio, PLATFORM_ECAM_GPA + BEHIND_CONFIG + PCI_COMMAND, COMMAND, 2);
	return behind_get(rig, PCI_BASE_ADDRESS_0, 4) & 0xfffffff0;
}

/* What is mapped there next would be the guest's. */
START_TEST(test_device_that_kvm_keeps_in_memslots_stays_until_the_end)
{
	struct port_rig rig;
	gpa_t gpa = port_attach_on(&rig);

	faulty_arm(rig.vfio.faulty,
		   (struct fault){.nth = 1, .errnum = ENOMEM, .for_ever = true});
	vfio_device_free(rig.vfio.device);
	faulty_arm(rig.vfio.faulty, (struct fault){0});
	ck_assert(fake_device_is_open(rig.vfio.nvme));
	ck_assert_int_eq(fake_try_guest(rig.vfio.fake, gpa), FAKE_ACCESS_OK);
	ck_assert_ptr_nonnull(strstr(rig.vfio.warning, "when the machine ends"));
	ck_assert_int_lt(port_attach(&rig), 0);
	rig_fini(&rig.vfio);
}
END_TEST

START_TEST(test_kvm_that_is_slow_to_let_go_is_survived)
{
	for (unsigned int n = 1; n < 120; n++) {
		struct port_rig rig;

		port_attach_on(&rig);
		faulty_arm(rig.vfio.faulty,
			   (struct fault){.nth = 1, .errnum = ENOMEM, .n_more = n});
		vfio_device_free(rig.vfio.device);
		faulty_arm(rig.vfio.faulty, (struct fault){0});
		rig_fini(&rig.vfio);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_device_is_reset_before_the_guest_sees_it,
		test_device_comes_and_goes_many_times,
		test_device_that_is_hushed_can_be_freed_while_the_loop_runs,
		test_host_that_wants_it_back_is_told_about,
		test_port_in_use_refuses_a_second_device,
		test_failure_of_any_call_leaves_nothing_behind,
		test_device_that_kvm_keeps_in_memslots_stays_until_the_end,
		test_kvm_that_is_slow_to_let_go_is_survived,
	};

	return unit_run(unit_suite("vfio_port", tests, ARRAY_SIZE(tests)));
}
