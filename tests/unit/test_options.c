// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/options.h"

static struct config config;
static struct err err;

static void set_up(void)
{
	ck_assert_int_eq(config_init(&config, NULL), 0);
	err = (struct err){0};
}

static void tear_down(void)
{
	config_fini(&config);
}

static void set(const char *name, const char *value)
{
	int result = options_set(&config, name, value, &err);

	ck_assert_msg(result == 0, "--%s=%s: %s", name, value, err.text);
}

static void set_fails(const char *name, const char *value, const char *message)
{
	ck_assert_int_lt(options_set(&config, name, value, &err), 0);
	ck_assert_str_eq(err.text, message);
}

/* Reads @text as DIRECTORY/vm.conf; @directory: at least 64 bytes. */
static int read_file(const char *text, char *directory)
{
	struct scratch scratch;
	int result;

	scratch_init(&scratch, "vm.conf", text, strlen(text));
	result = options_read_file(&config, scratch.path, &err);
	scratch_fini(&scratch);
	memcpy(directory, scratch.directory, sizeof(scratch.directory));
	return result;
}

static void read_fails(const char *text, const char *message)
{
	char directory[64];

	tear_down();
	set_up();
	ck_assert_msg(read_file(text, directory) < 0, "read: %s", text);
	ck_assert_str_eq(err.text + strlen(directory) + 1, message);
}

START_TEST(test_defaults_are_those_of_the_table)
{
	ck_assert_uint_eq(config.n_vcpus, 1);
	ck_assert_uint_eq(config.memory_bytes, 512 * MIB);
	ck_assert_uint_eq(config.type, GUEST_TYPE_PLAIN);
	ck_assert_uint_eq(config.hw, BOOT_HW_ACPI);
	ck_assert_uint_eq(config.on_reboot, REBOOT_RESTART);
	ck_assert_uint_eq(config.console, CONSOLE_SERIAL);
	ck_assert_uint_eq(config.sandbox, SANDBOX_ON);
	ck_assert_str_eq(config.cmdline, "");
	ck_assert(config.rng);
	ck_assert_ptr_null(config.kernel);
	ck_assert_uint_eq(config.n_disks, 0);
}
END_TEST

START_TEST(test_every_option_reaches_its_field)
{
	set("name", "a.b-c");
	set("type", "plain");
	set("cpus", "255");
	set("memory", "3584M");
	set("hw", "fdt");
	set("on-reboot", "exit");
	set("time-limit", "60");
	set("verbosity", "2");
	set("kernel", "bz,Image");
	set("initrd", "i");
	set("cmdline", "a=b,c d");
	set("console", "virtio,log=l");
	set("rng", "off");
	set("sandbox", "log");
	ck_assert_str_eq(config.name, "a.b-c");
	ck_assert_uint_eq(config.n_vcpus, 255);
	ck_assert_uint_eq(config.memory_bytes, 3584 * MIB);
	ck_assert_uint_eq(config.hw, BOOT_HW_FDT);
	ck_assert_uint_eq(config.on_reboot, REBOOT_EXIT);
	ck_assert_uint_eq(config.time_limit_s, 60);
	ck_assert_uint_eq(config.verbosity, 2);
	ck_assert_str_eq(config.kernel, "bz,Image");
	ck_assert_str_eq(config.initrd, "i");
	ck_assert_str_eq(config.cmdline, "a=b,c d");
	ck_assert_uint_eq(config.console, CONSOLE_VIRTIO);
	ck_assert_str_eq(config.serial_log, "l");
	ck_assert(!config.rng);
	ck_assert_uint_eq(config.sandbox, SANDBOX_LOG);
	ck_assert_int_eq(config_check(&config, &err), 0);
}
END_TEST

START_TEST(test_last_of_repeated_options_wins)
{
	set("cpus", "2");
	set("cpus", "3");
	set("kernel", "a");
	set("kernel", "b");
	ck_assert_uint_eq(config.n_vcpus, 3);
	ck_assert_str_eq(config.kernel, "b");
}
END_TEST

START_TEST(test_disks_are_added_and_changed_by_name)
{
	set("disk", "a,,b.img,readonly=on,name=root,direct=yes,serial=s-1,queues=16");
	set("disk", "path=x=y,,");
	set("disk", "name=disk2,path=z");
	set("disk", "w");
	set("disk", "v");
	set("disk", "name=root,readonly=off");
	ck_assert_uint_eq(config.n_disks, 5);
	ck_assert_str_eq(config.disks[0].name, "root");
	ck_assert_str_eq(config.disks[0].path, "a,b.img");
	ck_assert_str_eq(config.disks[0].serial, "s-1");
	ck_assert(!config.disks[0].readonly);
	ck_assert(config.disks[0].direct);
	ck_assert_uint_eq(config.disks[0].n_queues, 16);
	ck_assert_str_eq(config.disks[1].name, "disk0");
	ck_assert_str_eq(config.disks[1].path, "x=y,");
	ck_assert(!config.disks[1].readonly);
	ck_assert_str_eq(config.disks[2].name, "disk2");
	ck_assert_str_eq(config.disks[3].name, "disk1");
	ck_assert_str_eq(config.disks[4].name, "disk3");
}
END_TEST

