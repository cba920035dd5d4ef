#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Lookups are counted as the kernel counts them: once it has forgotten all, only
# the root is left, and what it holds is held.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
userns_start sergio

at_the_end() { # COMMAND: in the mount, before the kernel forgets; its output
	mount_fs sergio "$src" "$mnt" -d || return
	"${ns[@]}" sh -c "cd '$mnt' && $1" 2>&1
	# Dentries go first, what they held with the next.
	for _ in 1 2 3; do
		echo 2 >/proc/sys/vm/drop_caches
		# A request that comes after what was queued.
		"${ns[@]}" stat -f "$mnt" >/dev/null
		sleep 0.2
	done
	umount_fs sergio "$mnt"
	wait "$daemon" 2>/dev/null
	sed -n 's/^at the end: //p' "$daemon_log" | tail -1
}

all="1 nodes, 0 lookups"
is "a mount that nobody used" "$(at_the_end :)" "$all"
is "made, listed, read, changed" "$(at_the_end '
	mkdir -p a/b/c; for i in $(seq 300); do echo >a/b/q$i; done; for i in 1 2 3 4 5 6 7 8 9; do
		echo $i >a/b/c/$i; ln -s $i a/b/l$i; mkfifo a/b/p$i
	done
	ls -lR . >/dev/null; cat a/b/c/* >/dev/null; chown -R 5:6 a
	getfacl -R a >/dev/null; stat a/b/nothing 2>/dev/null; :')" "$all"
is "hard links, renamed over and exchanged" "$(at_the_end '
	for i in 1 2 3 4 5; do
		ln a/b/c/$i a/h$i; mv a/h$i a/b/c/6; ln a/b/c/$i a/h$i
	done
	mv a/b/c d; ls -l d a >/dev/null; mv -T d a/b/c
	stat a/h1 a/b/c/1 a/b/c/6 >/dev/null')" "$all"
is "unlinked while it is open" "$(at_the_end '
	exec 3<a/h1; rm a/h1 a/b/c/1; cat <&3 >/dev/null; exec 3<&-
	rm -r a/b/c; mkdir -p a/b/c/d; cd a/b/c/d && rmdir ../d')" "$all"
is "by eight at a time" "$(at_the_end '
	for n in 1 2 3 4 5 6 7 8; do
		(for i in $(seq 40); do
			echo x >a/t$i; mv a/t$i a/u$((i % 7)); ls a >/dev/null
			rm -f a/u$((i % 5)); ln a/h2 a/v$n; rm -f a/v$n
		done) 2>/dev/null &
	done
	wait; rm -r a')" "$all"
