#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mount(8) and fstab: the type fuse.idshift-mount with the options that are
# usual there; and run-as=, which leaves root nothing.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command mount.fuse3
group_add other 2100
user_add maria 1600 300000 shared other

source_dir maria src
# mount(8) runs its helpers without PATH: in its default is what is installed.
mount --bind "$T/sys/bin" /usr/local/sbin || exit
src=$dir
mnt=$T/home/maria/mnt
fstab=$T/fstab
as maria sh -c "mkdir '$mnt'; mkdir -m 2770 '$src/team'; echo text >'$src/file'"
chgrp shared "$src/team"
bed_mounts+=("$mnt")

entry() { # OPTIONS [SOURCE [MOUNTPOINT [TYPE]]]
	echo "${2-$src} ${3-$mnt} ${4-fuse.idshift-mount} $1 0 0" >"$fstab"
}
mounted() {
	grep -c " $mnt .* - fuse.idshift-mount " /proc/self/mountinfo
}
the_daemon() {
	leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p'
}
status_of() { # FIELD
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$daemon/status" |
		tr -s '\t ' ' ' | sed 's/ $//'
}
inside() { # COMMAND...: as a container of maria's
	as maria unshare --user --map-auto --map-root-user --setuid 0 \
		--setgid 0 "$@"
}

entry run-as=maria,owner=1000:1000,map=g:shared:2000,nofail,_netdev,noatime
ok "mount -a" mount -a --fstab "$fstab"
is "is mounted" "$(mounted)" 1
is "with the options of the entry" \
	"$(inside stat -c '%u:%g' "$mnt/file" "$mnt/team")" $'1000:1000\n1000:2000'
daemon=$(the_daemon)
like "one daemon" "$daemon" '^[0-9]+$'
is "is maria" "$(status_of Uid) $(status_of Gid)" "1600 1600 1600 1600 1600 1600 1600 1600"
is "with her groups" "$(status_of Groups | tr ' ' '\n' | sort -n | xargs)" \
	"$(as maria id -G | tr ' ' '\n' | sort -n | xargs)"
for set in CapInh CapPrm CapEff CapAmb; do
	is "$set" "$(status_of "$set")" 0000000000000000
done
is "her maps" "$(as maria idshift-mount --print-map "$src" "$mnt" | head -3 | tail -2 | xargs)" \
	"0 1600 1 1 300000 65536"
ok "a container writes" inside setpriv --reuid 1000 --regid 1000 \
	--groups 2000 sh -c "umask 007; echo x >'$mnt/team/new'"
is "it is hers and the group's" "$(stat -c '%U:%G %a' "$src/team/new")" \
	"maria:shared 660"
ok "a container's chown" inside chown 5:6 "$mnt/file"
is "stays hers" "$(stat -c %U:%G "$src/file")" maria:maria
like "her state directory" "$(ls -dl "$T/home/maria/.local/state/idshift")" \
	'^drwx------ .* maria maria '
ok "mount -a again does nothing" mount -a --fstab "$fstab"
is "still one" "$(mounted)" 1
ok "umount" umount "$mnt"
is "is gone" "$(mounted)" 0
ok "and its daemon" wait_for 5 test ! -e "/proc/$daemon"

# All that is usual in the fourth field.
for noise in defaults rw auto exec relatime user,noauto nouser users group \
	_netdev,nofail x-systemd.automount,x-gvfs-show \
	x-systemd.requires=network-online.target,x-systemd.device-timeout=10s \
	nosuid,nodev,noatime,nodiratime,lazytime,strictatime comment=ours \
	dev,suid,async,nolazytime,norelatime \
	x-mount.mkdir,X-mount.subdir-is-no-word; do
	entry "run-as=maria,$noise"
	ok "option $noise" mount --fstab "$fstab" "$mnt"
	like "$noise: nosuid, nodev" "$(grep " $mnt " /proc/self/mountinfo)" \
		"$mnt [^ ]*nosuid,nodev"
	ok "$noise: umount" umount "$mnt"
done
entry run-as=maria,ro
ok "ro" mount -T "$fstab" "$mnt"
fails 1 "nothing is written" inside touch "$mnt/file"
like "since it is read-only" "$output" 'Read-only file system'
ok "umount" umount "$mnt"
entry noauto,run-as=maria
ok "noauto" mount -a --fstab "$fstab"
is "stays unmounted" "$(mounted)" 0
ok "by the command line" mount -t fuse.idshift-mount \
	-o run-as=maria,owner=7:8 "$src" "$mnt"
is "with its options" "$(inside stat -c %u:%g "$mnt")" 7:8
ok "umount" umount "$mnt"
ok "as systemd mounts" mount "$src" "$mnt" -t fuse.idshift-mount \
	-o run-as=maria,nofail,x-systemd.after=a.service
ok "umount" umount "$mnt"
# Escapes of fstab(5), and a map whose ids are joined by commas.
as maria mkdir "$T/home/maria/a b" "$T/home/maria/m t"
entry 'run-as=maria,uidmap=0:0:1000\134,1000:2000:10' \
	"$T/home/maria/a\\040b" "$T/home/maria/m\\040t"
ok "blanks in paths" mount -a --fstab "$fstab"
is "are taken" "$(grep -c ' - fuse.idshift-mount ' /proc/self/mountinfo)" 1
ok "umount" umount "$T/home/maria/m t"

# An entry that users mount themselves: as themselves.
if [[ -u $(command -v mount) ]]; then
	echo "$src $mnt fuse.idshift-mount noauto,user,owner=3:4 0 0" >>/etc/fstab
	ok "maria mounts" as maria mount "$mnt"
	is "hers" "$(inside stat -c %u:%g "$mnt")" 3:4
	ok "maria unmounts" as maria fusermount3 -u "$mnt"
fi

# What is wrong is said in one line, and mount's exit code tells.
wrong() { # OPTIONS REGEX CODE
	entry "$1"
	fails "$3" "$1" mount --fstab "$fstab" "$mnt"
	is "$1: in one line" "$(grep -c . <<<"$output")" 1
	like "$1: says why" "$output" "$2"
	is "$1: nothing is mounted" "$(mounted)" 0
}
wrong run-as=nobodyhere "run-as 'nobodyhere'" 2
wrong run-as=maria,owner=x "owner 'x'" 3
# What it doesn't keep it doesn't take.
wrong run-as=maria,sync "'sync'" 2
wrong run-as=maria,nonsense=1 "'nonsense" 2
entry run-as=maria "$T/none"
fails 4 "no source" mount --fstab "$fstab" "$mnt"
like "says why" "$output" "source '$T/none'"
entry nofail,run-as=maria "$T/none"
mount -a --fstab "$fstab" >"$T/said" 2>&1
like "mount -a goes on and says why" "$(cat "$T/said")" "source '$T/none'"
as maria rmdir "$T/home/maria/a b" "$T/home/maria/m t"
