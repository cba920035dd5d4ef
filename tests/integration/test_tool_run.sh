#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# idshift run: exit codes, signals, and that no mount is left; map and stat.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command python3

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
as sergio mkdir "$mnt"
as sergio sh -c "echo hello >'$src/f'"

no_mount() { # DESCRIPTION
	is "$1: no mount is left" "$(grep -c " $mnt " /proc/self/mountinfo)" 0
}
for code in 0 1 7 255; do
	fails "$code" "exit code $code" as sergio idshift run "$src" "$mnt" -- \
		sh -c "cat '$mnt/f'; exit $code"
	is "the command saw the mount" "$output" hello
	no_mount "exit code $code"
done
fails 137 "a signal" as sergio idshift run "$src" "$mnt" -- sh -c 'kill -9 $$'
no_mount "a signal"
fails 127 "no such command" as sergio idshift run "$src" "$mnt" -- nothing
is "said so" "$output" "idshift run: 'nothing': No such file or directory"
no_mount "no such command"
fails 126 "not a program" as sergio idshift run "$src" "$mnt" -- "$src/f"
no_mount "not a program"
fails 125 "the mount fails" as sergio idshift run "$src/none" "$mnt" -- true
like "its reason" "$output" "^idshift-mount: source '.*none': there is no such"
fails 125 "no command" as sergio idshift run "$src" "$mnt" --
fails 125 "not in the foreground" as sergio idshift run -f "$src" "$mnt" -- true
fails 0 "options" as sergio idshift run -o ro --userns=host "$src" "$mnt" -- \
	sh -c "! touch '$mnt/new' 2>/dev/null && stat -c %u '$mnt/f'"
is "as the container sees it" "$output" 1000
no_mount "options"

no_daemon() {
	[[ -z $(leftovers "$T") ]]
}
is_over() { # PID
	! kill -0 "$1"
}
# Interrupted.
for signal in TERM INT HUP; do
	as_background sergio idshift run "$src" "$mnt" -- \
		sh -c "touch '$T/log/started-$signal'; exec sleep 60"
	run=$!
	ok "it runs" wait_for 5 test -e "$T/log/started-$signal"
	kill "-$signal" "$run"
	wait "$run"
	is "ended by SIG$signal" "$?" \
		"$((128 + $(kill -l "$signal")))"
	no_mount "SIG$signal"
done
# While the mount is made: the source doesn't answer, say.
mkdir "$T/slow"
cp "$(command -v idshift)" "$T/slow"
printf '#!/bin/sh\necho >"$MOUNTING"\nexec sleep 100\n' >"$T/slow/idshift-mount"
chmod 755 "$T/slow" "$T/slow/idshift-mount"
for signal in TERM INT HUP QUIT; do
	as_background sergio env "MOUNTING=$T/log/mounting-$signal" \
		"$T/slow/idshift" run "$src" "$mnt" -- touch "$src/started"
	run=$!
	ok "it waits" wait_for 5 test -e "$T/log/mounting-$signal"
	kill "-$signal" "$run"
	ok "it ends by SIG$signal" wait_for 5 is_over "$run"
	kill -9 "$run" 2>/dev/null
	wait "$run"
	is "its exit code" "$?" "$((128 + $(kill -l "$signal")))"
done
ok "no command was run" test ! -e "$src/started"
# What the command leaves running doesn't keep the mount.
fails 0 "a process left in it" as sergio idshift run "$src" "$mnt" -- \
	sh -c "cd '$mnt' && { sleep 3 >/dev/null 2>&1 & }"
like "said so" "$output" "still in use"
no_mount "a process left in it"
ok "its daemon ends with that process" wait_for 10 no_daemon

# By a symbolic link; umount2(2) is told not to follow one.
as sergio ln -s mnt "$T/home/sergio/link"
for path in "$T/home/sergio/link" "$T/home/sergio/link/" link; do
	fails 7 "a link as mount point" as sergio sh -c \
		'cd "$0" && idshift run "$@" -- sh -c "cat mnt/f; exit 7"' \
		"$T/home/sergio" "$src" "$path"
	is "the command saw the mount" "$output" hello
	no_mount "a link as mount point"
done
mkdir "$T/roots" "$T/roots/src" "$T/roots/mnt"
ln -s mnt "$T/roots/link"
fails 0 "as root" idshift run "$T/roots/src" "$T/roots/link" -- true
is "no mount is left" "$(grep -c " $T/roots/mnt " /proc/self/mountinfo)" 0
# What the command has unmounted need not be unmounted.
for code in 0 3; do
	fails "$code" "unmounted by the command" as sergio idshift run "$src" \
		"$mnt" -- sh -c "fusermount3 -u '$mnt' && exit $code"
	is "nothing is said" "$output" ""
