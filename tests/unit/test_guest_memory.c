// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/memory.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

struct fixture {
	struct fake *fake;
	struct host *host;
	int vm;
	struct guest_memory *memory;
};

/* A range in each place where RAM can be, without the terabyte between. */
static const struct layout three_ranges = {
	.ram = {{.start = 0, .end = 16 * MIB},
		{.start = 4 * GIB, .end = 4 * GIB + 16 * MIB},
		{.start = TIB, .end = TIB + 16 * MIB}},
	.n_ram = 3,
	.ram_bytes = 48 * MIB,
};

static struct fixture fixture_new_layout(const struct layout *layout)
{
	struct fixture fixture = {.fake = fake_new()};

	fixture.host = fake_host(fixture.fake);
	fixture.vm = host_vm_create(fixture.host, KVM_X86_DEFAULT_VM);
	ck_assert_int_ge(fixture.vm, 0);
	ck_assert_int_eq(guest_memory_new(fixture.host, fixture.vm, layout, BACKING_PLAIN,
					  &fixture.memory, NULL),
			 0);
	return fixture;
}

static struct fixture fixture_new(uint64_t ram_bytes)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, ram_bytes, 46, NULL), 0);
	return fixture_new_layout(&layout);
}

static void fixture_free(struct fixture *fixture)
{
	guest_memory_free(fixture->memory);
	host_close(fixture->host, fixture->vm);
	fake_free(fixture->fake);
}

START_TEST(test_what_is_written_is_read_in_every_ram_range)
{
	struct fixture fixture = fixture_new_layout(&three_ranges);
	const gpa_t places[] = {0, 16 * MIB - 8, 4 * GIB, 4 * GIB + 16 * MIB - 8, TIB};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t value = 0x1122334455667788 + i, back = 0;

		ck_assert_int_eq(guest_write(fixture.memory, places[i], &value, 8), 0);
		ck_assert_int_eq(guest_read(fixture.memory, places[i], &back, 8), 0);
		ck_assert_uint_eq(back, value);
	}
	fixture_free(&fixture);
}
END_TEST

START_TEST(test_access_outside_ram_faults_and_copies_nothing)
{
	struct fixture fixture = fixture_new(4 * GIB);
	const gpa_t places[] = {3 * GIB,     3 * GIB - 4, 4 * GIB - 4,	 5 * GIB,
				5 * GIB - 7, UINT64_MAX,  UINT64_MAX - 7};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t value = 0x55;
		struct borrow borrow = {0};
		struct iovec iov;

		ck_assert_int_eq(guest_read(fixture.memory, places[i], &value, 8), -EFAULT);
		ck_assert_uint_eq(value, 0x55);
		ck_assert_int_eq(guest_write(fixture.memory, places[i], &value, 8), -EFAULT);
		ck_assert_int_eq(guest_zero(fixture.memory, places[i], 8), -EFAULT);
		ck_assert_int_eq(guest_borrow(fixture.memory, places[i], 8, &borrow, &iov),
				 -EFAULT);
	}
	fixture_free(&fixture);
}
END_TEST

START_TEST(test_words_must_be_aligned)
{
	struct fixture fixture = fixture_new(16 * MIB);
	uint16_t value = 0;

	ck_assert_int_eq(guest_store_u16(fixture.memory, 0x1000, 0xbeef), 0);
	ck_assert_int_eq(guest_load_u16(fixture.memory, 0x1000, &value), 0);
	ck_assert_uint_eq(value, 0xbeef);
	ck_assert_int_eq(guest_load_u16(fixture.memory, 0x1001, &value), -EFAULT);
	ck_assert_int_eq(guest_store_u16(fixture.memory, 0x1001, 1), -EFAULT);
	ck_assert_int_eq(guest_load_u16(fixture.memory, 16 * MIB, &value), -EFAULT);
	fixture_free(&fixture);
}
END_TEST

