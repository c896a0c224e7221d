// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A config file, and behind the first NUL byte a command line whose words end with NUL bytes.
 *
 * Whatever is refused is refused with one line that says why; whatever is taken is within the
 * limits of the table, and stays the same when it is said again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/args.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/options.h"
#include "vmm/platform.h"

enum {
	INPUT_MAX_BYTES = 16 * 1024,
	WORDS_MAX = 64,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void check_refusal(int result, const struct err *err)
{
	ASSERT(result < 0);
	ASSERT(err->code < 0);
	ASSERT(err->text[0]);
	for (const char *c = err->text; *c; c++)
		ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_config(const struct config *config)
{
	ASSERT(config->n_vcpus >= 1 && config->n_vcpus <= PLATFORM_VCPUS_MAX);
	ASSERT(config->memory_bytes >= LAYOUT_RAM_BYTES_MIN);
	ASSERT(config->type == GUEST_TYPE_PLAIN);
	ASSERT(config->hw <= BOOT_HW_FDT);
	ASSERT(config->console <= CONSOLE_NONE);
	ASSERT(config->sandbox <= SANDBOX_OFF);
	ASSERT(config->control <= CONTROL_ON);
	ASSERT(config->on_reboot <= REBOOT_EXIT);
	ASSERT(config->cmdline);
	ASSERT(config->n_disks <= CONFIG_DISKS_MAX);
	for (unsigned int i = 0; i < config->n_disks; i++) {
		ASSERT(config->disks[i].name[0]);
		ASSERT(memchr(config->disks[i].name, '\0', CONFIG_NAME_MAX_BYTES));
		for (unsigned int j = 0; j < i; j++)
			ASSERT(strcmp(config->disks[i].name, config->disks[j].name) != 0);
	}
}

static void read_file(struct config *config, const uint8_t *data, size_t data_bytes)
{
	_cleanup_close_ int fd = memfd_create("config", MFD_CLOEXEC);
	struct err err = {0};
	char path[32];
	int result;

	ASSERT(fd >= 0);
	ASSERT(write(fd, data, data_bytes) == (ssize_t)data_bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = options_read_file(config, path, &err);
	if (result < 0)
		check_refusal(result, &err);
}

static int takes_value(const char *name, struct err *err)
{
	return options_know(name, err) ? 1 : -1;
}

/* @text ends with a NUL byte of ours. */
static void read_command_line(struct config *config, char *text, size_t text_bytes)
{
	char *words[WORDS_MAX + 1] = {NULL};
	struct args args = {.next = words, .takes_value = takes_value};
	struct err err = {0};
	struct arg arg;
	int more;
	size_t n = 0;

	for (char *word = text; word < text + text_bytes && n < WORDS_MAX;
	     word += strlen(word) + 1)
		words[n++] = word;
	while ((more = args_next(&args, &arg, &err)) > 0) {
		int result;

		if (!*arg.name || !arg.value)
			continue;
		result = options_set(config, arg.name, arg.value, &err);
		if (result < 0)
			check_refusal(result, &err);
		else if (strcmp(arg.name, "disk") != 0)
			ASSERT(options_set(config, arg.name, arg.value, &err) == 0);
	}
	if (more < 0)
		check_refusal(more, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	static char text[INPUT_MAX_BYTES + 1];
	struct config config;
	struct err err = {0};
	size_t file_bytes;
	int result;

	if (data_bytes > INPUT_MAX_BYTES)
		return 0;
	memcpy(text, data, data_bytes);
	text[data_bytes] = '\0';
	file_bytes = strlen(text);

	ASSERT(config_init(&config, NULL) == 0);
	check_config(&config);
	read_file(&config, data, file_bytes);
	check_config(&config);
	if (file_bytes < data_bytes)
		read_command_line(&config, text + file_bytes + 1, data_bytes - file_bytes - 1);
	check_config(&config);
	result = config_check(&config, &err);
	if (result < 0)
		check_refusal(result, &err);
	config_fini(&config);
	return 0;
}
