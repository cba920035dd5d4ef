#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What other file systems of this kind get wrong by their users' reports and by
# public test suites, as far as no other test is about it.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setpriv rsync

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
mount_fs sergio "$src" "$mnt" || exit 1
userns_start sergio || exit 1
as sergio mkdir "$home/plain"

# No ioctl reaches the source: as on a file system that has none of them.
as sergio sh -c 'head -c 8192 /dev/zero >"$1"' sh "$src/f"
"${ns[@]}" peers ioctl "$mnt/f" >"$T/said" 2>&1
is "ioctls" "$(sort "$T/said" | xargs)" "FICLONE: EOPNOTSUPP FICLONERANGE:\
 EOPNOTSUPP FIEMAP: EOPNOTSUPP FSGETXATTR: ENOTTY FSSETXATTR: ENOTTY\
 GETFLAGS: ENOTTY SETFLAGS: ENOTTY"
is "nothing is written by them" "$(stat -c %s "$src/f")" 8192
rm -f "$src/f"

# A backing descriptor with O_DIRECT makes the write-back of pages fail.
for place in "$mnt" "$home/plain"; do
	"${ns[@]}" peers direct "$place/d" >"$T/${place##*/}.out" 2>&1
done
same "O_DIRECT and a mapping" "$T/mnt.out" "$T/plain.out"
is "is on disk" "$("${ns[@]}" cat "$mnt/d" | md5sum)" "$(md5sum <"$src/d")"
rm -f "$src/d"

# Two names of a file are one inode to those who copy.
"${ns[@]}" sh -c "mkdir '$mnt/links' && cd '$mnt/links' && echo x >a &&
	ln a b && mkdir d && ln a d/c && chown 5:6 a"
for place in src mnt; do
	enter=()
	[[ $place == src ]] || enter=("${ns[@]}")
	[[ $place == mnt ]] || enter=(as sergio)
	"${enter[@]}" sh -c 'cd "$1" && rsync -aH links/ rsync && cp -a links cp &&
		tar -cf - links | (mkdir tar && tar -xf - -C tar --strip 1)' \
		sh "$home/$place"
	for how in rsync cp tar; do
		is "hard links: $how in $place" \
			"$(stat -c %h "$src/$how/d/c" | xargs)" 3
		rm -rf "${src:?}/$how"
	done
done
rm -rf "$src/links"

# noatime is the mount's: reading doesn't move it, on either side.
"${ns[@]}" sh -c "echo x >'$mnt/t' && touch -a -d @1000 '$mnt/t' &&
	cat '$mnt/t'" >/dev/null
note "times of reading: $(stat -c %X "$src/t")"
ok "unmount" umount_fs sergio "$mnt"
mount --bind "$src" "$src"
mount -o remount,bind,noatime "$src"
mount_fs sergio "$src" "$mnt" || exit 1
"${ns[@]}" sh -c "touch -a -d @1000 '$mnt/t' && cat '$mnt/t'" >/dev/null
is "noatime" "$(stat -c %X "$src/t") $("${ns[@]}" stat -c %X "$mnt/t")" "1000 1000"
ok "unmount" umount_fs sergio "$mnt"
umount -l "$src"
rm -f "$src/t"
kill "$userns"
wait "$userns" 2>/dev/null

# Real owners: 5 on disk shows as 6.  What shows as nothing can't be stored,
# nor does who has no id on disk make anything.
mkdir -m 755 "$T/real"
mkdir -m 777 "$T/real/src"
mkdir "$T/real/mnt"
bed_mounts+=("$T/real/mnt")
ok "chown=disk" idshift-mount -o chown=disk,userns=host,map=u:5:6,public \
	-o state="$T/real/state" "$T/real/src" "$T/real/mnt"
cd "$T/real" || exit
touch src/five src/six
chown 5 src/five
is "5 shows as 6" "$(stat -c %u mnt/five)" 6
ok "chown to 6" chown 6 mnt/six
is "is 5 on disk" "$(stat -c %u src/six)" 5
fails 1 "chown to 5, the left of the map" chown 5 mnt/six
is "nothing is stored" "$(stat -c %u src/six)" 5
fails 1 "5 makes a file" setpriv --reuid 5 --clear-groups touch mnt/new
like "as on an idmapped mount" "$output" "Value too large for defined data type"
fails 1 "a directory" setpriv --reuid 5 --clear-groups mkdir mnt/new
like "as well" "$output" "Value too large for defined data type"
fails 1 "a link" setpriv --reuid 5 --clear-groups ln -s x mnt/new
is "nothing is left" "$(echo src/*)" "src/five src/six"
ok "6 does" setpriv --reuid 6 --clear-groups touch mnt/new
is "as 5" "$(stat -c %u src/new)" 5
cd "$T" || exit
ok "unmount" umount "$T/real/mnt"
