// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cli.h"

int main(int argc, char **argv)
{
	(void)argc;
	return cli_main(argv);
}
