#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# Records through what people do to files: hard links, renames, backups.  And
# records that somebody on the host forged: they do no harm.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command rsync tar setfattr setfacl nsenter

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
xattr=user.containers.override_stat
user_add mia 1010 none shared
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1

inside() {
	"${ns[@]}" sh -c "cd '$mnt' && $1"
}
user() { # ID COMMAND: a user of the container
	"${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups \
		sh -c "cd '$mnt' && $2"
}
host() {
	as sergio sh -c "cd '$src' && $1"
}
view() {
	inside "stat -c '%u:%g %a' $1"
}
tree() { # DIR: as the container sees it
	inside "cd $1 && find . -printf '%P %y %U:%G %m %n %s %l\n' | sort
		getfacl -Rn . 2>/dev/null; getcap -r . 2>/dev/null | sort"
}

# --- links and renames in the mount ----------------------------------------

inside 'echo a >a; chown 5:6 a; ln a b; mkdir d; ln a d/c; chmod 4711 d/c'
is "a hard link is the same file" "$(view 'a b d/c' | uniq)" "5:6 4711"
inside 'chown 7:8 b'
is "a chown by one name shows by all" "$(view 'a b d/c' | uniq)" "7:8 711"
inside 'rm a; mv b a; rm d/c'
is "whichever name stays" "$(view a)" "7:8 711"
inside 'echo x >x; chown 1:2 x; mv x a'
is "a rename over takes its own record" "$(view a)" "1:2 644"
inside 'ln -s t s; chown -h 3:4 s; mv s s2; ln s2 s3; chown -h 4:4 s3'
is "a symlink's" "$(view 's2 s3' | uniq)" "4:4 777"
inside 'mkfifo p; chown 3:4 p; mv p s2'
is "a fifo over a symlink" "$(view 's2')" "3:4 644"
host 'ln a hard && mv hard d/hard && mv s2 d/s2 && mv d d.new'
is "links and renames on the host" "$(view 'd.new/hard d.new/s2' | xargs)" \
	"1:2 644 3:4 644"
inside 'echo 1 >e1; echo 2 >e2; chown 11:11 e1; chown 12:12 e2
	mv --exchange e1 e2 2>/dev/null || { mv e1 t; mv e2 e1; mv t e2; }'
is "two that change places" "$(view 'e1 e2' | xargs)" "12:12 644 11:11 644"

# --- backups on the host ---------------------------------------------------

inside 'mkdir -p t/sub && cd t && umask 0
	for f in plain suid group secret acl cap sub/deep; do echo $f >$f; done
	chown 5:6 suid && chmod 4755 suid; chown 1000:1000 group sub sub/deep
	chmod 2755 group; chmod 0 secret; chmod 1777 sub; ln suid sub/hard
	setfacl -m u:1000:rw,g:7:r acl; setfacl -d -m u:5:rwx sub
	setcap cap_net_bind_service=ep cap'
tree t >"$T/tree"
like "the tree as it is" "$(wc -l <"$T/tree")" '^[3-9][0-9]$'
host 'rsync -aHAX t/ rsync/'
tree rsync >"$T/copy"
same "rsync -aHAX" "$T/copy" "$T/tree"
host 'cp -a t cp'
tree cp >"$T/copy"
same "cp -a" "$T/copy" "$T/tree"
host 'tar --xattrs --xattrs-include="*" --acls -cf t.tar -C t . && mkdir tar &&
	tar --xattrs --xattrs-include="*" --acls -xpf t.tar -C tar'
tree tar >"$T/copy"
same "tar --xattrs" "$T/copy" "$T/tree"
host 'mv t moved'
tree moved >"$T/copy"
same "mv" "$T/copy" "$T/tree"
inside 'cp -a moved cp-inside'
tree cp-inside >"$T/copy"
same "cp -a in the container" "$T/copy" "$T/tree"
inside 'rsync -aHXA moved/ rsync-inside/'
tree rsync-inside >"$T/copy"
same "rsync -aHXA in the container" "$T/copy" "$T/tree"
inside 'rm t.tar; tar --xattrs --xattrs-include="*" --acls --numeric-owner -cf t.tar -C moved . &&
	mkdir tar-inside && tar --xattrs --xattrs-include="*" --acls --numeric-owner -xpf t.tar -C tar-inside'
tree tar-inside >"$T/copy"
same "tar in the container" "$T/copy" "$T/tree"
is "nothing on disk is setuid" "$(find "$src" -perm /6000 -type f)" ""
is "nor has a capability" "$(getcap -r "$src")" ""

# --- malformed records -----------------------------------------------------

# What each must not do: end the daemon, hide the file, show an id of its own.
host 'echo text >victim; mkdir victims; ln -s x victim-link'
cat >"$T/malformed" <<'EOF'
:
::
:::
::::
0
0:
0:0
0:0:
5:5:
5:5::file
5:5:08:file
5:5:0x1ff:file
5:5:-1:file
-1:-1:0644:file
+5:5:0644:file
 5:5:0644:file
