#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another's directory as the source: the container's root may no more than
# the user who mounted it, and gets the same answers as on a bind mount.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman

mnt=$T/home/sergio/mnt
echo secret >/etc/idshift-secret
chmod 600 /etc/idshift-secret
mkdir -p /etc/idshift-open
chmod 1777 /etc/idshift-open
echo theirs >/etc/idshift-open/theirs
ln -s passwd /etc/idshift-link
mkfifo /etc/idshift-fifo
mount_fs sergio /etc "$mnt" || exit 1
find /etc -printf '%p %y %U:%G %m %s %l %C@\n' | sort >"$T/before"

cat >"$T/attack" <<'EOF'
cd /vol || exit
try() {
	out=$("$@" 2>&1)
	echo "$* = $? ${out##*: }"
}
try chown 0:0 passwd
try chown 5 passwd
try chown -h 0:0 idshift-link
try chown 0 idshift-fifo
try chown 0:0 .
try chmod 666 passwd
try chmod 4755 passwd
try chmod 777 .
try cat idshift-secret
try sh -c 'echo x >>passwd'
try sh -c ': >passwd'
try sh -c 'echo x >new'
try truncate -s 0 passwd
try rm -f passwd
try rm -f idshift-link
try rm -rf idshift-secret
try mv passwd other
try mkdir dir
try ln -s x link
try ln passwd hard
try mkfifo fifo
try touch -d 2001-01-01 passwd
try touch passwd
try setfattr -n user.x -v y passwd
try setfattr -n user.containers.override_stat -v 0:0:0777:file passwd
try setfacl -m u:5:rw passwd
try rm -f idshift-open/theirs
try mv idshift-open/theirs idshift-open/other
try chmod 666 idshift-open/theirs
try stat -c '%u:%g %a' passwd shadow idshift-secret idshift-open .
try test -r passwd
try test -w passwd
try head -1 passwd
EOF
for where in /etc "$mnt"; do
	container sergio -v "$where:/vol" -v "$T/attack:/attack:ro" -- \
		bash /attack >"$T/attack${where##*/}" 2>&1
done
# A name of ours can't be set at all: EPERM where a bind mount says EACCES.
sed -i '/override_stat/s/ = .*//' "$T/attacketc" "$T/attackmnt"
same "root inside gets a bind mount's answers" "$T/attackmnt" "$T/attacketc"
find /etc -printf '%p %y %U:%G %m %s %l %C@\n' | sort >"$T/after"
same "and changes nothing" "$T/after" "$T/before"

# What others may do there it may too, and it is mine on disk.
ok "create where everybody may" container sergio -v "$mnt:/vol" \
	--user 1000:1000 -- sh -c 'echo mine >/vol/idshift-open/mine'
is "mine on disk" "$(stat -c %U:%G /etc/idshift-open/mine)" sergio:sergio
ok "and I may remove it" as sergio rm /etc/idshift-open/mine
ok "unmount" umount_fs sergio "$mnt"
