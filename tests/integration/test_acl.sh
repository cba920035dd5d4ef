#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# POSIX ACLs of the container: its own ids, enforced for its users, inherited
# as on a plain directory, and on disk only as far as the disk can carry them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfacl getfacl nsenter setfattr

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
user_add mia 1010 none shared
group_add team 2001
as sergio mkdir "$home/plain"
userns_start sergio || skip_all "no user namespaces here"
setfacl -m u:sergio:rwx "$home/plain" 2>/dev/null && setfacl -b "$home/plain" ||
	skip_all "kernel: no POSIX ACLs on this file system"

# The same in a plain directory of the namespace and in the mount.
cat >"$T/work" <<'EOF'
cd "$1" || exit
user() {
	setpriv --reuid "$1" --regid "$1" --groups "${3-$1}" sh -c "$2" 2>&1 | sed 's/^sh: [0-9]*: //'
}
show() {
	getfacl -nc --absolute-names "$@" 2>&1
	stat -c '%n %a %u:%g' "$@"
}
try() {
	echo "-- $*"
	"$@" 2>&1 | sed 's/^.*: //'
	echo "= ${PIPESTATUS[0]}"
}
mkdir d && chmod 755 . d && echo text >f && chmod 640 f
try setfacl -m u:1000:rw,u:5:r,g:7:rw,g:1001:- f
show f
for id in 5 1000 1001 7 8; do
	user $id "cat f; echo x >>f; id -u"