5.0:5:0644:file
5e1:5:0644:file
4294967295:5:0644:file
5:4294967295:0644:file
4294967296:5:0644:file
18446744073709551621:5:0644:file
5:18446744073709551621:0644:file
999999999999999999999999999999999999999:5:0644:file
5:5:37777777777:file
5:5:777777777777777777777777:file
x:x:x:x
%n%n:%s:0644:file
../../..:5:0644:file
EOF
while IFS= read -r text; do
	host "setfattr -n $xattr -v '$text' victim; setfattr -n $xattr -v '$text' victims"
	[[ $(view 'victim victims' | xargs) == "0:0 644 0:0 755" ]] ||
		note "'$text' shows as $(view 'victim victims' | xargs)"
done <"$T/malformed" >"$T/wrong"
is "malformed records are ignored" "$(cat "$T/wrong")" ""
# A reader may be tolerant of these; never of more than they say.
for text in 5:5:0644:file:more 5:5:0644:nosuch 5:5:0644:symlink \
	5:5:0644:block-8:0 5:5:00000000644:file '5:5:0644:file ' \
	5:5:177777:file 5:5:7777:file 5:5:0644:FILE; do
	host "setfattr -n $xattr -v '$text' victim"
	like "'$text' does no harm" "$(view victim)" '^(5:5|0:0) 644$'
done
for text in 5:5:0644 5:5:0100644:file x:5:0644:file; do
	host "setfattr -n $xattr -v '$text' victim"
	view victim
done >"$T/tolerant"
is "the tolerant forms" "$(xargs <"$T/tolerant")" "5:5 644 5:5 644 0:5 644"
ok "the file can be read as ever" inside 'cat victim && ls victims && stat victim-link'

hostile() { # DESCRIPTION HEX-VALUE
	host "setfattr -n $xattr -v 0x$2 victim 2>/dev/null"
	is "a record of $1" "$(view victim)" "0:0 644"
}
hostile "zeroes" "$(printf '00%.0s' {1..64})"
hostile "0xff" "$(printf 'ff%.0s' {1..64})"
hostile "a newline at its front" "$(printf '\n5:5:0644:file' | od -An -tx1 | tr -d ' \n')"
hostile "3,000 digits" "$(printf '35%.0s' {1..3000})"
hostile "3,000 colons" "$(printf '3a%.0s' {1..3000})"
hostile "nothing" ""
random=0
for i in $(seq 100); do
	value=$(head -c $((RANDOM % 40 + 1)) /dev/urandom | od -An -tx1 | tr -d ' \n')
	host "setfattr -n $xattr -v 0x$value victim" 2>/dev/null
	[[ $(view victim) == "0:0 644" ]] || random=$((random + 1))
done
is "100 random ones" "$random" 0
host "setfattr -x $xattr victim; setfattr -x $xattr victims"

# Our other names.
for name in user.idshift.acl_access user.idshift.acl_default \
	user.idshift.capability user.idshift.nosuch; do
	for value in 0x 0x00 0x02000000 0x02000000ffffffffffffffff \
		0x0200000001000700ffffffff 0x"$(printf '02000000%.0s' {1..500})" \
		0x"$(head -c 900 /dev/urandom | od -An -v -tx1 | tr -d ' \n')"; do
		host "setfattr -n $name -v $value victim; setfattr -n $name -v $value victims" 2>/dev/null
		inside 'getfacl victim victims; getcap victim; ls -l victim
			getfattr -d -m - victim; cat victim; echo text >victim
			touch victims/x; rm victims/x' >/dev/null 2>&1
		[[ $(view victim) == "0:0 644" ]] ||
			is "$name=${value:0:60}" "$(view victim)" "0:0 644"
	done
	host "setfattr -x $name victim; setfattr -x $name victims" 2>/dev/null
done
is "values of our other names" "$(view victim)" "0:0 644"
ok "the mount still answers" inside 'ls -l . victims && getfacl victim'
ok "setting an owner makes it well again" inside 'chown 5:5 victim victims'
is "it shows" "$(view 'victim victims' | xargs)" "5:5 644 5:5 755"

# --- a colleague who may write a file --------------------------------------

host 'cp /bin/id tool && chmod 755 tool && setfacl -m u:mia:rwx tool
	cp /bin/id grouped && chgrp shared grouped && chmod 775 grouped'
forge() { # FILE RECORD
	as mia setfattr -n "$xattr" -v "$2" "$src/$1"
}
for file in tool grouped; do
	ok "mia forges a root's setuid record, $file" forge $file 0:0:04775:file
	is "on disk nothing is setuid" "$(stat -c '%U %a' "$src/$file")" "sergio 775"
	is "a user of the container gains nothing by it" \
		"$(user 1000 "./$file -u")" 1000
	fails 1 "nor does one of the host" as mia sh -c "'$mnt/$file' -u | grep -x '0\|1000'"
	inside "chown 0:0 $file; chmod u+x $file; chmod o+r $file"
	is "nor is it after changes of it" "$(find "$src/$file" -perm /6000)" ""
done
forge tool 1000:1000:0777:file
inside 'cat tool' >/dev/null
like "a forged mode opens nothing on disk" "$(stat -c %A "$src/tool")" '^-rwxrwxr-x'
ok "unmount" umount_fs sergio "$mnt"
is "nothing on disk is setuid at the end" "$(find "$src" -perm /6000 -type f)" ""
