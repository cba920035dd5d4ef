#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# File capabilities: setcap and getcap in the container as on a plain
# directory, gone when the file changes, and never on disk.
. "$(dirname "$0")/lib.sh"
need_fuse
need_allow_other
need_subids
need_command setcap getcap nsenter

source_dir "$ME" src
src=$dir
home=$T/home/$ME
mnt=$home/mnt
as "$ME" mkdir "$home/plain"
userns_start "$ME" || skip_all "no user namespaces here"

cat >"$T/work" <<'EOF'
cd "$1" || exit
user() {
	setpriv --reuid "$1" --regid "$1" --clear-groups sh -c "$2" 2>&1
}
new() {
	rm -f f && echo text >f && chmod 755 f && setcap cap_net_raw,cap_chown=ep f
	echo "== ${*-}"
}
show() {
	getcap f
	stat -c '%a %u:%g %s' f
}
new set && show
setcap cap_net_raw=eip f && show
setcap -r f && show
setcap -r f 2>&1 | sed 's/.*: //'
new "write by root" && echo x >>f && show
new "write of nothing" && : >>f && show
new "truncate" && truncate -s 2 f && show
new "truncate to its size" && truncate -s 5 f && show
new "open with O_TRUNC" && : >f && show
new "punch" && fallocate -p -o 0 -l 2 f && show
new "fallocate" && fallocate -l 100 f && show
new "chown" && chown 5:5 f && show
new "chown to its own" && chown 0:0 f && show
new "chgrp" && chgrp 7 f && show
new "chmod" && chmod 711 f && show
new "chmod u+s" && chmod 4711 f && show
new "utimes" && touch f && show
new "rename, link" && ln f g && mv g f2 && rm -f f && mv f2 f && show
new "xattr" && setfattr -n user.x -v y f && show
new "mmap by write" && dd if=/dev/zero of=f bs=1 count=1 conv=notrunc status=none && show
new "copy" && cp f g && getcap g; cp -a f h && getcap h; rm -f g h
new "by the owner" && chown 1000:1000 f && setcap cap_net_raw=ep f && user 1000 'echo x >>f' && show
setcap cap_net_raw=ep f
user 1000 'chmod 755 f' && show
user 1000 'setcap cap_net_raw=ep f; setcap -r f' | sed 's/.*: //'
show
setcap cap_net_raw=ep f; chmod 666 f
user 1001 'echo x >>f' && show
new "get as a user" && user 1001 'getcap f; getfattr -m - f | grep -v "^#"'
new "names" && getfattr -m - f | grep -v '^#' | sort
getfattr -n security.capability -e hex f | sed 1d
setfattr -x security.capability f && show
setfattr -n security.capability -v 0x00 f 2>&1 | sed 's/.*: //'
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 f 2>&1 | sed 's/.*: //'
show
mkdir d && setcap cap_net_raw=ep d 2>&1 | sed 's/.*: //'
ln -s f s && setcap cap_net_raw=ep s 2>&1 | sed 's/.*: //'
# They don't count where a mount is nosuid, but they show.
cp -L "$(command -v id)" tool && setcap cap_chown=ep tool && getcap tool
user 1000 ./tool -u
EOF
chmod 644 "$T/work"
"${ns[@]}" bash "$T/work" "$home/plain" >"$T/native" 2>&1
"${ns[@]}" bash -c "cd '$home/plain' && setcap cap_chown=ep tool" ||
	skip_all "kernel: no capabilities on this file system"
mount_fs "$ME" "$src" "$mnt" || exit 1
first=$daemon
"${ns[@]}" bash "$T/work" "$mnt" >"$T/mounted" 2>&1
same "mounted on the host" "$T/mounted" "$T/native"
source_dir "$ME" inner
userns_mount "$ME" "$dir" "$home/inside" || exit 1
"${ns[@]}" bash "$T/work" "$home/inside" >"$T/mounted" 2>&1
same "mounted inside" "$T/mounted" "$T/native"
is "none is on disk" "$(getcap -r "$src" "$dir")" ""
is "by no name" "$(getfattr -Rdm '^security.capability' "$src" "$dir" 2>/dev/null)" ""
inside() {
	"${ns[@]}" bash -c "cd '$mnt' && $1"
}
inside 'echo x >cap && setcap cap_net_raw=ep cap'
# When the host changes the file, what was said of it is over or not: but the
# host must be able to run it without.
is "a host's write" "$(as "$ME" sh -c "echo y >>'$src/cap'; getcap '$src/cap'")" ""
# Which its owner's u+w is needed for, on disk.
remove='cp f g && chown 5:5 g && setcap cap_net_raw=ep g'
for d in "$home/plain" "$mnt"; do
	"${ns[@]}" bash -c "cd '$d' && rm -f g && $remove"
done
as "$ME" chmod 444 "$src/g"
"${ns[@]}" chmod 444 "$home/plain/g"
remove='setcap -r g; chown 6:6 g; stat -c "%a %u:%g" g; getcap g
	setcap cap_net_raw=ep g; chown 7:7 g; echo $?; getcap g'
sleep 1.2
for d in "$home/plain" "$mnt"; do
	"${ns[@]}" bash -c "cd '$d' && $remove" >"$T/of.${d##*/}" 2>&1
done
same "removed from what the host made read-only" "$T/of.mnt" "$T/of.plain"
inside 'echo x >cap2 && setcap cap_net_raw=ep cap2'
ok "unmount inside" "${ns[@]}" umount "$home/inside"
daemon=$first
ok "unmount" umount_fs "$ME" "$mnt"
mount_fs "$ME" "$src" "$mnt" || exit 1
is "known after another mount" "$(inside 'getcap cap2')" "cap2 cap_net_raw=ep"
ok "unmount at last" umount_fs "$ME" "$mnt"