done
user 8 'cat f' 7
user 8 'cat f' 7,1001
user 8 'cat f' 1001
try setfacl -m m:r f
show f
user 1000 'echo x >>f'
try chmod 660 f
show f
try chmod 604 f
show f
user 1000 'cat f'
try setfacl -x u:5 f
try setfacl -b f
show f
user 1000 'cat f'
# An owner, and who is none.
echo mine >mine && chown 1000:1000 mine
user 1000 'setfacl -m u:1001:rw mine; getfacl -nc mine'
user 1001 'echo x >>mine; setfacl -m u:1002:rw mine; chmod 777 mine'
user 1000 'setfacl -m u:70000:r mine'
show mine
chown 1001:1000 mine
show mine
user 1000 'setfacl -b mine'
user 1001 'setfacl -b mine; getfacl -nc mine'
# setgid: an ACL set by one who is not of the group clears it.
echo x >sgid && chown 1000:7 sgid && chmod 2755 sgid
user 1000 'setfacl -m u:5:r sgid'
show sgid
chmod 2755 sgid
user 1000 'setfacl -m u:5:rx sgid' 7,1000
show sgid
chmod 2755 sgid
try setfacl -m u:5:r sgid
show sgid
chmod 4755 sgid
user 1000 'setfacl -m u:6:r sgid'
show sgid
mkdir sgiddir && chown 1000:7 sgiddir && chmod 2755 sgiddir
user 1000 'setfacl -m u:5:r sgiddir'
show sgiddir
chmod 2755 sgiddir
user 1000 'setfacl -d -m u:5:r sgiddir'
show sgiddir
# Defaults: inherited, and the umask does not count.
try setfacl -d -m u::rwx,u:1000:rwx,g::r-x,g:7:rw,o::- d
show d
umask 077
echo x >d/f && mkdir -p d/sub/deep && echo x >d/sub/deep/f && ln -s f d/s && mkfifo d/p
install -m 600 /dev/null d/installed
: >d/made && chmod 666 d/made
show d/f d/sub d/sub/deep d/sub/deep/f d/p d/installed d/made
chmod 777 d/sub
user 1000 'umask 0; echo y >d/sub/y; mkdir -m 700 d/sub/z; chown :1000 d/sub/y; touch d/sub/t'
show d/sub/*
cp -a d/sub d/copy && show d/copy/*
mv d/f d/sub/moved && show d/sub/moved
ln d/sub/moved d/hard && setfacl -m u:9:w d/hard && show d/sub/moved
try setfacl -k d
show d
umask 027
echo x >d/after && show d/after
# Odd ones.
try setfacl -d -m u:5:r f
try setfacl -m u:5:r d/s
show f
ln -s nowhere dangling
try setfacl -m u:5:r dangling
echo x >many && try setfacl -m "$(for i in $(seq 2000 2060); do printf 'u:%s:r,' $i; done)o::-" many
show many | cksum
user 2060 'cat many'
user 2061 'cat many'
setfacl --set u::rw,u:5:rw,g::r,m::rw,o::r f && show f
chown 50:60 f && show f
chown 0:0 f && show f
getfattr -m - -d f d 2>/dev/null | grep -c idshift
getfattr -n system.posix_acl_access -e hex f 2>&1 | tail -2
setfattr -x system.posix_acl_access f; show f
setfattr -n system.posix_acl_access -v 0x02000000 f; show f
setfattr -n system.posix_acl_access -v 0x0200 f 2>&1; show f
find . | sort | xargs getfacl -nR --absolute-names -P 2>/dev/null | cksum
EOF
chmod 644 "$T/work"
"${ns[@]}" bash "$T/work" "$home/plain" >"$T/native" 2>&1
like "the work on a plain directory" "$(wc -l <"$T/native")" '^[3-9][0-9][0-9]$'
mount_fs sergio "$src" "$mnt" -o map=g:shared:2000 || exit 1
"${ns[@]}" bash "$T/work" "$mnt" >"$T/mounted" 2>&1
same "mounted on the host" "$T/mounted" "$T/native"
host_daemon=$daemon
source_dir sergio inner
userns_mount sergio "$dir" "$home/inside" || exit 1
"${ns[@]}" bash "$T/work" "$home/inside" >"$T/mounted" 2>&1
same "mounted inside" "$T/mounted" "$T/native"
ok "unmount inside" "${ns[@]}" umount "$home/inside"

daemon=$host_daemon

inside() {
	"${ns[@]}" bash -c "cd '$mnt' && $1"
}
user() { # ID COMMAND
	"${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups \
		sh -c "cd '$mnt' && $2"
}
disk_acl() {
	getfacl -nc "$src/$1" 2>/dev/null | xargs
}
acl() {
	inside "getfacl -nc $1 | xargs"
}

# --- what is on disk -------------------------------------------------------

inside 'umask 022; echo x >carried; setfacl -m g:2000:rw carried'
is "an ACL with ids that the disk can carry" "$(acl carried)" \
	"user::rw- group::r-- group:2000:rw- mask::rw- other::r--"
is "is there, with its own" "$(disk_acl carried)" \
	"user::rw- group::r-- group:2000:rw- mask::rw- other::r--"
is "without a record" "$(getfattr -dm user.idshift "$src/carried" 2>/dev/null)" ""
inside 'echo secret >recorded; chown 5:6 recorded; chmod 640 recorded
	setfacl -m u:1000:rw recorded'
is "an ACL over a recorded owner" "$(acl recorded)" \
	"user::rw- user:1000:rw- group::r-- mask::rw- other::---"
like "is kept beside the record" \
	"$(getfattr -dm user.idshift "$src/recorded" 2>/dev/null)" 'user.idshift.acl_access'
is "and opens nothing to others on disk" \
	"$(as mia cat "$src/recorded" 2>/dev/null || echo refused)" refused
is "the file is still mine" "$(stat -c %U "$src/recorded")" sergio
inside 'setfacl -b recorded'
is "gone with it" "$(getfattr -dm user.idshift "$src/recorded" 2>/dev/null)" ""
stray() { # what a container's user of an ACL from before may do
	inside "rm -f stray; echo x >stray; chown 5:6 stray; chmod 644 stray
		setfacl -m u:1000:rw stray"
	"$@"
	sleep 1.2
	"${ns[@]}" sh -c "cd '$mnt' && stat -c '%a %u:%g' stray"
	user 1000 'echo x >>stray' 2>/dev/null && echo writes
}
forget() { as sergio setfattr -x user.containers.override_stat "$src/stray"; }
forget_and_chown() { forget && sleep 1.2 && inside 'chown 9:9 stray'; }
another() {
	as sergio setfattr -n user.containers.override_stat -v 9:9:0644:file \
		"$src/stray"
}
chmods() {
	as sergio chmod 600 "$src/stray" && sleep 1.2 &&
		inside 'setfattr -x system.posix_acl_access stray'
	as sergio chmod 644 "$src/stray"
}
is "an ACL counts with its record" "$(stray true)" "664 5:6
writes"
is "and no more once that is gone" "$(stray forget)" "644 0:0"
is "nor by the next" "$(stray forget_and_chown)" "644 9:9"
is "nor beside another's" "$(stray another)" "644 9:9"
is "nor one that was removed where it didn't count" "$(stray chmods)" "644 5:6"
inside 'echo x >wide; chmod 600 wide; setfacl -m u:1000:rw,g:7:rw wide'
is "a mode never wider on disk than in the view" \
	"$(as mia cat "$src/wide" 2>/dev/null || echo refused)" refused
ok "while the container's user may" user 1000 'echo more >>wide'

# --- the host's ACLs -------------------------------------------------------

as sergio sh -c "cd '$src' && echo x >host && chmod 640 host &&
	setfacl -m u:mia:rw,g:shared:r,g:team:r host && setfacl -m u:sergio:r host"
sleep 1.2
# Natively too an ACL's unmapped ids are no id at all, not the overflow id.
as sergio sh -c "cd '$home/plain' && echo x >host && setfacl -m u:mia:rw host"
is "natively others show as" \
	"$("${ns[@]}" getfacl -ncp "$home/plain/host" | grep -o 'user:4294967295:rw-')" \
	user:4294967295:rw-
is "a host's ACL, in the container's ids" "$(acl host)" \
	"user::rw- user:0:r-- user:4294967295:rw- group::r-- group:2000:r-- group:4294967295:r-- mask::rw- other::---"
ok "enforced: the mapped group reads" "${ns[@]}" setpriv --reuid 1000 --regid 1000 \
	--groups 2000 cat "$mnt/host"
fails 1 "others don't" user 1000 'cat host'
is "mia still has it on disk" "$(disk_acl host | grep -o 'user:1010:rw-')" "user:1010:rw-"
inside 'chmod 660 host'
is "and after a chmod in the container" "$(disk_acl host | grep -o 'user:1010:rw-')" \
	"user:1010:rw-"
as sergio setfacl -d -m g:shared:rwx "$src/d"
sleep 1.2
inside 'umask 077; echo x >d/inherits'
is "a host's default ACL is inherited on disk" \
	"$(disk_acl d/inherits | grep -o 'group:2000:rwx')" "group:2000:rwx"
like "and shows" "$(acl d/inherits)" 'group:2000:rwx'
inside 'setfacl -m u:1000:rw carried'
as sergio setfacl -b "$src/carried"
as sergio chmod 600 "$src/carried"
sleep 1.2
fails 1 "a host's chmod wins over a kept ACL" user 1000 'cat carried'
# Where the host took the owner's bits away, which stand for us on disk.
for d in "$src" "$home/plain"; do
	as sergio sh -c "cd '$d' && mkdir shut && for f in r w x; do echo x >shut.\$f; done &&
		cp /bin/true shut.x && chmod 111 shut.x && setfacl -m u:100999:rw shut.r shut.w &&
		setfacl -m u:100999:rwx shut && chmod u-rw shut.r shut.w && chmod u-rwx shut"
done
sleep 1.2
for d in "$home/plain" "$mnt"; do
	"${ns[@]}" setpriv --reuid 1000 --regid 1000 --clear-groups sh -c "cd '$d' &&
		cat shut.r && echo y >>shut.w && echo more >shut/new && ls shut &&
		cat shut/new && ./shut.x" >"$T/of.${d##*/}" 2>&1
	echo "exit $?" >>"$T/of.${d##*/}"
done
same "a named user works on what the host shut" "$T/of.mnt" "$T/of.plain"
chmod 700 "$src/shut" "$home/plain/shut"
ok "unmount" umount_fs sergio "$mnt"
as sergio sh -c "mkdir '$src/fixed' && chmod 555 '$src/fixed'"
mount_fs sergio "$src" "$mnt" -o owner=1000:1000 || exit 1
ok "a default ACL for who isn't on disk, on a directory without u+w" \
	user 1000 'setfacl -d -m u:0:rwx fixed'
like "is there" "$(acl -d\ fixed)" 'user:0:rwx'
is "no setgid, no setuid on disk" "$(find "$src" -perm /6000 -type f)" ""
ok "unmount" umount_fs sergio "$mnt"
