#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount inside another FUSE mount, whose daemon is stopped, and one in a home
# that root may not search.
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
	rm -f "$src/dirty" "$T/log/dirty"
	as_background sergio dirty "$mnt/in/dirty" mapped >"$T/log/dirty"
	wait_for 5 grep -qx '[0-9]*' "$T/log/dirty"
	kill -STOP "$outer_daemon"
	kill -"$signal" "$daemon"
	ok "stopped, SIG$signal: the inner one ends" \
		timeout 20 tail --pid="$daemon" -f /dev/null
	[[ $signal == KILL ]] ||
		is "stopped: what was stored is in the source" \
			"$(cat "$src/dirty")" stored
	is "stopped, SIG$signal: its mount stays for now" "$(count "$mnt/in")" 1
	kill -CONT "$outer_daemon"
	wait "$daemon" 2>/dev/null
	kill "$(cat "$T/log/dirty")"
	# shellcheck disable=SC2016
	ok "stopped, SIG$signal: until there is a way to it" wait_for 10 sh -c \
		'! grep -qF " $1 " /proc/self/mountinfo' - "$mnt/in"
	outer_end
done
if command -v bindfs >/dev/null; then
	outer_mount || exit 1
	as_background sergio idshift run "$src" "$mnt/in" -- \
		sh -c "kill -STOP $outer_daemon" 2>"$T/log/run"
	run=$!
	wait_for 5 grep -q '^State:.T' "/proc/$outer_daemon/status"
	sleep 0.5
	kill "$run"
	ok "stopped: idshift run can be ended" \
		timeout 10 tail --pid="$run" -f /dev/null
	kill -CONT "$outer_daemon"
	wait "$run"
	is "stopped: says that it could not unmount" "$? $(cat "$T/log/run")" \
		"125 idshift run: '$mnt/in': can't be unmounted; run: \
fusermount3 -u '$mnt/in'"
	as sergio fusermount3 -u "$mnt/in"
	ok "stopped: the inner one ends" wait_for 5 sh -c \
		"! grep -qF ' $mnt/in ' /proc/self/mountinfo"
	outer_end
fi

# --- root may not search the way to it -----------------------------------------

# As in a home on NFS, where it is nobody.
squashed=(setpriv --inh-caps=-all
	--bounding-set=-dac_override,-dac_read_search)
as sergio chmod 700 "$home"
gone() {
	# shellcheck disable=SC2016
	wait_for 10 sh -c '! grep -qF " $1 " /proc/self/mountinfo' - "$1"
}
fails 1 "root may not" "${squashed[@]}" test -e "$mnt"
for signal in TERM KILL; do
	"${squashed[@]}" idshift-mount -f -o run-as=sergio "$src" "$mnt" \
		>>"$T/log/root" 2>&1 &
	daemon=$!
	ok "run-as=, SIG$signal: mounts" bed_wait_mount "$daemon" \
		"$T/log/root" as sergio test -e "$mnt/file"
	kill -"$signal" "$daemon"
	wait "$daemon" 2>/dev/null
	ok "run-as=, SIG$signal: is gone" gone "$mnt"
	umount -l "$mnt" 2>/dev/null
done
ok "run-as=, in the background: mounts" timeout 10 "${squashed[@]}" \
	idshift-mount -o run-as=sergio "$src" "$mnt"
is "run-as=, in the background: serves" "$(as sergio cat "$mnt/file")" text
# shellcheck disable=SC2046
kill $(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p')
ok "run-as=, in the background: is gone" gone "$mnt"
umount -l "$mnt" 2>/dev/null
is "nobody has complained" "$(cat "$T/log/root")" ""
