#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Layers of an image unpacked over each other: owners, modes, links, fifos,
# whiteouts, attributes, ACLs, capabilities as in a plain directory.
# (tests/long/test_layers.sh has thousands, and podman build.)
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/integration/layers.sh"
need_root
need_allow_other
need_command nsenter tar getfattr getcap getfacl

source_dir sergio src
src=$dir
home=$T/home/sergio
as sergio mkdir "$home/plain" "$home/work"
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$home/mnt" || exit 1
layers_compare "$home/plain" "$home/mnt" "$home/work" 3 400
# The kernel's own overlay, its upper layer there.
for top in "$home/plain" "$home/mnt"; do
	"${ns[@]}" unshare -m sh -c "cd '$top' && mkdir -p low/dir up work all && cd low &&
		echo 1 >gone && echo 2 >moved && echo 3 >dir/in && chown 5:6 moved && cd .. &&
		mount -t overlay -o lowerdir=low,upperdir=up,workdir=work,userxattr none all &&
		cd all && rm gone && mv moved dir/there && mv dir dir2 && chown 7 dir2/in &&
		setpriv --reuid 33 --regid 34 --clear-groups touch ../up/x 2>&1; ls -lnR --time-style=+ . &&
		cd .. && umount all && cd up && find . -printf '%P %y %m %U:%G\\n' | sort" \
		>"$T/overlay.${top##*/}" 2>&1
done
same "a kernel overlay's upper layer" "$T/overlay.mnt" "$T/overlay.plain"
is "with whiteouts" "$(grep -c ' c ' "$T/overlay.mnt")" 3
is "nothing on disk is setuid" \
	"$(find "$src" -type f -perm /6000 | head -3)" ""
is "nothing on disk has capabilities" "$(getcap -r "$src")" ""
ok "all of it can be deleted" "${ns[@]}" sh -c "rm -rf '$home/mnt'/*"
is "nothing is left in the source" "$(ls -A "$src")" ""
ok "unmount" umount_fs sergio "$home/mnt"
