#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 900
# stress-ng's file systems class for two minutes, as container root, with the
# daemon's memory and descriptors watched; then everything is as before.
# IDSHIFT_STRESS_SECONDS: how long (120).
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_allow_other
need_command nsenter stress-ng

seconds=${IDSHIFT_STRESS_SECONDS-120}
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
limit=$(sed -n 's/^Max open files *\([0-9]*\).*/\1/p' "/proc/$daemon/limits")

# One after the other, each for its part of the time; those that need what a
# mount for users refuses by design end at once and say so.
mapfile -t stressors < <(stress-ng --class filesystem? 2>/dev/null |
	tr ' ' '\n' | grep -E '^[a-z]' | grep -vE '^(class|filesystem|stressors:?|binderfs|apparmor|handle|fsetxattr)$')
((${#stressors[@]} > 5)) || {
	result bad "stress-ng names the stressors of its class"
	exit 1
}
each=$(((seconds + ${#stressors[@]} - 1) / ${#stressors[@]}))
top_rss=0 top_fds=0
"${ns[@]}" sh -c "cd '$mnt/stress' && exec stress-ng --class filesystem \
	--sequential 2 --timeout ${each}s --temp-path '$mnt/stress' \
	--verify --oom-avoid -x binderfs,apparmor" >"$T/log/stress" 2>&1 &
pid=$!
end=$((SECONDS + seconds * 3 + 120))
while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)); do
	now=$(rss) fds=$(descriptors)
	((now <= top_rss)) || top_rss=$now
	((fds <= top_fds)) || top_fds=$fds
	sleep 0.5
done
kill "$pid" 2>/dev/null
wait "$pid"
status=$?
note "stress-ng: exit code $status, ${#stressors[@]} stressors, $each s each"
note "memory: $before_rss KiB before, $top_rss KiB at most, $(rss) KiB after"
note "descriptors: $before_fds before, $top_fds at most, of $limit"
# 3: some stressor is not implemented here; those say so themselves.
like "stress-ng's own checks hold" "$status" '^(0|3|4)$' ||
	note "$(grep -E 'fail|error' "$T/log/stress" | head -20)"
is "no check failed" "$(grep -cE '(: fail:|stress-ng-.*: failed)' "$T/log/stress")" 0 ||
	note "$(grep -E '(: fail:|stress-ng-.*: failed)' "$T/log/stress" | head -20)"
ok "the daemon lives" kill -0 "$daemon"
ok "the mount answers" "${ns[@]}" ls "$mnt"
is "it stayed below its limit of descriptors" "$((top_fds < limit))" 1
is "below 512 MiB" "$((top_rss < 524288))" 1
ok "all of it can be deleted" "${ns[@]}" sh -c "rm -rf '$mnt/stress'"
is "nothing is left in the source" "$(ls -A "$src")" ""
# Lets the kernel forget the names it knows of this mount.
mount -i -o remount "$mnt" 2>/dev/null
few() {
	(($(descriptors) <= before_fds + 20))
}
ok "its descriptors go back" wait_for 10 few || note "$(descriptors) now"
is "its memory, to 128 MiB at most over the start" \
	"$(($(rss) < before_rss + 131072))" 1
ok "unmount" umount_fs sergio "$mnt"
