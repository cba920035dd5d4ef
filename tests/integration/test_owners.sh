#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# Who owns what: files that containers create, and chown -R inside.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman

source_dir sergio vol
src=$dir
mnt=$T/home/sergio/mnt
plain=$T/home/sergio/plain
as sergio mkdir "$plain"

populate() { # in a container, at /vol
	container sergio -v "$1:/vol" "${@:2}" -- sh -c '
		mkdir -p /vol/dir/sub && cd /vol/dir || exit
		echo text >file && echo secret >sub/private && chmod 600 sub/private
		ln -s file symlink && mkfifo fifo && ln file hard'
}
listing() { # inside the user namespace, without times
	as sergio podman unshare sh -c \
		"cd '$1' && ls -lnAR --time-style=+ . | sed 's/^total.*//'"
}

mount_fs sergio "$src" "$mnt" || exit 1

# (a) Mine, whoever of the container made it.
ok "container root creates" container sergio -v "$mnt:/vol" -- \
	sh -c 'touch /vol/by-root && chmod 777 /vol'
is "it is mine on disk" "$(stat -c %U:%G "$src/by-root")" sergio:sergio
is "and root's inside" "$(container sergio -v "$mnt:/vol" -- \
	stat -c %u:%g /vol/by-root)" 0:0
ok "container uid 1000 creates" container sergio -v "$mnt:/vol" \
	--user 1000:1000 -- sh -c 'echo text >/vol/by-1000; mkdir /vol/dir-1000'
is "it is mine on disk, not 100999" \
	"$(stat -c %u:%g "$src/by-1000" "$src/dir-1000" | uniq)" 1000:1000
is "and uid 1000's inside" "$(container sergio -v "$mnt:/vol" -- \
	stat -c %u:%g /vol/by-1000)" 1000:1000
is "the container's user reads it on" "$(container sergio -v "$mnt:/vol" \
	--user 1000:1000 -- sh -c 'echo more >>/vol/by-1000; cat /vol/by-1000')" \
	$'text\nmore'
ok "I edit it" as sergio sh -c "echo edited >'$src/by-1000'"
is "the container sees the edit" "$(container sergio -v "$mnt:/vol" \
	--user 1000:1000 -- cat /vol/by-1000)" edited
ok "I delete it" as sergio rm -r "$src/by-1000" "$src/dir-1000"

# (b) chown -R inside shows inside and nowhere else.
populate "$mnt" && populate "$plain"
owners "$src" >"$T/before"
ok "chown -R 5:0 in the container" container sergio -v "$mnt:/vol" -- \
	chown -hR 5:0 /vol/dir
as sergio podman unshare chown -hR 5:0 "$plain/dir"
container sergio -v "$mnt:/vol" -- sh -c \
	'cd /vol/dir && ls -lnAR --time-style=+ . | sed "s/^total.*//"' \
	>"$T/inside"
listing "$plain/dir" >"$T/native"
same "ls -ln inside, as after podman unshare chown" "$T/inside" "$T/native"
listing "$mnt/dir" >"$T/unshare"
same "podman unshare ls -ln says the same" "$T/unshare" "$T/native"
owners "$src" >"$T/after"
same "on disk nothing changed" "$T/after" "$T/before"
is "the host sees the ids of the container through the mount" \
	"$(as sergio stat -c %u:%g "$mnt/dir/file")" 100004:1000
ok "I still read all of it" as sergio cat "$src/dir/sub/private"

ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" || exit 1
listing "$mnt/dir" >"$T/again"
same "the same after another mount" "$T/again" "$T/native"
umount_fs sergio "$mnt"

# The first call that a new mount ever sees is a chown of its root.
mount_fs sergio "$src" "$mnt" || exit 1
ok "chown of the mount's root comes first" container sergio \
	-v "$mnt:/vol" -- chown 5:0 /vol
is "it shows" "$(container sergio -v "$mnt:/vol" -- stat -c %u:%g /vol)" 5:0
ok "chown -R back" container sergio -v "$mnt:/vol" -- chown -hR 0:0 /vol
is "no record stays where none is needed" \
	"$(getfattr -Rd -m - "$src" 2>/dev/null | grep override_stat)" ""
ok "last unmount" umount_fs sergio "$mnt"
