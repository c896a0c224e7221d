// SPDX-License-Identifier: GPL-2.0-or-later
/* What whole machines of types snp and tdx do for their guests while these run, on the fake. */
#include <fcntl.h>
#include <linux/kvm_para.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "devices/quote.h"
#include "devices/quote_message.h"
#include "tests/unit/cc_machine.h"
#include "tests/unit/certs_rig.h"
#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"

enum {
	BUFFER_GPA = 0x2000000,
	BUFFER_BYTES = 0x4000,
	REPORT_BYTES = 1024,
};

static int ask_to_share(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = BUFFER_GPA;
	run->hypercall.args[1] = BUFFER_BYTES / GRANULE_BYTES;
	run->hypercall.args[2] = KVM_MAP_GPA_RANGE_DECRYPTED;
	run->hypercall.ret = 0;
	return 0;
}

/* --- Quotes --- */

static void read_whole(int fd, uint8_t *bytes, size_t n_bytes)
{
	ck_assert_int_eq(recv(fd, bytes, n_bytes, MSG_WAITALL), (ssize_t)n_bytes);
}

/* The service: for one caller, whose report becomes a quote of 64 bytes. */
static void *serve_one(void *argument)
{
	static const uint32_t reply[] = {1 | 1 << 16, 1, 24 + 64, 0, 0, 64};
	uint8_t bytes[QUOTE_ENVELOPE_BYTES + REPORT_BYTES];
	int fd = accept(*(int *)argument, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	read_whole(fd, bytes, sizeof(bytes));
	ck_assert_uint_eq(bytes[QUOTE_ENVELOPE_BYTES], 0x81);
	memset(bytes, 0, QUOTE_LENGTH_BYTES);
	bytes[3] = 24 + 64;
	memcpy(bytes + 4, reply, sizeof(reply));
	memset(bytes + QUOTE_ENVELOPE_BYTES, 'q', 64);
	ck_assert_int_eq(send(fd, bytes, QUOTE_ENVELOPE_BYTES + 64, 0),
			 QUOTE_ENVELOPE_BYTES + 64);
	close(fd);
	return NULL;
}

static int ask_for_quote(struct fixture *fixture, struct kvm_run *run)
{
	struct {
		struct quote_header header;
		uint8_t report[REPORT_BYTES];
	} buffer = {.header = {.version = 1, .in_bytes = REPORT_BYTES}, .report = {0x81}};

	ck_assert_uint_eq(run->hypercall.ret, 0);
	ck_assert(fake_guest_write(fixture->fake, BUFFER_GPA, &buffer, sizeof(buffer)));
	run->exit_reason = KVM_EXIT_TDX;
	memset(&run->tdx, 0, sizeof(run->tdx));
	run->tdx.nr = 0x10002;
	run->tdx.get_quote.ret = QUOTE_REPLY_UNSUPPORTED;
	run->tdx.get_quote.gpa = BUFFER_GPA;
	run->tdx.get_quote.size = BUFFER_BYTES;
	return 0;
}

static int quote_guest_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;
	struct quote_header header;
	uint8_t quote[64];

	if (vcpu_id != 0)
		return guest_wait(run);
	switch (fixture->n_runs++) {
	case 0:
		return ask_to_share(run);
	case 1:
		return ask_for_quote(fixture, run);
	case 2:
		ck_assert_uint_eq(run->tdx.get_quote.ret, QUOTE_REPLY_SUCCESS);
		break;
	default:
		break;
	}
	ck_assert(fake_guest_read(fixture->fake, BUFFER_GPA, &header, sizeof(header)));
	if (header.status == QUOTE_STATUS_IN_FLIGHT) {
		usleep(1000);
		run->exit_reason = KVM_EXIT_INTR;
		return 0;
	}
	ck_assert_uint_eq(header.status, QUOTE_STATUS_SUCCESS);
	ck_assert_uint_eq(header.out_bytes, sizeof(quote));
	ck_assert(fake_guest_read(fixture->fake, BUFFER_GPA + QUOTE_HEADER_BYTES, quote,
				  sizeof(quote)));
	ck_assert_mem_eq(quote, "qqqqqqqq", 8);
	return guest_leave(run);
}

