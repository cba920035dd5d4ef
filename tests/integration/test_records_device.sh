#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A source whose file system comes back on a device of another number: what is
# recorded of files goes with it; of links only where it has an id of its own,
# and doctor says where not.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command losetup

disk=$T/home/sergio/disk
mnt=$T/home/sergio/mnt
as sergio mkdir "$disk" || exit 1
userns_start sergio || exit 1
truncate -s 1M "$T/hold"

bring() { # IMAGE: its loop device goes with its mount; $disk is the source
	local device status
	device=$(losetup -f --show "$1") || return
	mount "$device" "$disk" && stat -c %d "$disk"
	status=$?
	losetup -d "$device"
	return $status
}
view() {
	"${ns[@]}" sh -c "cd '$mnt' && stat -c %u:%g file link fifo" | paste -sd ' '
}

for fs in xfs ext4; do
	image=$T/$fs.image
	command -v "mkfs.$fs" >/dev/null || {
		skip "$fs" "no mkfs.$fs"
		continue
	}
	truncate -s 400M "$image"
	"mkfs.$fs" -q "$image" >"$T/log/mkfs.log" 2>&1 &&
		before=$(bring "$image") || {
		skip "$fs" "kernel: no $fs, or no loop device"
		continue
	}
	chown sergio:sergio "$disk"
	saying=$(as sergio idshift doctor "$disk" | grep 'file handles')
	mount_fs sergio "$disk" "$mnt" || exit 1
	"${ns[@]}" sh -c "cd '$mnt' && touch file && ln -s x link && mkfifo fifo &&
		chown -h 5:6 file link fifo"
	is "$fs: at first" "$(view)" "5:6 5:6 5:6"
	umount_fs sergio "$mnt"
	umount "$disk"
	# It takes the number that the disk had.
	hold=$(losetup -f --show "$T/hold")
	after=$(bring "$image")
	ok "$fs: it is on another device" test "$after" -ne "$before"
	losetup -d "$hold"
	mount_fs sergio "$disk" "$mnt" || exit 1
	if [[ $fs == xfs ]]; then
		is "$fs: owners of files stay" "$(view)" "5:6 0:0 0:0"
		like "$fs: doctor said so" "$saying" 'while the device keeps its number'
	else
		is "$fs: all owners stay" "$(view)" "5:6 5:6 5:6"
		like "$fs: doctor didn't say otherwise" "$saying" 'from another$'
	fi
	umount_fs sergio "$mnt"
	umount "$disk"
	rm "$image"
done
kill "$userns"
wait "$userns" 2>/dev/null || true
