// SPDX-License-Identifier: GPL-2.0-or-later
/* --device and [device], --dma. */
#include <errno.h>
#include <string.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/options.h"

static struct config make_config(void)
{
	struct config config;

	ck_assert_int_eq(config_init(&config, NULL), 0);
	ck_assert_int_eq(options_set(&config, "kernel", "k", NULL), 0);
	return config;
}

START_TEST(test_devices_are_added_by_address)
{
	struct config config = make_config();
	struct err err = {0};

	ck_assert_int_eq(options_set(&config, "device", "0000:01:00.0", &err), 0);
	ck_assert_int_eq(options_set(&config, "device", "02:00.1,name=disk", &err), 0);
	ck_assert_uint_eq(config.n_devices, 2);
	ck_assert_str_eq(config.devices[0].name, "device0");
	ck_assert_str_eq(config.devices[0].host, "0000:01:00.0");
	ck_assert_str_eq(config.devices[1].name, "disk");
	ck_assert_int_eq(config_check(&config, &err), 0);
	config_fini(&config);
}
END_TEST

START_TEST(test_devices_come_from_files_too)
{
	static const char text[] = "[boot]\nkernel = k\n[device disk]\nhost = 0000:01:00.0\n"
				   "[vm]\ndma = huge\n";
	struct config config = make_config();
	struct scratch scratch;

	scratch_init(&scratch, "vm.conf", text, strlen(text));
	ck_assert_int_eq(options_read_file(&config, scratch.path, NULL), 0);
	scratch_fini(&scratch);
	ck_assert_str_eq(config.devices[0].name, "disk");
	ck_assert_int_eq(config.dma, DMA_HUGE);
	config_fini(&config);
}
END_TEST

START_TEST(test_bad_devices_are_refused_by_name)
{
	static const struct {
		const char *first, *second;
		const char *text;
	} cases[] = {
		{"nvme0", NULL,
		 "device 'device0': 'nvme0' is no PCI address; write it as "
		 "0000:01:00.0, see `alcove device list`"},
		{"01:00.0", "0000:01:00.0,name=b",
		 "device 'b': 0000:01:00.0 is device 'device0' already; leave one out"},
		{"name=a", NULL,
		 "device 'a': no device of the host given; add host=ADDRESS, or "
		 "'host = ADDRESS' under [device]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config = make_config();
		struct err err = {0};

		ck_assert_int_eq(options_set(&config, "device", cases[i].first, &err), 0);
		if (cases[i].second)
			ck_assert_int_eq(options_set(&config, "device", cases[i].second, &err),
					 0);
		ck_assert_int_eq(config_check(&config, &err), -EINVAL);
		ck_assert_str_eq(err.text, cases[i].text);
		config_fini(&config);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_devices_are_added_by_address,
		test_devices_come_from_files_too,
		test_bad_devices_are_refused_by_name,
	};

	return unit_run(unit_suite("options_device", tests, ARRAY_SIZE(tests)));
}
