#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A source whose times are whole seconds and whose inodes have no birth (ext4
# with small inodes): two changes in a second look alike.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command losetup mkfs.ext4

disk=$T/home/sergio/disk
mnt=$T/home/sergio/mnt
as sergio mkdir "$disk" || exit 1
userns_start sergio || exit 1
truncate -s 32M "$T/image"
mkfs.ext4 -q -I 128 "$T/image" >"$T/log/mkfs.log" 2>&1 &&
	mount -o loop "$T/image" "$disk" || skip_all "kernel: no ext4, or no loop device"
chown sergio:sergio "$disk"
host() {
	as sergio sh -c "cd '$disk' && $1"
}
inside() {
	"${ns[@]}" sh -c "cd '$mnt' && $1" 2>&1
}
new_second() {
	local now
	printf -v now '%(%s)T' -1
	while [[ $(printf '%(%s)T' -1) == "$now" ]]; do sleep 0.01; done
}

for cache in auto none; do
	mount_fs sergio "$disk" "$mnt" -o "cache=$cache" || exit 1
	host 'echo >f'
	new_second
	host 'chmod 644 f'
	sleep 0.2
	is "$cache: a mode" "$(inside 'stat -c %a f')" 644
	host 'chmod 600 f'
	sleep 1.2
	is "$cache: another of the same second" "$(inside 'stat -c %a f')" 600
	new_second
	is "$cache: a recycled inode has nothing of the one before" \
		"$(inside 'for i in 1 2 3 4 5; do
			>old; chown 33:33 old; chmod 4755 old; rm old
			umask 077; echo >new; stat -c "%u %a" new; rm new
		done' | sort -u)" "0 600"
	umount_fs sergio "$mnt"
done
umount "$disk"
kill "$userns"
wait "$userns" 2>/dev/null || true
