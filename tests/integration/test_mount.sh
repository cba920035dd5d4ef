#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# The command line: what it refuses with which code and words, how it mounts,
# and how it ends.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
user_add nosub 1500 none

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
as sergio sh -c "mkdir '$mnt'; echo text >'$src/file'"
ours() {
	as sergio idshift-mount "$@"
}
mounted() {
	grep -F " $mnt " /proc/self/mountinfo
}
# refused CODE DESCRIPTION REGEX ARGUMENT...: one line that says it.
refused() {
	local code=$1 what=$2 regex=$3
	shift 3
	fails "$code" "$what" ours "$@"
	like "$what: says why" "$output" "$regex"
	is "$what: in one line" "$(wc -l <<<"$output")" 1
	like "$what: by our name" "$output" '^idshift-mount: '
	is "$what: no mount" "$(mounted)" ""
}

ok "-V" ours -V
ok "-h" ours -h
like "-h is usage" "$(ours -h)" 'SOURCE MOUNTPOINT'
refused 2 "nothing to do" "."
refused 2 "no mount point" '.' "$src"
refused 2 "too much" '.' "$src" "$mnt" more
refused 2 "an unknown option" 'nonsense' -o nonsense "$src" "$mnt"
refused 2 "an unknown flag" 'nonsense' --nonsense "$src" "$mnt"
refused 2 "a bad value" 'chown' -o chown=maybe "$src" "$mnt"
refused 2 "a bad number" 'threads' -o threads=many "$src" "$mnt"
refused 3 "an unknown user" 'nobodyhere' -o map=u:nobodyhere:0 "$src" "$mnt"
refused 3 "a bad map" 'map' -o map=u:0:0:0 "$src" "$mnt"
refused 3 "an id that is none" 'map' -o map=u:1000:4294967295 "$src" "$mnt"
refused 4 "no source" 'none' "$home/none" "$mnt"
refused 4 "a source that is no directory" 'file' "$src/file" "$mnt"
refused 5 "no mount point there" 'none' "$src" "$home/none"
refused 5 "a mount point that is no directory" 'file' "$src" "$src/file"

# Code, the reason or the remedy, option.
as sergio mkdir -m 500 "$home/locked"
while read -r code regex option; do
	refused "$code" "$option" "'?${option%%=*}'?.*: .*${regex//_/ }" \
		-o "$option" "$src" "$mnt"
done <<EOF
3 keep-id,_nomap,_pid:PID_or_podman userns=moon
3 1\.\.2147483647 userns=pid:0
3 no_process userns=pid:2147483647
3 none_of_yours userns=pid:1
3 host_id_must_be uidmap=0:x:1
3 CONTAINER:\[@\]HOST gidmap=1
2 not_together userns=host,uidmap=0:0:1
3 must_begin_with_u: map=x:1:2
3 u:DISK:CONTAINER map=u:1:2:3:4
3 two_container_ids owner=5
3 --print-map owner=70000:0
3 container_id_must_be unmapped=x
3 --print-map unmapped=70000
2 podman_unshare chown=disk
2 only_root run-as=nobody
2 userns=host caller=1:1
3 UID:GID caller=x,userns=host
2 caller= trace=/nonexistent/x
1 No_such_file trace=/nonexistent/x,userns=host,caller=1:1
2 on_or_off sandbox=maybe
2 rw_or_none xattr=all
2 host_or_local locks=none
2 auto,_none_or_always cache=never
2 such_as_1_or_0\.5 attr_timeout=-1
2 such_as_1_or_0\.5 entry_timeout=x
2 such_as_1_or_0\.5 negative_timeout=1e9
2 1\.\.256 threads=0
2 1\.\.256 threads=257
2 16\.\.1048576 max_fds=15
2 16\.\.1048576 max_fds=1048577
1 state=DIR state=$home/locked/state
2 empty state=
2 needs_a_value userns
2 unknown =x
EOF
refused 2 "--json alone" '--print-map' --json "$src" "$mnt"
refused 4 "an empty source" 'no such directory' "" "$mnt"
refused 5 "an empty mount point" 'no such directory' "$src" ""
refused 5 "another's mount point" 'a directory of yours' "$src" /proc
mkdir -m 1777 "$T/sticky"
refused 5 "a sticky mount point" 'make a directory in it' "$src" "$T/sticky"

as nosub mkdir "$T/home/nosub/src" "$T/home/nosub/mnt"
fails 3 "no subordinate ids" as nosub idshift-mount "$T/home/nosub/src" \
	"$T/home/nosub/mnt"
like "says what to add where" "$output" '/etc/subuid.*/etc/subgid'
like "and how to do without" "$output" 'userns=host'
is "in one line" "$(wc -l <<<"$output")" 1
ok "without them" as nosub idshift-mount -o userns=host \
	"$T/home/nosub/src" "$T/home/nosub/mnt"
is "works" "$(as nosub stat -c %u "$T/home/nosub/mnt")" 1500
ok "and unmounts" as nosub fusermount3 -u "$T/home/nosub/mnt"

sed -i '/user_allow_other/d' /etc/fuse.conf
refused 6 "allow_other refused" '/etc/fuse.conf.*user_allow_other' "$src" "$mnt"
echo user_allow_other >>/etc/fuse.conf
chmod 600 "$T/sys/fuse"
refused 6 "no FUSE" '/dev/fuse' "$src" "$mnt"
chmod 666 "$T/sys/fuse"

