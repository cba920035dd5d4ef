#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon's sandbox, from inside: a request makes it do what an attacker
# would (tests/preload/hostile.c).  Then, that what is legitimate still goes,
# and that the mount ends with a daemon that is killed.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
hostile=$T/sys/bin/hostile.so
if [[ ! -e $hostile ]]; then
	need_command "${CC:-cc}"
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -shared \
		-fPIC -o "$hostile" "$ROOT/tests/preload/hostile.c" -ldl ||
		exit 1
fi

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
source_dir sergio other
other=$dir
as sergio sh -c "echo secret >'$other/secret'; mkdir '$src/a' '$src/b'"
as_background sergio sleep infinity
victim=$!

# mount_hostile [VARIABLE=VALUE...] [OPTION...]
mount_hostile() {
	local variables=("LD_PRELOAD=$hostile" "HOSTILE_VICTIM=$victim"
		"HOSTILE_DIR=$other") log
	while [[ ${1-} == *=* ]]; do
		variables+=("$1")
		shift
	done
	as "${mounter:-sergio}" mkdir -p "$mnt"
	log=$T/log/daemon-$((${#bed_mounts[@]} + 1)).log
	as_background "${mounter:-sergio}" env "${variables[@]}" \
		idshift-mount -f "$@" "$src" "$mnt" >>"$log" 2>&1
	daemon=$!
	bed_mounts+=("$mnt")
	bed_wait_mount "$daemon" "$log" as "${mounter:-sergio}" \
		mountpoint -q "$mnt"
}

try() { # WHAT: the error's words
	LC_ALL=C as "${mounter:-sergio}" stat "$mnt/hostile:$1" 2>&1 |
		sed 's/.*: //'
}

status() { # FIELD
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$daemon/status"
}

mounted() {
	grep -qF " $mnt " /proc/self/mountinfo
}

unmounted() {
	! mounted
}

# watchers: those of this test.
watchers() {
	local proc name
	for proc in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$proc/comm" || continue
		[[ $name == idshift-watch ]] || continue
		tr '\0' '\n' 2>/dev/null <"$proc/environ" |
			grep -qxF "IDSHIFT_TEST_DIR=$T" && echo "${proc#/proc/}"
	done
}

no_watcher() {
	[[ -z $(watchers) ]]
}

denied='Permission denied'
unknown='Function not implemented'
could='Structure needs cleaning'

mount_fs sergio "$src" "$mnt" || exit 1
seccomp=$(status Seccomp) said=$(grep 'sandbox without' "$T/log/daemon-1.log")
ok "unmount" umount_fs sergio "$mnt"
[[ $said != *"without all"* ]] ||
	skip_all "kernel: no sandbox in a sanitizer's build"
[[ $seccomp == 2 ]] || skip_all "kernel: $said"

# --- without: what the attacks are worth -----------------------------------

mount_hostile -o sandbox=off || exit 1
is "off: no filter" "$(status Seccomp)" 0
for what in passwd read write create tmpfile list mkdir mkfifo symlink link \
	device environ fork kill code mprotect prctl personality proc-root \
	proc-exe proc-maps proc-fd proc-list own-memory chown lchown \
	access lsetxattr chmod-setuid fchmodat-setuid create-setuid \
	signal-owner tgkill pidfd affinity prlimit; do
	is "off: $what" "$(try $what)" "$could"
done
is "off: watcher-memory" "$(try watcher-memory)" "$denied"
as sergio sh -c "cd '$other' && rm -r new newdir newfifo newlink newlink2 &&
	chmod 600 secret && rm '$src/made-by-attack'"
ok "unmount" umount_fs sergio "$mnt"

# --- within ----------------------------------------------------------------

mount_hostile || exit 1
landlock=1
[[ $said != *landlock* ]] || landlock=
is "no new privileges" "$(status NoNewPrivs)" 1
is "no capabilities" "$(status CapEff)$(status CapPrm)$(status CapInh)" \
	"$(printf '%048d' 0)"
is "not to be dumped, not to be traced by me" \
	"$(stat -c %U "/proc/$daemon/environ") $(awk '/core/ { print $5 }' \
		"/proc/$daemon/limits")" "root 0"
is "all is close-on-exec" "$(awk '/^flags:/ {
	if (int($2 / 2000000) % 5 % 2 == 0) print FILENAME }' \
	/proc/"$daemon"/fdinfo/*)" ""
[[ $landlock ]] ||
	skip "what landlock refuses" "kernel: $said"
for what in ${landlock:+passwd read write truncate create tmpfile list mkdir \
	mkfifo symlink unlink link rename device environ memory proc-root \
	proc-cwd proc-exe proc-maps proc-fd proc-list proc-oom own-memory \
	watcher-memory}; do
	is "refused: $what" "$(try $what)" "$denied"
done
for what in socket fork kill code mprotect setuid prctl personality openat2 \
	chown lchown access lsetxattr chmod-setuid fchmodat-setuid \
	fchmodat2-setuid create-setuid create-setgid signal-owner \
	clone-namespace tgkill sigqueue pidfd affinity prlimit terminal seccomp \
	aio inotify; do
	is "no such call: $what" "$(try $what)" "$unknown"
done
is "nothing has come of it" \
	"$(ls "$other") $(cat "$other/secret") $(stat -c %a "$other/secret")" \
	"secret secret 600"
is "nothing setuid" "$(find "$src" -perm /6000)" ""
ok "the mount still answers" as sergio touch "$mnt/file"

# --- what has to go --------------------------------------------------------

inside() {
	as sergio sh -c "cd '$mnt' && $1" 2>&1
}
is "rename and link between directories" "$(inside \
	'echo x >a/f && mv a/f b/f && ln b/f a/g && cat a/g && mv a d && mv d b &&
	mv b/d a')" x
is "truncate" "$(inside 'truncate -s 0 b/f && truncate -s 3 b/f && stat -c %s a/g')" 3
is "an unlinked file, opened again" "$(inside \
	'echo gone >u; exec 3<>u; rm u; cat /proc/self/fd/3; echo more >>/proc/self/fd/3; cat /proc/self/fd/3')" \
	$'gone\ngone\nmore'
mkdir "$src/below"
mount -t tmpfs -o mode=1777 idshift-test "$src/below"
is "a mount below the source" "$(inside \
	'echo y >below/f && mv below/f below/g && cat below/g && rm below/g')" y
umount -l "$src/below"
rmdir "$src/below"
as sergio sh -c "mkdir '$src/moving' && echo z >'$src/moving/f'"
is "what the host moves out stays open" "$(inside "cd moving && exec 3<f &&
	mv '$src/moving' '$other/moved' && cat <&3")" z
as sergio rm -r "$other/moved"
as sergio mv "$src" "$home/elsewhere"
is "the source itself may move" "$(inside 'echo w >w && mv w a/w && cat a/w')" w
as sergio mv "$home/elsewhere" "$src"
ok "unmount" umount_fs sergio "$mnt"
ok "no watcher stays" wait_for 5 no_watcher

mount_hostile -o ro || exit 1
as sergio sh -c "echo r >'$src/r'"
is "ro: reading" "$(inside 'cat r && ls a && getfattr -d r')" \
	"$(printf 'r\ng\nw')"
ok "unmount" umount_fs sergio "$mnt"

# --- what kills, and that the mount goes with the daemon -------------------

for what in exec ptrace vm mount umount unshare setns chroot bpf keyctl \
	io_uring userfaultfd memfd handle \
	$([[ $(uname -m) != x86_64 ]] || echo x32); do
	mount_hostile || break
	try $what | grep -q "$could\|request code" && kill -9 "$daemon"
	wait "$daemon"
	is "kills: $what" "$?" $((128 + 31))
	wait_for 5 unmounted || result bad "$what: unmounted"
done
mount_fs sergio "$src" "$mnt" || exit 1
kill -9 "$daemon"
ok "killed: the mount goes" wait_for 5 unmounted
ok "and the watcher" wait_for 5 no_watcher
ok "in the background" as sergio idshift-mount "$src" "$mnt"
daemon=$(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount.*/\1/p')
is "in its sandbox" "$(status Seccomp)" 2
for name in TERM INT HUP; do
	kill -$name "$(watchers)"
done
ok "the watcher outlives signals" as sergio touch "$mnt/file"
is "there is one" "$(watchers | wc -l)" 1
kill -9 "$daemon"
ok "killed: the mount goes" wait_for 5 unmounted
ok "in the background again" as sergio idshift-mount "$src" "$mnt"
first=$(watchers)
as sergio fusermount3 -u "$mnt"
ok "and at once again" as sergio idshift-mount "$src" "$mnt"
ok "the first watcher is gone" wait_for 5 test ! -e "/proc/$first"
ok "without another's mount" as sergio touch "$mnt/file"
kill -9 "$(watchers)"
ok "without a watcher: works" as sergio touch "$mnt/file"
ok "and ends" as sergio fusermount3 -u "$mnt"

mount_hostile HOSTILE_KERNEL=old || exit 1
like "a kernel without: one line" "$(cat "$T/log/daemon-${#bed_mounts[@]}.log")" \
	'^idshift-mount: sandbox without landlock \([^)]*\), seccomp \([^)]*\)$'
ok "and it works" as sergio touch "$mnt/file"
ok "unmount" umount_fs sergio "$mnt"

# --- with privileges -------------------------------------------------------

# 0x1b: chown, dac_override, fowner, fsetid
userns_start sergio && userns_mount sergio "$src" "$mnt" || exit 1
is "a namespace's root keeps" "$(status CapEff)" 000000000000001b
is "and can't get more" "$(status CapBnd)" 0000000000000000
is "in its sandbox" "$(status Seccomp)" 2
kill -9 "$daemon"
ok "killed: the mount goes" wait_for 5 "${ns[@]}" sh -c \
	"! mountpoint -q '$mnt'"
kill "$userns"
wait "$userns" 2>/dev/null

# run-as=: root unmounts, and the user has moved what is on the way.
mounter=sergio src=$home/src mnt=$home/way/mnt
as sergio mkdir -p "$mnt"
mkdir "$T/victim"
mount -t tmpfs idshift-test "$T/victim"
idshift-mount -o run-as=sergio "$src" "$mnt" 2>"$T/log/run-as" ||
	note "$(cat "$T/log/run-as")"
daemon=$(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount.*/\1/p')
is "run-as: the daemon is the user's" "$(status Uid | tr -d '\t')" \
	1000100010001000
is "run-as: without a capability" "$(status CapPrm)" 0000000000000000
as sergio sh -c "mv '$home/way' '$home/moved' && mkdir '$home/way' &&
	ln -s '$T/victim' '$home/way/mnt' && kill -9 $daemon"
ok "no watcher stays" wait_for 5 no_watcher
ok "a link in its place isn't unmounted" mountpoint -q "$T/victim"
umount -l "$T/victim" "$home/moved/mnt"

mkdir -m 700 "$T/private"
src=$T/private/src mnt=$T/private/mnt mounter=root
mkdir "$src" "$mnt"
mount_hostile -o userns=host,state="$T/private/state" || exit 1
# With sys_admin, for the ioctl of passthrough.
is "root keeps" "$(status CapEff)" 000000000020001b
is "root: shadow" "$(try shadow)" "$denied"
is "root: device" "$(try device)" "$denied"
ok "root: owners" sh -c "cd '$mnt' && touch f && chown 5:6 f && chmod 400 f &&
	[ \$(stat -c %u:%g f) = 5:6 ]"
ok "unmount" umount "$mnt"
wait "$daemon"
ok "no watcher stays" wait_for 5 no_watcher
kill "$victim"
