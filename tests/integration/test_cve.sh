#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What went wrong in others, by the name under which it is known: each tried
# on a mount.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfacl setfattr setcap getcap perl chattr lsattr
user_add maria 1600 200000 shared

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
outside=$home/outside
as sergio sh -c "mkdir '$outside' '$home/plain' '$src/d' &&
	echo secret >'$outside/f' && chmod 600 '$outside/f'"
chgrp shared "$src/d"
chmod 2777 "$src/d"
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" -o map=g:shared:2000 || exit 1

inside() { # COMMANDS, as the container's root, in the mount
	"${ns[@]}" sh -c "umask 022; cd '$mnt' && { $1; }" 2>&1
}
user() { # UID:GID[:GROUPS] COMMANDS
	local uid gid groups
	IFS=: read -r uid gid groups <<<"$1"
	groups=${groups:+--groups=$groups}
	"${ns[@]}" setpriv --reuid "$uid" --regid "$gid" \
		"${groups:---clear-groups}" sh -c "umask 0; cd '$mnt' && { $2; }" 2>&1
}
# A file made with all of a mode at once.
make='perl -MFcntl -e "sysopen(F, shift, O_CREAT|O_EXCL|O_WRONLY, oct shift) or die \$!"'

# --- ids in the right namespace --------------------------------------------

ids="0 1 999 1000 65534 65535"
is "CVE-2019-15793: ids come back as they went" "$(inside "touch f
	for id in $ids; do chown \$id:\$id f && stat -c %u:%g f; done")" \
	"$(for id in $ids; do echo "$id:$id"; done)"
is "CVE-2019-15793: the host sees the container's ids shifted" \
	"$(inside 'chown 7:8 f'; stat -c %u:%g "$mnt/f")" 100006:100007
is "CVE-2019-15793: and none of them on disk" "$(stat -c %u:%g "$src/f")" \
	1000:1000
like "CVE-2019-15793: an id outside the map is none" \
	"$(inside 'chown 65537 f; stat -c %u f')" $'Invalid argument\n7$'

# --- setuid and setgid -----------------------------------------------------

inside "cp /bin/true a && chmod 4755 a; cp /bin/true b && chmod 6777 b
	install -m 2755 /bin/true c; $make e 4755; $make g 6711
	touch h && chown 1000:2000 h && chmod 2755 h
	setfacl -d -m u:5:rwx d && $make d/i 6777; cp -p a j; ln a k" >/dev/null
is "CVE-2021-41091: setuid shows inside" "$(inside 'stat -c %a a b c e')" \
	$'4755\n6777\n2755\n4755'
is "CVE-2021-41091: setuid never reaches the disk" \
	"$(find "$src" -type f -perm /6000)" ""
as sergio sh -c "mkdir '$src/acl' && setfacl -d -m u:1600:rwx '$src/acl'"
inside "$make acl/x 6777" >/dev/null
is "CVE-2021-41091: nor by a default ACL of the disk's" \
	"$(find "$src" -type f -perm /6000; stat -c %F "$src/acl/x")" \
	"regular empty file"

mounted() {
	grep -F " $mnt " "$1"
}
inside "cp '$(readlink -f "$(command -v id)")' id && chmod 4755 id" >/dev/null
like "CVE-2023-0386: nosuid" "$(mounted /proc/self/mountinfo)" nosuid
like "CVE-2016-1576: nodev, nosuid in the container" \
	"$(mounted "/proc/$userns/mountinfo")" 'nosuid,nodev'
is "CVE-2023-0386: a setuid program of root's is run as its caller" \
	"$(user 1000:1000 './id -u')" 1000

is "CVE-2018-13405: no setgid program for who isn't in the group" \
	"$(user 1000:1000 "$make d/s 2777; stat -c '%a %g' d/s")" "777 2000"
is "CVE-2022-0358: nor by mkdir, mknod and the disk" \
	"$(user 1000:1000 'mkdir d/t; stat -c "%a %g" d/t'; find "$src" \
		-type f -perm /2000)" "2777 2000"
is "CVE-2018-13405: a member keeps it" \
	"$(user 1000:1000:2000 "$make d/m 2777; stat -c '%a %g' d/m")" \
	"2777 2000"
inside 'touch p q; chown 1000:2000 p q; chmod 2755 p q' >/dev/null
is "CVE-2016-7097: setting an ACL clears setgid" \
	"$(user 1000:1000 'setfacl -m u:5:r p && stat -c %a p')" 755
is "CVE-2017-5551: not for a member" \
	"$(user 1000:1000:2000 'setfacl -m u:5:r q && stat -c %a q')" 2755

inside 'echo x >cap && setcap cap_net_raw=ep cap; cp cap cap2; setcap cap_chown=ep cap2
	cp cap cap3; setcap cap_chown=ep cap3' >/dev/null