START_TEST(test_bad_options_are_explained)
{
	set_fails("cpu", "1", "--cpu: unknown option; did you mean --cpus?");
	set_fails("qqq", "1", "--qqq: unknown option; `alcove help run` lists all");
	set_fails("path", "x", "--path: unknown option; `alcove help run` lists all");
	set_fails("cpus", "0", "--cpus: 0 is out of range; write 1 to 255");
	set_fails("cpus", "256", "--cpus: 256 is out of range; write 1 to 255");
	set_fails("cpus", "", "--cpus: '' is not a number; write 1 to 255");
	set_fails("cpus", "2x", "--cpus: '2x' is not a number; write 1 to 255");
	set_fails("cpus", "-1", "--cpus: '-1' is not a number; write 1 to 255");
	set_fails("cpus", "99999999999999999999999",
		  "--cpus: 99999999999999999999999 is out of range; write 1 to 255");
	set_fails("memory", "512", "--memory: '512' has no unit; add K, M, G or T");
	set_fails("memory", "1M", "--memory: 1M is out of range; write 16M to 1024T");
	set_fails("memory", "99999999999999T",
		  "--memory: 99999999999999T is out of range; write 16M to 1024T");
	set_fails("memory", "1.5G",
		  "--memory: '1.5G' is not a size; write digits and K, M, G or T, such as 2G");
	set_fails("memory", "2GB",
		  "--memory: '2GB' is not a size; write digits and K, M, G or T, such as 2G");
	set_fails("hw", "acp", "--hw: 'acp' is not known here; write acpi or fdt");
	set_fails("console", "x",
		  "--console: kind: 'x' is not known here; write serial, virtio or none");
	set_fails("rng", "maybe", "--rng: 'maybe' is neither on nor off; write one of them");
	set_fails("name", "a b",
		  "--name: 'a b' is not a name; use 1 to 63 letters, digits, '.', '_' and '-'");
	set_fails("kernel", "", "--kernel: path is empty; write the name of a file");
	set_fails("disk", "a,read=on", "--disk: read: unknown key; did you mean 'readonly'?");
	set_fails("disk", "a,b",
		  "--disk: 'b' has no key; write key=value, or ',,' for a comma");
	set_fails("disk", "name=/,path=a",
		  "--disk: '/' is not a name; use 1 to 63 letters, digits, '.', '_' and '-'");
	/* What was refused changed nothing. */
	ck_assert_uint_eq(config.n_vcpus, 1);
	ck_assert_uint_eq(config.memory_bytes, 512 * MIB);
	ck_assert_ptr_null(config.kernel);
}
END_TEST

START_TEST(test_sixteen_disks_and_no_more)
{
	for (unsigned int i = 0; i < CONFIG_DISKS_MAX; i++)
		set("disk", "x");
	set_fails("disk", "x", "--disk: more than 16; remove one");
	ck_assert_uint_eq(config.n_disks, CONFIG_DISKS_MAX);
}
END_TEST

START_TEST(test_file_sets_what_it_says_and_options_override_it)
{
	char directory[64];
	char path[96];

	setenv("UNIT_DIR", "/images", 1);
	ck_assert_int_eq(read_file("[vm]\ncpus = 4\nmemory = 1G\n"
				   "[boot]\nkernel = bzImage\ninitrd = ${UNIT_DIR}/i\n"
				   "cmdline = root=/dev/vda ${UNIT_DIR}\n"
				   "[expect]\nconsole = anything\n"
				   "[disk root]\npath = a,b.img\n",
				   directory),
			 0);
	set("cpus", "2");
	set("disk", "name=root,readonly=on");
	ck_assert_uint_eq(config.n_vcpus, 2);
	ck_assert_uint_eq(config.memory_bytes, GIB);
	snprintf(path, sizeof(path), "%s/bzImage", directory);
	ck_assert_str_eq(config.kernel, path);
	ck_assert_str_eq(config.initrd, "/images/i");
	ck_assert_str_eq(config.cmdline, "root=/dev/vda /images");
	snprintf(path, sizeof(path), "%s/a,b.img", directory);
	ck_assert_uint_eq(config.n_disks, 1);
	ck_assert_str_eq(config.disks[0].path, path);
	ck_assert(config.disks[0].readonly);
}
END_TEST

