# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# leftovers DIR: a line for every mount of ours, every daemon and every watcher
# that belong to a test whose private directory is DIR, in all namespaces that
# we can see.  Others' mounts on the machine are none of a test's business: a
# mount counts by its path or its source, a process by the IDSHIFT_TEST_DIR it
# inherited.
leftovers() {
	local dir=$1 proc ns line name
	local -A seen=()
	for proc in /proc/[0-9]*; do
		ns=$(readlink "$proc/ns/mnt" 2>/dev/null) || continue
		if [[ -z ${seen[$ns]-} ]]; then
			seen[$ns]=1
			while read -r line; do
				[[ $line == *" - fuse.idshift-mount "* ]] || continue
				[[ $line == *"$dir"* ]] && echo "mount: $line"
			done 2>/dev/null <"$proc/mountinfo"
		fi
		read -r name 2>/dev/null <"$proc/comm" || continue
		[[ $name == idshift-mount* || $name == idshift-watch ]] || continue
		tr '\0' '\n' 2>/dev/null <"$proc/environ" |
			grep -qxF "IDSHIFT_TEST_DIR=$dir" || continue
		line=$(tr '\0' ' ' 2>/dev/null <"$proc/cmdline")
		# A zombie that nobody reaped yet has no command line.
		[[ -n $line ]] && echo "process ${proc#/proc/}: $name: $line"
	done
}

# none_left DIR: are all gone?
none_left() {
	[[ -z $(leftovers "$1") ]]
}

# wait_no_leftovers DIR: true when all are gone within two seconds; prints
# those that stay.
wait_no_leftovers() {
	local left i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		left=$(leftovers "$1")
		[[ -n $left ]] || return 0
		sleep 0.2
	done
	echo "$left"
	return 1
}
