#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is small comes to the kernel with its first open: it asks for nothing
# then, and has never seen what was changed meanwhile.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other

source_dir sergio src
src=$dir mnt=$T/home/sergio/mnt

# fill COUNT: files of 6000 "o".
fill() {
	as sergio bash -c "cd '$src' && printf 'o%.0s' {1..6000} >f0 &&
		for ((i = 1; i < $1; i++)); do cp f0 f\$i; done
		sleep 0.1; cat f* >/dev/null"
}

# asked COMMAND [OPTION...]: $reads is how many READs it takes in a new mount,
# $T/out its output.
asked() {
	local command=$1
	shift
	mount_fs sergio "$src" "$mnt" -d "$@" || exit 1
	as sergio bash -c "cd '$mnt' && $command" >"$T/out" 2>&1
	umount_fs sergio "$mnt"
	reads=$(grep -c 'opcode: READ ' "$daemon_log")
}

fill 3
as sergio bash -c "cd '$src' && : >empty && cat f0 f1 f2 >large &&
	head -c 16384 large >just && head -c 16385 large >over && cp f0 new &&
	touch -d @1500000000 new"
# Long enough ago for the ctime to tell it from what comes, and read since.
sleep 0.1
as sergio bash -c "cd '$src' && cat empty large just over >/dev/null"
asked 'cat f0 f1 f0'
is "a small file: nobody asks for it" "$reads" 0
ok "and it is what the host has" cmp "$T/out" <(cat "$src"/f{0,1,0})
asked 'cat empty'
is "an empty one: nobody" "$reads" 0
asked 'cat just'
is "16 KiB: nobody" "$reads" 0
ok "and it is what the host has" cmp "$T/out" "$src/just"
asked 'cat over'
ok "a byte more is asked for" test "$reads" -gt 0
ok "and is what the host has" cmp "$T/out" "$src/over"
asked 'cat <>f0'
ok "so is what may also be written" test "$reads" -gt 0
asked 'stat -c %X new; cat new >/dev/null; stat -c %X new'
ok "so is what nobody has read yet" test "$reads" -gt 0
is "which moves its atime (relatime)" "$(uniq "$T/out" | wc -l)" 2
asked 'cat f0' -o cache=none
ok "with cache=none it is asked for" test "$reads" -gt 0
asked 'printf new | dd of=f1 conv=notrunc status=none; head -c 4 f1'
ok "after one who only wrote, it is asked for" test "$reads" -gt 0
is "and he is not forgotten" "$(cat "$T/out")" newo

# A file that grows, or shrinks, after the kernel has heard its size.
mount_fs sergio "$src" "$mnt" || exit 1
as sergio stat "$mnt/f0" "$mnt/f2" >/dev/null
as sergio sh -c "cd '$src' && echo more >>f0 && truncate -s 10 f2"
is "what the host appended is read" "$(as sergio sh -c "cat '$mnt/f0' | wc -c")" 6005
is "what it cut off is not" "$(as sergio sh -c "cat '$mnt/f2' | wc -c")" 10
ok "unmount" umount_fs sergio "$mnt"

# raced COUNT: the same file opened, read and changed at once.
raced() {
	fill "$1"
	mount_fs sergio "$src" "$mnt" || exit 1
	ok "$1 files opened for the first time while they are changed" \
		as sergio first_open "$mnt" "$1"
	ok "unmount" umount_fs sergio "$mnt"
}
raced 600
# With time for all of it between reading a file and giving it to the kernel.
slow=$T/sys/bin/slow_read.so
[[ -e $slow ]] || skip_all "slow_read.so is not built"
mount_by=(env "LD_PRELOAD=$slow" SLOW_READ_MS=8)
raced 90

# The host changes it meanwhile, and others hear of that: who has the lock then
# reads what the host wrote.
fill 1
sleep 0.1
mount_by=(env "LD_PRELOAD=$slow" SLOW_READ_MS=2500)
mount_fs sergio "$src" "$mnt" || exit 1
as_background sergio first_open "$mnt/f0" >"$T/out"
opener=$!
sleep 0.5
as sergio bash -c "tr o n <'$src/large' | head -c 6000 |
	dd of='$src/f0' conv=notrunc status=none"
# What the kernel knows of it is a second old by then.
sleep 1
ok "another looks at it" as sergio stat "$mnt/f0"
wait "$opener"
is "it is read as the host has written it" "$(cat "$T/out")" n
ok "unmount" umount_fs sergio "$mnt"
