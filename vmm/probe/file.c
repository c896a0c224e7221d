// SPDX-License-Identifier: GPL-2.0-or-later
/* Small files of the kernel: each is read once, up to a bound. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"

enum {
	CPUINFO_BYTES = 16 << 10, /* the first processor is enough */
	FILE_BYTES = 4096,
};

void probe_path(char path[HOST_PCI_PATH_BYTES], const char *root, const char *format, ...)
{
	va_list args;
	int used = snprintf(path, HOST_PCI_PATH_BYTES, "%s/", root);

	if (used < 0 || used >= HOST_PCI_PATH_BYTES)
		return;
	va_start(args, format);
	vsnprintf(path + used, (size_t)(HOST_PCI_PATH_BYTES - used), format, args);
	va_end(args);
}

int probe_read(const char *path, char *buffer, size_t size_bytes)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t used = 0;
	ssize_t got = 1;

	buffer[0] = '\0';
	if (fd < 0)
		return -errno;
	while (got > 0 && used < size_bytes - 1) {
		got = read(fd, buffer + used, size_bytes - 1 - used);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			return -errno;
		else
			used += (size_t)got;
		buffer[used] = '\0';
	}
	return (int)used;
}

int probe_open(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : 0;
}

const char *probe_cure_access(int error, const char *otherwise)
{
	return error == -EACCES || error == -EPERM ? "run as root" : otherwise;
}

/* --- Words and numbers --- */

bool probe_has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (text += strspn(text, " \t\n"); *text; text += strspn(text, " \t\n")) {
		size_t bytes = strcspn(text, " \t\n");

		if (bytes == length && !strncmp(text, word, length))
			return true;
		text += bytes;
	}
	return false;
}

