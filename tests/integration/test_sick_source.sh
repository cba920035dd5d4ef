#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 240
# A source that is full, read-only, stuck, gone or broken: its error is the
# caller's, nothing is half made, and all works again when the source does.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
home=$T/home/sergio
mnt=$home/mnt
disk=$home/disk # a file system of its own
src=$disk/src
image=$T/image
userns_start sergio || exit 1

# inside COMMAND...: as the container's root.
inside() {
	"${ns[@]}" env LC_ALL=C "$@" 2>&1
}
# inside_as UID COMMAND...
inside_as() {
	local id=$1
	shift
	inside setpriv --reuid "$id" --regid "$id" --clear-groups -- "$@"
}
# refused ERROR DESCRIPTION COMMAND...
refused() {
	local error=$1 what=$2
	shift 2
	like "$what: $error" "$("$@")" ": $error$"
}
shown() { # NAME: owner and mode inside
	inside stat -c '%u:%g %a' "$mnt/$1"
}
on_disk() {
	(cd "$src" && find . ! -name filler -printf '%P %U:%G %m %s\n' | sort)
}
records() {
	as sergio getfattr -hRd -m - "$src" 2>/dev/null | sort
}
fill() { # DIR
	as sergio dd if=/dev/zero of="$1/filler" bs=64k status=none 2>/dev/null
	as sergio sh -c "while echo >>'$1/filler'; do :; done" 2>/dev/null
}
disk_mount() { # OPTIONS
	mkdir -p "$disk"
	mount -o "loop,$1" "$image" "$disk" 2>/dev/null
}
disk_umount() {
	umount "$disk" || umount -l "$disk"
}

# --- full ------------------------------------------------------------------

# Small inodes: an attribute takes a block of its own.
truncate -s 4M "$image"
if ! mkfs.ext4 -q -I 128 -m 0 -O ^has_journal "$image" >"$T/log/mkfs" 2>&1 ||
	! disk_mount rw; then
	skip_all "kernel: no loop device"
fi
mkdir "$src" "$src/dir"
touch "$src/file" "$src/strict"
chown -R sergio:sergio "$src"
chmod 1777 "$src"
chown sergio "$disk"
no_space="No space left on device"
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1
as sergio ln -s target "$src/link"

