#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 240
# Mounts on, below and above each other, and how a mount ends: by signals while
# it is busy, and by a daemon and a watcher that are killed.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
as sergio sh -c "mkdir '$src/a' && echo text >'$src/a/file'"
userns_start sergio || exit 1

inside() {
	"${ns[@]}" env LC_ALL=C timeout 20 "$@" 2>&1
}
mounted() {
	grep -cF "$T/home" /proc/self/mountinfo
}
watcher() {
	leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-watch:.*/\1/p'
}

# --- several at once ---------------------------------------------------------

mount_fs sergio "$src" "$mnt" -o cache=none || exit 1
first=$daemon
mount_fs sergio "$src" "$mnt.2" -o cache=none || exit 1
second=$daemon
ok "two on one source: chown in one" inside chown 5:6 "$mnt/a/file"
is "two on one source: shows in the other" \
	"$(inside stat -c %u:%g "$mnt.2/a/file")" 5:6
ok "two on one source: at the same time" inside sh -c "
	for m in '$mnt' '$mnt.2'; do
		(for i in \$(seq 40); do
			ln -s target \"\$m/a/link\$i\" 2>/dev/null
			chown -h \$i \"\$m/a/link\$i\" || exit 1
		done) & done; wait %1 && wait %2"
is "two on one source: all say so" \
	"$(inside sh -c "stat -c %u '$mnt'/a/link* | sort -n | tr '\n' ' '")" \
	"$(seq -s ' ' 40) "
inside sh -c "rm '$mnt'/a/link*"
as sergio fusermount3 -u "$mnt.2"
wait "$second"
is "two on one source: the second ends" "$?" 0
ok "two on one source: the first goes on" inside chown 0:0 "$mnt/a/file"

# What the first mount shows the daemon of the second: sergio's files.
mount_fs sergio "$mnt" "$mnt.3" -o cache=none || exit 1
second=$daemon
ok "stacked: create" inside sh -c "echo new >'$mnt.3/a/new' && mkdir '$mnt.3/b'"
is "stacked: read" "$(cat "$src/a/new")" new
ok "stacked: walk" inside ls -lR "$mnt.3"
fails 1 "stacked: the lower one is in use" as sergio fusermount3 -u "$mnt"
as sergio fusermount3 -u "$mnt.3"
wait "$second"
is "stacked: the upper one ends" "$?" 0
as sergio fusermount3 -u "$mnt"
wait "$first"
is "stacked: then the lower one" "$?" 0

# --- on each other -----------------------------------------------------------

for point in "$src" "$home/above"; do
	what="on itself"
	inner=$src
	if [[ $point != "$src" ]]; then
		what="above its source"
		inner=$point/src
		as sergio mkdir -p "$inner/a"
	fi
	mount_fs sergio "$inner" "$point" || continue
	ok "$what: create" inside sh -c "echo x >'$point/a/x'"
	ok "$what: walk" inside sh -c "ls -lR '$point' >/dev/null"
	is "$what: statfs" "$(inside stat -f -c %n "$point")" "$point"
	as sergio fusermount3 -u "$point"
	wait "$daemon"
	is "$what: ends" "$?" 0
	ok "$what: is in the source" test -e "$inner/a/x"
done

# --- signals under load ------------------------------------------------------

cat >"$T/load" <<'EOF'
cd "$1" && [[ -f a/file ]] || exit 0 # not without the mount
mkdir -p "load$2" && cd "load$2" || exit
for ((i = 0; i < 100000; i++)); do
	echo "$i" >"f$((i % 50))" && chown $((i % 9)) "f$((i % 50))" &&
		ln -s target "l$i" && chown -h 3 "l$i" && rm "l$i" || exit 0
done
EOF
for signal in TERM INT HUP; do
	mount_fs sergio "$src" "$mnt" || continue
	for i in 1 2 3; do
		"${ns[@]}" bash "$T/load" "$mnt" "$i" 2>>"$T/log/load" &
		loads[i]=$!
	done
	wait_for 10 test -s "$src/load3/f20"
	kill -"$signal" "$daemon"
	wait "$daemon"
	is "busy, SIG$signal: exit code" "$?" 0
	is "busy, SIG$signal: unmounted" "$(mounted)" 0
	wait "${loads[@]}"
	ok "busy, SIG$signal: nothing stays" wait_no_leftovers "$T"
	ok "busy, SIG$signal: mounts again" mount_fs sergio "$src" "$mnt"
	ok "busy, SIG$signal: works" inside rm -r "$mnt/load1" "$mnt/load2" \
		"$mnt/load3"
	umount_fs sergio "$mnt"
