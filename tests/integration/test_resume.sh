#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount outlives its daemon: whoever holds its /dev/fuse descriptor starts
# the next one, which serves the mount from the INIT that the first one kept.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
kept=$T/home/sergio/init
as sergio mkdir "$mnt" "$src/dir"
as sergio sh -c "echo one >'$src/file'; echo two >'$src/dir/file'"

# This test is the supervisor.
exec 7<>/dev/fuse
mount -i -t fuse.idshift-mount -o "fd=7,rootmode=40000,user_id=$(id -u sergio)" \
	-o "group_id=$(id -g sergio),allow_other,default_permissions" \
	-o nosuid,nodev supervised "$mnt" || exit
bed_mounts+=("$mnt")

# A libfuse without hooks; to a build with sanitizers it can't be loaded.
told=$T/home/sergio/told
hookless=(env "LD_PRELOAD=$T/sys/bin/no_hooks.so" "NO_HOOKS_TOLD=$told")
"${hookless[@]}" idshift-mount --version >/dev/null 2>&1 || hookless=()

start() { # [COMMAND...]
	as_background sergio "$@" idshift-mount -f -o "resume=$kept" "$src" \
		/dev/fd/7 >>"$T/log/daemon" 2>&1
	daemon=$!
}

kill_daemon() {
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
}

epoch() {
	od -An -tu4 -N4 "$kept" | tr -d ' '
}

userns_start sergio
inside() {
	LC_ALL=C "${ns[@]}" "$@" 2>&1
}

start
is "the first daemon serves it" "$(inside cat "$mnt/file")" one
is "... as its first epoch" "$(epoch)" 0
ok "a container's chown" inside chown 5:6 "$mnt/dir/file"
mkfifo "$T/go"
# shellcheck disable=SC2016
"${ns[@]}" sh -c 'exec 8<"$1" && read -r go && cat <&8' - "$mnt/file" \
	<"$T/go" >"$T/log/open" 2>&1 &
holder=$!
exec 9>"$T/go"
sleep 0.3

kill_daemon
start
is "the next one serves the same mount" "$(inside cat "$mnt/dir/file")" two
is "... as its second epoch" "$(epoch)" 1
is "... with what is recorded" "$(inside stat -c %u:%g "$mnt/dir/file")" 5:6
is "it is still one mount" "$(grep -cF " $mnt " /proc/self/mountinfo)" 1
# Its handles died with the daemon; none may lead to another file.
echo >&9
exec 9>&-
wait "$holder"
like "a file that was open then is open no more" "$(cat "$T/log/open")" \
	"Bad file descriptor"

fails 1 "another beside it is refused" as sergio idshift-mount -f \
	-o "resume=$kept" "$src" /dev/fd/7
like "... in a line" "$(wc -l <<<"$output") $output" \
	'^1 idshift-mount: resume .*the daemon before still runs'
is "... and counts for nothing" "$(epoch)" 1

# Asked while nobody answers.
kill -STOP "$daemon"
inside mkdir "$mnt/made" &
maker=$!
inside cat "$mnt/dir/file" >"$T/log/late" &
reader=$!
sleep 0.3
kill_daemon
fails 6 "who doesn't say where its INIT was kept is told" \
	as sergio idshift-mount -f "$src" /dev/fd/7
like "... in a line" "$(wc -l <<<"$output") $output" \
	'^1 idshift-mount: .*another daemon has served it'
start
wait "$maker"
is "a request that was waiting is answered by the next daemon" $? 0
wait "$reader"
is "... another as well" "$(cat "$T/log/late")" two
is "... and done" "$(inside stat -c %u "$mnt/made")" 0

wrong=
for i in {1..20}; do
	inside sh -c "echo $i >'$mnt/f$i'; chown $i:$i '$mnt/f$i'"
	kill_daemon
	if ((i % 2)); then start; else start "${hookless[@]}"; fi
	for ((j = 1; j <= i; j += 3)); do
		got=$(inside sh -c "cat '$mnt/f$j'; stat -c %u '$mnt/f$j'")
		[[ $got == "$j"$'\n'"$j" ]] || wrong+=" $i:$j:$got"
	done
done
is "twenty daemons on, every name leads to its own file" "$wrong" ""
((${#hookless[@]} == 0)) ||
	is "... half of them without hooks of libfuse" "$(wc -l <"$told")" 10

fails 1 "what is no FUSE device" as sergio sh -c \
	"exec 8<>/dev/null; idshift-mount -f -o 'resume=$kept' '$src' /dev/fd/8"
umount "$mnt"
ok "it ends with the mount" wait_for 5 \
	sh -c "! kill -0 $daemon 2>/dev/null"
# In a build with sanitizers it says that it has no sandbox.
is "it says nothing" "$(grep -v "in a sanitizer.s build" "$T/log/daemon")" ""

# Killed when it has read the INIT and not kept it (by the two writes of its
# file), or kept and not answered it (after the device was asked for it again).
if command -v strace >/dev/null; then
	for killed in "pwrite64 1" "pwrite64 2" "write 2"; do
		read -r call nth <<<"$killed"
		kept=$T/home/sergio/init.$call.$nth
		exec 7<&-
		exec 7<>/dev/fuse
		mount -i -t fuse.idshift-mount -o "fd=7,rootmode=40000" \
			-o "user_id=$(id -u sergio),group_id=$(id -g sergio)" \
			-o allow_other,default_permissions,nosuid,nodev \
			supervised "$mnt" || exit
		as sergio touch "$kept"
		start strace -f -q -o "$T/log/strace" -P "$kept" \
			-P /dev/fuse -e "trace=$call" \
			-e "inject=$call:signal=KILL:when=$nth"
		wait "$daemon" 2>/dev/null
		is "killed at $killed" "$?" 137
		start
		is "killed at $killed: the next one serves" \
			"$("${ns[@]}" timeout 5 cat "$mnt/file")" one
		umount -l "$mnt"
		kill "$daemon" 2>/dev/null
		wait "$daemon"
	done
else
	skip "killed at its start" "strace is not installed"
fi

fails 1 "a file that is none of ours" as sergio sh -c \
	"echo nonsense nonsense nonsense >'$kept'
	 idshift-mount -f -o 'resume=$kept' '$src' /dev/fd/7"
exec 7<&-
