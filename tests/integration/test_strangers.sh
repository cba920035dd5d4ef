#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount made inside a user namespace, where owners without a number there
# show as 65534: the container's own nobody is none of them, and no capability
# counts for what is theirs.
. "$(dirname "$0")/lib.sh"
need_root
need_command python3 setpriv setfacl

user_add maria 1001 200000 shared
src=$T/home/sergio/src
plain=$T/home/sergio/plain
mnt=$T/home/sergio/mnt
as sergio mkdir "$src" "$plain"
echo text >"$T/text"
for top in "$src" "$plain"; do
	install -d -o root -g shared -m 2775 "$top/shared"
	install -d -o root -g shared -m 0774 "$top/listed"
	install -d -o maria -g maria -m 0750 "$top/marias"
	install -d -o root -g root -m 1777 "$top/tmp"
	install -d -o sergio -g shared -m 2770 "$top/own"
	for dir in shared listed marias own tmp; do
		for mode in 0600 0640 0660 0644 0666 0755; do
			install -o maria -g shared -m "$mode" "$T/text" "$top/$dir/m$mode"
			install -o sergio -g shared -m "$mode" "$T/text" "$top/$dir/s$mode"
		done
	done
	as sergio sh -c "cd '$top' && echo text >acl && chmod 640 acl && setfacl -m u:maria:rw acl"
	install -o maria -g shared -m 0600 "$T/text" "$top/own/named"
	setfacl -m u:sergio:rw "$top/own/named"
	install -d -o maria -g maria -m 0700 "$top/searched"
	setfacl -m u:sergio:x,u:100004:x "$top/searched" # 0 and 5
	install -o sergio -g sergio -m 0644 "$T/text" "$top/searched/f"
done

cat >"$T/try.py" <<'END'
import errno, os, sys
os.chdir(sys.argv[1])

def write(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"!")
    os.close(fd)