START_TEST(test_td_gets_a_quote)
{
	char directory[] = "/tmp/alcove-quote-XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[sizeof(address.sun_path) + 8];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fixture fixture;
	pthread_t service;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qgs", directory);
	snprintf(text, sizeof(text), "unix:%s", address.sun_path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pthread_create(&service, NULL, serve_one, &listener), 0);

	fixture_init(&fixture, GUEST_TYPE_TDX, _i);
	fixture.config.tdx_quote_socket = text;
	fake_set_guest(fixture.fake, quote_guest_run, &fixture);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	pthread_join(service, NULL);
	fixture_fini(&fixture);
	close(listener);
	unlink(address.sun_path);
	rmdir(directory);
}
END_TEST

/* --- Certificates --- */

static int certs_guest_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;
	uint8_t table[4096], got[4096];
	size_t n_bytes = certs_make(table, 2, 1000, 0x33);

	if (vcpu_id != 0)
		return guest_wait(run);
	switch (fixture->n_runs++) {
	case 0:
		return ask_to_share(run);
	case 1:
		run->exit_reason = KVM_EXIT_SNP_REQ_CERTS;
		run->snp_req_certs.gpa = BUFFER_GPA;
		run->snp_req_certs.npages = BUFFER_BYTES / GRANULE_BYTES;
		run->snp_req_certs.ret = 0;
		return 0;
	default:
		ck_assert_uint_eq(run->snp_req_certs.ret, 0);
		ck_assert(fake_guest_read(fixture->fake, BUFFER_GPA, got, n_bytes));
		ck_assert_mem_eq(got, table, n_bytes);
		return guest_leave(run);
	}
}

START_TEST(test_snp_guest_gets_certificates)
{
	uint8_t table[4096];
	size_t n_bytes = certs_make(table, 2, 1000, 0x33);
	struct fake_snp_launch launch;
	struct fixture fixture;
	struct scratch file;

	scratch_init(&file, "certs", (char *)table, n_bytes);
	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	fixture.config.snp_certs = file.path;
	fake_set_guest(fixture.fake, certs_guest_run, &fixture);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert(fake_get_snp_launch(fixture.fake, &launch));
	ck_assert(launch.has_req_certs);

	/* Without a table that is one, no guest starts. */
	fixture.n_runs = 0;
	ck_assert_int_eq(truncate(file.path, 20), 0);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	ck_assert_uint_eq(fixture.n_runs, 0);
	fixture_fini(&fixture);
	scratch_fini(&file);
}
END_TEST

/* --- Ends --- */

/* It uses memory that it has not accepted, while other processors run. */
static int careless_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;

	if (vcpu_id != 0)
		return guest_wait(run);
	fixture->n_runs++;
	fake_kill_vms(fixture->fake);
	return -EIO;
}

START_TEST(test_td_that_kvm_gives_up_is_taken_down)
{
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_TDX, _i);
	fake_set_guest(fixture.fake, careless_run, &fixture);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_PANIC);
	ck_assert_uint_eq(fixture.n_runs, 1);
	fixture_fini(&fixture);
}
END_TEST

/* It takes a hole for memory of its own. */
static int astray_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	if (vcpu_id != 0)
		return guest_wait(run);
	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	run->memory_fault.flags = KVM_MEMORY_EXIT_FLAG_PRIVATE;
	run->memory_fault.gpa = 3 * GIB;
	run->memory_fault.size = GRANULE_BYTES;
	return -EFAULT;
}

START_TEST(test_guest_that_goes_astray_ends)
{
	static const enum guest_type types[] = {GUEST_TYPE_SNP, GUEST_TYPE_TDX};
	struct fixture fixture;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		fixture_init(&fixture, types[i], _i);
		fake_set_guest(fixture.fake, astray_run, &fixture);
		ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_PANIC);
		fixture_fini(&fixture);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_td_gets_a_quote,
		test_snp_guest_gets_certificates,
		test_td_that_kvm_gives_up_is_taken_down,
		test_guest_that_goes_astray_ends,
	};
	Suite *suite = suite_create("machine confidential");
	TCase *tcase = tcase_create("machine confidential");

	/* On two backings, and in place. */
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tcase, tests[i], 0, 2);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
