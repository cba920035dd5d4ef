#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A user of a domain: subordinate ids from a plug-in, not from /etc/subuid.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command newuidmap ldconfig
user_add dom 1700 none
user_add lost 1701 none

mkdir "$T/sys/lib"
install -m 755 "$BUILD/tests/subid_probe.so" "$T/sys/lib/libsubid_probe.so"
# newuidmap has privileges, and looks nowhere but where the system does.
echo "$T/sys/lib" >/etc/ld.so.conf.d/idshift-test.conf
ldconfig
echo 'subid: probe' >/etc/nsswitch.conf

is "the map has its ranges, sorted" "$(as dom idshift-mount --print-map |
	sed -n '/^userns uid/,/^userns gid/p' | tr -s ' ' | head -4)" \
"userns uid: container, host, count
 0 1700 1
 1 500000 65536
 65537 900000 100"
is "of gids too" "$(as dom idshift map --json g:70 | tr -d ' \n' |
	grep -o '"as_container":{"container":70,"wire":[0-9]*')" \
	'"as_container":{"container":70,"wire":500069'
as dom unshare --user --map-root-user sh -c : ||
	skip_all "kernel: no user namespaces here"
like "idshift doctor" "$(as dom idshift doctor)" \
	'subordinate uids[^
]*65636 from 500000 on'

source_dir dom src
src=$dir
mnt=$T/home/dom/mnt
mount_fs dom "$src" "$mnt" || exit 1
inside() {
	as dom unshare --map-root-user --map-users=500000,1,65536 \
		--map-groups=500000,1,65536 --setuid 0 --setgid 0 "$@"
}
ok "a container's chown" inside sh -c \
	"echo x >'$mnt/f' && chown 70:80 '$mnt/f'"
is "inside" "$(inside stat -c %u:%g "$mnt/f")" 70:80
is "outside" "$(as dom stat -c %u:%g "$mnt/f")" 500069:500079
ok "unmount" umount_fs dom "$mnt"

fails 3 "not in the domain" as sergio idshift-mount --print-map
like "says what to do" "$output" 'nsswitch.conf'
fails 3 "the domain doesn't answer" as lost idshift-mount --print-map
like "says so" "$output" 'nsswitch.conf'
is "in one line" "$(wc -l <<<"$output")" 1
rm /etc/ld.so.conf.d/idshift-test.conf
fails 1 "doctor of one who has none" as sergio idshift doctor
like "names the domain's way" "$output" "nsswitch.conf"
