// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/snp_status.h"

#include <linux/psp-sev.h>
#include <stddef.h>

#include "vmm/host_cc.h"

static const struct {
	uint32_t status;
	const char *text;
} texts[] = {
	{SEV_RET_INVALID_PLATFORM_STATE, "the platform is not initialised: reload ccp"},
	{SEV_RET_INVALID_GUEST_STATE, "the launch is not in the state for this"},
	{SEV_RET_POLICY_FAILURE,
	 "the guest's policy forbids this platform: it asks for a newer firmware, a single "
	 "socket or no SMT, or the ID block has another policy"},
	{SEV_RET_INVALID_ADDRESS, "invalid address"},
	{SEV_RET_BAD_SIGNATURE, "a signature of the ID block is wrong"},
	{SEV_RET_BAD_MEASUREMENT, "the ID block expects another launch digest"},
	{SEV_RET_ASID_OWNED, "the ASID is in use"},
	{SEV_RET_DFFLUSH_REQUIRED, "ASIDs have to be flushed first: try again"},
	{SEV_RET_INVALID_GUEST, "no such guest"},
	{SEV_RET_HWSEV_RET_PLATFORM, "hardware failure of the platform"},
	{SEV_RET_HWSEV_RET_UNSAFE, "the hardware is no longer safe to use: restart the host"},
	{SEV_RET_UNSUPPORTED, "not supported by this firmware: update it"},
	{SEV_RET_INVALID_PARAM, "invalid parameter"},
	{SEV_RET_RESOURCE_LIMIT, "out of resources: too many guests run"},
	{SEV_RET_INVALID_PAGE_SIZE, "invalid page size"},
	{SEV_RET_INVALID_PAGE_STATE, "a page is not in the state for this"},
	{SEV_RET_INVALID_MDATA_ENTRY, "invalid metadata entry"},
	{SEV_RET_INVALID_PAGE_OWNER, "a page belongs to somebody else"},
	{SEV_RET_RMP_INIT_REQUIRED, "the RMP is not initialised"},
	{SEV_RET_BAD_SVN, "the ID block has a security version that is too old"},
	{SEV_RET_BAD_VERSION, "the ID block has a version this firmware does not know"},
	{SEV_RET_SHUTDOWN_REQUIRED, "the platform has to be shut down first: reload ccp"},
	{SEV_RET_UPDATE_FAILED, "a firmware update failed: restart the host"},
	{SEV_RET_RESTORE_REQUIRED, "a firmware update has to be taken back: restart the host"},
	{SEV_RET_RMP_INITIALIZATION_FAILED, "the RMP could not be initialised"},
	{SEV_RET_INVALID_KEY, "invalid key"},
	{HOST_SEV_NO_CALL, "the secure processor was not asked: look at the kernel log"},
	{0, "refused by the kernel itself: look at the kernel log"},
};

const char *snp_status_describe(uint32_t status)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "a status Alcove does not know";
}
