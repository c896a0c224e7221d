// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Launches of SNP guests and TDs with each of their calls failing in every way the call can
 * fail, once and from then on, with and without a word of the processor's firmware. Whatever
 * happens: the guest starts, or it does not and one line says why and leaves nothing behind.
 */
#include <inttypes.h>
#include <linux/psp-sev.h>

#include "tests/unit/captured.h"
#include "tests/unit/cc_boots.h"
#include "tests/unit/certs_rig.h"

enum {
	ERRNOS_MAX = 6,
};

/* What firmware and module say with a failure. */
static const uint64_t statuses[][3] = {
	[GUEST_TYPE_SNP] = {0, SEV_RET_RESOURCE_LIMIT, UINT32_MAX},
	[GUEST_TYPE_TDX] = {0, UINT64_C(0xc000010000000000), UINT64_C(0x8000020000000000)},
};

static const struct {
	enum guest_type type;
	bool in_place;
	enum cc_boot boot;
} launches[] = {
	{GUEST_TYPE_SNP, false, CC_BOOT_STUB},	   {GUEST_TYPE_SNP, true, CC_BOOT_STUB},
	{GUEST_TYPE_SNP, true, CC_BOOT_FIRMWARE},  {GUEST_TYPE_SNP, false, CC_BOOT_IGVM_SVSM},
	{GUEST_TYPE_TDX, false, CC_BOOT_STUB},	   {GUEST_TYPE_TDX, true, CC_BOOT_STUB},
	{GUEST_TYPE_TDX, false, CC_BOOT_FIRMWARE}, {GUEST_TYPE_TDX, true, CC_BOOT_IGVM},
};

/* Of the objects that an operator knows, one is named first. */
static const char *const objects[] = {
	"vm: ",	    "snp: ",   "tdx: ",	  "memory: ",	"cpuid: ",
	"launch: ", "vcpu0: ", "vcpu1: ", "/dev/sev: ", "devices: "};

/* One line that is an error: others are of the digest, or of pages that are lost on the way. */
static void check_words(const char *text, const char *where)
{
	const char *line = text;
	unsigned int n_errors = 0;

	while (*line) {
		size_t n_bytes = strcspn(line, "\n");
		bool is_known = false;

		ck_assert_msg(!strncmp(line, "alcove: ", 8), "%s: %s", where, text);
		line += 8;
		n_bytes -= 8;
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			is_known |= !strncmp(line, objects[i], strlen(objects[i]));
		ck_assert_msg(is_known && n_bytes > 24, "%s: %s", where, text);
		n_errors += !memmem(line, n_bytes, " launch digest ", 15) &&
			    !memmem(line, n_bytes, ": MRTD ", 7) &&
			    !memmem(line, n_bytes, " are lost: ", 11);
		line += n_bytes + (line[n_bytes] == '\n');
	}
	ck_assert_msg(n_errors == 1, "%s: %u errors: %s", where, n_errors, text);
}

/* SNP guests have certificates, too. Returns the descriptor of their file, or -1. */
static int certs_init(struct fixture *fixture, char path[64])
{
	uint8_t table[4096];
	int fd;

	if (fixture->config.type != GUEST_TYPE_SNP)
		return -1;
	image_write(table, certs_make(table, 2, 1000, 0x33), &fd, path);
	fixture->config.snp_certs = path;
	return fd;
}

/* How a launch ended. */
struct outcome {
	bool has_run;
	char verb[32]; /* whose turn came */
	unsigned int n_errnos;
	int status;
};

static struct outcome launch_with(unsigned int index, unsigned int n_vcpus, struct fault fault)
{
	struct outcome outcome;
	char certs_path[64];
	struct cc_boot_files files;
	struct captured captured;
	struct fixture fixture;
	const char *verb;
	int certs_fd;
	char where[160];

	fixture_init(&fixture, launches[index].type, launches[index].in_place);
	fixture.config.n_vcpus = n_vcpus;
	certs_fd = certs_init(&fixture, certs_path);
	cc_boot_init(&files, &fixture, launches[index].boot);
	faulty_arm(fixture.faulty, fault);
	captured_begin(&captured);
	outcome.status = fixture_run_faulty(&fixture);
	captured_end(&captured);
	outcome.has_run = fixture.n_runs;
	verb = faulty_get_verb(fixture.faulty, &outcome.n_errnos);
	snprintf(outcome.verb, sizeof(outcome.verb), "%s", verb ? verb : "");
	snprintf(where, sizeof(where), "launch %u, %s (call %u), errno %u%s, status 0x%" PRIx64,
		 index, outcome.verb, fault.nth, fault.which, fault.for_ever ? " for ever" : "",
		 fault.status);
	if (outcome.status != GUEST_STATUS)
		check_words(captured.text, where);
	if (certs_fd >= 0)
		close(certs_fd);
	cc_boot_fini(&files);
	/* Aborts on whatever is left behind. */
	fixture_fini(&fixture);
	return outcome;
}

