#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# time-limit: 240
# fcntl locks of processes and of open files, and flock locks: among the
# processes of the container, of the host and of another mount of the source.
# The same scenario on a plain directory is the measure.
. "$(dirname "$0")/lib.sh"
need_fuse
need_allow_other
need_subids
scenario=$ROOT/tests/integration/locks.scenario

source_dir "$ME" src
src=$dir
home=$T/home/$ME
mnt=$home/mnt
as "$ME" mkdir "$home/plain"
locks=(timeout 60 locks)
userns_start "$ME" || skip_all "no user namespaces here"

play() { # OUTPUT COMMAND...
	"${@:2}" <"$scenario" >"$1" 2>&1
}

play "$T/plain" as "$ME" "${locks[@]}" "$home/plain"
like "the scenario on a plain directory" "$(tail -1 "$T/plain")" '^the end$'
# Whose a lock is, is not said across file systems.
play "$T/plain2" as "$ME" "${locks[@]}" "$home/plain" "$home/plain"
is "its answers are those that locks have to give" \
	"$(grep -cE ': (no answer|gone|failed)$' "$T/plain")" 0

# A known difference: FUSE tells F_OFD_GETLK of no process, whatever the kind
# of the lock; natively it names the holder of a POSIX lock.
sed -E 's/^([0-9]+ getofd .* of) worker [0-9]+$/\1 nobody/' "$T/plain" >"$T/plain1"

mount_fs "$ME" "$src" "$mnt" || exit 1
first=$daemon
userns_mount "$ME" "$src" "$home/mnt2" || exit 1

among() { # DESCRIPTION WANTED COMMAND...
	# Another mount may know the names of before for a second.
	sleep 1.1
	play "$T/mounted" "${@:3}"
	same "$1" "$T/mounted" "$2"
}
among "host processes in the mount" "$T/plain1" as "$ME" "${locks[@]}" "$mnt"
among "the container's" "$T/plain1" "${ns[@]}" "${locks[@]}" "$mnt"
among "the container's, mounted inside" "$T/plain1" "${ns[@]}" "${locks[@]}" "$home/mnt2"
among "the container's and the host's" "$T/plain2" "${ns[@]}" "${locks[@]}" "$mnt" "$src"
among "the host's and the container's" "$T/plain2" "${ns[@]}" "${locks[@]}" "$src" "$mnt"
among "those of two mounts" "$T/plain2" "${ns[@]}" "${locks[@]}" "$mnt" "$home/mnt2"
among "those of two mounts and the host" "$T/plain2" "${ns[@]}" "${locks[@]}" \
	"$home/mnt2" "$src" "$mnt"

# No descriptor stays open for a lock that is gone.
as "$ME" rm -f "$src/f" "$src/g"
none_held() {
	local fd
	for fd in $(find "/proc/$first/fd" -lname '*/src/[fg]*' -printf '%f\n'); do
		# One with O_PATH holds no lock.
		grep -q '^flags:.*1.......$' "/proc/$first/fdinfo/$fd" || return
	done
}
ok "no descriptor for them stays in the daemon" wait_for 3 none_held

# Who waits for each other.
cat >"$T/deadlock" <<'END'
new f
1 open 0 f rw
2 open 0 f rw
1 posix 0 w 0 1
2 posix 0 w 1 1
1 posixW 0 w 1 1 &
1 waits
2 posixW 0 w 0 1
2 posix 0 u 1 1
1 ends
both read, and want to write
new f
1 open 0 f rw
2 open 0 f rw
1 posix 0 r 0 0
2 posix 0 r 0 0
1 posixW 0 w 0 0 &
1 waits
2 posixW 0 w 5 1
2 kill
1 ends
three of them, two files
new f
new g
1 open 0 f rw
1 open 1 g rw
2 open 0 f rw
2 open 1 g rw
3 open 0 f rw
3 open 1 g rw
1 posix 0 w 0 1
2 posix 1 w 0 1
3 posix 0 r 5 5
1 posixW 1 r 0 0 &
1 waits
2 posixW 0 w 9 1 &
2 waits
3 posix 1 r 5 5
3 posixW 0 w 0 1
3 posix 0 u 0 0
2 ends
2 posixW 0 w 0 0
2 posix 1 u 0 0
1 ends
END
for where in "$home/plain" "$mnt"; do
	"${ns[@]}" "${locks[@]}" "$where" <"$T/deadlock" >"$T/dead.${where##*/}"
done
same "two that wait for each other" "$T/dead.mnt" "$T/dead.plain"

# A read-only file, and programs as they are.
"${ns[@]}" sh -c "cd '$mnt' && echo x >ro && chmod 444 ro"
cat >"$T/readonly" <<'END'
1 open 0 ro r
2 open 0 ro r
1 posix 0 r 0 0
2 posix 0 r 0 0
1 posix 0 w 0 0
1 flock 0 ex
2 flock 0 sh
END
"${ns[@]}" sh -c "echo x >'$home/plain/ro' && chmod 444 '$home/plain/ro'"
for where in "$home/plain" "$mnt"; do
	"${ns[@]}" setpriv --reuid 5 --regid 5 --clear-groups locks "$where" \
		<"$T/readonly" >"$T/ro.${where##*/}"
done
same "a file that may only be read" "$T/ro.mnt" "$T/ro.plain"
as_background "$ME" flock "$src/ro" sleep 1
holder=$!
wait_for 2 sh -c "! flock -n '$src/ro' true"
begin=$(date +%s%N)
ok "flock(1) in the container waits for the host's" "${ns[@]}" flock -w 10 "$mnt/ro" true
took=$((($(date +%s%N) - begin) / 1000000))
like "until it is over (took $took ms)" "$((took > 100 && took < 5000))" 1
wait "$holder"
ok "unmount the second" "${ns[@]}" umount "$home/mnt2"
daemon=$first
ok "unmount" umount_fs "$ME" "$mnt"

# locks=local: the mount's own, and nobody else's.
mount_fs "$ME" "$src" "$mnt" -o locks=local || exit 1
among "locks=local: the container's" "$T/plain" "${ns[@]}" "${locks[@]}" "$mnt"
cat >"$T/strangers" <<'END'
new f
1 open 0 f rw
2 open 0 f rw
1 posix 0 w 0 0
2 ofd 0 w 0 0
1 flock 0 ex
2 flock 0 ex
END
is "locks=local: unseen by the host" \
	"$("${ns[@]}" locks "$mnt" "$src" <"$T/strangers" | grep -c ': ok$')" 7
ok "unmount at last" umount_fs "$ME" "$mnt"
