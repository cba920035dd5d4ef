#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon is killed before each system call that changes something: killed.c.
# time-limit: 240
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfacl setcap

fault=$T/sys/bin/fault.so
[[ -e $fault ]] || skip_all "fault.so is not built"
source_dir sergio src
src=$dir
as sergio chgrp shared "$src"
as sergio chmod 777 "$src"
mnt=$T/home/sergio/mnt
state=$T/home/sergio/state
control=$T/control
truncate -s 4096 "$control"
chown sergio "$control"

mount_fs sergio "$src" "$mnt" || exit 1
[[ $(cat "$T/log/daemon-1.log") != *"without all"* ]] ||
	skip_all "kernel: a sanitizer's build takes no such library"
ok "unmount" umount_fs sergio "$mnt"

# 100999: uid 1000 of the container.  KILL_ALL: before every call.
killed "$control" "$src" "$mnt" "state=$state" "$fault" sergio 100999 \
	${KILL_ALL:+all} >"$T/log/kill.log" 2>&1
is "whatever it is killed at, all is as before or as after" "$?" 0
note "$(grep -v '^#' "$T/log/kill.log" | tail -60)"
like "it was killed often" "$(tail -1 "$T/log/kill.log")" '^[0-9]{3,} kills, 0 '
