#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A colleague's leases (fcntl(2), F_SETLEASE): who opens such a file waits, as
# natively, and nobody else does.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command perl
user_add maria 1600 200000 shared

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
as sergio mkdir -m 777 "$src/d"
userns_start sergio || skip_all "no user namespaces here"
inside() {
	"${ns[@]}" sh -c "cd '$mnt' && $1"
}

# More files than the daemon has threads.  Told of a lease that is to go she
# does nothing; what she has she gives up when she ends.
lease() { # F_RDLCK 0 or F_WRLCK 1
	as maria rm -f "$src/d/ready"
	# shellcheck disable=SC2016
	as_background maria perl -MFcntl -e '
		umask 0;
		$SIG{IO} = "IGNORE";
		for (1 .. 15) {
			sysopen($f[$_], "$ARGV[0]/$_", O_RDWR | O_CREAT, 0666);
			syswrite($f[$_], "hers\n");
			close($f[$_]);
			sysopen($f[$_], "$ARGV[0]/$_",
				$ARGV[1] ? O_RDWR : O_RDONLY);
			fcntl($f[$_], 1024, $ARGV[1] + 0) or exit 1;
		}
		open(R, ">", "$ARGV[0]/ready");
		sleep 30' "$src/d" "$1"
	holder=$!
	wait_for 5 test -e "$src/d/ready"
}

mount_fs sergio "$src" "$mnt" || exit 1
for kind in "1 cat d/%s" "0 sh -c 'echo >>d/%s; echo hers'"; do
	lease "${kind%% *}" || skip_all "no leases here"
	waiting=()
	for i in {1..15}; do
		# shellcheck disable=SC2059
		inside "$(printf "${kind#* }" "$i")" >"$T/out-$i" 2>&1 &
		waiting+=($!)
	done
	sleep 1
	SECONDS=0
	ok "${kind#* }: others go on" inside 'touch x && cat x && ls -l d'
	is "${kind#* }: without waiting" "$((SECONDS < 5))" 1
	is "${kind#* }: those who open wait" "$(cat "$T"/out-*)" ""
	kill "$holder"
	wait "${waiting[@]}"
	is "${kind#* }: until the leases are gone" \
		"$(cat "$T"/out-* | sort | uniq -c | xargs)" "15 hers"
	as maria rm -f "$src"/d/{1..15}
done

# An end while somebody waits.
lease 1
inside 'cat d/1' >/dev/null 2>&1 &
sleep 0.5
SECONDS=0
kill "$daemon"
wait "$daemon"
is "a signal ends the mount all the same" "$? $((SECONDS < 15))" "0 1"
kill "$holder"
wait "$holder" $!
rm -rf "$src/d"
