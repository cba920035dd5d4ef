#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --print-map with the flags that podman run is given shows what the container
# has: its /proc/PID/uid_map and gid_map, as the host sees them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
user_add maria 1600 300000
# Ranges in no order, one of them small.
sed -i '/^maria:/d' /etc/subuid /etc/subgid
printf 'maria:%s\n' 500000:3000 300000:65536 >>/etc/subuid
printf 'maria:%s\n' 300000:65536 400000:10 >>/etc/subgid
need_podman

printed() { # USER OPTION...: the userns part of --print-map
	local user=$1
	shift
	as "$user" idshift-mount --print-map "$@" 2>&1 |
		sed '/^owner uid/,$d' | sed 's/^userns \(...\):.*/\1/' |
		awk '{ $1 = $1; print }'
}

# native PID: both maps of a process, ranges that go on joined, as podman may
# give a range in pieces.
native() {
	local kind
	for kind in uid gid; do
		echo "$kind"
		sort -n "/proc/$1/${kind}_map" | awk '
			n && $1 == c + n && $2 == h + n { n += $3; next }
			n { print c, h, n }
			{ c = $1; h = $2; n = $3 }
			END { print c, h, n }'
	done
}

compare() { # USER DESCRIPTION MOUNT-OPTIONS -- PODMAN-FLAGS
	local user=$1 what=$1:\ $2 options=() pid
	shift 2
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	if ! container "$user" -d --name maps "$@" -- sleep 300 \
		>"$T/log/podman" 2>&1; then
		fails 3 "$what: podman refuses, and we" as "$user" \
			idshift-mount --print-map "${options[@]}" ||
			note "podman: $(tail -1 "$T/log/podman")"
		as "$user" podman rm -ft0 maps >/dev/null 2>&1
		return
	fi
	pid=$(as "$user" podman inspect -f '{{.State.Pid}}' maps)
	native "$pid" >"$T/native"
	printed "$user" "${options[@]}" >"$T/printed"
	same "$what" "$T/printed" "$T/native"
	if [[ $what == *pid* ]]; then
		printed "$user" --userns "pid:$pid" >"$T/printed"
		same "$what: of its process" "$T/printed" "$T/native"
		printed "$user" --userns podman >"$T/printed"
		native "$(cat "/run/user/$(id -u "$user")/libpod/tmp/pause.pid")" \
			>"$T/native"
		same "$what: podman's" "$T/printed" "$T/native"
	fi
	as "$user" podman rm -ft0 maps >/dev/null 2>&1
}

both() { # USER FLAG...: the same flags for both
	local user=$1
	shift
	compare "$user" "$*" "$@" -- "$@"
}

for user in sergio maria; do
	compare "$user" "the default, pid" --
	both "$user" --userns keep-id
	both "$user" --userns keep-id:uid=70000,gid=5
	both "$user" --uidmap 0:0:1 --uidmap 1:65530:7 --gidmap 0:0:1
	both "$user" --uidmap 1000:0:1 --uidmap 0:1:1000 --uidmap 1001:1001:64536
done
both sergio --userns keep-id:uid=33,gid=34
both sergio --userns nomap
both sergio --uidmap 0:0:1000 --gidmap 0:0:1000
both sergio --uidmap 0:1:1000 --uidmap 1000:0:1 --uidmap 1001:1001:500
both sergio --uidmap 0:1:1000 --gidmap 0:1:500 --gidmap 500:0:1
both sergio --gidmap 0:100:1 --gidmap 7:0:1 --gidmap 8:8:90
both sergio --gidmap 0:100:1 --gidmap 7:0:1 --gidmap 8:8:100
both sergio --uidmap 0:0:10 --uidmap 5:20:10
both sergio --uidmap 0:0:10 --uidmap 20:5:10
both maria --uidmap 0:65000:3000
both sergio --uidmap 0:65000:5000
both sergio --uidmap 0:200000:10

# --- userns=nomap: the mounting user has no id in the container ---------------

source_dir sergio src
as sergio sh -c "echo text >'$dir/file'"
mnt=$T/home/sergio/mnt
as sergio mkdir "$mnt.bg"
ok "nomap: the mount answers" as sergio idshift-mount --userns nomap \
	--owner 0:0 "$dir" "$mnt.bg"
is "nomap: its root is seen" "$(as sergio stat -c %a "$mnt.bg")" \
	"$(stat -c %a "$dir")"
fails 2 "nomap: no more than that" as sergio ls "$mnt.bg"
ok "nomap: unmount" as sergio fusermount3 -u "$mnt.bg"
mount_fs sergio "$dir" "$mnt" --userns nomap --owner 0:0 || exit 1
ran() {
	container sergio --rm --userns nomap -v "$mnt:/work" -- "$@" 2>&1
}
is "nomap: the container's root has it" "$(ran stat -c %u:%g /work/file)" 0:0
is "nomap: chown" "$(ran sh -c 'chown 5:6 /work/file && stat -c %u:%g /work/file')" 5:6
is "nomap: create" "$(ran sh -c 'echo new >/work/new && stat -c %u:%g /work/new')" 0:0
is "nomap: on disk" "$(stat -c %U "$dir/new")" sergio
umount_fs sergio "$mnt"
