#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# counts.sh [--save | --plain] [PROGRAM]
# counts.sh --compare BASE-FILE FILE: what one operation costs the daemon, counted,
# so that the machine's mood doesn't matter: FUSE requests, system calls other
# than the exchange with /dev/fuse, and instructions in user space.
#
# Each row of `bench` runs with few and with more operations, and the figure is
# the difference for one, its file's lookup included.  Instructions need
# valgrind; it has no getxattrat(2), so they are those of the fall-back.  All on
# one CPU: with more, a thread that waits awake would be counted too.
#
#   PROGRAM   an idshift-mount other than the build's
#   --save    keep the figures in counts.txt, with which else they're compared
#   --plain   the figures alone
#   ROWS=create,stat-cold
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BUILD=${IDSHIFT_BUILD:-$ROOT/build}
. "$ROOT/tests/private_machine.sh"

compare() { # BASE-FILE FILE: side by side, with what changed by 2 % or more
	awk '
	/^#/ { next }
	NR == FNR { base[$1] = $2 " " $3 " " $4; next }
	function change(from, to) {
		if (from == "-" || to == "-" || from == 0)
			return "-"
		to = (to / from - 1) * 100
		return to > -2 && to < 2 ? "=" : sprintf("%+.0f%%", to)
	}
	{
		if (!titled++)
			printf "%-12s %17s %17s %23s\n", "", "requests",
				"calls", "instructions"
		split(base[$1], b, " ")
		printf "%-12s %10s %6s %10s %6s %16s %6s\n", $1,
			$2, change(b[1], $2), $3, change(b[2], $3),
			$4, change(b[3], $4)
	}' "$1" "$2"
}
if [[ ${1-} == --compare ]]; then
	compare "$2" "$3"
	exit
fi

save= arguments=("$@")
case ${1-} in
--save) save=$HERE/counts.txt && shift ;;
--plain) save=/dev/null && shift ;;
esac
program=$(realpath "${1:-$BUILD/idshift-mount}") || exit
rows=${ROWS:-stat-cold getattr getattr-dir open create mkdir chmod chown
	rename unlink ls-cold list-small readdir-big getxattr acl statfs}
rows=${rows//,/ }
((EUID == 0)) || {
	echo "counts.sh: needs root, to make a user of its own" >&2
	exit 1
}
command -v strace >/dev/null || {
	echo "counts.sh: strace is not installed" >&2
	exit 1
}
if [[ -z ${COUNTS_INNER-} ]]; then
	cpu=$(taskset -cp $$ | sed 's/.*[:, -]//')
	COUNTS_INNER=1 private_machine_enter taskset -c "$cpu" bash "$0" \
		"${arguments[@]}"
	exit 1
fi

T=$(mktemp -d /var/tmp/idshift-counts.XXXXXX) || exit
end() {
	trap - EXIT INT TERM
	umount "$T/mnt" 2>/dev/null
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null
	wait
	private_machine_leave
	rm -rf "$T"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$T"
private_machine "$T" "$BUILD" || exit
install -m 755 "$program" "$T/sys/bin/idshift-mount" || exit
user_add sergio 1000 100000
install -d -o 1000 -g 1000 "$T/mnt" "$T/out" "$T/templates"

become sergio unshare --user --map-auto --map-root-user --setuid 0 \
	--setgid 0 --mount --propagation slave sleep infinity
"${command[@]}" &
ns=$!
for ((i = 0; i < 100; i++)); do
	[[ $(tr '\0' ' ' <"/proc/$ns/cmdline") != sleep* ]] || break
	sleep 0.05
done

bench() { # COUNT VERB ROW DIR: as the namespace's root
	nsenter -t "$ns" -U -m -S 0 -G 0 "$T/sys/bin/bench" -1 -n "$1" \
		-d "$T/templates" "$2" "$3" "$4" >"$T/out/bench" 2>&1 ||
		{
			echo "counts.sh: $3: $(tail -1 "$T/out/bench")" >&2
			return 1
		}
}

run() { # ROW COUNT TOOL...: one mount under the tool, root's or $inside
	local row=$1 count=$2 i daemon command
	shift 2
	rm -rf "$T/home/sergio/src"
	install -d -o 1000 -g 1000 "$T/home/sergio/src"
	bench "$count" setup "$row" "$T/home/sergio/src" || return
	# So slow under a tool, what was looked up must not be asked again.
	become sergio "${inside[@]}" idshift-mount -f -o \
		"sandbox=off,attr_timeout=600,entry_timeout=600" \
		"$T/home/sergio/src" "$T/mnt"
	"$@" "${command[@]}" >"$T/out/daemon" 2>&1 </dev/null &
	daemon=$!
	for ((i = 0; i < 600; i++)); do
		! mountpoint -q "$T/mnt" || break
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.05
	done
	if ! bench "$count" run "$row" "$T/mnt"; then
		tail -2 "$T/out/daemon" >&2
		return 1
	fi
	umount "$T/mnt"
	wait "$daemon"
}

# "REQUESTS CALLS" of a run.
calls() { # ROW COUNT
	local inside=()
	# Traced by root alone fusermount3 keeps its privilege.
	run "$1" "$2" strace -f -qq -o "$T/out/trace" || return
	awk '
	# Answers, in pieces (writev) or spliced; FORGETs come at any time.
	{ sub(/^[0-9]+ +/, "") }
	/^<\.\.\. / { next }
	/^(futex|clock_|sched_|restart_syscall|exit|madvise|mprotect|brk)/ \
		{ next }
	/^(mmap|munmap|clone|clone3|set_robust_list|rseq|rt_sig|poll)/ \
		{ next }
	/^writev\(/ { requests++; next }
	/^(read|splice)\(/ { next }
	{ calls++ }
	END { print requests + 0, calls + 0 }' "$T/out/trace"
}

instructions() { # ROW COUNT
	local inside=(timeout 60 valgrind --tool=callgrind --sim-hints=fuse-compatible
		--callgrind-out-file=/dev/null)
	run "$1" "$2" || return
	awk '/Collected *:/ { print $NF }' "$T/out/daemon"
}

few=8 more=208
report() {
	local row a b x y instr
	printf '%-12s %9s %9s %13s\n' "# row" requests calls instructions
	for row in $rows; do
		a=$(calls "$row" $few) || continue
		b=$(calls "$row" $more) || continue
		instr=-
		if command -v valgrind >/dev/null; then
			x=$(instructions "$row" $few) &&
				y=$(instructions "$row" $more) &&
				instr=$(((y - x) / (more - few)))
		fi
		awk -v row="$row" -v a="$a" -v b="$b" -v instr="$instr" \
			-v n=$((more - few)) 'BEGIN {
			split(a, few); split(b, more)
			printf "%-12s %9.2f %9.2f %13s\n", row,
				(more[1] - few[1]) / n,
				(more[2] - few[2]) / n, instr
		}'
	done
}
if [[ -n $save ]]; then
	report | tee "$T/out/counts" && cat "$T/out/counts" >"$save"
else
	report >"$T/out/counts" && compare "$HERE/counts.txt" "$T/out/counts"
fi
