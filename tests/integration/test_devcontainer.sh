#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A dev container: my workspace is its uid 1000's, and both sides edit it.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command git
need_podman

source_dir sergio workspace
src=$dir
mnt=$T/home/sergio/mnt
git=(git -c user.name=Test -c user.email=test@example.org)
as sergio "${git[@]}" -C "$src" init -q -b main
as sergio sh -c "echo first >'$src/file'; echo key >'$src/private'; chmod 600 '$src/private'"
as sergio "${git[@]}" -C "$src" add file
as sergio "${git[@]}" -C "$src" commit -qm first

dev() {
	container sergio -v "${bound:-$mnt}:/workspace" -w /workspace \
		--user 1000:1000 -e HOME=/tmp -- "$@"
}
mount_fs sergio "$src" "$mnt" -o owner=1000:1000 || exit 1

bound=$src fails 128 "a plain bind mount: git refuses" dev git status
like "for its dubious ownership" "$output" 'dubious ownership'
is "the workspace is uid 1000's" "$(dev stat -c %u:%g . file .git | uniq)" \
	1000:1000
is "git works inside" "$(dev git status --porcelain)" "?? private"
ok "edit and commit inside" dev sh -c 'echo inside >>file && mkdir src &&
	echo code >src/code && git add file src && git -c user.name=Dev \
	-c user.email=dev@example.org commit -qm inside'
is "git works outside" "$(as sergio git -C "$src" log --format=%s)" \
	$'inside\nfirst'
ok "edit and commit outside" as sergio sh -c "cd '$src' && echo outside >>file &&
	echo more >>src/code && ${git[*]} commit -qam outside"
sleep 1.1 # cache=auto: edits on the host show within a second
is "inside sees it" "$(dev sh -c 'git log --format=%s; tail -1 file')" \
	$'outside\ninside\nfirst\noutside'
ok "git fsck and gc inside" dev sh -c 'git fsck --strict && git gc -q'
ok "git fsck outside" as sergio git -C "$src" fsck --strict
is "a private file of mine is readable inside" "$(dev cat private)" key
ok "inside makes a private one" dev sh -c 'umask 077; echo in >locked; mkdir vault; echo v >vault/v'
is "that I read" "$(as sergio cat "$src/locked" "$src/vault/v")" $'in\nv'
ok "a build as root inside" container sergio -v "$mnt:/workspace" -- \
	sh -c 'mkdir -m 755 /workspace/build && echo o >/workspace/build/o'
is "its output is root's inside" "$(dev stat -c %u:%g build/o)" 0:0
ok "and I delete it" as sergio rm -r "$src/build" "$src/vault" "$src/locked"
# git's objects are 0444, where the daemon needs to write.
is "no record was needed but for modes" \
	"$(getfattr -Rd -m - "$src" 2>/dev/null | grep override_stat |
		grep -v '"1000:1000:0444:file"')" ""
ok "unmount" umount_fs sergio "$mnt"
