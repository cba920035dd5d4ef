#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1500
# stress-ng's file systems class for two minutes, as container root, then with
# 24 workers of four of the container's users at a time for three, with the
# daemon's memory and descriptors watched; then everything is as before.
# IDSHIFT_STRESS_SECONDS, IDSHIFT_STRESS_CROWD_SECONDS: how long (120, 180).
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_allow_other
need_command nsenter stress-ng

seconds=${IDSHIFT_STRESS_SECONDS-120}
crowd_seconds=${IDSHIFT_STRESS_CROWD_SECONDS-180}
source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1

rss() { # KiB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status"
}
descriptors() {
	find "/proc/$daemon/fd" -mindepth 1 2>/dev/null | wc -l
}
"${ns[@]}" mkdir -m 1777 "$mnt/stress"
"${ns[@]}" sh -c "ls -lR '$mnt'" >/dev/null
before_rss=$(rss) before_fds=$(descriptors)
before_pipes=$(find "/proc/$daemon/fd" -lname 'pipe:*' | wc -l)
limit=$(sed -n 's/^Max open files *\([0-9]*\).*/\1/p' "/proc/$daemon/limits")

# One after the other, each for its part of the time; those that need what a
# mount for users refuses by design end at once and say so.
mapfile -t stressors < <(stress-ng --class filesystem? 2>/dev/null |
	tr ' ' '\n' | grep -E '^[a-z]' | grep -vE '^(class|filesystem|stressors:?|binderfs|apparmor|handle|fsetxattr)$')
((${#stressors[@]} > 5)) || {
	result bad "stress-ng names the stressors of its class"
	exit 1
}
top_rss=0 top_fds=0
# watch SECONDS PID...: until these have ended; sets $statuses, in their order.
watch() {
	local end=$((SECONDS + $1)) pid now fds
	shift
	for pid in "$@"; do
		while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)); do
			now=$(rss) fds=$(descriptors)
			((now <= top_rss)) || top_rss=$now
			((fds <= top_fds)) || top_fds=$fds
			sleep 0.5
		done
	done
	kill "$@" 2>/dev/null
	statuses=()
	for pid in "$@"; do
		wait "$pid"
		statuses+=($?)
	done
}

# stress ID WORKERS SECONDS DIR LOG: all stressors one after the other, each
# for its part of the time; in the background, $! is its process.
stress() {
	local each=$((($3 + ${#stressors[@]} - 1) / ${#stressors[@]}))
	"${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups sh -c \
		'cd "$1" && exec stress-ng --class filesystem --sequential "$2" \
		--timeout "$3" --temp-path "$1" --verify --oom-avoid \
		-x binderfs,apparmor' sh "$4" "$2" "${each}s" >"$5" 2>&1 &
}

# healthy WHAT LOG...: what must hold after it.
healthy() {
	local what=$1 found
	shift
	note "$what: memory: $before_rss KiB before, $top_rss KiB at most, $(rss) KiB now" \
		"descriptors: $before_fds before, $top_fds at most, $(descriptors) now, of $limit"
	# 3: some stressor is not implemented here; those say so themselves.
	like "$what: stress-ng's own checks hold" "${statuses[*]}" '^([034] ?)+$' ||
		note "$(grep -hE 'fail|error' "$@" | head -20)"
	found=$(grep -hE '(: fail:|stress-ng-.*: failed)' "$@" | head -20)
	is "$what: no check failed" "$found" ""
	ok "$what: the daemon lives" kill -0 "$daemon"
	ok "$what: the mount answers" "${ns[@]}" ls "$mnt"
	is "$what: it stayed below its limit of descriptors" \
		"$((top_fds < limit))" 1
	is "$what: below 512 MiB" "$((top_rss < 524288))" 1
	is "$what: on disk all is the acting user's" \
		"$(find "$src" ! -user sergio | head -5)" ""
	is "$what: nothing on disk is setuid" \
		"$(find "$src" -type f -perm /6000 | head -5)" ""
}

# gone WHAT: the tree is deleted and the kernel forgets what it knows of it.
# But for two pipes of each thread, which it keeps.
few() {
	local all pipes
	all=$(descriptors)
	pipes=$(find "/proc/$daemon/fd" -lname 'pipe:*' 2>/dev/null | wc -l)
	((pipes <= before_pipes + 4 * 10 && all - pipes <= before_fds - before_pipes))
}
gone() {
	local what=$1
	is "$what: nothing is left in the source" "$(ls -A "$src")" ""
	echo 2 >/proc/sys/vm/drop_caches
	ok "$what: its descriptors go back" wait_for 10 few ||
		note "$before_fds before, $(descriptors) now" "$(ls -l "/proc/$daemon/fd")"
	is "$what: its memory, to 64 MiB at most over the start" \
		"$(($(rss) < before_rss + 65536))" 1 || note "$(rss) KiB"
}

stress 0 2 "$seconds" "$mnt/stress" "$T/log/stress"
watch $((seconds * 3 + 120)) $!
healthy "one by one" "$T/log/stress"
ok "all of it can be deleted" "${ns[@]}" rm -rf "$mnt/stress"
gone "one by one"

# Each in a directory of its own.
users=(0 33 1000 65534)
"${ns[@]}" sh -c 'cd "$1" && shift && for id; do
	mkdir "$id" && chown "$id:$id" "$id" && chmod 2770 "$id" || exit; done' \
	sh "$mnt" "${users[@]}"
pids=() logs=()
top_rss=0 top_fds=0
for id in "${users[@]}"; do
	logs+=("$T/log/stress-$id")
	stress "$id" 6 "$crowd_seconds" "$mnt/$id" "$T/log/stress-$id"
	pids+=($!)
done
watch $((crowd_seconds * 3 + 180)) "${pids[@]}"
healthy "24 at a time" "${logs[@]}"
# What a killed worker left has owners of the container: the host deletes it.
ok "the source can be deleted on the host" as sergio sh -c \
	'rm -rf "$1"/*' sh "$src"
gone "24 at a time"
ok "unmount" umount_fs sergio "$mnt"