# Whoever reaches the mount point reaches the source.
as sergio mkdir -m 700 "$home/private"
as sergio mkdir "$home/private/src" "$home/private/mnt"
as sergio sh -c "echo secret >'$home/private/src/secret'"
refused 5 "a private source at a public place" 'public' \
	"$home/private/src" "$mnt"
ok "a private source at a private place" ours "$home/private/src" \
	"$home/private/mnt"
ok "unmount" as sergio fusermount3 -u "$home/private/mnt"
ok "public says it is meant" ours -o public "$home/private/src" "$mnt"
is "who has no id in the containers gets nothing even so" "$(as nosub cat "$mnt/secret" 2>&1 | tail -1)" \
	"cat: $mnt/secret: Permission denied"
ok "unmount" as sergio fusermount3 -u "$mnt"

# What would surprise later is said at once.
mkdir -m 700 "$T/roots"
refused 4 "a source that is another's" 'may not search it.*uid 0' "$T/roots" \
	"$home/private/mnt"
as sergio mkdir "$home/full" "$home/closed"
as sergio touch "$home/full/file"
fails 0 "a mount point that isn't empty" ours "$src" "$home/full"
like "says so" "$output" "^idshift-mount: warning: .*full': it isn't empty"
is "in one line" "$(wc -l <<<"$output")" 1
ok "unmount" as sergio fusermount3 -u "$home/full"
as sergio mkdir "$home/hollow"
fails 0 "source and mount point exchanged" ours "$home/hollow" "$home/full"
like "says so" "$output" "warning: .*full': it isn't empty, and the source is"
ok "unmount" as sergio fusermount3 -u "$home/full"
fails 0 "caller= with the number that owns the files" \
	ours -o userns=host,caller=1000:1000 "$src" "$mnt"
like "is told what differs from a container" "$output" \
	"^idshift-mount: warning: caller '1000': .* with owner=0:0\$"
ok "unmount" as sergio fusermount3 -u "$mnt"
fails 0 "caller= with an owner" \
	ours -o userns=host,caller=1000:1000,owner=0:0 "$src" "$mnt"
is "is told nothing" "$output" ""
ok "unmount" as sergio fusermount3 -u "$mnt"
fails 0 "on itself" ours "$src" "$src"
is "hides nothing" "$output" ""
fails 0 "a source in a mount" ours "$src" "$mnt"
like "says that it is" "$output" "in a mount of idshift-mount, where no owners"
ok "unmount" as sergio fusermount3 -u "$mnt"
# Once who has it as his source has ended.
ok "unmount" wait_for 10 as sergio fusermount3 -u "$src"
as sergio chmod 0 "$home/closed"
fails 0 "one's own is opened up" ours "$home/closed" "$mnt"
is "quietly" "$output" ""
ok "unmount" as sergio fusermount3 -u "$mnt"
as sergio chmod 700 "$home/closed"

# It returns when the mount answers.
for i in 1 2 3 4 5; do
	ours "$src" "$mnt" && as sergio cat "$mnt/file" >/dev/null ||
		result bad "round $i: the mount answers"
	as sergio fusermount3 -u "$mnt" || result bad "round $i: unmount"
done
ok "as an option list of fstab" ours -o \
	defaults,nofail,_netdev,noauto,user,x-systemd.automount,owner=5:6 \
	"$src" "$mnt"
like "its kind and flags" "$(mounted)" \
	'nosuid,nodev.* - fuse\.idshift-mount .*default_permissions.*allow_other'
like "its source" "$(mounted)" " - fuse.idshift-mount $src "
is "the option works" "$(as sergio stat -c %u:%g "$mnt/file")" 100004:100005
fails 5 "mounted on twice" ours "$src" "$mnt"
like "says what is there, and how it ends" "$output" \
	"already mounted by idshift-mount, from '$src'; unmount it with 'fusermount3 -u $mnt'\$"
daemon=$(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p')
like "one daemon" "$daemon" '^[0-9]+$'
ok "SIGTERM" kill -TERM "$daemon"
ok "ends it" wait_for 5 test ! -e "/proc/$daemon"
is "and unmounts" "$(mounted)" ""
ok "nor does the watcher stay" wait_no_leftovers "$T"

for signal in TERM INT HUP; do
	mount_fs sergio "$src" "$mnt" || continue
	kill -"$signal" "$daemon"
	wait "$daemon"
	is "SIG$signal: exit code" "$?" 0
	is "SIG$signal: unmounted" "$(mounted)" ""
done
mount_fs sergio "$src" "$mnt" || exit 1
ok "fusermount3 -u" as sergio fusermount3 -u "$mnt"
wait "$daemon"
is "ends it with" "$?" 0

ok "ro" ours -o ro "$src" "$mnt"
fails 1 "nothing is written" as sergio touch "$mnt/file"
like "read-only" "$output" 'Read-only file system'
ok "unmount" as sergio fusermount3 -u "$mnt"
ok "a mount point inside of the source" as sergio mkdir "$src/mnt"
ok "mount there" ours "$src" "$src/mnt"
fails 2 "meets itself" as sergio timeout 10 ls "$src/mnt/mnt"
like "with ELOOP" "$output" 'Too many levels'
ok "unmount" as sergio fusermount3 -u "$src/mnt"
