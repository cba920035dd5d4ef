# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Root gets a machine of its own to try things on: mount and PID namespaces
# with copies of /etc and /dev/fuse, where users are made and fuse.conf is
# edited without a trace on the real one.  All ends with the first process.

# private_machine_enter COMMAND...: the command in such namespaces; returns
# only if root here may not make them.
private_machine_enter() {
	local enter=(unshare --mount --pid --fork --kill-child --mount-proc)
	"${enter[@]}" true 2>/dev/null || return
	exec "${enter[@]}" "$@"
}

# private_machine DIR BUILD: set it up, with its files below DIR and the
# programs of BUILD in PATH; users' homes are DIR/home/NAME.
private_machine() {
	local build=$2 file
	machine=$1
	mount --make-rprivate /
	mkdir -p "$machine/sys" "$machine/home"
	mount -t tmpfs -o mode=755 idshift-test "$machine/sys" || return
	mkdir -p "$machine/sys/etc" "$machine/sys/bin"
	cp -a /etc/. "$machine/sys/etc/"
	mount --bind "$machine/sys/etc" /etc || return
	# fusermount3 -u reads it; a bare debootstrap has none.
	[[ -e /etc/mtab ]] || ln -s ../proc/self/mounts /etc/mtab
	# The real users of our numbers would show by other names.
	for file in passwd group; do
		awk -F: '$3 < 1000 || $3 > 60000' "/etc/$file" >"$machine/sys/new"
		cat "$machine/sys/new" >"/etc/$file"
	done
	: >/etc/subuid
	: >/etc/subgid
	rm -f /etc/nsswitch.conf
	echo user_allow_other >/etc/fuse.conf
	# Real hosts have it open to all.
	if [[ -e /dev/fuse ]]; then
		mknod -m 666 "$machine/sys/fuse" c 10 229
		mount --bind "$machine/sys/fuse" /dev/fuse
	fi
	mkdir -p /run/user
	mount -t tmpfs -o mode=755 idshift-test /run/user
	# crun refuses cgroup v1 and the hybrid of both.
	if ! grep -q ' /sys/fs/cgroup .* - cgroup2 ' /proc/self/mountinfo; then
		umount -R /sys/fs/cgroup 2>/dev/null
		mount -t cgroup2 idshift-test /sys/fs/cgroup 2>/dev/null
	fi
	# Without this a container doesn't see what is mounted after its start.
	mount --make-rshared /
	# The checkout may be in a directory that only root can enter.
	for file in "$build"/idshift-mount "$build"/idshift "$build"/tests/*; do
		[[ ! -f $file || ! -x $file ]] ||
			install -m 755 "$file" "$machine/sys/bin/"
	done
	PATH=$machine/sys/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

private_machine_leave() {
	umount -R "$machine/sys" /run/user /etc 2>/dev/null
	umount -Rl "$machine/sys" 2>/dev/null
}

group_add() { # NAME GID
	echo "$1:x:$2:" >>/etc/group
}

user_add() { # NAME UID FIRST-SUBID|none [GROUP...]
	local name=$1 uid=$2 first=$3 group
	shift 3
	echo "$name:x:$uid:$uid::$machine/home/$name:/bin/bash" >>/etc/passwd
	echo "$name:x:$uid:" >>/etc/group
	if [[ $first != none ]]; then
		echo "$name:$first:65536" >>/etc/subuid
		echo "$name:$first:65536" >>/etc/subgid
	fi
	for group in "$@"; do
		sed -i "s/^$group:.*:\$/&$name/; t; s/^$group:.*/&,$name/" \
			/etc/group
	done
	mkdir -p "$machine/home/$name" "/run/user/$uid"
	chown "$uid:$uid" "$machine/home/$name" "/run/user/$uid"
	chmod 700 "/run/user/$uid"
	machine_users+=("$name")
}
machine_users=()

# become USER COMMAND...: sets the array `command` to what runs it with the
# user's own groups, home and environment only.  (A shell's background
# ignores SIGINT; the command must not inherit that.)
become() {
	local user=$1 uid
	shift
	uid=$(id -u "$user")
	command=(setpriv --reuid "$uid" --regid "$(id -g "$user")"
		--init-groups -- env -i --default-signal=INT,QUIT "PATH=$PATH"
		"HOME=$machine/home/$user" "USER=$user" "LOGNAME=$user"
		"XDG_RUNTIME_DIR=/run/user/$uid" LANG=C.UTF-8 "$@")
}