def create(path):
    os.close(os.open(path + "/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path + "/new")

def rename(path):
    os.rename(path, path + "~")
    os.rename(path + "~", path)

def link(path):
    os.link(path, path + "~")
    os.unlink(path + "~")

def attribute(path):
    os.setxattr(path, "user.x", b"1")
    os.removexattr(path, "user.x")

calls = {
    "stat": lambda p: "%o %d:%d" % (lambda s: (s.st_mode, s.st_uid, s.st_gid))(os.stat(p)),
    "read": lambda p: os.close(os.open(p, os.O_RDONLY)),
    "write": write,
    "truncate": lambda p: os.truncate(p, 9),
    "touch": lambda p: os.utime(p),
    "utimes": lambda p: os.utime(p, (1, 1)),
    "chmod": lambda p: os.chmod(p, os.stat(p).st_mode & 0o7777),
    "getxattr": lambda p: os.getxattr(p, "user.none"),
    "setxattr": attribute,
    "link": link,
    "rename": rename,
    "chown": lambda p: os.chown(p, os.stat(p).st_uid, -1),
}
on_directories = {
    "list": lambda p: len(os.listdir(p)),
    "create": create,
}

def attempt(name, call, path):
    try:
        result = call(path)
        print(name, path, "ok" if result is None else result)
    except OSError as error:
        # Which of two reasons the kernel meets first differs.
        print(name, path, "refused" if name == "link" else errno.errorcode[error.errno])

for path in sys.argv[2:]:
    for name, call in calls.items():
        if os.path.basename(path)[:1] not in "o" or name in ("stat", "chmod"):
            attempt(name, call, path)
    for name, call in on_directories.items():
        if not path.count("/"):
            attempt(name, call, path)
END
chmod 644 "$T/try.py"
names=(acl shared listed marias tmp own searched)
for dir in shared listed marias tmp own; do
	for who in m s; do
		names+=("$dir/$who"{0600,0640,0660,0644,0666,0755})
	done
done
names+=(own/named searched/f)

# With sergio's groups, as podman unshare has them.
as_background sergio unshare --user --map-auto --map-root-user --mount \
	--propagation slave sleep infinity
userns=$!
ns=(as sergio nsenter -t "$userns" -U -m --preserve-credentials)
wait_for 5 bed_userns_ready || skip_all "no user namespaces here"
as sergio mkdir "$mnt"
as_background sergio nsenter -t "$userns" -U -m --preserve-credentials \
	idshift-mount -f "$src" "$mnt" >"$T/log/daemon" 2>&1
daemon=$!
bed_mounts+=("$mnt")
bed_wait_mount "$daemon" "$T/log/daemon" "${ns[@]}" mountpoint -q "$mnt" || exit 1
like "who starts it is in a group of the host's" \
	"$(grep Groups "/proc/$userns/status")" 2000
for caller in 0:0 5:5 65534:5 5:65534 65534:65534; do
	for top in "$plain" "$mnt"; do
		"${ns[@]}" setpriv --reuid "${caller%:*}" --regid "${caller#*:}" \
			--clear-groups python3 "$T/try.py" "$top" "${names[@]}" \
			>"$T/of.${top##*/}" 2>&1
	done
	same "$caller may no more, no less" "$T/of.mnt" "$T/of.plain"
done

# What a mount has to be told besides: the kernel forgets nothing of what is
# below a directory that all may search, so no refusal takes a mount away there.
as_in() { # CALLER COMMAND...
	local caller=$1
	shift
	"${ns[@]}" setpriv --reuid "${caller%:*}" --regid "${caller#*:}" \
		--clear-groups "$@" 2>&1
}
for top in "$plain" "$mnt"; do
	"${ns[@]}" sh -c "mkdir '$top/own/below' && chmod 2775 '$top/own' &&
		mount -t tmpfs none '$top/own/below' && touch '$top/own/below/in'"
	sleep 1.2
	for caller in 5:5 65534:65534; do
		echo "$caller: $(as_in $caller ls "$top/own/below")"
	done >"$T/below.${top##*/}"
	"${ns[@]}" ls "$top/own/below" >>"$T/below.${top##*/}"
	"${ns[@]}" umount "$top/own/below"
	# setgid, where the caller isn't in the directory's group.
	install -d -o maria -g shared -m 2777 "${top/%mnt/src}/handed"
	for caller in 0:0 5:5 65534:65534; do
		as_in $caller python3 -c "import os
os.umask(0)
os.close(os.open('$top/handed/$caller', os.O_CREAT | os.O_WRONLY, 0o2755))
print(oct(os.stat('$top/handed/$caller').st_mode))"
		as_in $caller setcap cap_chown=ep "$top/own/s0755" >/dev/null
		echo "setcap $?"
	done >>"$T/below.${top##*/}"
done
same "below, made in and given a capability" "$T/below.mnt" "$T/below.plain"
ok "unmount" "${ns[@]}" umount "$mnt"

like "idshift stat says why" \
	"$(as_in 0:0 idshift stat "$src/shared/m0666" 2>/dev/null)" \
	'uid: the disk.s, which has no id in the container'

# Where the kernel writes back on behalf of whoever wrote.
mount_inside() {
	as_background sergio nsenter -t "$userns" -U -m --preserve-credentials \
		idshift-mount -f "$@" "$src" "$mnt" >"$T/log/daemon" 2>&1
	daemon=$!
	bed_wait_mount "$daemon" "$T/log/daemon" "${ns[@]}" mountpoint -q "$mnt"
}
mount_inside -o cache=always || exit 1
is "written back" "$(as_in 5:5 python3 -c "import os
for name in 'shared/m0666', 'shared/s0666':
    fd = os.open('$mnt/' + name, os.O_WRONLY)
    os.write(fd, b'more')
    os.fsync(fd)
    os.close(fd)
print('done')")" "done"
ok "unmount" "${ns[@]}" umount "$mnt"

# With real owners nothing tells whose 65534 is: it has no group of the host's.
mount_inside -o chown=disk || exit 1
for what in "cat $mnt/shared/m0660" "cat $mnt/shared/m0640" "touch $mnt/shared/new"; do
	like "chown=disk: $what" "$(as_in 65534:65534 $what)" "Permission denied"
done
ok "unmount" "${ns[@]}" umount "$mnt"

# A second daemon for a mount whose root the kernel knows already.
chown sergio:shared "$src"
chmod 0770 "$src"
as sergio sh -c "echo text >'$src/shown'"
cat >"$T/resumed.sh" <<END
exec 7<>/dev/fuse
mount -i -t fuse.x -o fd=7,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,nosuid,nodev x '$mnt' || exit
stranger() { setpriv --reuid 65534 --regid 65534 --clear-groups "\$@" 2>&1 | sed 's/.*: //'; }
for n in 1 2; do
	idshift-mount -f -o resume='$T/home/sergio/init' '$src' /dev/fd/7 & daemon=\$!
	[ \$n = 2 ] || { sleep 1; cat '$mnt/shown'; }
	stranger cat '$mnt/shown'; stranger ls '$mnt'; stranger touch '$mnt/new'
	kill -9 \$daemon; wait \$daemon 2>/dev/null
done
exec 7>&-
umount '$mnt'
END
chmod 644 "$T/resumed.sh"
is "resumed" "$("${ns[@]}" bash "$T/resumed.sh" 2>/dev/null)" "text
$(for i in 1 2 3 4 5 6; do echo "Permission denied"; done)"