START_TEST(test_borrow_is_the_same_memory)
{
	struct fixture fixture = fixture_new(16 * MIB);
	struct borrow borrow = {0};
	struct iovec iov;
	char back[5] = {0};

	ck_assert_int_eq(guest_borrow(fixture.memory, 0x2345, 5, &borrow, &iov), 0);
	ck_assert_uint_eq(iov.iov_len, 5);
	memcpy(iov.iov_base, "hello", 5);
	guest_return(fixture.memory, &borrow);
	ck_assert_int_eq(guest_read(fixture.memory, 0x2345, back, 5), 0);
	ck_assert_mem_eq(back, "hello", 5);
	ck_assert_int_eq(guest_borrow(fixture.memory, 0x2345, 0, &borrow, &iov), -EFAULT);
	fixture_free(&fixture);
}
END_TEST

START_TEST(test_file_is_read_to_its_end_and_not_beyond)
{
	struct fixture fixture = fixture_new(16 * MIB);
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);
	char back[4] = {0};

	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	ck_assert_int_eq(guest_read_file(fixture.memory, 0x1000, fd, 6, 4), 0);
	ck_assert_int_eq(guest_read(fixture.memory, 0x1000, back, 4), 0);
	ck_assert_mem_eq(back, "6789", 4);
	ck_assert_int_eq(guest_read_file(fixture.memory, 0x1000, fd, 6, 5), -ENODATA);
	ck_assert_int_eq(guest_read_file(fixture.memory, 16 * MIB - 2, fd, 0, 4), -EFAULT);
	ck_assert_int_eq(guest_read_file(fixture.memory, 0x1000, -1, 0, 4), -EBADF);
	fixture_free(&fixture);
}
END_TEST

START_TEST(test_kernel_without_mappable_guest_memfd_is_named_with_its_cure)
{
	for (int old = 0; old < 2; old++) {
		struct fake *fake = fake_new();
		struct host *host = fake_host(fake);
		int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
		struct guest_memory *memory = NULL;
		struct layout layout;
		struct err err = {0};

		fake_traits(fake)->no_guest_memfd = old;
		fake_traits(fake)->no_guest_memfd_mmap = true;
		ck_assert_int_eq(layout_init(&layout, GIB, 46, NULL), 0);
		ck_assert_int_eq(
			guest_memory_new(host, vm, &layout, BACKING_PLAIN, &memory, &err),
			-EOPNOTSUPP);
		ck_assert_ptr_null(memory);
		ck_assert_ptr_nonnull(strstr(err.text, "guest_memfd"));
		ck_assert_ptr_nonnull(strstr(err.text, "Linux 6.18"));
		host_close(host, vm);
		fake_free(fake);
	}
}
END_TEST

/* The fake aborts on whatever is left behind. */
START_TEST(test_failure_of_any_call_leaves_nothing_behind)
{
	unsigned int nth = 0;
	bool has_failed;

	do {
		struct fake *fake = fake_new();
		struct faulty *faulty = faulty_new(fake_host(fake));
		struct host *host = faulty_host(faulty);
		int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
		struct guest_memory *memory = NULL;
		struct err err = {0};
		int ret;

		faulty_arm(faulty, (struct fault){.nth = ++nth, .errnum = ENOMEM});
		ret = guest_memory_new(host, vm, &three_ranges, BACKING_PLAIN, &memory, &err);
		has_failed = faulty_count_fired(faulty);
		ck_assert_int_eq(ret, has_failed ? -ENOMEM : 0);
		ck_assert_int_eq(has_failed, err.text[0] != '\0');
		guest_memory_free(memory);
		host_close(host, vm);
		faulty_free(faulty);
		fake_free(fake);
	} while (has_failed);
	/* Three ranges: a file, a mapping and a slot for each. */
	ck_assert_uint_eq(nth, 3 * 3 + 1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_what_is_written_is_read_in_every_ram_range,
		test_access_outside_ram_faults_and_copies_nothing,
		test_words_must_be_aligned,
		test_borrow_is_the_same_memory,
		test_file_is_read_to_its_end_and_not_beyond,
		test_kernel_without_mappable_guest_memfd_is_named_with_its_cure,
		test_failure_of_any_call_leaves_nothing_behind,
	};

	return unit_run(unit_suite("guest memory", tests, ARRAY_SIZE(tests)));
}
