#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is small comes to the kernel with its first open: it asks for nothing
# then, and has never seen what was changed meanwhile.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
as sergio mkdir "$mnt"

# fill COUNT: files of 6000 "o".
fill() {
	as sergio bash -c "cd '$src' && printf 'o%.0s' {1..6000} >f0 &&
		for ((i = 1; i < $1; i++)); do cp f0 f\$i; done"
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
as sergio bash -c "cd '$src' && cat f0 f1 f2 >large && : >empty"
# Long enough ago for its ctime to tell it from what comes.
sleep 0.1
asked 'cat f0 f1 f0'
is "a small file: nobody asks for it" "$reads" 0
ok "and it is what the host has" cmp "$T/out" <(cat "$src"/f{0,1,0})
asked 'cat empty'
is "an empty one: nobody" "$reads" 0
asked 'cat large'
ok "a large one is asked for" test "$reads" -gt 0
ok "and is what the host has" cmp "$T/out" "$src/large"
asked 'cat <>f0'
is "to be read and written: nobody" "$reads" 0
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
# So slow that other requests don't wait for it.
slow=$T/sys/bin/slow_pread.so
[[ -e $slow ]] || skip_all "slow_pread.so is not built"
mount_by=(env "LD_PRELOAD=$slow")
raced 90
