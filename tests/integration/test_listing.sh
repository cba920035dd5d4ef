#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 240
# A directory of 100,000 entries: listed, sought in, and removed.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
as sergio sh -c "mkdir '$src/many' && cd '$src/many' &&
	seq -f 'a-name-of-usual-length-%06g' 100000 | xargs touch"
mount_fs sergio "$src" "$mnt" || exit 1
as sergio listing "$src/many" >"$T/native"
as sergio listing "$mnt/many" >"$T/listed"
same "readdir, telldir and seekdir" "$T/listed" "$T/native"
like "all of them" "$(cat "$T/native")" 'entries: 100002'
as sergio listing "$mnt/many" >"$T/listed"
same "once more, from caches" "$T/listed" "$T/native"
is "ls -l in a container" "$(container sergio -v "$mnt:/vol" -- \
	sh -c 'ls -ln /vol/many | tail -n +2 | cut -d" " -f3,4 | sort | uniq -c')" \
	" 100000 0 0"
is "find in a container" "$(container sergio -v "$mnt:/vol" --user 1000 -- \
	sh -c 'find /vol/many -type f | wc -l')" 100000
ok "rm -r" container sergio -v "$mnt:/vol" -- rm -r /vol/many
is "nothing is left on disk" "$(ls -A "$src")" ""
like "the daemon's descriptors are few" \
	"$(find "/proc/$daemon/fd" 2>/dev/null | wc -l)" '^[0-9]{1,4}$'
ok "unmount" umount_fs sergio "$mnt"
