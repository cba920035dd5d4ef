#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount inside another FUSE mount, whose daemon is stopped.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
home=$T/home/sergio
mnt=$home/mnt
source_dir sergio outer
outer=$dir
source_dir sergio src
src=$dir
as sergio sh -c "mkdir '$outer/in'; echo text >'$src/file'"

count() { # PATH
	grep -cF " $1 " /proc/self/mountinfo
}
# Nothing of the outer one is kept, so each step into it is asked for.
outer_mount() {
	as_background sergio bindfs -f -o allow_other,entry_timeout=0 \
		-o attr_timeout=0 "$outer" "$mnt" >>"$T/log/bindfs" 2>&1
	outer_daemon=$!
	bed_wait_mount "$outer_daemon" "$T/log/bindfs" mountpoint -q "$mnt"
}
outer_end() {
	kill "$outer_daemon"
	wait "$outer_daemon"
	is "the outer one ends" "$?" 0
}

# --- the outer one is stopped --------------------------------------------------

as sergio mkdir "$mnt"
for signal in TERM KILL; do
	if ! command -v bindfs >/dev/null; then
		skip "stopped, SIG$signal" "bindfs is not installed"
		continue
	fi
	outer_mount || exit 1
	mount_fs sergio "$src" "$mnt/in" || exit 1
	kill -STOP "$outer_daemon"
	kill -"$signal" "$daemon"
	ok "stopped, SIG$signal: the inner one ends" \
		timeout 20 tail --pid="$daemon" -f /dev/null
	is "stopped, SIG$signal: its mount stays for now" "$(count "$mnt/in")" 1
	kill -CONT "$outer_daemon"
	wait "$daemon" 2>/dev/null
	# shellcheck disable=SC2016
	ok "stopped, SIG$signal: until there is a way to it" wait_for 10 sh -c \
		'! grep -qF " $1 " /proc/self/mountinfo' - "$mnt/in"
	outer_end
done