done

# --- while locks are waited for ----------------------------------------------

cat >"$T/setlkw" <<'EOF'
use Fcntl;
open(my $file, "+>>", $ARGV[0]) or die;
my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
fcntl($file, F_SETLKW, $lock) or exit 3;
open(my $has, ">", $ARGV[1]) or die;
sleep 60;
EOF
for kind in flock fcntl; do
	mount_fs sergio "$src" "$mnt" || continue
	if [[ $kind == flock ]]; then
		held=(flock "$mnt/lock" sh -c "echo >'$src/has'; sleep 60")
		waits=(flock "$mnt/lock" true)
	else
		held=(perl "$T/setlkw" "$mnt/lock" "$src/has")
		waits=(perl "$T/setlkw" "$mnt/lock" "$src/never")
	fi
	rm -f "$src/has"
	"${ns[@]}" "${held[@]}" &
	waiting=($!)
	ok "$kind: held" wait_for 10 test -e "$src/has"
	for i in 1 2 3; do
		"${ns[@]}" "${waits[@]}" 2>/dev/null &
		waiting+=($!)
	done
	sleep 0.5
	kill -TERM "$daemon"
	wait "$daemon"
	is "$kind, others wait: exit code" "$?" 0
	ok "$kind, others wait: nobody has it" test ! -e "$src/never"
	kill "${waiting[@]}" 2>/dev/null
	wait "${waiting[@]}" 2>/dev/null
	pkill -f "sleep 60" -u sergio 2>/dev/null
	ok "$kind: nothing stays" wait_no_leftovers "$T"
done

# --- the watcher was killed ----------------------------------------------------

mount_fs sergio "$src" "$mnt" || exit 1
"${ns[@]}" dirty "$mnt/dirty" mapped >"$T/log/dirty" 2>&1 &
ok "no watcher: stored" wait_for 5 grep -qx '[0-9]*' "$T/log/dirty"
kill -9 "$(watcher)"
kill "$daemon"
wait "$daemon"
is "no watcher: the exit code tells" "$?" 1
like "no watcher: and a line" "$(tail -1 "$daemon_log")" \
	"it stays, dead, .*; run: fusermount3 -u -z '$mnt'\$"
is "no watcher: what was stored is in the source" "$(cat "$src/dirty")" stored
kill "$(cat "$T/log/dirty")"
as sergio fusermount3 -u -z "$mnt"
is "no watcher: unmounted" "$(mounted)" 0
mount_fs sergio "$src" "$mnt" || exit 1
kill -9 "$(watcher)"
as sergio fusermount3 -u "$mnt"
wait "$daemon"
is "no watcher, unmounted: exit code" "$?" 0
as sergio rm "$src/dirty"

# --- killed, and nobody left to unmount --------------------------------------

for options in "" "-f"; do
	mount_fs sergio "$src" "$mnt" || exit 1
	kill -9 "$(watcher)"
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	is "killed${options:+, -f}: the container is told" \
		"$(inside cat "$mnt/a/file")" \
		"cat: $mnt/a/file: Transport endpoint is not connected"
	if [[ -z $options ]]; then
		ok "killed: the next takes it over" as sergio idshift-mount \
			"$src" "$mnt"
	else
		ok "killed, -f: the next takes it over" mount_fs sergio \
			"$src" "$mnt"
	fi
	# The dead one may look alive for as long as its attributes are kept.
	wait_for 10 inside test -s "$mnt/a/file"
	is "killed${options:+, -f}: it works" "$(inside cat "$mnt/a/file")" text
	is "killed${options:+, -f}: one mount" "$(mounted)" 1
	ok "killed${options:+, -f}: unmount" as sergio fusermount3 -u "$mnt"
	[[ -z $options ]] || wait "$daemon"
	ok "killed${options:+, -f}: nothing stays" wait_no_leftovers "$T"
done
