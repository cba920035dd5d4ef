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
fails 5 "another by her" as maria idshift-mount "$src" "$mnt"
like "says whose is there" "$output" \
	"from '$src'; unmount it with 'umount $mnt' as root, who has mounted it\$"
ok "umount" umount "$mnt"
is "is gone" "$(mounted)" 0
ok "and its daemon" wait_for 5 test ! -e "/proc/$daemon"
output=$(idshift-mount "$src" "$mnt" 2>&1)
is "root who serves it himself is warned" "$? $output" "0 idshift-mount: warning: \
source '$src': it isn't root's, and what is made in it will be; mount it with run-as=USER"
umount "$mnt"
ok "run-as= of oneself asks for nothing" as maria idshift-mount \
	-o run-as=maria "$src" "$mnt"
ok "fusermount3 unmounts that" as maria fusermount3 -u "$mnt"
fails 2 "of another is root's" as maria idshift-mount -o run-as=sergio \
	"$src" "$mnt"

# All that is usual in the fourth field.
for noise in defaults rw auto exec relatime user,noauto nouser users group \
	_netdev,nofail x-systemd.automount,x-gvfs-show \
	x-systemd.requires=network-online.target,x-systemd.device-timeout=10s \
	nosuid,nodev,noatime,nodiratime,lazytime,strictatime comment=ours \
	dev,suid,async,nolazytime,norelatime silent,iversion,mand \
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

# Root mounts where maria could have, or where it says itself: links in her
# directories don't decide it, also not those that mount(8) follows.
home=$T/home/maria
mkdir "$T/victim"
as maria sh -c "ln -s '$T/victim' '$home/link'; ln -s '$T' '$home/way'
	ln -s mnt '$home/own'"
nowhere() { # WHAT: nothing is mounted
	is "$1: nothing is mounted" \
		"$(grep -c ' - fuse.idshift-mount ' /proc/self/mountinfo)" 0
}
for path in link way/victim own; do
	fails 5 "run-as, $path" idshift-mount -o run-as=maria "$src" \
		"$home/$path"
	is "$path: why" "$output" "idshift-mount: mount point '$home/$path': a \
symbolic link is on the way, which root doesn't follow for 'maria'; name the \
real path"
	nowhere "$path"
done
for path in link way/victim; do
	entry run-as=maria "$src" "$home/$path"
	fails 32 "fstab, $path" mount -a --fstab "$fstab"
	like "$path: why, by mount" "$output" \
		"'$T/victim': 'maria' could not mount there"
	nowhere "$path, by mount"
done
fails 5 "root's own directory" idshift-mount -o run-as=maria "$src" "$T/victim"
fails 5 "sticky" idshift-mount -o run-as=maria "$src" "$T/log"
echo "$src $T/victim fuse.idshift-mount owner=1:1,run-as=mari 0 0" >>/etc/fstab
fails 5 "named for another" idshift-mount -o run-as=maria "$src" "$T/victim"
echo "$src $T/victim fuse.idshift-mount owner=1:1,run-as=maria 0 0" >>/etc/fstab
ok "named in /etc/fstab" idshift-mount -o run-as=maria "$src" "$T/victim"
ok "umount" umount "$T/victim"
nowhere "unmounted"
# mount(8) leaves out what the entry says twice.
for path in "$T/victim/" "$T//victim" "$T/./victim/."; do
	sed -i "\\|^$src |d" /etc/fstab
	echo "$src $path fuse.idshift-mount run-as=maria 0 0" >>/etc/fstab
	ok "named as $path" mount "$path"
	ok "umount" umount "$T/victim"
done
for path in "$T/victim/.." "$T/vic" "$T/victim/mnt" "$T/.victim"; do
	sed -i "\\|^$src |d" /etc/fstab
	echo "$src $path fuse.idshift-mount run-as=maria 0 0" >>/etc/fstab
	fails 5 "named is $path" idshift-mount -o run-as=maria "$src" \
		"$T/victim"
done
# A relative path, and with what is no link.
ok "relative" sh -c "cd '$home/mnt/..' && idshift-mount -o run-as=maria src \
	./mnt/../mnt"
is "is mounted" "$(mounted)" 1
# Dead, it is root's to unmount; by the same rule.
kill_both() {
	local pids
	pids=$(leftovers "$T" | sed -n 's/^process \([0-9]*\): idshift-.*/\1/p')
	# At once: who is left for a moment unmounts.
	# shellcheck disable=SC2086
	kill -STOP $pids && kill -KILL $pids
	# shellcheck disable=SC2016
	wait_for 5 sh -c 'for p; do [ ! -e /proc/$p ] || exit 1; done' - $pids
}
kill_both
fails 1 "is dead" stat "$mnt"
as maria ln -s .. "$home/src/up"
fails 5 "dead behind a link" idshift-mount -o run-as=maria "$src" \
	"$home/src/up/mnt"
is "stays" "$(mounted)" 1
as maria rm "$home/src/up"
ok "dead, taken over" idshift-mount -o run-as=maria "$src" "$mnt"
is "one mount" "$(mounted)" 1
ok "answers" inside stat "$mnt"
ok "umount" umount "$mnt"
rmdir "$T/victim"

# What root opens for maria is opened as maria.
touch "$T/secret"
chmod 600 "$T/secret"
mkdir -m 700 "$T/closed"
as maria sh -c "ln -s '$T/closed' '$home/closed'"
fails 4 "source" idshift-mount -o run-as=maria "$home/closed/." "$mnt"
fails 1 "state" idshift-mount -o "run-as=maria,state=$home/closed" "$src" "$mnt"
fails 1 "state below" idshift-mount -o "run-as=maria,state=$home/closed/a" \
	"$src" "$mnt"
as maria ln -s "$T/secret" "$home/resume"
fails 1 "resume" bash -c 'exec 8<>/dev/fuse
	exec idshift-mount -f -o "$1" "$2" /dev/fd/8' - \
	"run-as=maria,resume=$home/resume" "$src"
fails 1 "trace" idshift-mount -f -o "run-as=maria,userns=host,caller=1:1" \
	-o "trace=$home/resume" "$src" "$mnt"
is "nothing is written" "$(find "$T/closed" "$T/secret" -printf '%P %s %U\n' |
	sed '1d')" " 0 0"
# The number of podman's process too: root could read it.
mkdir -p "/run/user/1600/libpod/tmp"
chown -R maria: /run/user/1600
as maria ln -s "$T/secret" /run/user/1600/libpod/tmp/pause.pid
echo $$ >"$T/secret"
fails 3 "pause.pid" idshift-mount -o run-as=maria,userns=podman "$src" "$mnt"
like "isn't read" "$output" "no podman of yours is running"
nowhere "all that"
rm -r "$T/secret" "$T/closed" "$home"/{link,way,own,closed,resume} \
	/run/user/1600/libpod

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
