/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The syntax of config files, without any meaning: [section], [section label], key = value, and
 * comments from # or ; at the start of a line.
 */
#ifndef VMM_CONFIG_FILE_H
#define VMM_CONFIG_FILE_H

struct err;

enum { CONFIG_LINE_MAX_BYTES = 4096 };

/* Who reads a file. Texts are valid during the call only. */
struct config_reader {
	/**
	 * [@section @label]; without one, @label is "".
	 *
	 * Returns 0 to be given its keys, 1 to skip them, or -errno with @err.
	 */
	int (*open_section)(struct config_reader *reader, const char *section,
			    const char *label, struct err *err);
	/**
	 * @key = @value, in the section opened last. Neither is NULL; @value has no white space
	 * around it and may be empty.
	 */
	int (*set_key)(struct config_reader *reader, const char *key, const char *value,
		       struct err *err);
	unsigned int line; /* for messages: where the reader is, from 1 */
};

/**
 * Give @reader all of the file, in order, up to the first error.
 *
 * Returns 0, or -errno with @err beginning with the file, and the line where there is one.
 */
int config_file_read(const char *path, struct config_reader *reader, struct err *err);

/**
 * Replace each ${NAME} in @text: ${dir} is the directory of the file @path, from the root; any
 * other comes from the environment. $${ stands for ${ itself.
 *
 * @ret_text: free it. Returns 0, -ENOENT (not in the environment), -EINVAL (no closing brace),
 * -ENOMEM.
 */
int config_file_expand(const char *path, const char *text, char **ret_text, struct err *err);

/**
 * What a relative path in the file @path means: relative to the file's directory.
 *
 * @ret_path: free it. Returns 0, -EINVAL (empty), -ENOMEM.
 */
int config_file_resolve(const char *path, const char *relative, char **ret_path,
			struct err *err);

#endif
