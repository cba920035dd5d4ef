#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A daemon that ends takes its own mount away, wherever that is by then, and
# nothing else that has come in its place.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
as sergio sh -c "echo text >'$src/file'"

# what_is_at PATH: the type of the mount on top.
what_is_at() {
	findmnt -n -o FSTYPE --mountpoint "$1" | tail -1
}
count() { # PATH
	grep -cF " $1 " /proc/self/mountinfo
}
watcher() {
	leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-watch:.*/\1/p'
}
# end SIGNAL PID: and its watcher has done what it does.
end() {
	local watchers
	watchers=$(watcher)
	kill -"$1" "$2"
	wait "$2" 2>/dev/null
	# shellcheck disable=SC2016,SC2086
	wait_for 10 sh -c 'n=0; for p; do [ ! -e /proc/$p ] || n=$((n + 1)); done
		[ $n -lt $# ]' - $watchers
}
# A container that runs keeps what was mounted when it began.
hold() {
	unshare -m --propagation private sleep infinity &
	holder=$!
	wait_for 5 sh -c "[ \"\$(readlink /proc/$holder/ns/mnt)\" != \
		\"\$(readlink /proc/self/ns/mnt)\" ]"
}
let_go() {
	kill "$holder"
	wait "$holder" 2>/dev/null
}
# As root, and for sergio by run-as=.
root_mount() { # [OPTION...]
	idshift-mount -f "$@" "$src" "$mnt" >>"$T/log/root" 2>&1 &
	daemon=$!
	bed_wait_mount "$daemon" "$T/log/root" mountpoint -q "$mnt"
}

# --- another mount of ours at the path -----------------------------------------

for signal in TERM KILL; do
	mount_fs sergio "$src" "$mnt" || exit 1
	old=$daemon
	hold
	ok "SIG$signal to one that a container holds: unmounted" \
		as sergio fusermount3 -u "$mnt"
	mount_fs sergio "$src" "$mnt" || exit 1
	new=$daemon
	end "$signal" "$old"
	is "SIG$signal: the new mount stays" "$(count "$mnt")" 1
	is "SIG$signal: and serves" "$(as sergio cat "$mnt/file")" text
	let_go
	end TERM "$new"
	is "SIG$signal: and ends by itself" "$(count "$mnt")" 0
done

# --- another program's ---------------------------------------------------------

as sergio mkdir "$home/other"
if command -v bindfs >/dev/null; then
	mount_fs sergio "$src" "$mnt" || exit 1
	hold
	as sergio fusermount3 -u "$mnt"
	as_background sergio bindfs -f "$home/other" "$mnt" \
		>>"$T/log/bindfs" 2>&1
	other=$!
	ok "bindfs mounts" wait_for 5 mountpoint -q "$mnt"
	end TERM "$daemon"
	is "bindfs stays" "$(what_is_at "$mnt")" fuse
	let_go
	as sergio fusermount3 -u "$mnt"
	wait "$other"
else
	skip "bindfs stays" "bindfs is not installed"
fi
for options in "" run-as=sergio; do
	for signal in TERM KILL; do
		what="root's${options:+, $options}, SIG$signal"
		root_mount ${options:+-o "$options"} || exit 1
		mount -t tmpfs precious "$mnt" && echo data >"$mnt/data"
		end "$signal" "$daemon"
		is "$what: what covers it stays" "$(cat "$mnt/data")" data
		umount "$mnt"
		is "$what: what is below stays" "$(count "$mnt")" 1
		umount "$mnt"
	done
done

# --- elsewhere -----------------------------------------------------------------

mount --make-private / # a mount in a shared one can't be moved
for signal in TERM KILL; do
	root_mount || exit 1
	mount --move "$mnt" "$home/other"
	end "$signal" "$daemon"
	is "moved, SIG$signal: is gone" "$(count "$home/other")" 0

	as sergio mkdir -p "$home/up/mnt"
	mount_fs sergio "$src" "$home/up/mnt" || exit 1
	as sergio mv "$home/up" "$home/down"
	end "$signal" "$daemon"
	is "a parent renamed, SIG$signal: is gone" "$(count "$home/down/mnt")" 0
	as sergio mv "$home/down" "$home/up"

	for options in "" run-as=sergio; do
		mnt=$home/up/mnt root_mount ${options:+-o "$options"} || exit 1
		as sergio mv "$home/up" "$home/down"
		mkdir -p "$T/victim/mnt"
		mount -t tmpfs victim "$T/victim/mnt"
		as sergio ln -s "$T/victim" "$home/up"
		end "$signal" "$daemon"
		is "a link in its place, ${options:-of root}, SIG$signal: leads to nothing" \
			"$(count "$T/victim/mnt") $(count "$home/down/mnt")" \
			"1 0"
		umount "$T/victim/mnt"
		as sergio sh -c "rm '$home/up'; mv '$home/down' '$home/up'"
	done
done
mount --make-rshared /

# --- dead, and another program's -----------------------------------------------

if command -v bindfs >/dev/null; then
	as_background sergio bindfs -f "$home/other" "$mnt" \
		>>"$T/log/bindfs" 2>&1
	other=$!
	ok "bindfs mounts" wait_for 5 mountpoint -q "$mnt"
	kill -KILL "$other"
	wait "$other" 2>/dev/null
	fails 5 "a dead bindfs" as sergio idshift-mount "$src" "$mnt"
	like "is left to its user" "$output" "fusermount3 -u -z '$mnt'\$"
	is "it is there" "$(count "$mnt")" 1
	as sergio fusermount3 -uz "$mnt"
else
	skip "a dead bindfs" "bindfs is not installed"
fi

# --- aborted -------------------------------------------------------------------

mount_fs sergio "$src" "$mnt" || exit 1
as_background sergio sh -c "cd '$mnt' && exec sleep infinity"
busy=$!
wait_for 5 sh -c "[ \"\$(readlink /proc/$busy/cwd)\" = '$mnt' ]"
fails 32 "umount -f of a busy mount" umount -f "$mnt"
wait "$daemon"
is "ends the daemon" "$?" 0
ok "and its mount" wait_for 5 sh -c "! mountpoint -q '$mnt' && ls '$mnt'"
kill "$busy"
wait "$busy" 2>/dev/null
rm -rf "$T/victim"