/* Where the line starts whose first word is @key, behind that; NULL: nowhere. */
static const char *find_line(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (text) {
		if (!strncmp(text, key, length) && strchr(" \t:", text[length]))
			return text + length;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static bool number_parse(const char *text, uint64_t *ret_value)
{
	char *end;

	text += strspn(text, " \t:");
	if (!strncmp(text, "max", 3)) {
		*ret_value = UINT64_MAX;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	*ret_value = strtoull(text, &end, 10);
	return true;
}

bool probe_find_number(const char *text, const char *key, uint64_t *ret_value)
{
	const char *line = find_line(text, key);

	return line && number_parse(line, ret_value);
}

int probe_cpuinfo_has(const struct probe *probe, const char *line, const char *flag)
{
	_cleanup_free_ char *text = malloc(CPUINFO_BYTES);
	char path[HOST_PCI_PATH_BYTES];
	const char *flags;
	int ret;

	if (!text)
		return -ENOMEM;
	probe_path(path, probe->question.paths.proc, "cpuinfo");
	ret = probe_read(path, text, CPUINFO_BYTES);
	if (ret < 0)
		return ret;
	flags = find_line(text, line);
	if (!flags)
		return -ENODATA;
	text[strcspn(flags, "\n") + (size_t)(flags - text)] = '\0';
	return probe_has_word(flags, flag);
}

void probe_look_flag(struct probe *probe, const char *flag, const char *feature,
		     const char *cure)
{
	char path[HOST_PCI_PATH_BYTES];
	int ret = probe_cpuinfo_has(probe, "flags", flag);

	probe_path(path, probe->question.paths.proc, "cpuinfo");
	if (ret < 0)
		probe_say(probe, PROBE_UNKNOWN, path, "mount proc at /proc", "%s",
			  err_describe(ret));
	else if (ret)
		probe_say(probe, PROBE_OK, path, NULL, "%s", flag);
	else
		probe_say(probe, PROBE_FAIL, path, cure,
			  "no %s: the kernel does not use %s on this host", flag, feature);
}

/* --- What more than one check looks at --- */

void probe_look_parameters(struct probe *probe, const struct probe_parameter *parameters,
			   size_t n)
{
	char path[HOST_PCI_PATH_BYTES], value[32];

	for (size_t i = 0; i < n; i++) {
		const struct probe_parameter *parameter = &parameters[i];
		int ret;

		probe_path(path, probe->question.paths.sysfs, "module/%s/parameters/%s",
			   parameter->module, parameter->name);
		ret = probe_read(path, value, sizeof(value));
		value[strcspn(value, "\n")] = '\0';
		if (ret < 0)
			probe_say(probe, PROBE_UNKNOWN, path,
				  "load the module, or use a kernel that has the parameter",
				  "%s", err_describe(ret));
		else if (value[0] == 'Y' || (value[0] >= '1' && value[0] <= '9'))
			probe_say(probe, PROBE_OK, path, NULL, "%s", value);
		else
			probe_say(probe, PROBE_FAIL, path, parameter->cure, "%s", value);
	}
}

void probe_look_cpus(struct probe *probe, const char *why)
{
	char path[HOST_PCI_PATH_BYTES], present[256], online[256];
	int ret;

	probe_path(path, probe->question.paths.sysfs, "devices/system/cpu/present");
	ret = probe_read(path, present, sizeof(present));
	if (ret >= 0) {
		probe_path(path, probe->question.paths.sysfs, "devices/system/cpu/online");
		ret = probe_read(path, online, sizeof(online));
	}
	if (ret < 0) {
		probe_say(probe, PROBE_UNKNOWN, path, "mount sysfs at /sys", "%s",
			  err_describe(ret));
		return;
	}
	present[strcspn(present, "\n")] = '\0';
	online[strcspn(online, "\n")] = '\0';
	if (!strcmp(present, online))
		probe_say(probe, PROBE_OK, path, NULL, "all, %s", online);
	else
		probe_say(probe, PROBE_FAIL, path, why, "%s of %s", online, present);
}

/* The number of @key in a file; false: no such file, or no such line. */
static bool file_find_number(const char *path, const char *key, uint64_t *ret_value)
{
	char text[FILE_BYTES];

	return probe_read(path, text, sizeof(text)) >= 0 &&
	       (key ? probe_find_number(text, key, ret_value) : number_parse(text, ret_value));
}

/* --- Control groups --- */

/*
 * The group of this process in the hierarchy that has @controller: "" in the path for the
 * unified one (v2). False: none.
 */
static bool group_find(const struct probe *probe, const char *controller,
		       char group[HOST_PCI_PATH_BYTES])
{
	char path[HOST_PCI_PATH_BYTES], text[FILE_BYTES], key[64];
	const char *found;

	probe_path(path, probe->question.paths.proc, "self/cgroup");
	if (probe_read(path, text, sizeof(text)) < 0)
		return false;
	/* 0::/a/b, or 4:memory:/a/b */
	snprintf(key, sizeof(key), ":%s:/", controller);
	found = strstr(text, key);
	if (!found)
		return false;
	found += strlen(key) - 1;
	snprintf(group, HOST_PCI_PATH_BYTES, "%.*s", (int)strcspn(found, "\n"), found);
	return !strstr(group, "..");
}

/* One group: what may still be taken. */
static void limit_read(const char *group, const char *max_name, const char *current_name,
		       uint64_t *bytes, char path[HOST_PCI_PATH_BYTES])
{
	char max_path[HOST_PCI_PATH_BYTES], current_path[HOST_PCI_PATH_BYTES];
	uint64_t max, current;

	probe_path(max_path, group, "%s", max_name);
	probe_path(current_path, group, "%s", current_name);
	if (!file_find_number(max_path, NULL, &max) || max > INT64_MAX / 2 ||
	    !file_find_number(current_path, NULL, &current))
		return;
	max = max > current ? max - current : 0;
	if (max >= *bytes)
		return;
	*bytes = max;
	memcpy(path, max_path, HOST_PCI_PATH_BYTES);
}

bool probe_find_memory_limit(const struct probe *probe, uint64_t *ret_bytes,
			     char path[HOST_PCI_PATH_BYTES])
{
	static const struct {
		const char *controller;
		const char *mount;
		const char *max;
		const char *current;
	} hierarchies[] = {
		{"", "", "memory.max", "memory.current"},
		{"", "/unified", "memory.max", "memory.current"},
		{"memory", "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
	};
	uint64_t bytes = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		char root[HOST_PCI_PATH_BYTES], group[HOST_PCI_PATH_BYTES];
		char full[2 * HOST_PCI_PATH_BYTES];
		size_t root_bytes;

		if (!group_find(probe, hierarchies[i].controller, group))
			continue;
		probe_path(root, probe->question.paths.sysfs, "fs/cgroup%s",
			   hierarchies[i].mount);
		root_bytes = strlen(root);
		snprintf(full, sizeof(full), "%s%s", root, group);
		/* The limits of all groups above hold, too. */
		while (strlen(full) >= root_bytes) {
			limit_read(full, hierarchies[i].max, hierarchies[i].current, &bytes,
				   path);
			if (!strrchr(full, '/'))
				break;
			*strrchr(full, '/') = '\0';
		}
	}
	*ret_bytes = bytes;
	return bytes != UINT64_MAX;
}

/* Has the group of this process, and have those above it, a slot left? Says only when not. */
static bool misc_check_groups(struct probe *probe, const char *mount, const char *key)
{
	char root[HOST_PCI_PATH_BYTES], group[HOST_PCI_PATH_BYTES];
	char path[HOST_PCI_PATH_BYTES];

	if (!group_find(probe, "", group))
		return true;
	probe_path(root, probe->question.paths.sysfs, "%s", mount);
	for (; *group; *strrchr(group, '/') = '\0') {
		uint64_t max, current;

		probe_path(path, root, "%s/misc.current", group + 1);
		if (!file_find_number(path, key, &current))
			current = 0;
		probe_path(path, root, "%s/misc.max", group + 1);
		if (!file_find_number(path, key, &max) || current < max)
			continue;
		probe_say(probe, PROBE_FAIL, path,
			  "let the control group have one more: write to its misc.max",
			  "%s: %" PRIu64 ", %" PRIu64 " in use", key, max, current);
		return false;
	}
	return true;
}

void probe_look_misc(struct probe *probe, const char *key, const char *cure)
{
	static const char *const mounts[] = {"fs/cgroup", "fs/cgroup/unified",
					     "fs/cgroup/misc"};
	char path[HOST_PCI_PATH_BYTES];
	uint64_t capacity, current;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		probe_path(path, probe->question.paths.sysfs, "%s/misc.current", mounts[i]);
		if (!file_find_number(path, key, &current))
			current = 0;
		probe_path(path, probe->question.paths.sysfs, "%s/misc.capacity", mounts[i]);
		if (!file_find_number(path, key, &capacity))
			continue;
		if (current >= capacity)
			probe_say(probe, PROBE_FAIL, path, cure, "%s: %" PRIu64 ", all in use",
				  key, capacity);
		else if (misc_check_groups(probe, mounts[i], key))
			probe_say(probe, PROBE_OK, path, NULL,
				  "%s: %" PRIu64 ", %" PRIu64 " in use", key, capacity,
				  current);
		return;
	}
	probe_path(path, probe->question.paths.sysfs, "fs/cgroup/misc.capacity");
	probe_say(probe, PROBE_UNKNOWN, path,
		  "mount cgroup2 at /sys/fs/cgroup; the kernel needs CONFIG_CGROUP_MISC",
		  "says nothing of %s", key);
}
