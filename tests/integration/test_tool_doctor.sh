#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# idshift doctor: well when all is well; each fault is found and has a remedy.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command newuidmap

source_dir sergio src
src=$dir

doctor() { # [SOURCE]
	as sergio idshift doctor "$@"
}
finds() { # DESCRIPTION LINE-REGEX: exit code 1, and such a line
	fails 1 "$1: exit code" doctor "$src"
	like "$1: the line" "$(grep -vE '^ok  ' <<<"$output")" "$2"
}

if fails 0 "all is well" doctor "$src"; then
	like "said of each" "$(grep -c '^ok  ' <<<"$output")" '^[12][0-9]$'
	is "and of nothing else" "$(grep -v '^ok  ' <<<"$output")" ""
fi

cp /etc/fuse.conf "$T/fuse.conf"
: >/etc/fuse.conf
finds "no user_allow_other" \
	"^FAIL  user_allow_other: .*add the line 'user_allow_other'"
cp "$T/fuse.conf" /etc/fuse.conf
cp /etc/subuid "$T/subuid"
: >/etc/subuid
finds "no subuids" \
	"^FAIL  subordinate uids: none: .*usermod --add-subuids 165536-231071 sergio"
echo maria:165536:65536 >/etc/subuid
finds "others' subuids" \
	"^FAIL  subordinate uids: none: .*usermod --add-subuids 231072-296607 sergio"
echo sergio:100000:1000 >/etc/subuid
finds "few subuids" "^warn  subordinate uids: only 1000"
printf 'sergio:100000:65536\nsergio:100100:9\n' >/etc/subuid
finds "subuids that overlap" "^FAIL  subordinate uids: 100100 is there twice"
cp "$T/subuid" /etc/subuid
: >/etc/subgid
finds "no subgids" "^FAIL  subordinate gids: none"
cp "$T/subuid" /etc/subgid
chmod 600 /dev/fuse
finds "/dev/fuse closed" "^FAIL  /dev/fuse: .*its mode should be 0666"
chmod 666 /dev/fuse
for program in newuidmap fusermount3; do
	path=$(PATH=/usr/bin:/bin command -v "$program")
	cp "$path" "$T/$program"
	chmod 755 "$T/$program"
	mount --bind "$T/$program" "$path"
	finds "$program without privilege" \
		"^FAIL  $program: .*as root, 'chmod 4755"
	umount "$path"
done
as sergio mkdir -p "$T/home/sergio/.local/state"
chmod 000 "$T/home/sergio/.local/state"
finds "no state directory" "^FAIL  state directory: .*state=DIR"
chmod 755 "$T/home/sergio/.local/state"

# The source.
fails 1 "no source" doctor "$src/none"
like "no source: the line" "$output" "FAIL  source: '.*none': No such file"
mkdir "$T/foreign"
fails 1 "another's source" doctor "$T/foreign"
like "another's source: the line" "$output" "warn  source: .*belongs to uid 0"
install -d -g shared -m 2770 "$T/team"
fails 1 "a shared group's source" doctor "$T/team"
like "a shared group's source: the line" "$output" \
	"warn  source: .*your group 2000: .*map=g:2000:ID"
mkdir "$T/noxattr"
if mount -t ramfs none "$T/noxattr" 2>/dev/null; then
	chown sergio "$T/noxattr"
	fails 1 "a source without xattrs" doctor "$T/noxattr"
	like "a source without xattrs: the line" "$output" \
		"warn  source: user xattrs: .*kept in the state directory"
	umount "$T/noxattr"
fi
fails 2 "two sources" doctor "$src" "$src"

# Propagation, without podman: a pause process of our own.
mount --bind "$T/home" "$T/home"
mount --make-private "$T/home"
finds "a private mount" \
	"^FAIL  mount propagation: .*mount --make-rshared /"
# A namespace made while it was private gets nothing ever after.
as_background sergio unshare --user --map-root-user --mount \
	--propagation unchanged sleep infinity
pause=$!
wait_for 5 grep -q sleep "/proc/$pause/comm"
mount --make-shared "$T/home"
mkdir -p /run/user/1000/libpod/tmp
echo "$pause" >/run/user/1000/libpod/tmp/pause.pid
finds "a pause process that is too old" \
	"^FAIL  podman's mount namespace: .*podman system migrate"
kill "$pause"
wait "$pause" 2>/dev/null
as_background sergio unshare --user --map-root-user --mount \
	--propagation slave sleep infinity
pause=$!
wait_for 5 grep -q sleep "/proc/$pause/comm"
echo "$pause" >/run/user/1000/libpod/tmp/pause.pid
mount_fs sergio "$src" "$T/home/sergio/mnt" || exit 1
fails 0 "one that sees the mounts" doctor "$src"
like "said so" "$output" "ok    podman's mount namespace: sees what"
nsenter -t "$pause" -U -m umount "$T/home/sergio/mnt" ||
	note "the copy can't be unmounted"
fails 1 "a mount that it lacks" doctor "$src"
like "a mount that it lacks: the line" "$output" \
	"FAIL  mounts in podman's namespace: '$T/home/sergio/mnt' is not there"
kill "$pause"
wait "$pause" 2>/dev/null
rm -r /run/user/1000/libpod
ok "unmount" umount_fs sergio "$T/home/sergio/mnt"
ok "unmount the home" wait_for 5 umount "$T/home"