# What the kernel remembers of a file is no longer so.
cached=$home/cached uncached=$daemon
mount_fs sergio "$src" "$cached" || exit 1
as sergio sh -c "echo text >'$src/grown'"
grown=$(inside sh -c "cd '$cached' && stat -c %s grown &&
	fallocate -l 8M grown; stat -c %s grown" | sed 's/.*: //' | paste -sd ,)
is "what a failed fallocate has left shows at once" "$grown" \
	"5,$no_space,$(stat -c %s "$src/grown")"
ok "unmount" umount_fs sergio "$cached"
daemon=$uncached
as sergio rm "$src/grown"

fill "$src"
before=$(on_disk && records)
refused "$no_space" "write" inside sh -c \
	"exec 2>&1; echo text >'$mnt/dir/written'; cat '$mnt/dir/written'
	dd if=/dev/zero of='$mnt/dir/written' bs=4k count=9 status=none | head -1"
ok "what was not written goes" inside rm -f "$mnt/dir/written"
refused "$no_space" "chown" inside chown 5:6 "$mnt/file"
refused "$no_space" "chown of a directory" inside chown 5:6 "$mnt/dir"
refused "$no_space" "chmod" inside chmod 400 "$mnt/strict"
refused "$no_space" "setfacl" inside setfacl -m u:5:r "$mnt/file"
refused "$no_space" "setfattr" inside setfattr -n user.a -v b "$mnt/file"
refused "$no_space" "mkdir" inside_as 5 mkdir "$mnt/made"
refused "$no_space" "create" inside_as 5 touch "$mnt/new"
is "as it was: file" "$(shown file)" "0:0 644"
is "as it was: directory" "$(shown dir)" "0:0 755"
is "as it was: mode" "$(shown strict)" "0:0 644"
is "as it was on disk" "$(on_disk && records)" "$before"
ok "what needs no space works: chmod" inside chmod 640 "$mnt/strict"
ok "what needs no space works: rm" inside rm "$mnt/link"
rm "$src/filler"
ok "with space: chown" inside chown 5:6 "$mnt/file" "$mnt/dir"
is "with space: is so" "$(shown file)" "5:6 644"
ok "with space: setfacl" inside setfacl -m u:5:r "$mnt/file"
ok "with space: create" inside_as 5 touch "$mnt/new"
ok "with space: mkdir" inside_as 5 mkdir "$mnt/made"
is "with space: its owner" "$(shown made)" "5:5 755"
is "on disk all is sergio's" "$(find "$src" ! -user sergio)" ""

# --- read-only, and writable again ------------------------------------------

ok "made read-only" mount -o remount,ro "$disk"
read_only="Read-only file system"
refused "$read_only" "create" inside touch "$mnt/other"
refused "$read_only" "mkdir" inside mkdir "$mnt/other"
refused "$read_only" "chown" inside chown 7 "$mnt/file"
refused "$read_only" "chmod" inside chmod 600 "$mnt/file"
refused "$read_only" "setfacl" inside setfacl -b "$mnt/file"
refused "$read_only" "rename" inside mv "$mnt/file" "$mnt/other"
refused "$read_only" "remove" inside rm -f "$mnt/file"
refused "$read_only" "write" inside sh -c "exec 2>&1; echo >>'$mnt/file'"
is "it is read" "$(shown file)" "5:6 644"
ok "made writable" mount -o remount,rw "$disk"
ok "writable: chown" inside chown 7 "$mnt/file"
ok "writable: write" inside sh -c "echo >>'$mnt/file'"

# --- stuck: eight writes, each with a thread and a MiB of its own -------------

stuck_threads() {
	grep -l "^State:.*D" /proc/"$daemon"/task/*/status 2>/dev/null | wc -l
}
eight_are_stuck() {
	(($(stuck_threads) == 8))
}
thaw() {
	fsfreeze --unfreeze "$disk"
}
thaw_at_end() {
	local status=$?
	thaw 2>/dev/null
	return "$status"
}
rss() { # KB, of what isn't a file's
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status"
}
no_more_memory() { # THAN
	(($(rss) <= $1))
}
inside sh -c "cd '$mnt' && touch stuck1 stuck2 stuck3 stuck4 \
	stuck5 stuck6 stuck7 stuck8 && cat stuck*"
memory=$(rss)
trap 'thaw_at_end; bed_end' EXIT
if fsfreeze --freeze "$disk"; then
	writers=()
	for i in {1..8}; do
		inside dd if=/dev/zero of="$mnt/stuck$i" conv=notrunc \
			bs=1M count=1 status=none >"$T/log/stuck$i" &
		writers+=($!)
	done
	ok "stuck: a thread for each" wait_for 10 eight_are_stuck
	is "others are answered" "$(shown file)" "7:6 644"
	ok "freed" thaw
	wait "${writers[@]}"
	if [[ $(cat "$daemon_log") == *"a sanitizer's build"* ]]; then
		skip "their memory is given back" "sanitizers keep what was freed"
	else
		ok "their memory is given back" wait_for 5 \
			no_more_memory "$((memory + 3 * 1024))"
	fi
	ok "and removed" inside sh -c "rm '$mnt'/stuck*"
else
	skip "what is stuck holds up nobody" "no fsfreeze"
fi

# --- gone -------------------------------------------------------------------

ok "unmounted under the daemon" umount -l "$disk"
is "it still has it" "$(shown file)" "7:6 644"
ok "and unmounts" umount_fs sergio "$mnt"

# --- the medium fails --------------------------------------------------------

truncate -s 8M "$image"
mkfs.ext4 -q -F -m 0 -O ^has_journal "$image" >"$T/log/mkfs" 2>&1
disk_mount rw || exit 1
mkdir "$src"
chown sergio:sergio "$src"
as sergio dd if=/dev/zero of="$src/big" bs=64k count=90 status=none
as sergio sh -c "echo text >'$src/small'"
disk_umount
disk_mount rw || exit 1
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1
is "well" "$(inside cat "$mnt/small")" text
truncate -s 3M "$image"
wanted=$(LC_ALL=C cat "$src/big" 2>&1 >/dev/null | sed 's/.*: //')
is "the medium fails" "$wanted" "Input/output error"
is "what can't be read: the same error" \
	"$(inside cat "$mnt/big" 2>&1 | tail -c 100 | tr -d '\0' | sed 's/.*: //')" \
	"$wanted"
is "what can be read is read" "$(inside cat "$mnt/small")" text
ok "unmount" umount_fs sergio "$mnt"
disk_umount

# --- a directory that is moved or removed ------------------------------------

source_dir sergio moved
mount_fs sergio "$dir" "$mnt" -o cache=none || exit 1
as sergio mv "$dir" "$home/elsewhere"
ok "moved: goes on" inside sh -c "echo text >'$mnt/file'; chown 5 '$mnt/file'"
is "moved: there" "$(cat "$home/elsewhere/file")" text
as sergio rm -r "$home/elsewhere"
refused "No such file or directory" "removed: open" inside cat "$mnt/file"
refused "No such file or directory" "removed: create" inside touch "$mnt/new"
refused "No such file or directory" "removed: mkdir" inside mkdir "$mnt/new"
ok "removed: unmount" umount_fs sergio "$mnt"

# --- the database's disk is full ---------------------------------------------

mount -t tmpfs -o size=300k,mode=777 idshift-test "$disk"
source_dir sergio links
as sergio sh -c "ln -s target '$dir/link'; chmod 1777 '$dir'"
mount_fs sergio "$dir" "$mnt" -o "cache=none,state=$disk/state" || exit 1
fill "$disk"
refused "$no_space" "state: chown of a symlink" inside chown -h 5:6 "$mnt/link"
is "state: as it was" "$(shown link)" "0:0 777"
refused "$no_space" "state: symlink" inside_as 5 ln -s target "$mnt/other"
is "state: none was made" "$(find "$dir" -name other)" ""
rm "$disk/filler"
ok "state: with space" inside chown -h 5:6 "$mnt/link"
is "state: is so" "$(shown link)" "5:6 777"
ok "state: unmount" umount_fs sergio "$mnt"
wait_for 5 umount "$disk"
