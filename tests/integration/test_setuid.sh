#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A setuid file of the host's own: what a container does to it answers as on a
# plain directory, and a change that fails takes nothing from it.  (The daemon
# can make no setuid on disk, so it can't give one back.)
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfattr setfacl setcap

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
mount_fs sergio "$src" "$mnt" -o map=g:shared:2000,cache=none ||
	exit 1
userns_start sergio || exit 1

# try DIR DISK MODE COMMAND...: on a new file, by the container; its mode then.
try() {
	local place=$1 disk=$2 mode=$3
	shift 3
	rm -f "$disk/f"
	as sergio sh -c 'umask 022; echo text >"$1" && chmod "$2" "$1"' sh \
		"$disk/f" "$mode"
	if "${ns[@]}" "$@" "$place/f" 2>"$T/said" >&2; then
		printf '%s' "done"
	else
		sed 's/.*: //' "$T/said" | tr -d '\n'
	fi
	"${ns[@]}" stat -c ' %a %u' "$place/f"
}
as sergio mkdir "$home/plain"
while read -r command; do
	for mode in 4755 6755 4555 4111 6444; do
		read -ra words <<<"$command"
		wanted=$(try "$home/plain" "$home/plain" "$mode" "${words[@]}")
		# In the mount its owners are the container's.
		is "$mode, $command" "$(try "$mnt" "$src" "$mode" "${words[@]}")" \
			"$wanted"
		rm "$home/plain/f" 2>/dev/null || "${ns[@]}" rm "$home/plain/f"
	done
done <<'EOF2'
chmod 755
chmod 4711
chmod 400
chmod u-s
chown 5
chown 0:0
chown 5:6
setfacl -m u:5:r
setfattr -n user.x -v y
touch
truncate -s 3
sed --in-place=.old s/t/u/
setcap cap_chown+ep
cat
EOF2
rm -f "$src"/* "$home/plain"/*

# fill FILE: attributes, until not one more byte fits.
fill() {
	local i=0 size
	for size in 3900 200 20 1; do
		while setfattr -n "user.full$i" \
			-v "$(head -c "$size" /dev/zero | tr '\0' x)" "$1" 2>/dev/null; do
			i=$((i + 1))
			((i < 200)) || return
		done
	done
}

# No room for a record: what had it keeps its setuid, its owner and its mode.
full() { # MODE COMMAND...
	local mode=$1
	shift
	rm -f "$src/f"
	as sergio sh -c 'echo text >"$1" && chgrp sergio "$1"' sh "$src/f"
	fill "$src/f"
	as sergio chmod "$mode" "$src/f"
	if "${ns[@]}" "$@" "$mnt/f" 2>"$T/said" >&2; then
		skip "$mode, no room: $*" "there is room for more on this file system"
		return
	fi
	like "$mode, no room: $*" "$(cat "$T/said")" 'No space left'
	is "$mode, $*: as before" "$(stat -c '%a %U:%G' "$src/f")" \
		"$mode sergio:sergio"
}
full 4755 chown 5:6
full 4755 chown 5:2000
full 755 chown 5:2000
full 2755 chown 5:2000
rm -f "$src/f"
kill "$userns"
wait "$userns" 2>/dev/null
ok "unmount" umount_fs sergio "$mnt"
