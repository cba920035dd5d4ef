#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# What is kept of a container's chown and chmod: its format on disk, its
# names hidden in the mount, and that the host's later word counts.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
state=$T/home/sergio/.local/state/idshift
xattr=user.containers.override_stat
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1

inside() {
	as sergio podman unshare sh -c "cd '$mnt' && $1"
}
record() {
	as sergio getfattr --only-values -n "$xattr" "$src/$1" 2>/dev/null
}
disk() {
	stat -c '%U:%G %a' "$src/$1"
}
view() {
	inside "stat -c '%u:%g %a' '$1'"
}

inside 'echo x >f && mkdir d && ln -s f s && mkfifo p && umask 0 && echo x >open'
is "no record without need" "$(record f)$(record d)$(record open)" ""
inside 'chown 5:0 f && chown 6:7 d'
is "a file's record" "$(record f)" 5:0:0644:file
is "a directory's record" "$(record d)" 6:7:0755:dir
is "the file on disk" "$(disk f)" "sergio:sergio 644"
inside 'chown 0:0 f'
is "gone when it says nothing more" "$(record f)" ""
inside 'chmod 4755 f'
is "setuid is recorded" "$(record f)" 0:0:4755:file
is "and never on disk" "$(disk f)" "sergio:sergio 755"
is "and shows" "$(view f)" "0:0 4755"
inside 'chmod 2755 d; chmod 0400 f'
is "a mode that the daemon must widen" "$(disk f)" "sergio:sergio 600"
is "shows as it was set" "$(view f)" "0:0 400"
inside 'chown 5:7 f; chmod 660 f'
is "bits of a group that only the container has" "$(disk f)" \
	"sergio:sergio 600"
is "show inside" "$(view f)" "5:7 660"
is "and are kept" "$(record f)" 5:7:0660:file

# The host's later word.
as sergio chmod 640 "$src/f"
is "a host's chmod wins" "$(view f)" "5:7 640"
as sergio chgrp shared "$src/d"
like "a host's chgrp keeps the recorded owner" "$(view d)" '^6:'
as sergio rm "$src/f"
as sergio sh -c "echo new >'$src/f'"
is "a host's new file of the name has no record" "$(view f)" "0:0 644"
inside 'chown 5:5 f'
as sergio setfattr -x "$xattr" "$src/f"
is "a record removed on the host" "$(view f)" "0:0 644"

# Others' records, and nobody's.
for text in 9:8:0644:file 9:8:0100644 9:8:644 9:8:x:file; do
	as sergio setfattr -n "$xattr" -v "$text" "$src/f"
	is "a record like $text" "$(view f)" "9:8 644"
done
for text in junk : 1:2 -1:0:0644:file 4294967295:0:0644:file 1:2:9:file \
	99999999999999999999:0:0644:file 1:2:7777777:file; do
	as sergio setfattr -n "$xattr" -v "$text" "$src/f"
	is "malformed '$text' is ignored" "$(view f)" "0:0 644"
done
as sergio setfattr -x "$xattr" "$src/f"
echo root >"$src/roots"
chmod 644 "$src/roots"
setfattr -n "$xattr" -v 0:0:0777:file "$src/roots"
is "a record on another's file says nothing" "$(view roots)" "65534:65534 644"
fails 1 "whose owner can't be changed" inside 'chown 5:5 roots'
rm "$src/roots"

# Hidden in the mount.
inside 'chown 5:5 f && setfattr -n user.mine -v v f'
is "our names aren't listed" "$(inside 'getfattr -m - f | grep ^user')" \
	user.mine
for name in "$xattr" user.idshift.acl_access; do
	fails 1 "get $name" inside "getfattr -n $name f"
	like "no such" "$output" 'No such attribute'
	fails 1 "set $name" inside "setfattr -n $name -v 0:0:0777:file f"
	like "not permitted" "$output" 'not permitted'
done
is "the record is as it was" "$(record f)" 5:5:0644:file

# Where there's no room for an xattr: the database.
inside 'chown -h 5:6 s && chown 7:8 p && chmod 600 p'
is "a symlink" "$(view s)" "5:6 777"
is "a fifo" "$(view p)" "7:8 600"
is "are mine on disk" "$(disk s) $(disk p)" \
	"sergio:sergio 777 sergio:sergio 600"
is "kept in a directory of mine alone" "$(stat -c '%U %a' "$state")" "sergio 700"
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1
is "known after another mount" "$(view s) $(view p) $(view f)" \
	"5:6 777 7:8 600 5:5 644"
inside 'mv s moved'
is "a rename keeps it" "$(view moved)" "5:6 777"
as sergio sh -c "cd '$src' && rm moved p && for i in \$(seq 50); do
	ln -s x link\$i; mkfifo fifo\$i; done"
is "a recycled inode inherits nothing" \
	"$(inside 'stat -c %u:%g link* fifo* | sort -u')" 0:0
ok "unmount again" umount_fs sergio "$mnt"
