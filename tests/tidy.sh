#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/tidy.sh [--own] [TREE]: the rules of the house as TAP, one result per rule.
#
# --own   only the rules that need no compiler (what tests/tidy_selftest plants)
# TREE    a git work tree (the one this script is in)
#
# clang-tidy looks at a file again only when it, a header or the configuration changed; ask it
# for the whole story of a finding with: clang-tidy -p . FILE

# Who may read errno: the door to the kernel, and small helpers around files and terminals.
errno_files='vmm/host_linux.c vmm/host_linux_vfio.c vmm/machine_parts.c vmm/conversion_log.c vmm/config_file.c vmm/log.c vmm/snp_file.c vmm/terminal.c memory/guest.c boot/file.c'
errno_files="$errno_files devices/quote_socket.c vmm/certs.c vmm/host_offline.c vmm/measure/id_block.c vmm/measure/id.c devices/fd.c devices/host_pci.c devices/virtio_blk_file.c"
errno_files="$errno_files vmm/device/bind.c vmm/control/socket.c vmm/control/server.c vmm/control/client.c"
errno_files="$errno_files vmm/probe/file.c vmm/probe/log.c vmm/probe/tdx.c vmm/probe/config.c"
errno_files="$errno_files vmm/suite/suite.c vmm/suite/child.c vmm/suite/prepare.c vmm/suite/run.c"

own=
[ "$1" != --own ] || { own=1; shift; }
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/..}" || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
found=$scratch/found
offences=$scratch/offences
n=0
failed=0

files()
{
	git ls-files --cached --others --exclude-standard -- "$@" | sort -u |
		while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
}

# result NAME COMMAND...: what the command prints are offences; none is a pass.
result()
{
	n=$((n + 1))
	name=$1
	shift
	if ! "$@" >"$found" 2>&1 && [ ! -s "$found" ]; then
		echo "$name: the check itself failed" >"$found"
	fi
	if [ -s "$found" ]; then
		failed=1
		echo "not ok $n - $name"
		sed 's/^/# /' "$found"
	else
		echo "ok $n - $name"
	fi
}

# Scripts and make files, by name or by first line.
scripts()
{
	files | while IFS= read -r file; do
		case $file in
		*.patch | *.c | *.h) ;;
		*.sh | *.awk | Makefile | */Makefile | *.mk) printf '%s\n' "$file" ;;
		*) ! head -c 2 "$file" | grep -aq '^#!' || printf '%s\n' "$file" ;;
		esac
	done
}

own_rules()
{
	files '*.c' '*.h' | LC_ALL=C xargs -r awk -v errno_files="$errno_files" \
		-f "$here/tidy.awk" >"$offences" 2>&1 || echo "awk failed" >>"$offences"
	for rule in ascii columns errno file function goto ifdef include ioctl space spdx todo; do
		result "$rule" sed -n "s/^$rule //p" "$offences"
	done
	result "rules ran" sed -n '/awk/p' "$offences"
	result "spdx in scripts" spdx_scripts
	result "todo and ascii in scripts" text_scripts
}

spdx_scripts()
{
	scripts | while IFS= read -r file; do
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' ||
			echo "$file:1: no SPDX line"
	done
}

text_scripts()
{
	scripts | grep -v '^tests/tidy' | LC_ALL=C xargs -r awk '
		/(^|[^A-Za-z0-9_])(TODO|FIXME|XXX)([^A-Za-z0-9_]|$)/ {
			print FILENAME ":" FNR ": unfinished"
		}
		/[^\t\040-\176]/ { print FILENAME ":" FNR ": a character outside ASCII" }'
}

format()
{
	files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror 2>&1 |
		sed -n 's/: error: code should be clang-formatted.*/: not as clang-format has it/p'
}

# Every file through clang-tidy, but for those with a stamp newer than all they may depend on.
clang_tidy()
{
	mkdir -p build/tidy
	newest=$(files '*.h' '*.clang-tidy' Makefile | xargs ls -t | head -n 1)
	sed -n 's/.*"file":"\([^"]*\)".*/\1/p' compile_commands.json |
		while IFS= read -r file; do
			stamp=build/tidy/$(printf '%s' "$file" | tr / _)
			[ "$stamp" -nt "$file" ] && [ "$stamp" -nt "$newest" ] ||
				printf '%s\n%s\n' "$file" "$stamp"
		done |
		xargs -r -n 2 -P "$(nproc)" sh -c '
			out=$(clang-tidy --quiet -p . "$1" 2>&1)
			status=$?
			out=$(printf "%s\n" "$out" | grep -E ": (error|warning): ")
			[ "$status" = 0 ] && [ -z "$out" ] && : >"$2" && exit
			printf "%s\n" "${out:-$1: clang-tidy ended with status $status}"' sh
}

echo "TAP version 13"
own_rules
if [ -z "$own" ]; then
	result 'clang-format' format
	result 'headers compile alone' make -s headers
	result 'compile_commands.json' make -s compile_commands.json
	result 'clang-tidy' clang_tidy
fi
echo "1..$n"
exit $failed
