# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The bed of the integration tests: source it first.
#
# As root a test is started anew on a machine of its own: see
# private_machine.sh.  As an ordinary user it has the machine as it is, and
# skips what that doesn't offer.
#
#   $T      the test's private directory, on a disk file system
#   $ME     the user who mounts: sergio, 1000, subids from 100000; or yourself
#   is, ok, fails, same, skip: results;  note: a remark in the output
#
# Paths and numbers are checked through what the host and the container see;
# a plain directory in the same user namespace says what is right.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${IDSHIFT_BUILD:-$ROOT/build}
. "$ROOT/tests/leftovers.sh"
. "$ROOT/tests/private_machine.sh"
umask 022

if ((EUID == 0)) && [[ -z ${IDSHIFT_BED-} ]]; then
	IDSHIFT_BED=1 private_machine_enter bash "$0" "$@"
	echo "1..0 # SKIP root here may not make mount namespaces"
	exit 0
fi

# --- results, as TAP -------------------------------------------------------

tap_count=0
tap_failed=0

result() { # OK? DESCRIPTION
	tap_count=$((tap_count + 1))
	if [[ $1 == ok ]]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		return 1
	fi
}

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

skip() { # DESCRIPTION REASON
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() { # REASON
	if ((tap_count == 0)); then
		bed_plan=done
		echo "1..0 # SKIP $1"
	else
		skip "the rest" "$1"
	fi
	exit 0
}

skip_unreachable() { # LOG: of a debootstrap that failed, if for that
	! grep -qE 'unreachable|Failed getting release|resolve' "$1" ||
		skip_all "kernel: no network here: $(grep -m 1 '^E:' "$1")"
}

is() { # DESCRIPTION GOT WANTED
	if [[ $2 == "$3" ]]; then
		result ok "$1"
	else
		result bad "$1"
		note "got:    $2"
		note "wanted: $3"
		return 1
	fi
}

like() { # DESCRIPTION GOT REGEX
	if [[ $2 =~ $3 ]]; then
		result ok "$1"
	else
		result bad "$1"
		note "got:    $2"
		note "wanted: something like $3"
		return 1
	fi
}

ok() { # DESCRIPTION COMMAND...
	local what=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	if ((status == 0)); then
		result ok "$what"
	else
		result bad "$what"
		note "exit code $status: $*" "$output"
		return 1
	fi
}

fails() { # CODE DESCRIPTION COMMAND...: its output is in $output
	local code=$1 what=$2 status
	shift 2
	output=$("$@" 2>&1)
	status=$?
	if ((status == code)); then
		result ok "$what"
	else
		result bad "$what"
		note "exit code $status, not $code: $*" "$output"
		return 1
	fi
}

same() { # DESCRIPTION GOT-FILE WANTED-FILE
	local changes
	if changes=$(diff -U1 --label wanted --label got "$3" "$2") &&
		[[ -s $3 ]]; then
		result ok "$1"
	else
		result bad "$1"
		note "${changes:-nothing to compare}" | head -60
		return 1
	fi
}

# --- the bed ---------------------------------------------------------------

if [[ -n ${IDSHIFT_TEST_DIR-} ]]; then
	T=$IDSHIFT_TEST_DIR
	bed_owned=
else
	T=$(mktemp -d /var/tmp/idshift-test.XXXXXX) || exit
	bed_owned=1
	export IDSHIFT_TEST_DIR=$T
fi
chmod 755 "$T"
mkdir -p "$T/log" "$T/home" "$T/bin"
chmod 1777 "$T/log"
bed_plan=
bed_sources=()
bed_mounts=()

# as USER COMMAND...: with the user's own groups, home and environment only.
as() {
	bed_prepare_as "$@"
	"${bed_command[@]}"
}

# In the background, so that $! is the command's own id.
as_background() {
	bed_prepare_as "$@"
	"${bed_command[@]}" &
}

bed_prepare_as() {
	local user=$1 command=()
	shift
	if ((EUID == 0)); then
		become "$user" "IDSHIFT_TEST_DIR=$T" \
			"ASAN_OPTIONS=${ASAN_OPTIONS-}" \
			"UBSAN_OPTIONS=${UBSAN_OPTIONS-}" \
			"TSAN_OPTIONS=${TSAN_OPTIONS-}" "$@"
		bed_command=("${command[@]}")
	else
		bed_command=("$@")
	fi
}

need_root() {
	((EUID == 0)) || skip_all "needs root, to make users of its own"
}

need_command() {
	local name
	for name in "$@"; do
		command -v "$name" >/dev/null || skip_all "$name is not installed"
	done
}

need_fuse() {
	[[ -x $BUILD/idshift-mount ]] || {
		result bad "$BUILD/idshift-mount is built"
		exit 1
	}
	[[ -e /dev/fuse ]] || skip_all "no /dev/fuse here"
	if ((EUID != 0)); then
		[[ -r /dev/fuse && -w /dev/fuse ]] ||
			skip_all "/dev/fuse is not open to users"
	fi
}

# Mounts on the host that containers can use.
need_allow_other() {
	need_fuse
	grep -qx 'user_allow_other' /etc/fuse.conf 2>/dev/null ||
		skip_all "no user_allow_other in /etc/fuse.conf"
}

need_subids() {
	if ((EUID != 0)); then
		grep -qs "^$(id -un):" /etc/subuid && grep -qs "^$(id -un):" /etc/subgid ||
			skip_all "you have no subordinate ids"
		need_command newuidmap
	fi
}

# source_dir USER NAME: a directory of the user's; its path is in $dir.  When
# the test ends all in it must still be the user's on disk.
source_dir() {
	dir=$T/home/$1/$2
	as "$1" mkdir -p "$dir"
	bed_sources+=("$1" "$dir")
}

# owners DIR: all on disk that could give a container's work away.
owners() {
	(cd "$1" && find . -printf '%P %y %U:%G %m\n' | sort)
}

wait_for() { # SECONDS COMMAND...: until it is true
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null >&2; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

# bed_wait_mount PID LOG COMMAND...: the command, run where the mount is,
# says that it is one and answers.
bed_wait_mount() {
	local pid=$1 log=$2 i
	shift 2
	for ((i = 0; i < 200; i++)); do
		if "$@" 2>/dev/null >&2; then
			return 0
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	note "no mount:" "$(tail -5 "$log")"
	return 1
}

# mount_fs USER SOURCE MOUNTPOINT [OPTION...]: on the host; sets $daemon and
# $daemon_log.  $mount_by: a command's prefix to start it with.
mount_by=()
mount_fs() {
	local user=$1 src=$2 mnt=$3 log
	shift 3
	as "$user" mkdir -p "$mnt"
	log=$T/log/daemon-$((${#bed_mounts[@]} + 1)).log
	as_background "$user" "${mount_by[@]}" idshift-mount -f "$@" "$src" \
		"$mnt" >>"$log" 2>&1
	daemon=$! daemon_log=$log
	bed_mounts+=("$mnt")
	bed_wait_mount "$daemon" "$log" as "$user" mountpoint -q "$mnt"
}

umount_fs() { # USER MOUNTPOINT
	as "$1" fusermount3 -u "$2" || return
	wait "$daemon" 2>/dev/null
	return 0
}

# mount_podman USER SOURCE MOUNTPOINT [OPTION...]: inside podman's namespace.
mount_podman() {
	local user=$1 src=$2 mnt=$3 log
	shift 3
	as "$user" mkdir -p "$mnt"
	log=$T/log/daemon-$((${#bed_mounts[@]} + 1)).log
	as_background "$user" podman unshare idshift-mount -f "$@" "$src" \
		"$mnt" >>"$log" 2>&1
	daemon=$!
	bed_mounts+=("$mnt")
	bed_wait_mount "$daemon" "$log" as "$user" podman unshare mountpoint -q "$mnt"
}

# userns_start USER: a user namespace by hand, in place of podman's; $userns.
# In $ns after it: a command's prefix to run it there as its root.
userns_start() {
	# exec keeps the id, so that it can be entered by it.
	as_background "$1" unshare --user --map-auto --map-root-user \
		--setuid 0 --setgid 0 --mount --propagation slave sleep infinity
	userns=$!
	ns=(as "$1" nsenter -t "$userns" -U -m -S 0 -G 0)
	wait_for 5 bed_userns_ready
}

bed_userns_ready() {
	[[ $(tr '\0' ' ' <"/proc/$userns/cmdline") == "sleep infinity " ]]
}

# userns_mount USER SOURCE MOUNTPOINT [OPTION...]: inside $userns.
userns_mount() {
	local user=$1 src=$2 mnt=$3 log
	shift 3
	as "$user" mkdir -p "$mnt"
	log=$T/log/daemon-$((${#bed_mounts[@]} + 1)).log
	as_background "$user" nsenter -t "$userns" -U -m -S 0 -G 0 \
		idshift-mount -f "$@" "$src" "$mnt" >>"$log" 2>&1
	daemon=$!
	bed_mounts+=("$mnt")
	bed_wait_mount "$daemon" "$log" "${ns[@]}" mountpoint -q "$mnt"
}

# --- containers ------------------------------------------------------------

# Debian's own tools as a container's root file system: the host's /usr, read
# only, below an /etc of its own.  Nothing to fetch, the same on every machine.
bed_rootfs() { # USER
	local root=$T/rootfs-$1 name
	[[ ! -d $root ]] || return 0
	mkdir -p "$root"/{dev,proc,sys,run,tmp,usr,root,work,etc,home}
	chmod 1777 "$root/tmp"
	for name in bin sbin lib lib32 lib64 libx32; do
		if [[ -L /$name ]]; then
			ln -s "usr/$name" "$root/$name"
		elif [[ -d /$name ]]; then
			mkdir "$root/$name"
		fi
	done
	for name in ld.so.cache ld.so.conf ld.so.conf.d alternatives pam.d \
		login.defs security; do
		[[ ! -e /etc/$name ]] || cp -a "/etc/$name" "$root/etc/"
	done
	cat >"$root/etc/passwd" <<-'EOF'
		root:x:0:0:root:/root:/bin/bash
		app:x:1000:1000::/home:/bin/bash
		mate:x:1001:1001::/home:/bin/bash
		nobody:x:65534:65534::/:/usr/sbin/nologin
	EOF
	cat >"$root/etc/group" <<-'EOF'
		root:x:0:
		app:x:1000:
		mate:x:1001:
		shared:x:2000:app,mate
		nogroup:x:65534:
	EOF
	printf '%s:*:19000:0:99999:7:::\n' root app mate nobody \
		>"$root/etc/shadow"
	((EUID != 0)) || chown -hR "$(id -u "$1"):$(id -g "$1")" "$root"
}

# container USER [PODMAN-OPTION...] -- COMMAND...
container() {
	local user=$1 options=() name
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	bed_rootfs "$user"
	for name in bin sbin lib lib32 lib64 libx32; do
		[[ -L /$name || ! -d /$name ]] || options+=(-v "/$name:/$name:ro")
	done
	as "$user" podman run --rm --network=none --cgroups=disabled \
		-v /usr:/usr:ro -e PATH=/usr/sbin:/usr/bin -e LANG=C.UTF-8 \
		"${options[@]}" --rootfs "$T/rootfs-$user" "$@"
}

need_podman() {
	need_command podman crun newuidmap
	if ! container "$ME" -- true 2>"$T/log/podman"; then
		# A bed of our own making must carry it.
		((EUID != 0)) || {
			result bad "rootless podman works"
			note "$(tail -3 "$T/log/podman")"
			exit 1
		}
		skip_all "rootless podman doesn't run here: $(tail -1 "$T/log/podman")"
	fi
}

# compare_fsops NAME PLAIN MOUNTED COMMAND...: the fsops programs, run by the
# command, answer in both directories alike.  $fsops_without: a check to leave
# out.
compare_fsops() {
	local name=$1 plain=$2 mounted=$3 program
	shift 3
	for program in io holes names meta; do
		"$@" "fsops_$program" "$plain" >"$T/plain.out" 2>&1
		"$@" "fsops_$program" "$mounted" >"$T/mounted.out" 2>&1
		[[ -z ${fsops_without-} ]] ||
			sed -i "/^== $fsops_without/,/^is gone/d" \
				"$T/plain.out" "$T/mounted.out"
		same "fsops_$program, $name" "$T/mounted.out" "$T/plain.out"
		like "fsops_$program, $name: came to its end" \
			"$(tail -1 "$T/plain.out")" '^is gone: ENOENT$'
	done
}

# --- the end ---------------------------------------------------------------

bed_check_disk() {
	local i user dir strange
	for ((i = 0; i < ${#bed_sources[@]}; i += 2)); do
		user=${bed_sources[i]} dir=${bed_sources[i + 1]}
		[[ -d $dir ]] || continue
		strange=$(find "$dir" ! -user "$user" -printf '%p %U:%G\n' | head -5)
		is "on disk all of ${dir#"$T/home/"} is $user's" "$strange" ""
	done
}

bed_end() {
	local status=$? i user left pid
	trap - EXIT INT TERM
	if [[ -z $bed_plan ]]; then
		bed_check_disk
		for ((i = ${#bed_mounts[@]} - 1; i >= 0; i--)); do
			fusermount3 -u "${bed_mounts[i]}" 2>/dev/null
		done
		# Whoever holds a namespace holds its mounts.
		for user in "${machine_users[@]}"; do
			as "$user" podman system migrate 2>/dev/null >&2
		done
		# shellcheck disable=SC2046
		kill $(jobs -p) 2>/dev/null
		left=$(wait_no_leftovers "$T") ||
			is "nothing is left behind" "$left" ""
		((status == 0 || tap_failed > 0)) ||
			result bad "the test came to its end (exit code $status)"
		echo "1..$tap_count"
	fi
	# Only what is below this directory and ours.
	for pid in $(leftovers "$T" | sed -n 's/^process \([0-9]*\):.*/\1/p'); do
		kill -9 "$pid" 2>/dev/null
	done
	if ((EUID == 0)); then
		private_machine_leave
	else
		rm -rf "$T/home" 2>/dev/null ||
			podman unshare rm -rf "$T/home" 2>/dev/null
	fi
	[[ -z $bed_owned ]] || rm -rf "$T"
	((tap_failed == 0)) || exit 1
	exit 0
}
trap bed_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ((EUID == 0)); then
	private_machine "$T" "$BUILD" || exit
	ME=sergio
	group_add shared 2000
	user_add sergio 1000 100000 shared
else
	ME=$(id -un)
	mkdir -p "$T/home/$ME"
	PATH=$BUILD:$BUILD/tests:$PATH:/usr/sbin:/sbin
fi
cd "$T" || exit
