#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run-as=: nothing of the user's is read by a process that can be root again.
# The user may have made it up: LMDB for one believes what its files say.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command perl
user_add maria 1600 200000 shared

source_dir maria src
src=$dir
home=$T/home/maria
mnt=$home/mnt
state=$home/.local/state/idshift
as maria mkdir -p "$mnt" "$state"
bed_mounts+=("$mnt")

ids_of() { # PID: the four of each, and what could bring others back
	sed -n 's/^\(Uid\|Gid\|CapPrm\):[[:space:]]*//p' "/proc/$1/status" |
		tr -s '\t\n' '  ' | sed 's/ $//'
}
marias="1600 1600 1600 1600 1600 1600 1600 1600 0000000000000000"
who_has() { # FILE: the process that has it open, but for maria's own
	local fd
	for fd in /proc/[0-9]*/fd/*; do
		[[ $(readlink "$fd" 2>/dev/null) == "$1" ]] || continue
		fd=${fd#/proc/}
		[[ ${fd%%/*} == "$holder" ]] || echo "${fd%%/*}"
	done
}

# Who opens the database waits for her.
# shellcheck disable=SC2016
as_background maria perl -MFcntl -e '
	sysopen(F, shift, O_RDWR | O_CREAT, 0600) or die $!;
	my $lock = pack("s s x![q] q q l x4", F_WRLCK, 0, 0, 0, 0);
	fcntl(F, F_SETLK, $lock) or die $!;
	open(R, ">", shift);
	sleep 60' "$state/lock.mdb" "$home/held"
holder=$!
wait_for 5 test -e "$home/held"
idshift-mount -o run-as=maria "$src" "$mnt" >"$T/log/mount" 2>&1 &
mounting=$!
database_waits() {
	[[ -n $(who_has "$state/lock.mdb") ]]
}
ok "somebody opens the database" wait_for 10 database_waits
is "who is maria for good" "$(ids_of "$(who_has "$state/lock.mdb")")" "$marias"
is "and hasn't mounted" "$(grep -c " $mnt " /proc/self/mountinfo)" 0
# LMDB makes of it that somebody else had set up the file.
kill "$holder"
wait "$mounting"
as maria rm -r "$state"
ok "it mounts without" idshift-mount -o run-as=maria "$src" "$mnt"
is "a mount" "$(grep -c " $mnt " /proc/self/mountinfo)" 1
ok "root unmounts" umount "$mnt"
ok "all have ended" wait_for 5 none_left "$T"

# What fails after the one that mounts was started leaves neither.
as maria rm -r "$state"
as maria touch "$state"
fails 1 "a database that can't be opened" idshift-mount -o run-as=maria \
	"$src" "$mnt"
like "says so" "$output" "state directory '$state'"
as maria rm "$state"
is "nothing is mounted" "$(grep -c " $mnt " /proc/self/mountinfo)" 0
is "nobody is left" "$(leftovers "$T" | grep -c '^process .*idshift')" 0

# Killed while it waits.
as maria mkdir "$state"
as maria touch "$home/src/file"
ok "mounts again" idshift-mount -o run-as=maria "$src" "$mnt"
daemon=$(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p')
is "by maria" "$(ids_of "$daemon")" "$marias"
kill -KILL "$daemon"
# shellcheck disable=SC2016
ok "who watches unmounts" wait_for 5 sh -c \
	'! grep -q " $1 " /proc/self/mountinfo' - "$mnt"

# A supervisor's mount, served by root's daemon as maria.
userns_start maria
exec 7<>/dev/fuse
mount -i -t fuse.idshift-mount -o "fd=7,rootmode=40000,user_id=1600" \
	-o "group_id=1600,allow_other,default_permissions,nosuid,nodev" \
	supervised "$mnt" || exit
idshift-mount -f -o "run-as=maria,resume=$home/init" "$src" /dev/fd/7 \
	>"$T/log/daemon" 2>&1 &
daemon=$!
is "a supervisor's mount answers" \
	"$("${ns[@]}" sh -c "cd '$mnt' && touch new && chown 5:5 new &&
		stat -c %u:%g new" 2>&1)" 5:5
is "by maria" "$(ids_of "$daemon")" "$marias"
is "what is made is hers" "$(stat -c %U "$src/new")" maria
exec 7>&-
kill "$daemon"
wait "$daemon"
umount "$mnt"