START_TEST(test_bad_files_are_explained)
{
	read_fails("[vm]\ncpus = 1\n\ncpus = 2\n",
		   "vm.conf:4: [vm] cpus: given twice, first in line 2; remove one");
	read_fails("[vm]\n[boot]\n[vm]\n",
		   "vm.conf:3: [vm]: given twice, first in line 1; join them");
	read_fails("[disk a]\n[disk a]\n",
		   "vm.conf:2: [disk a]: given twice; rename one or join them");
	read_fails("[vn]\n", "vm.conf:1: [vn]: unknown section; did you mean [vm]?");
	read_fails("[whatever]\n",
		   "vm.conf:1: [whatever]: unknown section; see alcove(1) for those there are");
	read_fails("[vm x]\n", "vm.conf:1: [vm x]: takes no name; write [vm]");
	read_fails("[disk]\n", "vm.conf:1: [disk]: no name; write [disk NAME]");
	read_fails("[disk a/b]\n", "vm.conf:1: [disk a/b]: 'a/b' is not a name; use 1 to 63 "
				   "letters, digits, '.', '_' and '-'");
	read_fails("[vm]\nmemroy = 1G\n",
		   "vm.conf:2: [vm] memroy: unknown key; did you mean 'memory'?");
	read_fails("[vm]\nzzz = 1G\n",
		   "vm.conf:2: [vm] zzz: unknown key; `alcove help run` lists those there are");
	read_fails("[disk a]\nname = b\n", "vm.conf:2: [disk a] name: unknown key; `alcove "
					   "help run` lists those there are");
	read_fails("[vm]\ncpus = many\n",
		   "vm.conf:2: [vm] cpus: 'many' is not a number; write 1 to 255");
	read_fails("[boot]\nkernel =\n",
		   "vm.conf:2: [boot] kernel: path is empty; write the name of a file");
	read_fails("[boot]\nkernel = ${UNIT_UNSET}\n",
		   "vm.conf:2: [boot] kernel: variable ${UNIT_UNSET} is not set; set it in the "
		   "environment");
}
END_TEST

static void check_fails(const char *message)
{
	ck_assert_int_eq(config_check(&config, &err), -EINVAL);
	ck_assert_str_eq(err.text, message);
}

START_TEST(test_check_sees_what_single_values_do_not_show)
{
	check_fails("no kernel given; add --kernel=FILE, or 'kernel = FILE' under [boot]");
	set("firmware", "f");
	ck_assert_int_eq(config_check(&config, &err), 0);
	set("initrd", "i");
	check_fails("initrd 'i': firmware passes it on to a kernel only; add --kernel=FILE");
	set("kernel", "k");
	set("hw", "fdt");
	check_fails("firmware 'f': it describes the hardware by ACPI; leave out hw=fdt");
	set("hw", "acpi");
	set("type", "sw");
	set("private", "on");
	check_fails("firmware 'f': without protection of memory it starts in what is shared; "
		    "leave out private=on");
	set("private", "off");
	set("type", "plain");
	set("memory", "16385K");
	check_fails("memory: 16778240 bytes are no multiple of 4K; round it up");
	set("memory", "16388K");
	set("disk", "name=a,serial=12345678901234567890");
	check_fails("disk 'a': no file given; add path=FILE or 'path = FILE'");
	set("disk", "name=a,path=x");
	ck_assert_int_eq(config_check(&config, &err), 0);
	set("disk", "name=a,serial=123456789012345678901");
	check_fails(
		"disk 'a': serial number '123456789012345678901' is longer than 20 bytes; set "
		"a shorter serial");
	set("disk", "name=a,serial=x");
	set("disk", "name=a-rather-long-name-for-a-disk,path=x");
	check_fails("disk 'a-rather-long-name-for-a-disk': serial number "
		    "'a-rather-long-name-for-a-disk' is longer than 20 bytes; set a shorter "
		    "serial");
	set("quote-socket", "tcp:1");
	check_fails("quote-socket: only TDX guests ask for quotes; leave it out, or add "
		    "--type=tdx");
}
END_TEST

START_TEST(test_fini_takes_a_zeroed_config_and_one_twice)
{
	struct config zeroed = {0};

	config_fini(&zeroed);
	set("kernel", "k");
	set("disk", "x");
	config_fini(&config);
	config_fini(&config);
}
END_TEST

/* --- The table and what is made from it --- */

int main(void)
{
	const TTest *tests[] = {
		test_defaults_are_those_of_the_table,
		test_every_option_reaches_its_field,
		test_last_of_repeated_options_wins,
		test_disks_are_added_and_changed_by_name,
		test_bad_options_are_explained,
		test_sixteen_disks_and_no_more,
		test_file_sets_what_it_says_and_options_override_it,
		test_bad_files_are_explained,
		test_check_sees_what_single_values_do_not_show,
		test_fini_takes_a_zeroed_config_and_one_twice,
	};
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
