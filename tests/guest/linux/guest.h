/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of the test guests' init (tests/guest/linux/init.c). An action returns
 * 0 or -errno, and writes details into @say, which ends up on its result line.
 */
#ifndef ALCOVE_TESTS_GUEST_LINUX_GUEST_H
#define ALCOVE_TESTS_GUEST_LINUX_GUEST_H

#include <stddef.h>
#include <stdint.h>

struct say {
	char text[512];
	size_t size;
};

void say_add(struct say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint32_t crc32_add(uint32_t crc, const void *data, size_t size);
/* Fill with a pattern that differs at every offset and for every seed. */
void pattern_fill(void *data, size_t size, uint64_t seed);
/* First line of a file, "?" if there is none. */
void file_line(const char *path, char *line, size_t size);
int file_write(const char *path, const char *text);

int disk_read(const char *argument, struct say *say);
int disk_write(const char *argument, struct say *say);
int disk_discard(const char *argument, struct say *say);
int disk_io_error(const char *argument, struct say *say);
int disk_rate(const char *argument, struct say *say);
int disk_files(const char *argument, struct say *say);
int disk_switch_root(const char *argument, struct say *say);

int hw_cpus(const char *argument, struct say *say);
int hw_memory(const char *argument, struct say *say);
int hw_pci(const char *argument, struct say *say);
int hw_rng(const char *argument, struct say *say);
int hw_time(const char *argument, struct say *say);
int hw_flip(const char *argument, struct say *say);

int edu_run(const char *argument, struct say *say);

int storm_run(const char *argument, struct say *say);

int plug_run(const char *argument, struct say *say);

int io_echo(const char *argument, struct say *say);
int io_hvc(const char *argument, struct say *say);
int io_net(const char *argument, struct say *say);
int io_vsock(const char *argument, struct say *say);

int end_exit(const char *argument, struct say *say);
int end_hang(const char *argument, struct say *say);
int end_panic(const char *argument, struct say *say);
int end_poweroff(const char *argument, struct say *say);
int end_reboot(const char *argument, struct say *say);
int end_shell(const char *argument, struct say *say);
int end_sleep(const char *argument, struct say *say);
int end_spin(const char *argument, struct say *say);
int end_triple_fault(const char *argument, struct say *say);

#endif
