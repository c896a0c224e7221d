/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole machine of type snp or tdx on the fake kernel. */
#ifndef TESTS_UNIT_CC_MACHINE_H
#define TESTS_UNIT_CC_MACHINE_H

#include <check.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "tests/fake/fake_cc.h"
#include "tests/fake/faulty.h"
#include "tests/unit/images.h"
#include "vmm/config.h"
#include "vmm/machine.h"
#include "vmm/platform.h"

/* What the guest ends with, at once if it is guest_run. */
enum { GUEST_STATUS = 33 };

struct fixture {
	struct fake *fake;
	struct faulty *faulty;
	struct config config;
	char kernel_path[64];
	char id_path[64];
	unsigned int n_runs;
};

/* A processor that waits to be started, for ever. */
static inline int guest_wait(struct kvm_run *run)
{
	while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		usleep(100);
	return -EINTR;
}

static inline int guest_leave(struct kvm_run *run)
{
	static const uint32_t value = GUEST_STATUS;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.port = PLATFORM_DEBUG_EXIT_PORT;
	run->io.count = 1;
	run->io.data_offset = sizeof(*run);
	memcpy((char *)run + sizeof(*run), &value, 1);
	return 0;
}

static inline int guest_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;

	if (vcpu_id != 0)
		return guest_wait(run);
	fixture->n_runs++;
	return guest_leave(run);
}

static inline void fixture_init(struct fixture *fixture, enum guest_type type, bool in_place)
{
	static char cmdline[] = "quiet";
	struct fake_traits *traits;
	struct image image;
	int fd;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.kernel_path = "/tmp/alcove-test-kernel-XXXXXX",
		.config = {.type = type,
			   .n_vcpus = 3,
			   .memory_bytes = 64 * MIB,
			   .console = CONSOLE_NONE,
			   .rng = true,
			   .snp_policy = 0x30000,
			   .sandbox = SANDBOX_OFF},
	};
	traits = fake_traits(fixture->fake);
	traits->has_snp = type == GUEST_TYPE_SNP;
	traits->has_tdx = type == GUEST_TYPE_TDX;
	traits->in_place = in_place;
	traits->guards_private = true;
	bzimage_make(&image);
	fd = mkstemp(fixture->kernel_path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, image.bytes, image.size_bytes), (ssize_t)image.size_bytes);
	close(fd);
	fixture->config.kernel = fixture->kernel_path;
	fixture->config.cmdline = cmdline;
	fixture->faulty = faulty_new(fake_host(fixture->fake));
	fake_set_guest(fixture->fake, guest_run, fixture);
}

static inline int fixture_run(struct fixture *fixture)
{
	return (int)machine_run(fake_host(fixture->fake), &fixture->config);
}

/* By a host whose calls can be made to fail. */
static inline int fixture_run_faulty(struct fixture *fixture)
{
	return (int)machine_run(faulty_host(fixture->faulty), &fixture->config);
}

static inline void fixture_fini(struct fixture *fixture)
{
	unlink(fixture->kernel_path);
	faulty_free(fixture->faulty);
	fake_free(fixture->fake);
}

#endif
