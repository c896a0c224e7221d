// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a bzImage: what is accepted must be loadable from that very file. */
#include "boot/kernel.h"

#include "tests/fuzz/kernel_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	return kernel_file_fuzz(bytes, size_bytes, bzimage_parse);
}
