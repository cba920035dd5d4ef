#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Other file systems that are mounted below the source are part of it, and
# stay apart: their inodes from one another, two ways to the same directory,
# and the host's right to unmount them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command python3

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
plain=$T/home/sergio/plain
as sergio mkdir "$plain"
for top in "$src" "$plain"; do
	as sergio mkdir "$top/a" "$top/b" "$top/rw" "$top/ro"
	as sergio touch "$top/rw/f"
	for name in a b; do
		mount -t tmpfs -o mode=700,uid=1000,gid=1000 none "$top/$name"
		as sergio sh -c "cd '$top/$name' && echo of-$name >one && ln one two"
	done
	mount --bind "$top/rw" "$top/ro"
	mount -o remount,bind,ro "$top/ro"
done
# After the mounts: a remount is not propagated.
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1

both() { # DESCRIPTION COMMAND: the same in the mount as on the plain directory
	local top
	for top in "$plain" "$mnt"; do
		"${ns[@]}" sh -c "cd '$top' && $2" >"$T/of.${top##*/}" 2>&1
		echo "exit $?" >>"$T/of.${top##*/}"
	done
	same "$1" "$T/of.mnt" "$T/of.plain"
}
is "they have the same inode numbers" "$(stat -c %i "$src/a/one")" \
	"$(stat -c %i "$src/b/one")"
both "an archive has all their content" \
	'tar -cf - a b | tar -xO; tar -cf - a b | tar -t | sort'
both "they are different files" \
	'cmp a/one b/one; test a/one -ef b/one; echo $?; test a/one -ef a/two; echo $?'
both "and can be copied" 'cp a/one b/copy && cat b/copy'
both "not renamed or linked" 'python3 - <<EOF
import errno, os
for call in os.rename, os.link:
    for to in "b/new", "ro/new", "rw/new":
        try:
            call("a/one", to)
        except OSError as error:
            print(call.__name__, to, errno.errorcode[error.errno])
EOF'
is "a listing has the numbers of stat(2)" \
	"$("${ns[@]}" ls -i "$mnt/a" | tr -s ' ')" \
	"$("${ns[@]}" sh -c "cd '$mnt/a' && stat -c '%i %n' one two")"
both "read-only by one way" \
	'ls ro rw; touch ro/x; touch rw/y && rm rw/y; echo a >>rw/f; cat ro/f'
both "and by the other" \
	'ls rw ro; touch rw/y && rm rw/y; touch ro/x; rm ro/f; mv ro/f ro/g; cat rw/f'
for cache in always none auto; do
	ok "unmount" umount_fs sergio "$mnt"
	mount_fs sergio "$src" "$mnt" -o "cache=$cache" || exit 1
	both "$cache: in another order" 'touch rw/y && rm rw/y; touch ro/x; cat ro/f rw/f'
	# One file, whatever the way: its content, and who changes it.
	both "$cache: written by one way, read by the other" 'python3 - <<EOF
import os
writer = os.open("rw/two", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
reader = os.open("ro/two", os.O_RDONLY)
for text in b"one", b"second", b"the third":
    os.pwrite(writer, text, 0)
    print(os.pread(reader, 99, 0), os.fstat(reader).st_size, os.stat("ro/two").st_size)
os.close(writer)
print(os.pread(reader, 99, 0), os.stat("ro/two").st_ino == os.stat("rw/two").st_ino)
EOF'
done

both "walked through" 'find . | sort'
# Who is in a directory of such a mount goes on when it has been mounted anew.
as sergio mkdir "$src/rw/deep" "$T/home/sergio/spare"
"${ns[@]}" sh -c "cd '$mnt/ro/deep' && while [ ! -e '$T/log/go' ]; do sleep 0.1; done
	ls -a . && cat ../f" >"$T/stayed" 2>&1 &
stayed=$!
sleep 4.5
umount "$src/ro"
mount --bind "$src/rw" "$T/home/sergio/spare"
mount --bind "$src/rw" "$src/ro"
sleep 1.2
touch "$T/log/go"
wait "$stayed"
is "stands still in a mount that comes and goes" "$?" 0 ||
	note "$(cat "$T/stayed")"
umount "$T/home/sergio/spare"
sleep 4.5
for name in a b ro; do
	ok "the host unmounts $name" umount "$src/$name"
done
sleep 1.2
is "they show empty" "$("${ns[@]}" ls "$mnt/a" "$mnt/b" | xargs)" \
	"$mnt/a: $mnt/b:"
umount "$plain"/{a,b,ro}
rm -r "$src/rw/deep"
ok "unmount" umount_fs sergio "$mnt"
