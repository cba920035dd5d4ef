#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 240
# Each system call of the daemon fails once in turn: faults.c.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other

fault=$T/sys/bin/fault.so
[[ -e $fault ]] || skip_all "fault.so is not built"
source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
control=$T/control
truncate -s 4096 "$control"
chown sergio "$control"
log=$T/log/daemon.log
as sergio mkdir -p "$mnt"

mount_fs sergio "$src" "$mnt" || exit 1
[[ $(cat "$T/log/daemon-1.log") != *"without all"* ]] ||
	skip_all "kernel: a sanitizer's build takes no such library"
ok "unmount" umount_fs sergio "$mnt"
as_background sergio env "LD_PRELOAD=$fault" "FAULT_CONTROL=$control" \
	idshift-mount -f -o cache=none "$src" "$mnt" >>"$log" 2>&1
daemon=$!
bed_mounts+=("$mnt")
bed_wait_mount "$daemon" "$log" as sergio mountpoint -q "$mnt" || exit 1

# 100999: uid 1000 of the container.
faults "$control" "$src" "$mnt" "$daemon" 100999 >"$T/summary" 2>&1
is "no call that fails leaves anything behind" "$?" 0
like "many have failed" "$(tail -1 "$T/summary")" '^[0-9]{3,} faults, '
note "$(tail -20 "$T/summary")"
ok "unmount" umount_fs sergio "$mnt"
