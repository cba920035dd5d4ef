#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# A user namespace started by hand, without podman: the mount made inside it,
# and one made on the host and used from it.  Ordinary users can run this.
. "$(dirname "$0")/lib.sh"
need_fuse
need_subids
need_command unshare nsenter newuidmap

source_dir "$ME" src
src=$dir
home=$T/home/$ME
as "$ME" mkdir "$home/plain"
userns_start "$ME" || skip_all "no user namespaces here"

work() { # DIR: makes and changes owners there, as the namespace's root
	"${ns[@]}" sh -c "cd '$1' || exit
		mkdir -p d/sub; echo text >d/f; ln -s f d/s; mkfifo d/p
		chown -h 5:0 d/f; chown -h 6:7 d/s; chown 8:9 d/p; chown 1000:1000 d/sub
		chmod 4755 d/f; chmod 1777 d/sub
		setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'echo u >d/sub/u'
		setpriv --reuid 1001 --regid 1001 --clear-groups sh -c 'echo x >>d/sub/u; rm -f d/sub/u; echo y >d/sub/y'
		setpriv --reuid 1000 --regid 1000 --clear-groups chmod 600 d/sub/u
		find d -printf '%P %y %m %U:%G %n %l\n' | sort" 2>&1
}

work "$home/plain" >"$T/native"
userns_mount "$ME" "$src" "$home/inside" || exit 1
work "$home/inside" >"$T/inside"
same "mounted inside" "$T/inside" "$T/native"
mounted=$(grep -F " $home/inside " "/proc/$userns/mountinfo")
like "nosuid, nodev" "$mounted" 'nosuid,nodev'
like "its type" "$mounted" ' - fuse\.idshift-mount '
like "for all of the namespace, checked by the kernel" "$mounted" \
	'default_permissions.*allow_other'
"${ns[@]}" mkdir "$home/plain/fsops" "$home/inside/fsops"
compare_fsops "mounted inside" "$home/plain/fsops" "$home/inside/fsops" "${ns[@]}"
ok "unmount inside" "${ns[@]}" umount "$home/inside"
ok "the daemon ends" wait_for 5 test ! -e "/proc/$daemon"
ok "I remove all of it" as "$ME" rm -r "$src/d"

kill "$userns"
wait "$userns" 2>/dev/null
if ! grep -qx user_allow_other /etc/fuse.conf 2>/dev/null; then
	skip "mounted on the host" "no user_allow_other in /etc/fuse.conf"
	exit 0
fi
mount_fs "$ME" "$src" "$home/outside" || exit 1
userns_start "$ME" || exit 1
work "$home/outside" >"$T/outside"
same "mounted on the host" "$T/outside" "$T/native"
kill "$userns"
wait "$userns" 2>/dev/null
ok "unmount" umount_fs "$ME" "$home/outside"
