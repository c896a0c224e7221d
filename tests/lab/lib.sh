# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts of the lab: where things are, how to say and fail.
# shellcheck shell=sh disable=SC2034

TOP=$(cd "$(dirname "$0")" && git rev-parse --show-toplevel 2>/dev/null) ||
	TOP=$(cd "$(dirname "$0")" && while [ ! -f .clang-format ] && [ "$PWD" != / ]; do
		cd ..; done && pwd)
# Some CI machines and services set no HOME.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
CACHE=${ALCOVE_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/alcove}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# One line on stderr: stdout belongs to results.
say()
{
	[ -n "${QUIET:-}" ] || printf '%s\n' "$*" >&2
}

need()
{
	for tool; do
		command -v "$tool" >/dev/null ||
			die "'$tool' is missing: run tests/lab/setup"
	done
}

# Make and print a directory beside the cache entries, on the same file system.
# The caller fills it and renames it: an interrupted job leaves no half entry.
cache_tmp()
{
	mkdir -p "$CACHE/tmp"
	# what a killed job left behind
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mmin +600 -exec rm -rf {} +
	mktemp -d "$CACHE/tmp/${0##*/}.XXXXXX"
}

# cache_commit TMP NAME: publish; the entry of a faster twin is as good as ours.
cache_commit()
{
	mv -T "$1" "$CACHE/$2" 2>/dev/null || [ -d "$CACHE/$2" ] ||
		die "cannot create $CACHE/$2"
	rm -rf "$1"
}

# Run the rest of the caller under a lock, so that parallel callers build once.
cache_lock()
{
	mkdir -p "$CACHE"
	exec 9>"$CACHE/.lock-$1"
	flock -n 9 && return
	say "waiting for another $1 to finish"
	flock -w "${2:-3600}" 9 || die "another $1 has held $CACHE/.lock-$1 for an hour"
}
