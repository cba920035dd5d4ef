#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More callers at once than CPUs are served by as many readers, which sleep in
# read(2); one caller by one, which asks again and again.
. "$(dirname "$0")/lib.sh"
need_command perl taskset
cpus=$(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
	awk -F- '{ for (i = $1; i <= $NF; i++) print i }' | head -2 | paste -sd,)
[[ $cpus == *,* ]] || skip_all "there is one CPU"

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
as sergio sh -c "cd '$dir' && for i in 1 2 3 4; do echo \$i >\$i; done"
mount_by=(taskset -c "$cpus")

# The flags of the daemon's /dev/fuse, as open(2) has them.
device_flags() {
	local fd
	for fd in /proc/"$daemon"/fd/*; do
		[[ $(readlink "$fd") != /dev/fuse ]] ||
			sed -n 's/^flags:[[:space:]]*//p' "${fd/fd/fdinfo}"
	done
}
asks() { (($(device_flags) & 04000)); }
sleeps() { ! asks; }

# Each reads its own again and again until there is a file `end`.
callers() { # COUNT
	local i
	callers=()
	rm -f "$T"/out-*
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2016
		as_background sergio taskset -c "$cpus" perl -e '
			chdir $ARGV[0] or die;
			until (-e "end") {
				open(my $f, "<", $ARGV[1]) or die "$ARGV[1]: $!";
				<$f> == $ARGV[1] or die "another file";
				(stat($f))[4] == $< or die "another owner";
			}
			print "ok\n"' "$mnt" "$i" >"$T/out-$i" 2>&1
		callers+=($!)
	done
}
end() {
	as sergio touch "$dir/end"
	wait "${callers[@]}"
	as sergio rm "$dir/end"
}

for threads in 10 3; do
	mount_fs sergio "$dir" "$mnt" -o "threads=$threads,entry_timeout=0" ||
		exit 1
	ok "threads=$threads: nobody calls" asks
	callers 1
	sleep 0.5
	ok "threads=$threads: one caller" asks
	end
	callers 4
	ok "threads=$threads: four callers" wait_for 30 sleeps
	sleep 0.5
	end
	is "threads=$threads: all have their files" \
		"$(cat "$T"/out-* | xargs)" "ok ok ok ok"
	ok "threads=$threads: they have gone" wait_for 30 asks
	is "threads=$threads: no more threads than allowed" \
		"$(($(find "/proc/$daemon/task" -mindepth 1 -maxdepth 1 | wc -l) \
			<= threads + 3))" 1
	callers 1
	sleep 0.2
	end
	is "threads=$threads: one caller again" "$(cat "$T"/out-1)" ok
	callers 4
	wait_for 30 sleeps
	ok "threads=$threads: unmounted with a crowd inside" \
		as sergio fusermount3 -uz "$mnt"
	end
	wait_for 10 none_left "$T"
	ok "threads=$threads: the daemon ends" wait "$daemon"
done
