#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [--json] [--scale] [--fs NAME,...] [--base PROGRAM]: the benchmark.
#
# In each round every file system is mounted in turn on the same tree, so that
# what else happens on the machine hits all alike; figures are ratios to the
# raw directory in the same round, as medians over the rounds with their range.
# Nothing passes or fails by the clock.
#
#   --json          for machines (and plot.sh) instead of the table
#   --scale         cost against the size of a directory, 10^3 to 10^6 files
#   --fs            only these; raw is always among them
#   --base PROGRAM  another idshift-mount to compare with, as `base`
#   ROUNDS=3        as many; unless given, only those that end in 5 minutes
#   ROWS=create,stat THREADS="1 4" TREE=10000 SIZES="1000 ..."
#   BENCH_DIR=DIR   a directory to work in; else root takes an ext4 image on a
#                   loop device in memory, and others /var/tmp
#
# All callers are root of one user namespace, as a container's; only in
# `records`, where every file has one, they are its uid 1000.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${IDSHIFT_BUILD:-$HERE/../../build}
BUILD=$(cd "$BUILD" 2>/dev/null && pwd) || BUILD=
umask 022

json=0 scale=0 only='' base=''
ROWS=${ROWS-}
arguments=("$@")
while (($# > 0)); do
	case $1 in
	--json) json=1 ;;
	--scale) scale=1 ;;
	--fs) only=${2-} && shift ;;
	--base) base=${2-} && shift ;;
	*)
		sed -n '3,21s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
	shift
done

# The outer process owns the directory; all else is in namespaces that end
# with the inner one, whatever ends it.
if [[ -z ${IDSHIFT_BENCH_INNER-} ]]; then
	[[ -x $BUILD/idshift-mount && -x $BUILD/tests/bench ]] || {
		echo "run.sh: no programs in ${IDSHIFT_BUILD:-build}; run 'make bench'" >&2
		exit 1
	}
	T=$(mktemp -d "${BENCH_DIR:-/var/tmp}/idshift-bench.XXXXXX") || exit
	child=
	outer_end() {
		trap - EXIT INT TERM
		{
			[[ -z $child ]] || kill -KILL "$child"
			wait
		} 2>/dev/null
		chmod -R u+rwX "$T" 2>/dev/null
		rm -rf "$T" 2>/dev/null ||
			unshare --user --map-auto --map-root-user rm -rf "$T"
	}
	trap outer_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	enter=()
	if ((EUID == 0)); then
		enter=(unshare --mount --pid --fork --kill-child --mount-proc)
	fi
	IDSHIFT_BENCH_INNER=1 IDSHIFT_BENCH_T=$T IDSHIFT_BUILD=$BUILD \
		"${enter[@]}" bash "$0" "${arguments[@]}" &
	child=$!
	wait "$child"
	status=$?
	child=
	exit "$status"
fi

T=$IDSHIFT_BENCH_T
. "$HERE/bed.sh"
. "$HERE/filesystems.sh"
raw_figures=$T/figures
: >"$raw_figures"

figure() { # KIND FIELD...: a line of tab-separated fields for report.awk
	local IFS=$'\t'
	echo "$*" >>"$raw_figures"
}

say() {
	printf '%4d s  %s\n' "$SECONDS" "$*" >&2
}

inner_end() {
	trap - EXIT INT TERM
	fs_umount
	bed_end
}
trap inner_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bed_start || exit
bed_templates || exit
figure I date "$(date -u +%Y-%m-%dT%H:%MZ)"
figure I machine "$(uname -sr), $(nproc) CPUs"
figure I place "$place"
figure I cold "$cold_how"
figure I version "$("$T/bin/idshift-mount" -V 2>/dev/null | head -1)"

