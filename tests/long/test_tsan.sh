#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1200
# The daemon under ThreadSanitizer, while many processes make, look up, rename,
# link, chown, lock and remove the same few names, and the kernel forgets them.
# Built with SAN=thread, into build-tsan, unless IDSHIFT_BUILD is such a build.
# IDSHIFT_TSAN_SECONDS: how long each of the two mounts is used (60).
here=$(dirname "$0")
if [[ -z ${IDSHIFT_BED-} ]] &&
	! grep -qs __tsan_init "${IDSHIFT_BUILD-/none}/idshift-mount"; then
	export IDSHIFT_BUILD=${IDSHIFT_TSAN_BUILD-$(cd "$here/../.." && pwd)/build-tsan}
	make --no-print-directory -C "$here/../.." SAN=thread \
		B="$IDSHIFT_BUILD" all tests >&2 || exit
fi
. "$here/../integration/lib.sh"
need_root
need_allow_other
need_command nsenter stress-ng

seconds=${IDSHIFT_TSAN_SECONDS-60}
source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
mkdir -m 1777 "$T/reports"
# A report ends nothing, so that all are seen.
export TSAN_OPTIONS=log_path=$T/reports/r:second_deadlock_stack=1:exitcode=0
userns_start sergio || skip_all "no user namespaces here"

# Names that all workers share; $1: the worker's number.
cat >"$T/bin/names" <<'EOF2'
#!/bin/bash
cd "$1" || exit
end=$((SECONDS + $2)) n=$3
while ((SECONDS < end)); do
	((n = (n * 1103515245 + 12345) & 0x7fffffff))
	a=d$((n >> 8 & 3))/f$((n >> 10 & 7)) b=d$((n >> 13 & 3))/f$((n >> 15 & 7))
	case $((n >> 18 & 15)) in
	0 | 1) echo "$n" >"$a" ;;
	2) ln "$a" "$b" ;;
	3) ln -s "$b" "$a" ;;
	4 | 5) mv -T "$a" "$b" ;;
	6) rm -f "$a" ;;
	7) chown "$((n & 7)):$((n & 7))" "$a" ;;
	8) chmod "$((n & 7))44" "$a" ;;
	9) mkfifo "$a.p"; rm -f "$b.p" ;; # none by a name that is opened
	10) flock -n "$a" true ;;
	11) rm -rf "d$((n >> 8 & 3))"; mkdir -p d0 d1 d2 d3 ;;
	12) truncate -s 5000 "$a" ;;
	13) exec 9<>"$a" && rm -f "$a" && echo x >&9 ; exec 9>&- ;;
	14) ls -lR . ;;
	15) mv -T "d$((n >> 8 & 3))" "d$((n >> 13 & 3))/sub"
		mkdir -p d0 d1 d2 d3 ;;
	esac
done >/dev/null 2>&1 </dev/null
exit 0
EOF2
chmod 755 "$T/bin/names"

use() { # WHAT OPTION...
	local what=$1 pids=() i end
	shift
	mount_fs sergio "$src" "$mnt" -o sandbox=off "$@" || exit 1
	"${ns[@]}" mkdir -p "$mnt"/work/d{0,1,2,3}
	for i in 1 2 3 4 5 6; do
		"${ns[@]}" "$T/bin/names" "$mnt/work" "$seconds" "$i" &
		pids+=($!)
	done
	"${ns[@]}" sh -c 'mkdir "$1/stress" && exec stress-ng --timeout "$2" \
		--temp-path "$1/stress" --dentry 2 --rename 2 --link 2 --dir 1 \
		--chown 1 --fcntl 1 --lockf 1 --xattr 1 --open 1 --mmap 1 \
		--mmap-file --mmap-bytes 1m --dentries 64' sh "$mnt" \
		"${seconds}s" >"$T/log/stress" 2>&1 &
	pids+=($!)
	end=$((SECONDS + seconds))
	while ((SECONDS < end)); do
		sleep 1
		echo 2 >/proc/sys/vm/drop_caches
	done
	wait "${pids[@]}"
	ok "$what: the daemon lives" kill -0 "$daemon"
	ok "$what: all can be deleted" "${ns[@]}" sh -c \
		'rm -rf "$1"/work "$1"/stress' sh "$mnt"
	is "$what: nothing is left" "$(ls -A "$src")" ""
	ok "$what: unmount" umount_fs sergio "$mnt"
	is "$what: no report" "$(cat "$T"/reports/* 2>/dev/null | head -80)" ""
	rm -f "$T"/reports/*
}
use "cached"
use "cache=none, locks=local" -o cache=none,locks=local,max_fds=64
kill "$userns"
wait "$userns" 2>/dev/null
exit 0
