#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# More files than descriptors or memory could follow: all are walked, what the
# daemon keeps of each is bounded, and goes when the kernel forgets them.
# IDSHIFT_SCALE_FILES: how many (100000), in directories of a thousand; as many
# again are in a single one.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
files=${IDSHIFT_SCALE_FILES:-100000}
dirs=$((files / 1000))
# Their names have 7 bytes.
bytes_each=$((200 + 7 + 1))
# Buffers of threads, pages that malloc can't give back.
slack_kb=4096

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
if ((files > 200000)); then
	# Inodes of a disk of its own: nothing of it outlives the test.
	truncate -s 8G "$T/image" || exit 1
	mkfs.ext4 -q -m 0 -N $((files * 2 + 10000)) "$T/image" || exit 1
	mount -o loop,noinit_itable "$T/image" "$src" ||
		skip_all "no loop device for a disk of its own"
	rmdir "$src/lost+found"
else
	mount -t tmpfs -o nr_inodes=0,size=50% scale "$src" || exit 1
fi
chown sergio:sergio "$src"
# bed_end is not to remove them one by one.
source_gone() {
	local status=$?
	umount -l "$src"
	rm -f "$T/image"
	return "$status"
}
trap 'source_gone; bed_end' EXIT

as sergio bash -c '
	cd "$0" && mkdir big many || exit
	for ((d = 0; d < $2; d++)); do
		printf "many/%05d/\n" "$d" | xargs mkdir || exit
	done
	(cd big && seq -f "f%06.0f" 0 $(($1 - 1)) | xargs touch) || exit
	for ((d = 0; d < $2; d++)); do
		seq -f "many/$(printf %05d "$d")/f%06.0f" 1000 | xargs touch || exit
	done' "$src" "$files" "$dirs" || exit 1

rss() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$daemon/status"
}
fds() {
	find "/proc/$daemon/fd" -mindepth 1 | wc -l
}
# Each one's attributes; what find complains about counts as a line more.
walk() { # DIR
	as sergio find "$1" -mindepth 1 -type f -size -1 -printf '%U\n' 2>&1 |
		sort | uniq -c | awk '{ print $1, $2 }'
}
at_most() { # DESCRIPTION GOT BOUND
	if (($2 <= $3)); then
		result ok "$1"
	else
		result bad "$1"
		note "$2, but $3 are allowed"
	fi
}
# What the kernel forgets arrives later, and some of it by a second call.
forgotten() { # KB
	echo 2 >/proc/sys/vm/drop_caches
	sleep 0.2
	(($(rss) <= $1))
}
sanitized=
! grep -q __asan_init "$BUILD/idshift-mount" || sanitized=1
bounded() { # DESCRIPTION KB-BEFORE NODES
	if [[ -n $sanitized ]]; then
		skip "$1" "sanitizers keep what was freed"
	else
		at_most "$1" $(($(rss) - $2)) \
			$(($3 * bytes_each / 1024 + slack_kb))
	fi
}

mount_by=(prlimit --nofile=1024:1024)
# Long enough for all of them to be known at once.
mount_fs sergio "$src" "$mnt" -o attr_timeout=600,entry_timeout=600 || exit 1
as sergio ls -l "$mnt" "$mnt/many" >/dev/null
before=$(rss)
# To grow later would make all wait, 10 ms each time.
room=$(awk '/^FDSize:/ { print $2 }' "/proc/$daemon/status")
is "there is room for all descriptors from the start" "$room" 1024

is "a walk of $files files in $dirs directories" "$(walk "$mnt/many")" \
	"$files 1000"
at_most "not more descriptors than max_fds and a few" "$(fds)" $((256 + 40))
bounded "not more than $bytes_each bytes for each" "$before" "$files"
is "a directory of $files files, each looked at" "$(walk "$mnt/big")" \
	"$files 1000"
bounded "not more than $bytes_each bytes for each of both" "$before" \
	$((2 * files))
# Each alone: by lookups, not by the listing.
is "the same ones by their names" "$(as sergio bash -c '
	cd "$0" && seq -f "f%06.0f" 0 997 $(($1 - 1)) | xargs stat -c %u |
		sort | uniq -c' "$mnt/big" "$files" | awk '{ print $1, $2 }')" \
	"$(((files + 996) / 997)) 1000"

if [[ -n $sanitized ]]; then
	skip "memory is given back" "sanitizers keep what was freed"
elif ! echo 2 2>/dev/null >/proc/sys/vm/drop_caches; then
	skip "memory is given back" "the kernel's caches can't be dropped here"
else
	# Those that it keeps all the same lie here and there.
	kept=$((2 * files / 20))
	wait_for 60 forgotten $((before + slack_kb + kept * bytes_each / 1024))
	bounded "memory is given back when the kernel forgets" "$before" "$kept"
fi
is "and all is there again" "$(walk "$mnt/many")" "$files 1000"
umount_fs sergio "$mnt"
is "on disk all is sergio's" "$(find "$src" ! -user sergio | head -5)" ""
# A sanitizer's build would tell of more lookups forgotten than were given.
is "nothing is said" \
	"$(grep -v "in a sanitizer's build" "$daemon_log")" ""
