# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rules of the house that no compiler checks, over C sources and headers (tests/tidy.sh).
# Prints "RULE FILE:LINE: what", one line per offence. Set `errno_files` to the files that may
# read errno.

function offence(rule, what)
{
	printf "%s %s:%d: %s\n", rule, FILENAME, FNR, what
}

# The line without comments, strings emptied; a comment may run over lines.
function code_of(line,    code, token)
{
	code = ""
	while (line != "") {
		if (in_comment) {
			if (!match(line, /\*\//))
				return code
			in_comment = 0
			line = substr(line, RSTART + 2)
			continue
		}
		if (!match(line, /["']|\/\*|\/\//))
			return code line
		token = substr(line, RSTART, 2)
		code = code substr(line, 1, RSTART - 1)
		line = substr(line, RSTART)
		if (token == "//")
			return code
		if (token == "/*") {
			in_comment = 1
			line = substr(line, 3)
		} else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)*'/)) {
			code = code "\"\""
			line = substr(line, RLENGTH + 1)
		} else {
			return code line
		}
	}
	return code
}

function has_word(code, word)
{
	return code ~ ("(^|[^A-Za-z0-9_])" word "([^A-Za-z0-9_]|$)")
}

function columns_of(line,    i, n)
{
	for (i = 1; i <= length(line); i++)
		n = substr(line, i, 1) == "\t" ? n + 8 - n % 8 : n + 1
	return n
}

function check_include(line,    header, target, room)
{
	if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/)
		return
	header = line
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	if (header !~ /\//) {
		offence("include", "\"" header "\" is not named from the top of the tree")
		return
	}
	target = header
	sub(/\/[^\/]*$/, "", target)
	room = folder
	sub(/\/.*/, "", room) # boot/stub is a part of boot, vmm/probe of vmm
	sub(/\/.*/, "", target)
	if (target == room || folder ~ /^tests/ || header == target "/" target ".h")
		return
	if (header ~ /^(boot\/(firmware\/firmware|launch)|devices\/(assigned|firmware|quote))\.h$/)
		return
	if (header ~ /^vmm\/(host|host_cc|host_iommu|host_vfio|err|range|cleanup|platform)\.h$/)
		return
	offence("include", "\"" header "\" is private to " target "/")
}

FNR == 1 {
	folder = FILENAME
	sub(/\/[^\/]*$/, "", folder)
	product = folder ~ /^(vmm(\/[a-z]+)?|memory|devices|boot(\/[a-z]+)?)$/
	linked = product || folder ~ /^tests\/(unit|fake|fuzz|bench|fault|model)$/
	in_comment = body_start = 0
	if ($0 !~ /^(\/\/|\/\*) SPDX-License-Identifier: [^ ]/)
		offence("spdx", "the first line is no SPDX line")
}

{
	raw = $0
	was_in_comment = in_comment
	code = code_of(raw)
}

!was_in_comment { check_include(raw) }

raw ~ /[^\t\040-\176]/ { offence("ascii", "a character outside ASCII, or a control character") }
raw ~ /[ \t]$/ { offence("space", "space at the end of the line") }
columns_of(raw) > 96 { offence("columns", columns_of(raw) " columns; 96 at most") }
has_word(raw, "(TO" "DO|FIX" "ME|XX" "X)") { offence("todo", "unfinished: " raw) }

has_word(code, "goto") { offence("goto", "goto") }
linked && code ~ /(^|[^A-Za-z0-9_])ioctl[ \t]*\(/ && FILENAME != "vmm/host_linux.c" {
	offence("ioctl", "only vmm/host_linux.c calls the kernel's ioctl")
}
product && code !~ /^#include/ && has_word(code, "errno") && index(" " errno_files " ", " " FILENAME " ") == 0 {
	offence("errno", "errno outside the files that may read it (list in tests/tidy.sh)")
}
product && FILENAME ~ /\.c$/ && code ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)([^a-z]|$)/ {
	offence("ifdef", "conditional compilation in a .c file")
}

# Kernel style: only functions have their opening brace alone in the first column.
code ~ /^\{[ \t]*$/ { body_start = FNR }
code ~ /^\}/ && body_start {
	if (FNR - body_start - 1 > 70)
		offence("function", FNR - body_start - 1 " lines in a function; 70 at most")
	body_start = 0
}

FNR == 501 { offence("file", "more than 500 lines") }
