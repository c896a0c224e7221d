/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the stub gave up, for people: what a TD says itself, and what Alcove says of an SNP
 * guest, which can only give a number.
 */
#ifndef BOOT_STUB_TEXTS_H
#define BOOT_STUB_TEXTS_H

#include "boot/stub.h"

/* With "alcove stub: " before it, a text fits the 64 characters of ReportFatalError. */
static const char stub_texts[STUB_FAULT_COUNT][44] = {
	[STUB_OK] = "no fault",
	[STUB_BAD_MAGIC] = "parameters: magic",
	[STUB_BAD_VERSION] = "parameters: version",
	[STUB_BAD_PLATFORM] = "parameters: platform",
	[STUB_BAD_VCPUS] = "parameters: number of vcpus",
	[STUB_BAD_C_BIT] = "parameters: C-bit",
	[STUB_BAD_ENTRY] = "parameters: kernel entry",
	[STUB_BAD_BOOT_PARAMS] = "parameters: boot params",
	[STUB_BAD_MAILBOX] = "parameters: mailbox",
	[STUB_BAD_RESERVED] = "parameters: reserved",
	[STUB_BAD_COUNT] = "parameters: number of ranges",
	[STUB_BAD_ALIGN] = "parameters: range not of pages",
	[STUB_BAD_ORDER] = "parameters: ranges overlap",
	[STUB_BAD_LIMIT] = "parameters: range is no RAM",
	[STUB_BAD_LAUNCHED] = "parameters: range was launched",
	[STUB_BAD_CPUID] = "CPUID page cannot be true",
	[STUB_VALIDATE] = "PVALIDATE failed",
	[STUB_NO_CHANGE] = "page was validated before",
	[STUB_VP_INFO] = "TDG.VP.INFO failed",
	[STUB_OTHER_VCPUS] = "number of vcpus is not as measured",
	[STUB_ACCEPT] = "page not accepted",
	[STUB_ACCEPTED] = "page was accepted before",
	[STUB_OTHER_RAN] = "vcpu runs that the guest did not start",
};

#endif
