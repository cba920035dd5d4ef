#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# Every operation of the fsops programs answers on the mount as on a plain
# directory in the same user namespace.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman

mnt=$T/home/sergio/mnt
source_dir sergio src
src=$dir
as sergio mkdir "$T/home/sergio/plain"
plain=$T/home/sergio/plain
mount_fs sergio "$src" "$mnt" || exit 1

# compare WHO NAME [PODMAN-OPTION...]
compare() {
	local who=$1 name=$2
	shift 2
	as sergio podman unshare mkdir "$plain/$name" "$mnt/$name"
	as sergio podman unshare chown "$who:$who" "$plain/$name" "$mnt/$name"
	compare_fsops "$name" "/plain/$name" "/mnt/$name" container sergio \
		-v "$T/sys/bin:/tests:ro" -v "$plain:/plain" -v "$mnt:/mnt" \
		-e PATH=/tests:/usr/sbin:/usr/bin "$@" --
}
compare 0 root
compare 1000 user --user 1000:1000
compare 1000 member --user 1000:1000 --group-add 2000

# Without a container: the user on the host has an id in it as well.  (But a
# host group that no container has can't be given to a file there.)
as sergio mkdir "$plain/host" "$mnt/host"
fsops_without=setgid_directory compare_fsops host "$plain/host" "$mnt/host" \
	as sergio
is "nothing hidden stays behind" "$(find "$src" -name '.fuse_hidden*')" ""
ok "unmount" umount_fs sergio "$mnt"

# Mounted inside podman's own user namespace.
mount_podman sergio "$src" "$mnt" || exit 1
as sergio podman unshare mkdir "$plain/inside" "$mnt/inside"
compare_fsops "podman unshare" "$plain/inside" "$mnt/inside" \
	as sergio podman unshare
ok "unmount inside" as sergio podman unshare fusermount3 -u "$mnt"
