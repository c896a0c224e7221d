// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/snp_status.h"

#include <linux/psp-sev.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/host_cc.h"
#include "vmm/range.h"

/* What a launch can meet, and a word that has to be in what is said of it. */
static const struct {
	uint32_t status;
	const char *word;
} statuses[] = {
	{SEV_RET_INVALID_PLATFORM_STATE, "platform"},
	{SEV_RET_INVALID_GUEST_STATE, "state"},
	{SEV_RET_POLICY_FAILURE, "policy"},
	{SEV_RET_INVALID_ADDRESS, "address"},
	{SEV_RET_BAD_SIGNATURE, "signature"},
	{SEV_RET_BAD_MEASUREMENT, "digest"},
	{SEV_RET_ASID_OWNED, "ASID"},
	{SEV_RET_DFFLUSH_REQUIRED, "flushed"},
	{SEV_RET_INVALID_GUEST, "guest"},
	{SEV_RET_UNSUPPORTED, "update"},
	{SEV_RET_INVALID_PARAM, "parameter"},
	{SEV_RET_RESOURCE_LIMIT, "resources"},
	{SEV_RET_INVALID_PAGE_STATE, "page"},
	{SEV_RET_BAD_SVN, "security version"},
	{SEV_RET_BAD_VERSION, "version"},
	{SEV_RET_SHUTDOWN_REQUIRED, "ccp"},
	{SEV_RET_INVALID_KEY, "key"},
	{HOST_SEV_NO_CALL, "not asked"},
	{0, "kernel"},
};

START_TEST(test_each_status_has_words_of_its_own)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		const char *text = snp_status_describe(statuses[i].status);

		ck_assert_msg(strstr(text, statuses[i].word), "0x%x: %s", statuses[i].status,
			      text);
		for (size_t other = 0; other < i; other++)
			ck_assert_str_ne(text, snp_status_describe(statuses[other].status));
	}
}
END_TEST

/* Firmware of tomorrow. */
START_TEST(test_unknown_status_has_words_too)
{
	for (uint32_t status = 0x100; status < 0x200; status++)
		ck_assert_ptr_nonnull(strstr(snp_status_describe(status), "does not know"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_each_status_has_words_of_its_own,
		test_unknown_status_has_words_too,
	};

	return unit_run(unit_suite("snp_status", tests, ARRAY_SIZE(tests)));
}
