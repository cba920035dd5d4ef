#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Records that a colleague with write access makes up: none gives more than
# the disk and the rules of views do, and none is in the way of the mount.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfattr getfattr getcap
user_add maria 1600 200000 shared

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
record=user.containers.override_stat
as sergio sh -c "cd '$src' && mkdir d d/sub && umask 7 && echo x >d/f &&
	echo x >d/closed && chmod 600 d/closed && cp '$(command -v setpriv)' d/tool"
chgrp -R shared "$src/d"
chmod 2770 "$src/d" "$src/d/sub"
chmod 660 "$src/d/f"
chmod 775 "$src/d/tool"
userns_start sergio || skip_all "no user namespaces here"
# The container's uid 5 has no counterpart on disk.
mount_fs sergio "$src" "$mnt" \
	-o map=g:shared:2000,map=u:100004:7,cache=none || exit 1

inside() {
	"${ns[@]}" sh -c "cd '$mnt/d' && $1" 2>&1
}
forge() { # FILE NAME VALUE, as setfattr(1) reads it
	as maria setfattr -n "$2" -v "$3" "$src/d/$1"
}
seen() { # FILE
	inside "stat -c '%u:%g %a' $1"
}
disk() {
	(cd "$src" && find . -printf '%P %U:%G %m\n' | sort)
}
before=$(disk)

# What is said of an owner counts as far as it can; a mode only if the disk
# has what it would have left there.
while read -r value wanted; do
	forge f $record "$value"
	is "'$value'" "$(seen f)" "$wanted"
done <<'EOF'
5:5:0660:file 5:5 660
0:0:04777:file 0:2000 660
0:0:06660:file 0:2000 6660
1000:2000:0666:file 1000:2000 660
1000:2000:0760:file 1000:2000 660
65537:65537:0660:file 65534:65534 660
4294967294:4294967294:0660:file 65534:65534 660
4294967295:0:0660:file 0:2000 660
4294967296:0:0660:file 0:2000 660
-1:-1:0660:file 0:2000 660
99999999999999999999:0:0660:file 0:2000 660
0:0:77777777777777:file 0:2000 660
0:0:0660:block 0:2000 660
:::: 0:2000 660
0x00 0:2000 660
0xff00ff 0:2000 660
0sAAAAAAAA 0:2000 660
EOF
forge f $record "0x$(printf '%06000d' 0 | tr 0 3)"
is "a huge one" "$(seen f)" "0:2000 660"
as maria setfattr -x $record "$src/d/f"

for value in 5:5:0777:dir 5:5:06777:dir 5:5:0:dir 4294967295:4294967295:07777:dir; do
	forge sub $record "$value"
	like "a directory: '$value'" "$(seen sub)" '^(5:5|0:2000) 2770$'
done
as maria setfattr -x $record "$src/d/sub"

fails 1 "a file that she can't write" as maria setfattr -n $record \
	-v 1000:1000:0600:file "$src/d/closed"
as maria sh -c "echo hers >'$src/d/hers'; chmod 4755 '$src/d/hers'"
forge hers $record 0:0:0777:file
forge hers user.idshift.acl_access 0x0200000001000700ffffffff
is "on a file of hers none counts" "$(seen hers)" "65534:2000 4755"
like "nor can the container's root change it" \
	"$(inside 'chmod 777 hers; chown 0 hers')" 'not permitted.*not permitted'
rm "$src/d/hers"

# Programs: as if they were root's and setuid, or had every capability.
forge tool $record 0:0:06775:file
forge tool user.idshift.capability \
	0x01000002ffffffff00000000ffffffff00000000
like "it may show" "$(seen tool) $(inside 'getcap tool')" '6775 tool =ep'
like "but gives nothing" "$("${ns[@]}" setpriv --reuid 1000 --regid 2000 \
	--clear-groups "$mnt/d/tool" --reuid 0 id -u 2>&1)" 'not permitted'

for blob in 0x 0x00 0x02000000 0x0200000001000700ffffffff \
	"0x$(printf '%0600d' 0)" 0x02000000ffffffffffffffffffffffff; do
	for name in acl_access acl_default capability other; do
		forge f user.idshift.$name "$blob"
		forge sub user.idshift.$name "$blob"
	done
	is "blob ${blob:0:20}: owners and modes" "$(seen f) $(seen sub)" \
		"0:2000 660 0:2000 2770"
	ok "blob ${blob:0:20}: all goes on" "${ns[@]}" sh -c \
		"cd '$mnt/d' && ls -l && echo y >>f && touch sub/n && rm sub/n"
	is "blob ${blob:0:20}: nobody else may" "$("${ns[@]}" setpriv \
		--reuid 1000 --regid 1000 --clear-groups sh -c \
		"cat '$mnt/d/f'; echo z >>'$mnt/d/f'" 2>&1 |
		grep -c 'denied')" 2
done
# A default ACL is its owner's to set; hers must not open what comes after it.
entry() { # TAG ID: all permissions
	printf '%02x000700%s' "$1" "$2"
}
open_acl=0x02000000$(entry 1 ffffffff)$(entry 2 05000000)$(entry 4 ffffffff)$(
	entry 16 ffffffff)$(entry 32 ffffffff)
secrets() {
	inside 'cd sub; umask 077; rm -rf s m; echo secret >s; mkdir m; echo s >m/s
		stat -c "%n %a" s m m/s' | xargs
	(cd "$src/d/sub" && stat -c "%n %a" s m m/s | xargs)
	as maria cat "$src/d/sub/s" 2>/dev/null
}
for name in acl_access acl_default capability other; do
	as maria setfattr -x user.idshift.$name "$src/d/sub"
done
forge sub user.idshift.acl_default "$open_acl"
like "her default ACL shows" "$(inside 'getfacl -nc sub')" 'default:user:5:rwx'
is "and opens nothing" "$(secrets)" "s 600 m 2700 m/s 600
s 600 m 2700 m/s 600"
inside 'chown 1000:2000 sub; chmod 2770 sub; setfacl -d -m u:5:rwx,o::r sub'
is "one of the container's counts instead of the umask" "$(secrets)" \
	"s 664 m 2774 m/s 664
s 664 m 2774 m/s 664
secret" ||
	note "$(inside 'getfacl -n sub')"
forge sub user.idshift.acl_default "$open_acl"
is "until she replaces it" "$(secrets)" "s 600 m 2700 m/s 600
s 600 m 2700 m/s 600"
inside 'setfacl -k sub; rm -r sub/s sub/m; chown 0:2000 sub'
is "none is left behind" "$(getfattr -dm user "$src/d/sub" 2>/dev/null)" ""
is "what doesn't count has no name" "$(inside 'getfattr -dm - f sub')" ""
is "nothing on disk has become another's, or more open" "$(disk)" "$before"
ok "unmount" umount_fs sergio "$mnt"
