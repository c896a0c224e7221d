// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inih splits lines into keys and values. What it cannot say is watched while it reads: the
 * number of the line, sections without keys, and lines too long for it, which it would cut.
 */
#include "vmm/config_file.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

struct reading {
	FILE *file;
	char *line; /* getline's */
	size_t line_room_bytes;
	struct config_reader *reader;
	struct err *err;
	int result; /* of the first failure; nothing is read after it */
	bool has_section;
	bool skips;	   /* the section is not the reader's */
	char section[128]; /* of the last header, for messages: "disk root" */
};

static const char white_space[] = " \t\r\n\v\f";
static const char byte_order_mark[] = "\xef\xbb\xbf";

/* "[section label]" in place; @line begins with the bracket. */
static int header_open(struct reading *reading, char *line)
{
	char *name = line + 1 + strspn(line + 1, white_space);
	char *close = strchr(line, ']');
	char *label;
	size_t bytes;

	if (!close || close[1 + strspn(close + 1, white_space)])
		return err_set(reading->err, -EINVAL,
			       "section header does not end with ']'; write [section] alone");
	while (close > name && strchr(white_space, close[-1]))
		close--;
	*close = '\0';
	bytes = strlen(name);
	if (bytes >= sizeof(reading->section))
		return err_set(reading->err, -EINVAL, "section header is too long; shorten it");
	memcpy(reading->section, name, bytes + 1);
	reading->has_section = true;

	label = name + strcspn(name, white_space);
	if (*label) {
		*label++ = '\0';
		label += strspn(label, white_space);
	}
	return reading->reader->open_section(reading->reader, name, label, reading->err);
}

/* Takes a header out of inih's way, and everything below one that is not the reader's. */
static void line_filter(struct reading *reading, char *line)
{
	char *start = line + strspn(line, white_space);

	if (*start == '[') {
		reading->result = header_open(reading, start);
		reading->skips = reading->result > 0;
	}
	if (*start == '[' || reading->skips)
		*line = '\0';
}

/* A line for inih, as fgets would give it; NULL ends the reading. */
static char *line_read(char *buffer, int size_bytes, void *user)
{
	struct reading *reading = user;
	ssize_t bytes;

	if (reading->result < 0)
		return NULL;
	bytes = getline(&reading->line, &reading->line_room_bytes, reading->file);
	if (bytes < 0)
		return NULL;
	reading->reader->line++;
	if (strlen(reading->line) != (size_t)bytes)
		reading->result = err_set(reading->err, -EINVAL,
					  "line holds a NUL byte; give a text file");
	else if (bytes >= size_bytes)
		reading->result =
			err_set(reading->err, -EINVAL,
				"line is longer than %d bytes; shorten it", size_bytes - 2);
	if (reading->result < 0)
		return NULL;

	memcpy(buffer, reading->line, (size_t)bytes + 1);
	if (reading->reader->line == 1 && !strncmp(buffer, byte_order_mark, 3))
		memmove(buffer, buffer + 3, strlen(buffer + 3) + 1);
	line_filter(reading, buffer);
	return reading->result < 0 ? NULL : buffer;
}

static int key_take(void *user, const char *inih_section, const char *key, const char *value)
{
	struct reading *reading = user;

	(void)inih_section; /* always empty: headers do not reach inih */
	if (!reading->has_section)
		reading->result = err_set(
			reading->err, -EINVAL,
			"%s: key before any section; write a header such as [vm] above it",
			key);
	else
		reading->result =
			reading->reader->set_key(reading->reader, key, value, reading->err);
	if (reading->result < 0 && reading->has_section)
		err_prefix(reading->err, "[%s] %s", reading->section, key);
	return reading->result >= 0;
}

int config_file_read(const char *path, struct config_reader *reader, struct err *err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct reading reading = {.file = file, .reader = reader, .err = err};
	int line;

	if (!file)
		return err_set(err, -errno, "config file '%s': %s; check the path", path,
			       err_describe(errno));

	/* The library's own settings; every file is read with the same. */
	ini_max_line = CONFIG_LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false; /* a kernel command line may hold " ;" */
	ini_stop_on_first_error = true;

	reader->line = 0;
	line = ini_parse_stream(line_read, &reading, key_take, &reading);
	free(reading.line);
	if (reading.result >= 0 && line > 0)
		reading.result = err_set(err, -EINVAL,
					 "neither a section nor a key; write 'key = value'");
	if (reading.result < 0) {
		err_prefix(err, "%s:%u", path, reader->line);
		return reading.result;
	}
	if (ferror(file))
		return err_set(err, -EIO, "config file '%s': cannot be read; check the file",
			       path);
	return 0;
}

/* Bytes of @path up to and with its last slash; 0 for a file in the current directory. */
static size_t directory_bytes(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

int config_file_resolve(const char *path, const char *relative, char **ret_path,
			struct err *err)
{
	int bytes = relative[0] == '/' ? 0 : (int)directory_bytes(path);

	if (!relative[0])
		return err_set(err, -EINVAL, "path is empty; write the name of a file");
	if (asprintf(ret_path, "%.*s%s", bytes, path, relative) < 0)
		return err_set(err, -ENOMEM, "out of memory; free some");
	return 0;
}

/* Writes the directory of @path, from the root and without a slash at its end. */
static int directory_write(FILE *out, const char *path, struct err *err)
{
	_cleanup_free_ char *current = path[0] == '/' ? NULL : get_current_dir_name();
	size_t bytes = directory_bytes(path);

	if (path[0] != '/' && !current)
		return err_set(err, -errno, "current directory: %s; change to another",
			       err_describe(errno));
	if (current)
		fputs(current, out);
	if (current && bytes)
		fputc('/', out);
	/* Of the root, the slash is all there is. */
	fwrite(path, 1, bytes > 1 ? bytes - 1 : bytes, out);
	return 0;
}

/* Writes the value of the variable @name[0..bytes) to @out. */
static int variable_write(FILE *out, const char *path, const char *name, size_t bytes,
			  struct err *err)
{
	char variable[64];
	const char *value;

	if (!bytes || bytes >= sizeof(variable))
		return err_set(err, -EINVAL,
			       "'${%.*s}' does not name a variable; write ${NAME}", (int)bytes,
			       name);
	memcpy(variable, name, bytes);
	variable[bytes] = '\0';
	if (!strcmp(variable, "dir"))
		return directory_write(out, path, err);
	value = getenv(variable);
	if (!value)
		return err_set(err, -ENOENT,
			       "variable ${%s} is not set; set it in the environment",
			       variable);
	fputs(value, out);
	return 0;
}

int config_file_expand(const char *path, const char *text, char **ret_text, struct err *err)
{
	_cleanup_free_ char *expanded = NULL;
	size_t bytes;
	FILE *out = open_memstream(&expanded, &bytes);
	int result = 0;

	while (out && *text && result == 0) {
		const char *end;

		if (!strncmp(text, "$${", 3)) {
			fputs("${", out);
			text += 3;
		} else if (!strncmp(text, "${", 2)) {
			end = strchr(text, '}');
			if (!end) {
				result = err_set(err, -EINVAL,
						 "'${' has no '}'; close it, or write '$${'");
				break;
			}
			result = variable_write(out, path, text + 2, (size_t)(end - text) - 2,
						err);
			text = end + 1;
		} else {
			fputc(*text++, out);
		}
	}
	if (!out || fclose(out))
		result = err_set(err, -ENOMEM, "out of memory; free some");
	if (result == 0)
		*ret_text = take_pointer(expanded);
	return result;
}