rows=() # ROW:THREADS:CACHE
plan_rows() {
	local name kind unit cache threads want n
	while read -r name kind unit cache threads; do
		[[ $kind != scale && $kind != count ]] || continue
		want=${ROWS:+no}
		for n in ${ROWS//,/ }; do
			[[ $name != "$n" && $name != "$n"-* ]] || want=
		done
		[[ -z $want ]] || continue
		[[ $name != sqlite || -n $(command -v sqlite3) ]] || {
			figure X all sqlite "sqlite3 is not installed"
			continue
		}
		for n in ${THREADS:-1 4}; do
			[[ ,$threads, == *",$n,"* ]] || continue
			rows+=("$name:$n:$cache")
			figure R "$name" "$n" "$kind" "$unit"
		done
	done < <("$T/bin/bench" list)
}

bench_setup() { # ROW THREADS [COUNT]
	local record=()
	[[ -z $fs_record ]] || record=(-r "$fs_record")
	in_ns 0 "$T/bin/bench" -t "$2" ${3:+-n "$3"} -d "$templates" \
		"${record[@]}" setup "$1" "$fs_source" >"$T/log/setup" 2>&1 || {
		say "$fs: setup of $1: $(tail -1 "$T/log/setup")"
		return 1
	}
}

bench_run() { # ROW THREADS [COUNT]: sets $seconds, or $why
	local word
	word=$(in_ns "$fs_caller" timeout 300 "$T/bin/bench" -t "$2" \
		${3:+-n "$3"} -d "$templates" run "$1" "$fs_mount" 2>"$T/log/row") || {
		why=$(grep . "$T/log/row" | tail -1)
		[[ -n $why ]] || why="not within 300 s"
		return 1
	}
	read -r _ _ seconds _ <<<"$word"
}

# Data is read from the source's page cache; dropping caches emptied it.
warm_source() {
	cat "$fs_source/static/data/$1.$2."* >/dev/null 2>&1
}

daemon_figures() { # ROUND: what the daemon has and used by now
	local status ticks=0 rss=0 hwm=0 fds=0
	[[ -n $fs_daemon && -r /proc/$fs_daemon/status ]] || return 0
	status=$(<"/proc/$fs_daemon/status")
	[[ $status =~ VmHWM:[[:space:]]*([0-9]+) ]] && hwm=${BASH_REMATCH[1]}
	[[ $status =~ VmRSS:[[:space:]]*([0-9]+) ]] && rss=${BASH_REMATCH[1]}
	fds=$(find "/proc/$fs_daemon/fd" -mindepth 1 2>/dev/null | wc -l)
	# The name in parentheses may hold anything.
	ticks=$(sed 's/.*) //' "/proc/$fs_daemon/stat" |
		awk -v hz="$(getconf CLK_TCK)" '{ print ($12 + $13) / hz }')
	figure D "$1" "$fs" "$rss" "$hwm" "$fds" "$ticks"
}

session() { # ROUND FS
	local round=$1 row item name threads cache
	fs_select "$2" || return 0
	rm -rf "$fs_source/work"
	in_ns 0 mkdir "$fs_source/work" || return
	for item in "${rows[@]}"; do
		IFS=: read -r name threads cache <<<"$item"
		bench_setup "$name" "$threads" || return
	done
	# Dirty inodes can't be dropped, and their writing disturbs.
	sync -f "$T/disk"
	if ! fs_mount; then
		figure L "$fs" "$(tail -1 "$T/log/$fs" 2>/dev/null)"
		say "$fs is left out: $(tail -1 "$T/log/$fs" 2>/dev/null)"
		left_out+=" $fs "
		return 0
	fi
	for item in "${rows[@]}"; do
		IFS=: read -r name threads cache <<<"$item"
		warm_source "$name" "$threads"
		[[ $cache != cold ]] || make_cold
		fs_caller_for "$name"
		if bench_run "$name" "$threads"; then
			figure M "$round" "$fs" "$name" "$threads" "$seconds"
		else
			figure X "$fs" "$name" "$why"
		fi
	done
	daemon_figures "$round"
	fs_umount
	rm -rf "$fs_source/work"
}

scale_session() { # FS SIZE
	local size=$2 row rss
	fs_select "$1" || return 0
	in_ns 0 mkdir -p "$fs_source/static" || return
	bench_setup scale-walk 1 "$size" || return
	sync -f "$T/disk"
	if ! fs_mount; then
		figure L "$fs" "$(tail -1 "$T/log/$fs" 2>/dev/null)"
		left_out+=" $fs "
		return 0
	fi
	fs_caller_for scale
	for row in scale-readdir scale-walk scale-stat; do
		make_cold
		if bench_run "$row" 1 "$size"; then
			figure S "$fs" "$row" "$size" "$seconds"
		else
			figure X "$fs" "$row" "$size: $why"
		fi
		# All its files are known now.
		[[ $row != scale-walk ]] || daemon_figures "$size"
	done
	fs_umount
}

left_out=
if ((scale)); then
	mapfile -t list < <(fs_list "${only:-idshift,bindfs,fuse-overlayfs}")
	for size in ${SIZES:-1000 10000 100000 1000000}; do
		for fs in "${list[@]}"; do
			[[ $left_out != *" $fs "* ]] || continue
			say "$size files: $fs"
			scale_session "$fs" "$size"
		done
		rm -rf "$T/disk/plain/static"
	done
else
	plan_rows
	((${#rows[@]} > 0)) || {
		say "run.sh: no row is called '$ROWS'; rows: $("$T/bin/bench" list |
			awk '$2 != "scale" && $2 != "count" { printf "%s ", $1 }')"
		exit 2
	}
	mapfile -t list < <(fs_list "$only")
	rounds=${ROUNDS:-3}
	for ((round = 1; round <= rounds; round++)); do
		if [[ -z ${ROUNDS-} ]] && ((round > 1 &&
			SECONDS * round / (round - 1) > 330)); then
			say "no time for round $round (ROUNDS=$rounds insists)"
			break
		fi
		# From another start each time: nobody always comes first.
		start=$(((round - 1) * ${#list[@]} / rounds))
		for fs in "${list[@]:start}" "${list[@]:0:start}"; do
			[[ $left_out != *" $fs "* ]] || continue
			say "round $round of $rounds: $fs"
			session "$round" "$fs"
		done
	done
fi
for fs in "${list[@]}"; do
	figure F "$fs" "$(fs_how "$fs")"
done
[[ -z ${BENCH_KEEP-} ]] || cp "$raw_figures" "$BENCH_KEEP"
awk -v json="$json" -f "$HERE/report.awk" "$raw_figures"
