#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 400
# Out of descriptors, out of memory: the caller is told, what needs none goes
# on, and all works again once there is some.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
mkdir "$T/out"
chmod 777 "$T/out"

fds() {
	find "/proc/$daemon/fd" -mindepth 1 2>/dev/null | wc -l
}
no_more_fds() { # THAN
	(($(fds) <= $1))
}
said() {
	cat "$T/out/said"
}
# inside COMMAND...: as the container's root, what it prints is in said.
inside() {
	"${ns[@]}" env LC_ALL=C "$@" >"$T/out/said" 2>&1
}

# --- descriptors -----------------------------------------------------------

mount_by=(prlimit --nofile=64:64)
mount_fs sergio "$src" "$mnt" || exit 1
userns_start sergio || exit 1
deep=$mnt$(printf '/d%.0s' {1..40})
ok "a way longer than the limit" inside mkdir -p "$deep"
before=$(fds)
cat >"$T/out/work" <<-EOF
	set -e
	stat -c %u '$deep' '$mnt/hoard2'
	mkdir '$deep/made'
	ln -s target '$mnt/link'
	chown -h 5:6 '$mnt/link'
	chown 5:6 '$mnt/hoard1'
	mv '$mnt/hoard1' '$deep/moved'
	rm '$mnt/hoard0' '$deep/moved'
	setfattr -n user.a -v b '$mnt'
	exec 2>&1
	cat '$mnt/hoard2' || echo >'$mnt/new' || ls '$deep'
EOF
# Each file that is unlinked while it is open takes two.
for unlinked in "" -u; do
	rm -rf "${src:?}"/{hoard*,link} "$src$(printf '/d%.0s' {1..40})/made"
	[[ -z $unlinked ]] || sed -i '/hoard[01]/d; s/hoard2/new/' "$T/out/work"
	inside hoard $unlinked "$mnt" 64 sh "$T/out/work"
	like "hoard $unlinked: told that there are no more" "$(head -1 "$T/out/said")" \
		'^[1-9][0-9] opened: EMFILE$'
	[[ -n $unlinked ]] ||
		like "what needs none goes on, opening doesn't" "$(said)" \
			$'EMFILE\n0\n0\ncat: .*Too many open files\n.*Too many open files\nls: .*Too many open files$'
	inside true
	ok "hoard $unlinked: works again" inside sh -c \
		"echo new >'$mnt/new' && cat '$mnt/new' && ls -R '$mnt'"
	ok "hoard $unlinked: no descriptor has leaked" wait_for 5 \
		no_more_fds "$((before + 2))"
done
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" -o max_fds=1000 || exit 1
ok "max_fds above the limit: a long way" inside sh -c "cd '$mnt' && ls -R"
ok "and many names" inside sh -c \
	"cd '$mnt' && mkdir many && cd many && seq 100 | xargs touch && cat *"
ok "unmount" umount_fs sergio "$mnt"

# --- memory, bounded -------------------------------------------------------

[[ $(cat "$T/log/daemon-1.log") != *"without all"* ]] ||
	skip_all "kernel: a sanitizer's own memory can't be bounded"
mount_by=()
as sergio sh -c "mkdir '$src/big' && cd '$src/big' && seq 20000 | xargs touch"
mount_fs sergio "$src" "$mnt" || exit 1
used=$(sed -n 's/^VmData:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status")
as sergio prlimit --pid "$daemon" --data=$((used * 1024 + 1500000)):unlimited
inside find "$mnt/big" -type f -size +0
is "a large tree: nothing but ENOMEM" \
	"$(grep -vc 'Cannot allocate memory$' "$T/out/said")" 0
ok "a large tree: some of it" grep -q 'Cannot allocate memory$' "$T/out/said"
as sergio prlimit --pid "$daemon" --data=unlimited:unlimited
ok "with memory again" inside find "$mnt/big" -type f -size -1
is "all of it is there" "$(wc -l <"$T/out/said")" 20000
ok "and can be changed" inside chown 7 "$mnt/big/1" "$mnt/big/20000"
is "by the right file" "$("${ns[@]}" stat -c %u "$mnt/big/20000")" 7
ok "unmount" umount_fs sergio "$mnt"
rm -rf "$src/big"

# --- memory, each allocation once ------------------------------------------

nomem=$T/sys/bin/nomem.so
[[ -e $nomem ]] || skip_all "nomem.so is not built"
control=$T/control
truncate -s 4096 "$control"
chown sergio "$control"
mount_by=(env "LD_PRELOAD=$nomem" "FAULT_CONTROL=$control")
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1
ok "no allocation that fails leaves anything behind" faults "$control" \
	"$src" "$mnt" "$daemon" 100999
is "it still serves" "$("${ns[@]}" stat -c %u "$mnt")" 0
ok "unmount" umount_fs sergio "$mnt"

# At the start: mounted, or one line and a documented code.
mounted=0 refused=0 wrong=""
for ((n = 1; n < 150; n++)); do
	said=$(as sergio env "LD_PRELOAD=$nomem" "NOMEM_AT=$n" idshift-mount \
		"$src" "$mnt" 2>&1)
	code=$?
	if ((code == 0)) && [[ -z $said ]] && as sergio fusermount3 -u "$mnt"; then
		mounted=$((mounted + 1))
	elif ((code >= 1 && code <= 6)) && [[ $said == "idshift-mount: "* &&
		$said != *$'\n'* ]]; then
		refused=$((refused + 1))
	else
		wrong+="$n: $code, $said"$'\n'
	fi
done
is "starting: each failure is told in one line" "$wrong" ""
ok "starting: some have failed" test "$refused" -gt 20
ok "starting: and some have not mattered" test "$mounted" -gt 20
