#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a container has stored is in the source when a daemon that was told to
# end has ended, be it that the kernel had not written it yet.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command python3
home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
userns_start sergio || exit 1

# store FILE HOW [USER]: in the container, as its root or as another; $storing.
store() {
	rm -f "$src/$1" "$T/log/$1"
	"${ns[@]}" setpriv --reuid "${3-0}" --regid "${3-0}" --clear-groups \
		dirty "$mnt/$1" "$2" >"$T/log/$1" 2>&1 &
	wait_for 5 grep -qx '[0-9]*' "$T/log/$1" || note "$(cat "$T/log/$1")"
	storing=$(cat "$T/log/$1")
}
content() { # FILE
	tr '\0' . <"$src/$1"
}
finish() {
	kill "$storing"
	wait_for 5 sh -c "! kill -0 $storing"
}
# told_to_end WHAT FILE: the daemon is.
seconds=5
told_to_end() {
	local began=$SECONDS
	kill -TERM "$daemon"
	wait "$daemon"
	is "$1: exit code" "$?" 0
	is "$1: is in the source" "$(content "$2")" stored
	ok "$1: at once" test $((SECONDS - began)) -lt "$seconds"
	is "$1: unmounted" "$(grep -cF " $mnt " /proc/self/mountinfo)" 0
	finish
}

mount_fs sergio "$src" "$mnt" || exit 1
store file mapped
told_to_end "mapped" file

# More than the kernel writes at a time: libfuse calls a mount congested by 9.
cat >"$T/many.py" <<'END'
import mmap, os, sys, time
maps = []
for i in range(300):
    fd = os.open("%s/%d" % (sys.argv[1], i), os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 6)
    maps.append(mmap.mmap(fd, 6))
    os.close(fd)
for map in maps:
    map[:] = b"stored"
print(os.getpid(), flush=True)
time.sleep(60)
END
for mode in auto always; do
	mount_fs sergio "$src" "$mnt" -o "cache=$mode" || exit 1
	"${ns[@]}" mkdir "$mnt/many"
	"${ns[@]}" python3 "$T/many.py" "$mnt/many" >"$T/log/many" 2>&1 &
	wait_for 5 grep -qx '[0-9]*' "$T/log/many" || note "$(cat "$T/log/many")"
	storing=$(cat "$T/log/many")
	told_to_end "many, cache=$mode" many/7
	is "many, cache=$mode: all are" "$(cat "$src"/many/* | sed 's/stored/&\n/g' |
		grep -c stored)" 300
	rm -r "$src/many"
done

mount_fs sergio "$src" "$mnt" -o cache=always || exit 1
store file written
told_to_end "written, cache=always" file

mount_fs sergio "$src" "$mnt" || exit 1
store file mapped
kill -TERM "$daemon"
kill -HUP "$daemon"
kill -INT "$daemon"
told_to_end "several signals" file

# It can't be opened by the user who has mounted.
closed() {
	mount_fs sergio "$src" "$mnt" || exit 1
	ok "the root is the container's alone" "${ns[@]}" \
		sh -c "chown 5:5 '$mnt' && chmod 700 '$mnt'"
	fails 2 "not the user's" as sergio ls "$mnt"
}
closed
store file mapped 5
told_to_end "not to be opened" file
as sergio idshift clear "$src" >/dev/null
idshift-mount -f -o run-as=sergio "$src" "$mnt" >"$T/log/run-as" 2>&1 &
daemon=$!
bed_wait_mount "$daemon" "$T/log/run-as" mountpoint -q "$mnt" || exit 1
store file mapped
told_to_end "run-as=" file

# A container keeps it; there is no way to it for us.
mount_fs sergio "$src" "$mnt" || exit 1
store file mapped
ok "fusermount3 -uz" as sergio fusermount3 -uz "$mnt"
told_to_end "unmounted before" file

ok "nothing stays" wait_no_leftovers "$T"

# Another that doesn't answer must not hold it up for long, where all are asked.
as sergio mkdir -p "$home/stuck.src" "$home/stuck"
mount_fs sergio "$home/stuck.src" "$home/stuck" || exit 1
stuck=$daemon
mnt=$home/stuck src=$home/stuck.src store other mapped
stuck_storing=$storing
kill -STOP "$stuck"
closed
store file mapped 5
seconds=10
told_to_end "another is stuck" file
kill -CONT "$stuck"
daemon=$stuck storing=$stuck_storing
finish
umount_fs sergio "$home/stuck"
as sergio idshift clear "$src" >/dev/null

# What it does for that is none of the container's requests.
as sergio mkdir -m 711 "$home/shut"
mount_fs sergio "$home/shut" "$mnt" -o userns=host,caller=5:5,owner=1000:1000 \
	-o "trace=$home/trace" || exit 1
kill -TERM "$daemon"
wait "$daemon"
is "a trace has nothing of it" "$(cat "$home/trace")" ""

# Nobody is left who could.
mount_fs sergio "$src" "$mnt" || exit 1
kill -KILL "$(leftovers "$T" |
	sed -n 's/^process \([0-9]*\): idshift-watch: .*\/mnt $/\1/p')"
kill -TERM "$daemon"
wait "$daemon"
is "without its helper it ends too" "$?" 1
as sergio fusermount3 -uz "$mnt"
