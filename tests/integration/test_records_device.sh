#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A source whose file system comes back on a device of another number: what is
# recorded of files goes with it; of links only where it has an id of its own,
# and doctor says where not.  Nor are links known on FUSE, and on an overlay they
# change with the first change of them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command losetup python3 setfacl

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

# Lower objects of an overlay, which have no handles.
as sergio mkdir "$T/home/sergio"/{lower,upper,work}
as sergio sh -c "cd '$T/home/sergio/lower' && touch file && ln -s x link &&
	ln -s x other && mkfifo fifo && mkdir dir"
if mount -t overlay -o "lowerdir=$T/home/sergio/lower,upperdir=$T/home/sergio/upper,workdir=$T/home/sergio/work" \
	overlay "$disk"; then
	# The container's uid 9 has no counterpart on disk.
	mount_fs sergio "$disk" "$mnt" -o map=u:100008:7 || exit 1
	"${ns[@]}" sh -c "cd '$mnt' && chown -h 5:6 file link fifo &&
		setfacl -d -m u:9:rwx dir && umask 077 && touch dir/new"
	sleep 1.2
	is "overlay: a default ACL counts" \
		"$("${ns[@]}" stat -c %a "$mnt/dir/new")" 664
	is "overlay: owners stay" "$(view)" "5:6 5:6 5:6"
	is "overlay: of these alone" "$("${ns[@]}" stat -c %u:%g "$mnt/other")" 0:0
	ok "overlay: unmount" umount_fs sergio "$mnt"
	ok "overlay: nobody uses it" wait_for 5 umount "$disk"
else
	skip "overlay" "kernel: no overlayfs here"
fi

# What has a handle for as long as the server runs.
if command -v bindfs >/dev/null; then
	as sergio mkdir "$T/home/sergio/below"
	as sergio sh -c "cd '$T/home/sergio/below' && touch file && ln -s x link &&
		mkfifo fifo && chmod 777 ."
	# Where files have no attributes either, and are looked up in an order.
	as sergio bindfs --xattr-none -o allow_other "$T/home/sergio/below" "$disk"
	saying=$(as sergio idshift doctor "$disk" | grep 'file handles')
	like "FUSE: doctor says so" "$saying" "can't be recorded"
	mount_fs sergio "$disk" "$mnt" || exit 1
	for name in file link fifo; do
		fails 1 "FUSE: the owner of $name can't be kept" \
			"${ns[@]}" python3 -c "import os; os.lchown('$mnt/$name', 5, 6)"
		like "FUSE: for this reason" "$output" "not supported"
	done
	ok "FUSE: another's link" "${ns[@]}" setpriv --reuid 5 --regid 6 \
		--clear-groups sh -c "cd '$mnt' && umask 0 && ln -s x new" ||
		note "$("${ns[@]}" ls -la "$mnt")"
	is "FUSE: which shows as yours" \
		"$("${ns[@]}" stat -c %u:%g "$mnt/new")" 0:0
	ok "FUSE: unmount" umount_fs sergio "$mnt"
	as sergio fusermount3 -u "$disk"
else
	skip "FUSE" "bindfs is not installed"
fi
kill "$userns"
wait "$userns" 2>/dev/null || true
