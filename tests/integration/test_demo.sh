#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: as root, as an ordinary user with podman and without, where
# allow_other is not allowed, and on a directory of the reader's own.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command busybox
need_podman

# Where sergio can read it.
mkdir "$T/checkout" "$T/checkout/tests" "$T/checkout/build"
cp -a "$ROOT/tools" "$T/checkout/"
cp "$ROOT/tests/private_machine.sh" "$T/checkout/tests/"
cp "$BUILD/idshift-mount" "$T/checkout/build/"
demo=$T/checkout/tools/demo.sh
as sergio sh -c 'mkdir ~/own ~/mnt && cd ~/own && echo x >file && mkdir dir &&
	ln -s file link'
owners "$T/home/sergio/own" >"$T/before"

plays() { # DESCRIPTION ENGINE COMMAND...
	local what=$1 engine=$2 output status
	shift 2
	output=$("$@" 2>&1)
	status=$?
	is "$what: exit code" "$status" 0 || note "$output"
	like "$what: in $engine" "$output" "\\\$ $engine"
	like "$what: both sides" "$output" \
		'1000 +1000  [^ ]+ +\| -[rwx-]+ +1000 +1000  '
	like "$what: the edit" "$output" $'made by [^\n]*\n *edited'
	is "$what: nothing stays mounted" \
		"$(grep -c ' fuse.idshift-mount ' /proc/self/mountinfo)" 0
	is "$what: nothing stays in /var/tmp" \
		"$(ls -d /var/tmp/idshift-demo.* 2>/dev/null)" ""
}

plays "root" "podman run" bash "$demo"
plays "an ordinary user" "podman run" as sergio bash "$demo"
plays "a directory of mine" "podman run" as sergio env \
	"SRC=$T/home/sergio/own" "MNT=$T/home/sergio/mnt" bash "$demo"
plays "root, a user's directory" "podman run" env \
	"SRC=$T/home/sergio/own" bash "$demo"
owners "$T/home/sergio/own" >"$T/after"
same "my directory is as it was" "$T/after" "$T/before"
sed -i '/user_allow_other/d' /etc/fuse.conf
plays "no allow_other" "unshare" as sergio bash "$demo"
echo user_allow_other >>/etc/fuse.conf
mount --bind /bin/false /usr/bin/podman
plays "no podman" "unshare" as sergio bash "$demo"
plays "root, no podman" "unshare" bash "$demo"
umount /usr/bin/podman
: >/etc/subuid
fails 1 "no subordinate ids" as sergio bash "$demo"
like "says what to do" "$output" 'usermod --add-subuids'
