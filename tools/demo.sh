#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh IDSHIFT-MOUNT: a container and its host side by side on one
# directory.  SRC= and MNT= name a directory and a mount point of yours; by
# default both are made for it, and removed.  Root plays an ordinary user on a
# private copy of the machine.
set -u
ROOT=$(cd "$(dirname "$0")/.." && pwd)
. "$ROOT/tests/private_machine.sh"
BIN=$(realpath "${1:-$ROOT/build/idshift-mount}") || exit
SRC=${SRC:+$(realpath "$SRC")} || exit
MNT=${MNT:+$(realpath "$MNT")} || exit

fail() {
	echo "demo: $*" >&2
	exit 1
}
if [[ -n $SRC && ! -d $SRC ]]; then fail "SRC '$SRC' is no directory"; fi
if [[ -n $MNT && ! -d $MNT ]]; then fail "MNT '$MNT' is no directory"; fi
if ((EUID == 0)) && [[ -z ${IDSHIFT_DEMO-} ]]; then
	export SRC MNT
	IDSHIFT_DEMO=1 private_machine_enter bash "$0" "$BIN"
	fail "root here may not make mount namespaces; run it as another user"
fi
[[ -e /dev/fuse ]] || fail "no /dev/fuse: load the kernel's module 'fuse'"

