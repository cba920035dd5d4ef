# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables for run.sh and of bed.sh
# The file systems to compare.  fs_select sets for one of them
#   $fs_source $fs_mount $fs_record $fs_caller
# and fs_mount $fs_daemon, when it has one.

fs_how() { # NAME: one line for the report
	case $1 in
	raw) echo "the source itself" ;;
	idshift) echo "mounted on the host by an ordinary user" ;;
	local) echo "idshift on the host, locks=local, as the peers have them" ;;
	records) echo "the same; every file has a record, callers are uid 1000" ;;
	userns) echo "idshift mounted inside the user namespace" ;;
	always) echo "idshift on the host, cache=always" ;;
	disk) echo "idshift by root, chown=disk" ;;
	base) echo "idshift of the revision to compare with" ;;
	bindfs) echo "bindfs inside the user namespace" ;;
	bindfs-mt) echo "bindfs --multithreaded inside the user namespace" ;;
	fuse-overlayfs) echo "inside the user namespace; upperdir=SOURCE over an empty lowerdir" ;;
	idmapped) echo "a kernel id-mapped mount, by root" ;;
	esac
}

# What can't be here is left out with its reason.
fs_missing() { # NAME
	case $1 in
	base) [[ -n $base ]] || echo "no --base" ;;
	bindfs | bindfs-mt) command -v bindfs >/dev/null || echo "bindfs is not installed" ;;
	fuse-overlayfs) command -v "$1" >/dev/null || echo "it is not installed" ;;
	userns) [[ -n $ns_pid ]] || echo "no user namespace here" ;;
	disk | idmapped) ((EUID == 0)) || echo "needs root" ;;
	esac
}

fs_list() { # [NAME,...]: those of them that are possible, a line each
	local name why
	echo raw
	for name in ${1//,/ }; do
		[[ -n $(fs_how "$name") ]] || echo "run.sh: no file system '$name'" >&2
	done
	for name in idshift local records userns always disk base bindfs bindfs-mt \
		fuse-overlayfs idmapped; do
		[[ -z ${1-} || ,$1, == *",$name,"* ]] || continue
		[[ -n ${1-} || $name != base ]] || continue
		why=$(fs_missing "$name")
		if [[ -n $why ]]; then
			figure L "$name" "$why"
			say "$name is left out: $why"
		else
			echo "$name"
		fi
	done
}

fs='' fs_daemon='' fs_mounted=''
fs_source='' fs_mount='' fs_record='' fs_caller=0

fs_select() { # NAME
	fs=$1 fs_daemon='' fs_record=''
	fs_source=$T/disk/plain fs_mount=$T/disk/mnt
	case $fs in
	raw) fs_mount=$fs_source ;;
	records) fs_source=$T/disk/records fs_record=1000:1000 ;;
	esac
}

# Only the namespace's root may chown.
fs_caller_for() { # ROW
	fs_caller=0
	[[ -z $fs_record || $1 == chown ]] || fs_caller=1000
}

fs_start() { # COMMAND...: sets fs_daemon
	"$@" >"$T/log/$fs" 2>&1 </dev/null &
	fs_daemon=$!
}

fs_on_host() {
	fs_start bed_user "$@"
}

fs_in_ns() {
	ns_command 0
	fs_start "${ns_prefix[@]}" "$@"
}

fs_mount() {
	local ours=$T/bin/idshift-mount
	: >"$T/log/$fs"
	case $fs in
	raw) return ;;
	idshift | records) fs_on_host "$ours" -f "$fs_source" "$fs_mount" ;;
	base) fs_on_host "$T/bin/idshift-base" -f "$fs_source" "$fs_mount" ;;
	local) fs_on_host "$ours" -f -o locks=local "$fs_source" "$fs_mount" ;;
	always) fs_on_host "$ours" -f -o cache=always "$fs_source" "$fs_mount" ;;
	userns) fs_in_ns "$ours" -f "$fs_source" "$fs_mount" ;;
	disk) fs_start "$ours" -f -o "chown=disk,userns=pid:$ns_pid" \
		"$fs_source" "$fs_mount" ;;
	bindfs) fs_in_ns bindfs -f "$fs_source" "$fs_mount" ;;
	bindfs-mt) fs_in_ns bindfs -f --multithreaded "$fs_source" "$fs_mount" ;;
	fuse-overlayfs) fs_in_ns fuse-overlayfs -f -o \
		"lowerdir=$T/disk/empty,upperdir=$fs_source,workdir=$T/disk/overlay" \
		"$fs_mount" ;;
	idmapped) "$T/bin/bench" idmap "$fs_source" "$fs_mount" >"$T/log/$fs" 2>&1 ;;
	esac || return
	fs_wait
}

fs_is_mounted() {
	grep -qF " $fs_mount " "/proc/${ns_pid:-self}/mountinfo"
}

fs_wait() {
	local i
	for ((i = 0; i < 500; i++)); do
		if fs_is_mounted; then
			fs_mounted=1
			# The first request, too.
			in_ns 0 stat "$fs_mount" >/dev/null 2>&1
			fs_works && return 0
			fs_umount
			return 1
		fi
		[[ -z $fs_daemon ]] || kill -0 "$fs_daemon" 2>/dev/null || break
		sleep 0.01
	done
	fs_stop
	[[ -s $T/log/$fs ]] || echo "no mount appeared" >"$T/log/$fs"
	return 1
}

# An option that is accepted but does nothing must not be measured.
fs_works() {
	local owner
	[[ $fs == disk ]] || return 0
	in_ns 0 touch "$fs_mount/probe" 2>/dev/null
	owner=$(stat -c %u "$fs_source/probe" 2>&1)
	in_ns 0 rm -f "$fs_mount/probe"
	rm -f "$fs_source/probe"
	[[ $owner != "$bench_uid" ]] || return 0
	echo "a file of the container's root is $owner's on disk, not $bench_uid's" \
		>>"$T/log/$fs"
	return 1
}

fs_stop() {
	local i
	[[ -n $fs_daemon ]] || return 0
	for ((i = 0; i < 300; i++)); do
		kill -0 "$fs_daemon" 2>/dev/null || break
		((i != 200)) || kill "$fs_daemon" 2>/dev/null
		sleep 0.01
	done
	kill -KILL "$fs_daemon" 2>/dev/null
	wait "$fs_daemon" 2>/dev/null
	fs_daemon=
}

fs_umount() {
	[[ -n $fs_mounted ]] || return 0
	fs_mounted=
	case $fs in
	userns | bindfs | bindfs-mt | fuse-overlayfs) in_ns 0 umount "$fs_mount" ;;
	*) if ((EUID == 0)); then
		umount "$fs_mount"
	else
		fusermount3 -u "$fs_mount"
	fi ;;
	esac >>"$T/log/umount" 2>&1
	fs_stop
}