done
fails 5 "the daemon is killed" as sergio idshift run "$src" "$mnt" -- sh -c \
	"for dir in /proc/[0-9]*; do
		[ \"\$(cat \$dir/comm)\" = idshift-mount ] && grep -qzxF '$mnt' \$dir/cmdline &&
			kill -9 \${dir#/proc/}; done 2>/dev/null; exit 5"
is "nothing is said" "$output" ""
wait_for 5 no_daemon
no_mount "the daemon is killed"
as sergio mkdir -p "$T/home/sergio/up/mnt"
fails 4 "a parent is renamed" as sergio idshift run "$src" \
	"$T/home/sergio/up/mnt" -- sh -c "cd '$T/home/sergio' && mv up down &&
	cat down/mnt/f; exit 4"
is "nothing is said" "$output" "hello"
is "a parent is renamed: no mount is left" \
	"$(grep -c "/down/mnt " /proc/self/mountinfo)" 0
ok "nor a daemon" wait_for 5 no_daemon
fails 125 "covered" idshift run "$T/roots/src" "$T/roots/mnt" -- \
	mount -t tmpfs precious "$T/roots/mnt"
like "covered: says so" "$output" "can't be unmounted"
is "covered: what covers it stays" \
	"$(findmnt -n -o FSTYPE --mountpoint "$T/roots/mnt" | tail -1)" tmpfs
ok "covered: umount" umount "$T/roots/mnt"
ok "covered: umount" umount "$T/roots/mnt"
ok "covered: its daemon ends" wait_for 5 no_daemon

# map
as sergio idshift map >"$T/got"
as sergio idshift-mount --print-map >"$T/wanted"
same "map" "$T/got" "$T/wanted"
as sergio idshift map --json -o map=u:1000:7 >"$T/got"
as sergio idshift-mount --print-map --json -o map=u:1000:7 >"$T/wanted"
same "map --json" "$T/got" "$T/wanted"
is "an id" "$(as sergio idshift map --map=g:shared:2000 u:0 g:2000 u:100004)" \
"uid 0 as container id:  container 0  host 1000  disk 1000
uid 0 as host id:  container -  host 0  disk -  (not in the container)
uid 0 as disk id:  container -  host -  disk 0  (not in the container)
gid 2000 as container id:  container 2000  host 101999  disk 2000
gid 2000 as host id:  container -  host 2000  disk -  (not in the container)
gid 2000 as disk id:  container 2000  host 101999  disk 2000
uid 100004 as container id:  container -  host -  disk -  (not in the container)
uid 100004 as host id:  container 5  host 100004  disk 100004
uid 100004 as disk id:  container 5  host 100004  disk 100004"
is "an id as JSON" "$(as sergio idshift map --json u:5 | python3 -c '
import json, sys
print(json.load(sys.stdin)[0]["as_container"])')" \
	"{'container': 5, 'wire': 100004, 'host': 100004, 'disk': 100004}"
fails 2 "no id" as sergio idshift map x:5
fails 3 "a bad map" as sergio idshift map --map=u:1000:70000
fails 2 "no subcommand" as sergio idshift
fails 2 "an unknown one" as sergio idshift frobnicate
fails 0 "help" as sergio idshift help stat
like "of stat" "$output" '^usage: idshift stat'
fails 0 "--help" as sergio idshift chown --help
like "of chown" "$output" '^usage: idshift chown'
fails 0 "--version" as sergio idshift --version

# stat: which rule decided
why() { # FILE [OPTION...]
	as sergio idshift stat --json "${@:2}" "$src/$1" | python3 -c '
import json, sys
why = json.load(sys.stdin)[0]
c = why["container"]
print("%s:%s %s" % (c["uid"], c["gid"], c["mode"]), *why["why"].values())'
}
is "the disk" "$(why f)" "0:0 0644 disk disk disk"
as sergio idshift chown 5:6 "$src/f"
is "a record" "$(why f)" "5:6 0644 record record record"
as sergio chmod 600 "$src/f"
is "a host's chmod" "$(why f)" "5:6 0600 record record host-chmod"
as sergio idshift chown -o map=g:shared:2000 5:2000 "$src/f"
is "on disk" "$(stat -c %g "$src/f")" 2000
as sergio chgrp sergio "$src/f"
is "a host's chgrp" "$(why f -o map=g:shared:2000)" \
	"5:0 0600 record host-chgrp record"
as sergio setfattr -n user.containers.override_stat -v junk "$src/f"
is "malformed" "$(why f)" "0:0 0600 malformed malformed malformed"
echo x >"$src/roots"
is "unmapped" "$(why roots)" "65534:65534 0644 unmapped unmapped disk"
is "unmapped=" "$(why roots -o unmapped=9)" "9:9 0644 unmapped= unmapped= disk"
setfattr -n user.containers.override_stat -v 5:5:0777:file "$src/roots"
is "not ours" "$(why roots)" "65534:65534 0644 not-ours not-ours not-ours"
rm "$src/roots"
as sergio ln -s f "$src/link"
as sergio idshift chown -h 7:8 "$src/link"
is "a link" "$(why link)" "7:8 0777 record record link"
like "where it is" "$(as sergio idshift stat "$src/link")" '(database)'
like "a table" "$(as sergio idshift stat "$src/f" "$src/link")" \
	'lrwxrwxrwx +7 +8  0777  1000  1000  record,record,link '
# A name is the container's choice: no terminal is told anything by it.
name=$'\e[1m\xc2\x9b1m\x9b\xc3\xa4\x85'
as sergio touch "$src/$name"
is "its control characters" "$(as sergio idshift stat "$src/$name" | head -1)" \
	"$src/?[1m??1m?ä?: file"
as sergio rm "$src/$name"
fails 1 "nothing" as sergio idshift stat "$src/f" "$src/none"