/* The same, up to the first processor that runs. */
static struct outcome start_with(unsigned int index, unsigned int n_vcpus, struct fault fault)
{
	struct outcome outcome = launch_with(index, n_vcpus, fault);

	ck_assert_msg(outcome.status == (outcome.has_run ? GUEST_STATUS : EXIT_STATUS_SETUP),
		      "launch %u, call %u: %d", index, fault.nth, outcome.status);
	return outcome;
}

/* What may fail once, and the guest starts all the same. */
static const char *const patient[] = {
	"kvm_check_extension", /* what cannot be asked for is not there */
	"cc_get_attr",		"vm_create_guest_memfd", /* tries how this kernel converts */
	"vm_set_attributes",	"gmem_set_attributes",	 "snp_launch_update",
	"tdx_get_capabilities", "tdx_init_vm",		 "tdx_init_mem_region",
	"tdx_finalize_vm",
};

static bool is_patient(const char *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(patient); i++) {
		if (!strcmp(verb, patient[i]))
			return true;
	}
	return false;
}

/* Call @nth, with errno @which. False: there is no such errno. */
static bool sweep_errno(unsigned int index, unsigned int nth, unsigned int which,
			unsigned int *n_refused)
{
	const uint64_t *status = statuses[launches[index].type];
	struct fault fault = {.nth = nth, .which = which};
	bool has_status = false;

	for (unsigned int i = 0; i < 3 && (!i || has_status); i++) {
		struct outcome outcome;

		fault.status = status[i];
		fault.for_ever = false;
		outcome = start_with(index, 2, fault);
		if (which >= outcome.n_errnos)
			return false;
		has_status =
			!strncmp(outcome.verb, "snp_", 4) || !strncmp(outcome.verb, "tdx_", 4);
		ck_assert_msg(!outcome.has_run || is_patient(outcome.verb), "%s goes on",
			      outcome.verb);
		*n_refused += !outcome.has_run;
		/* Words change nothing about how long something is tried. */
		if (i)
			continue;
		fault.for_ever = true;
		outcome = start_with(index, 2, fault);
		ck_assert_msg(!outcome.has_run, "%s goes on for ever", outcome.verb);
		*n_refused += !outcome.has_run;
	}
	return true;
}

/* Not a failure: which verb it is. False: a processor runs. */
static bool is_of_launch(unsigned int index, unsigned int n_vcpus, unsigned int nth)
{
	struct outcome outcome =
		start_with(index, n_vcpus, (struct fault){.nth = nth, .which = ERRNOS_MAX});

	ck_assert(outcome.has_run);
	return strcmp(outcome.verb, "vcpu_run") != 0;
}

START_TEST(test_launch_survives_every_failure)
{
	unsigned int nth = 1, n_refused = 0;

	for (; is_of_launch((unsigned int)_i, 2, nth); nth++) {
		unsigned int which = 0;

		while (which < ERRNOS_MAX &&
		       sweep_errno((unsigned int)_i, nth, which, &n_refused))
			which++;
	}
	ck_assert_uint_gt(nth, 25);
	ck_assert_uint_gt(n_refused, 3 * nth);
}
END_TEST

/* KVM_RUN itself, of the only processor. */
START_TEST(test_guest_that_cannot_run_ends)
{
	static const int errnums[] = {EFAULT, EINVAL, ENOMEM, EIO, EHWPOISON, ENOSYS};
	unsigned int nth = 1;

	while (is_of_launch((unsigned int)_i, 1, nth))
		nth++;
	for (size_t i = 0; i < ARRAY_SIZE(errnums); i++) {
		struct outcome outcome = launch_with(
			(unsigned int)_i, 1, (struct fault){.nth = nth, .errnum = errnums[i]});

		ck_assert_msg(outcome.status == EXIT_STATUS_PANIC ||
				      outcome.status == EXIT_STATUS_INTERNAL,
			      "errno %d: %d", errnums[i], outcome.status);
	}
	ck_assert_int_eq(
		launch_with((unsigned int)_i, 1, (struct fault){.nth = nth, .errnum = EINTR})
			.status,
		GUEST_STATUS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault_launch");
	TCase *tcase = tcase_create("fault_launch");

	tcase_set_timeout(tcase, 100);
	tcase_add_loop_test(tcase, test_launch_survives_every_failure, 0, ARRAY_SIZE(launches));
	tcase_add_loop_test(tcase, test_guest_that_cannot_run_ends, 0, ARRAY_SIZE(launches));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