is "CVE-2021-20263: capabilities are gone after a write" \
	"$(inside 'getcap cap; echo y >>cap; getcap cap')" "cap cap_net_raw=ep"
is "CVE-2021-20263: truncate, chown" \
	"$(inside 'truncate -s 0 cap2; chown 5 cap3; getcap cap2 cap3')" ""
is "CVE-2021-20263: by their own name too" \
	"$(as sergio sh -c "cd '$src' && getfattr -d -m idshift cap cap2 cap3")" ""
like "CVE-2021-20263: which can't be set inside" "$(inside \
	'touch n && setfattr -n user.idshift.capability -v x n')" 'not permitted'

# --- links -----------------------------------------------------------------

outside_is() {
	stat -c '%U %a %Z' "$outside/f"
	getfattr -d "$outside/f" 2>/dev/null
	cat "$outside/f"
}
before=$(outside_is)
inside "ln -s '$outside/f' l; ln -s '$outside' ld; mkdir real; touch real/f
	chown -h 5:5 l ld; touch -h l; setfattr -h -n user.a -v b l; rm -f l2
	cp -P l l2; mv l2 l3; ln l3 l4; rm l4" >/dev/null
is "CVE-2018-15664: a link's own owner" "$(inside 'stat -c %u l ld')" $'5\n5'
# A directory that the container is in becomes a link to the outside.
user 0:0 "cd real; mv '$src/real' '$src/real2'; ln -s '$outside' '$src/real'
	chmod 777 f; echo bad >f; echo bad >new; chown 7 f; rm f; mkdir sub" \
	>/dev/null
is "CVE-2018-15664: nothing happens behind a link" "$(outside_is)" "$before"
is "CVE-2018-15664: nor is anything made there" "$(ls "$outside")" f

# --- who may ---------------------------------------------------------------

fails 3 "CVE-2013-1959: no host id that isn't the user's" as sergio \
	idshift-mount -o uidmap=0:@0:1 --print-map "$src"
fails 3 "CVE-2013-1959: nor another's subordinate ids" as sergio \
	idshift-mount -o uidmap=0:@200000:10 --print-map "$src"

as maria sh -c "umask 2; echo maria >'$src/d/hers'; chmod 664 '$src/d/hers'"
before=$(stat -c '%U:%G %a %Z' "$src/d/hers")
fails 1 "CVE-2015-8660: a change that isn't allowed is" \
	"${ns[@]}" chown 5:2000 "$mnt/d/hers"
is "CVE-2015-8660: not done in part" \
	"$(stat -c '%U:%G %a %Z' "$src/d/hers")" "$before"
inside 'echo root >root; chmod 4755 root' >/dev/null
user 1000:1000 'echo bad >root; truncate -s 0 root; chmod 777 root' >/dev/null
is "CVE-2015-8660: no write, no lost setuid" \
	"$(inside 'cat root; stat -c %a root')" $'root\n4755'

inside 'echo x >neg; chown 0:5 neg; chmod 604 neg; echo x >acl1
	chmod 644 acl1; setfacl -m u:7:---,g:8:--- acl1' >/dev/null
like "GO-2022-1008: a group that is denied stays so" \
	"$(user 1000:5 'cat neg'; user 1000:1000:5 'cat neg')" \
	'denied.*denied'
is "GO-2022-1008: and others have what they have" \
	"$(user 1000:1000 'cat neg acl1')" $'x\nx'
like "GO-2022-1008: by an ACL too" \
	"$(user 7:7 'cat acl1'; user 1000:1000:8 'cat acl1')" 'denied.*denied'
is "GO-2022-1008: the disk gives a group no more" \
	"$(stat -c %A "$src/neg")" "-rw----r--"

# --- what isn't forwarded --------------------------------------------------

inside 'echo x >flags' >/dev/null
before=$(lsattr -l "$src/flags")
fails 1 "CVE-2019-15791: no ioctl is forwarded" \
	"${ns[@]}" chattr +d "$mnt/flags"
is "CVE-2019-15792: nothing has changed" "$(lsattr -l "$src/flags")" "$before"

like "libfuse #15: the kernel judges" "$(mounted /proc/self/mountinfo)" \
	'default_permissions.*allow_other'
inside 'echo x >mine; chown 1000:1000 mine; chmod 600 mine' >/dev/null
like "libfuse #15: by the view" "$(user 1001:1001 'cat mine')" denied
is "the file of the outside is as it was" "$(cat "$outside/f")" secret
rm "$src/d/hers"
ok "unmount" umount_fs sergio "$mnt"

mount_fs sergio "$src" "$mnt" -o suid,dev,exec
like "CVE-2023-0386: whatever is asked for" \
	"$(mounted /proc/self/mountinfo)" 'nosuid,nodev.*default_permissions'
ok "unmount" umount_fs sergio "$mnt"