T=$(mktemp -d /var/tmp/idshift-demo.XXXXXX) || exit
daemon=
finish() {
	local status=$?
	trap - EXIT
	[[ -z ${userns-} ]] || { kill "$userns" && wait "$userns"; } 2>/dev/null
	[[ -z $daemon ]] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null
	if ((EUID == 0)); then
		me podman system migrate 2>/dev/null >&2
		private_machine_leave
	fi
	rm -rf "$T" 2>/dev/null
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

me() {
	local command=("$@")
	((EUID != 0)) || become "$ME" "$@"
	"${command[@]}"
}

# --- who, and in which way -------------------------------------------------

if ((EUID == 0)); then
	chmod 755 "$T"
	private_machine "$T" "$(dirname "$BIN")" || exit
	uid=1000
	# A directory of an ordinary user's is tried as that user.
	[[ -z $SRC || $(stat -c %u "$SRC") == 0 ]] || uid=$(stat -c %u "$SRC")
	ME=you
	user_add you "$uid" 100000
	HERE=$T/home/you/demo
	me mkdir -m 700 "$HERE"
else
	ME=$(id -un)
	uid=$EUID
	HERE=$T
	PATH=$(dirname "$BIN"):$PATH:/usr/sbin:/sbin
	[[ -r /dev/fuse && -w /dev/fuse ]] ||
		fail "/dev/fuse is closed to you; root opens it by chmod 666 /dev/fuse"
	grep -qs -e "^$ME:" -e "^$uid:" /etc/subuid ||
		fail "you have no subordinate ids; root gives you some by" \
			"usermod --add-subuids 100000-165535" \
			"--add-subgids 100000-165535 $ME"
fi
cd / || exit
own=$SRC
if [[ -z $SRC ]]; then
	SRC=$HERE/project
	me sh -c "mkdir '$SRC' '$SRC/data' && cd '$SRC' && echo hello >notes.txt &&
		echo 1 >data/one && ln -s data/one latest && chmod 600 notes.txt"
fi
[[ -n $MNT ]] || { MNT=$HERE/mnt; me mkdir "$MNT"; }

rootfs=$T/rootfs
if ((EUID == 0)); then rootfs=$HERE/rootfs; fi
me mkdir -p "$rootfs"/{bin,dev,proc,sys,etc,tmp,work}
busybox=$(command -v busybox) || fail "busybox is missing (busybox-static)"
me cp "$busybox" "$rootfs/bin/busybox"
for name in sh ls chown chmod touch mkdir rm cat id; do
	me ln -s busybox "$rootfs/bin/$name"
done

podman_works() {
	command -v podman >/dev/null &&
		me podman run --rm --network=none --cgroups=disabled --rootfs \
			"$rootfs" /bin/busybox true 2>/dev/null >&2
}
engine=unshare
if podman_works; then
	engine=podman
fi
# Without this root's word users mount inside of their namespace only.
inside=
grep -qx user_allow_other /etc/fuse.conf 2>/dev/null || inside=1
[[ -z $inside ]] || engine=unshare

# in_container UID COMMAND
in_container() {
	if [[ $engine == podman ]]; then
		me podman run --rm --network=none --cgroups=disabled \
			--user "$1:$1" -v "$MNT:/work" --rootfs "$rootfs" \
			sh -c "cd /work && $2"
	else
		me nsenter -t "$userns" -U -m -S "$1" -G "$1" \
			sh -c "cd /mnt && $2"
	fi
}

userns_start() {
	local command=(unshare) i
	((EUID != 0)) || become "$ME" unshare
	"${command[@]}" --user --map-auto --map-root-user --setuid 0 --setgid 0 \
		--mount --propagation slave sleep infinity &
	userns=$!
	for ((i = 0; i < 100; i++)); do
		[[ $(tr '\0' ' ' <"/proc/$userns/cmdline") != sleep* ]] || return 0
		sleep 0.05
	done
	fail "no user namespaces here"
}

if [[ -n $inside ]]; then
	userns_start
	idshift=(me nsenter -t "$userns" -U -m -S 0 -G 0 idshift-mount)
else
	idshift=(me idshift-mount)
fi

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }
short() { # paths as one would type them
	printf '%s' "${*//$HERE/\~}"
}
# The columns that matter: mode, uid, gid, name.
columns() {
	awk '$1 == "total" { next } {
		name = $0; sub(/^.*[0-9]:[0-9][0-9] |^.* [0-9][0-9][0-9][0-9] /, "", name)
		printf "%-10s %6s %6s  %s\n", $1, $3, $4, substr(name, 1, 24)
	}'
}
side_by_side() {
	local left right i
	mapfile -t left < <(in_container 0 "LC_ALL=C ls -ln" | columns)
	mapfile -t right < <(me sh -c "cd '$SRC' && LC_ALL=C ls -ln" | columns)
	printf '  %-48s | %s\n' "in the container: ls -ln" \
		"on the host, in $(short "$SRC"): ls -ln"
	for ((i = 0; i < ${#left[@]} && i < 40; i++)); do
		printf '  %-48s | %s\n' "${left[i]}" "${right[i]-}"
	done
}

# --- the play --------------------------------------------------------------

say "You are $ME, uid $uid. You mount a directory of yours:"
echo "  \$ idshift-mount $(short "$SRC" "$MNT")"
"${idshift[@]}" "$SRC" "$MNT" || exit
# Ours is the one whose command line ends with the mount point.
daemon=$(pgrep -n -f -- "idshift-mount $SRC $MNT\$")
if [[ $engine == unshare ]]; then
	[[ -n $inside ]] || userns_start
	# Its other ids may not pass through your private directories.
	me nsenter -t "$userns" -U -m -S 0 -G 0 mount --bind "$MNT" /mnt || exit
fi
if [[ $engine == podman ]]; then
	say "and run a rootless container on it, where uids 0, 1000 and 5 work:"
	run="podman run -v $(short "$MNT"):/work"
else
	say "and start a user namespace on it, where uids 0, 1000 and 5 work:"
	run="unshare --map-auto"
fi
file=idshift-demo
play() { # UID COMMAND
	echo "  \$ $run ... # uid $1: $2"
	in_container "$1" "$2" || fail "uid $1 couldn't: $2"
}
if [[ -z $own ]]; then
	play 0 "chmod 777 . && touch by-root && chown -R 5:0 data"
	play 1000 "echo made by 1000 >by-1000"
	say "Both sides see the same files. Inside each has the owner that the
container gave it; on your disk all is yours, as if nothing had been mounted:"
	side_by_side
	say "What uid 1000 made you edit and delete (a plain bind mount would have
given it to uid 100999):"
	file=by-1000
else
	play 0 "echo made by uid 0 >$file && chown 1000:1000 $file"
	say "Both sides see the same files:"
	side_by_side
	say "The one that the container made you edit and delete:"
fi
echo "  \$ echo edited >>$file && cat $file && rm $file"
me sh -c "cd '$SRC' && echo edited >>$file && cat $file && rm $file" |
	sed 's/^/  /'

say "You unmount:"
echo "  \$ fusermount3 -u $(short "$MNT")"
if [[ -n $inside ]]; then
	me nsenter -t "$userns" -U -m -S 0 -G 0 umount /mnt "$MNT"
else
	[[ $engine == podman ]] || {
		kill "$userns"
		wait "$userns"
	} 2>/dev/null
	me fusermount3 -u "$MNT"
fi || fail "it could not be unmounted"
for ((i = 0; i < 50; i++)); do
	kill -0 "$daemon" 2>/dev/null || break
	sleep 0.1
done
kill -0 "$daemon" 2>/dev/null && fail "the daemon has not ended"
daemon=
me ls -ln "$SRC" | columns | sed 's/^/  /' | head -20
