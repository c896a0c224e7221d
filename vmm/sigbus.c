// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/sigbus.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "vmm/err.h"
#include "vmm/machine.h"

/* On whichever thread touched the page; nothing here allocates or locks. */
static void sigbus_handle(int signal, siginfo_t *info, void *context)
{
	static const char digits[] = "0123456789abcdef";
	char line[] =
		"\r\nalcove: memory: the host did not deliver the page at 0x0000000000000000; "
		"it is out of memory or the page is damaged: look at the kernel log\r\n";
	char *last = strchr(line, ';') - 1;
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)signal;
	(void)context;
	for (; address; address >>= 4)
		*last-- = digits[address & 15];
	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
	_exit(EXIT_STATUS_INTERNAL);
}

void sigbus_init(void)
{
	struct sigaction action = {.sa_sigaction = sigbus_handle, .sa_flags = SA_SIGINFO};

	ASSERT(sigaction(SIGBUS, &action, NULL) == 0);
}
