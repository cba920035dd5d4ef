#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# idshift explain says what the kernel does: a table of callers, operations
# and paths, each done by a process in a user namespace through a mount.
# time-limit: 600
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setpriv setfacl python3

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
options=(-o map=g:shared:2000)
mount_fs sergio "$src" "$mnt" "${options[@]}" -o cache=none || exit 1
userns_start sergio || exit 1
"${ns[@]}" sh -c "cd '$mnt' && umask 022 && mkdir open closed secret sticky own &&
	for d in . open closed secret sticky own; do
		cp /bin/true \$d/prog; echo x >\$d/mine; echo x >\$d/group
		echo x >\$d/none; echo x >\$d/all; echo x >\$d/acl; mkdir \$d/dir
		chown 1000:1000 \$d/mine; chmod 640 \$d/mine
		chown 0:2000 \$d/group; chmod 664 \$d/group
		chmod 000 \$d/none; chmod 666 \$d/all; chmod 711 \$d/prog
		chown 1000:7 \$d/prog; chown 1001:1001 \$d/dir; chmod 730 \$d/dir
		setfacl -m u:1001:rw,u:1000:r,g:7:-,m::r \$d/acl
	done
	chmod 777 open; chmod 755 closed; chmod 700 secret; chmod 1777 sticky
	chown 1000:2000 own; chmod 770 own; ln -s open/mine link; ln -s ../open open/back
	ln -s all sticky/link
	mkdir open/new; rmdir open/new; chown 1000 secret/none" || exit 1
mkdir "$src/foreign"
echo x >"$src/foreign/file"
chmod 755 "$src/foreign"
echo x >"$src/open/foreign"
chmod 664 "$src/open/foreign"
chown 0:2000 "$src/open/foreign"
cp "$src/open/foreign" "$src/sticky/foreign"

callers="0:0 1000:1000 1001:1001 1001:1001:2000 1001:1001:7 5:5"
paths=". link"
for d in . open closed secret sticky own; do
	for name in mine group none all acl prog dir; do
		paths+=" $d/$name"
	done
done
paths+=" own foreign foreign/file open/foreign sticky/foreign open/back/all open/back/mine open/../all"
paths+=" nothing open/nothing closed/new open/new sticky/new foreign/new"
paths+=" own/new secret/new all/new"

# A verdict each: yes or no.  A rename to and fro asks what a removal asks.
cat >"$T/do" <<'EOF2'
cd "$1" || exit
paths=$2
try() {
	if "$@" >/dev/null 2>&1; then v=yes; else v=no; fi
}
remove() {
	mv -T -- "$1" "$1.moved" && mv -T -- "$1.moved" "$1"
}
for p in $paths; do
	try sh -c ': <"$0"' "$p"; echo "read $p $v"
	if [ ! -d "$p" ]; then
		try sh -c '[ -e "$0" ] || exit 1; : >>"$0"' "$p"; echo "write $p $v"
	fi
	try chmod --reference="$p" "$p"; echo "chmod $p $v"
	try chown "$((ME + 1))" "$p"; echo "chown $p $v"
	case $p in
	*/prog) try "./$p"; echo "exec $p $v" ;;
	esac
	try ls -U "$p/."; echo "list $p $v"
	try cd "$p"; [ "$v" = no ] || cd "$1"; echo "traverse $p $v"
	case $p in
	.) ;;
	*)
		try mkdir "$p"; echo "create $p $v"
		[ "$v" = no ] || rmdir "$p"
		[ -L "$p" ] || { try remove "$p"; echo "delete $p $v"; }
	;;
	esac
done
EOF2
cat >"$T/ask" <<'EOF2'
cd "$1" || exit
while read -r op p rest; do
	idshift explain --as="$2" -o map=g:shared:2000 "$op" "$p" >/dev/null 2>>"$3"
	case $? in
	0) echo "$op $p yes" ;;
	1) echo "$op $p no" ;;
	*) echo "$op $p cannot" ;;
	esac
done
EOF2
chmod 755 "$T/do" "$T/ask"

for caller in $callers; do
	IFS=: read -r uid gid groups <<<"$caller"
	if [[ $uid == 0 ]]; then
		become_it=()
	else
		become_it=(setpriv --reuid "$uid" --regid "$gid"
			"${groups:+--groups=$groups}")
		[[ -n $groups ]] || become_it[5]=--clear-groups
	fi
	# root gives nothing away: what it changes would be another tree.
	paths_now=$paths
	"${ns[@]}" env ME="$uid" "${become_it[@]}" sh "$T/do" "$mnt" \
		"$paths_now" 2>"$T/log/do" | if [[ $uid == 0 ]]; then
		grep -v '^chown '
	else
		cat
	fi >"$T/wanted"
	as sergio bash "$T/ask" "$src" "$caller" "$T/log/ask-$uid" \
		<"$T/wanted" >"$T/got"
	same "$caller: $(grep -c ' yes$' "$T/wanted") allowed, $(grep -c " no$" \
		"$T/wanted") not" "$T/got" "$T/wanted"
	[[ $uid != 0 ]] || "${ns[@]}" sh -c "cd '$mnt' && chown -hR --from=1 0 ." 2>/dev/null
done

# What it says.
explain() {
	as sergio idshift explain --source="$src" "${options[@]}" "$@"
}
fails 1 "a component that denies" explain --as=1001:1001 read "$src/secret/all"
like "which" "$output" "at '$src/secret', which shows as 0:0 0700"
like "the rule" "$output" "neither the owner nor in a group"
like "the remedy" "$output" "idshift chmod -o map=g:shared:2000 o[+]x '$src/secret'"
fails 1 "a lost group" explain --as=1001:1001 write "$src/own/group"
like "names the group" "$output" 'podman run --group-add 2000'
fails 0 "with it" explain --as=1001:1001:2000 write "$src/own/group"
fails 1 "a sticky directory" explain --as=1001:1001 delete "$src/sticky/all"
like "where to take that from" "$output" \
	"idshift chmod -o map=g:shared:2000 -t '$src/sticky'$"
fails 1 "a sticky directory's link" explain --as=1001:1001 delete \
	"$src/sticky/link"
like "the link itself" "$output" \
	"idshift chown -h -o map=g:shared:2000 1001 '$src/sticky/link', or"
remedy=${output#*the owner with: }
ok "its remedy" as sergio bash -c "${remedy%%, or*}"
fails 0 "was one" explain --as=1001:1001 delete "$src/sticky/link"
is "what it leads to has its owner" "$("${ns[@]}" stat -c %u "$mnt/sticky/all")" 0
fails 1 "chown of a link" explain --as=5:5 chown=9:9 "$src/link"
like "is of what it leads to" "$output" \
	"idshift chown -o map=g:shared:2000 9:9 '$src/open/mine'"
fails 1 "another's file" explain --as=0:0 chown "$src/foreign/file"
like "has no id" "$output" 'has no id in the container'
like "what would mend that" "$output" 'chown -h 1000'
fails 1 "another's file, to write" explain --as=0:0 write "$src/foreign/file"
like "what would mend that" "$output" '--map=u:0:ID'
fails 1 "another's file, to its owner" explain --as=0:0:5 -o map=u:0:7 \
	chmod "$src/foreign/file"
like "no chown of ours would do" "$output" 'as root: chown -h 1000'
fails 1 "a file to give away" explain --as=5:5 chown=9:9 "$src/mine"
like "its owner couldn't either" "$output" \
	"idshift chown -o map=g:shared:2000 9:9 '$src/mine'"
fails 0 "a capability" explain --as=5:5 --cap=cap_chown chown=9:9 "$src/mine"
fails 1 "none" explain --as=0:0 --cap=none chown=9:9 "$src/mine"
fails 1 "read-only" explain --as=0:0 -o ro write "$src/mine"
like "says so" "$output" 'mount without ro'
fails 1 "chown=deny" explain --as=0:0 -o chown=deny chown "$src/mine"
like "says so" "$output" 'mount without chown=deny'
# JSON says the same, and what is missing is all that is added.
as sergio sh -c "mkdir '$src/g' && chgrp shared '$src/g' && chmod 2750 '$src/g'"
fails 1 "no w and no x for others" explain --as=5:5 create "$src/secret/new"
like "one command mends both" "$output" 'idshift chmod .*o[+]wx '
fails 1 "no w for the group" explain --as=5:2000 create "$src/g/new"
like "w is added" "$output" "idshift chmod -o map=g:shared:2000 g[+]w '$src/g'"
text=$output
fails 1 "denied, as JSON" explain --json --as=5:2000:7 create "$src/g/new"
json() { # FILTER WANTED
	is "$1" "$(jq -c "$1" <<<"$output")" "$2"
}
if command -v jq >/dev/null; then
	json '[.allowed, .operation, .uid, .gid, .error]' \
		'[false,"create",5,2000,"EACCES"]'
	json '[.path, .at.path]' "[\"$src/g/new\",\"$src/g\"]"
	json '[.at.uid, .at.gid, .at.mode]' '[0,2000,"2750"]'
	is "rule and remedy" \
		"$(jq -r '.why, "to mend it, " + .mend' <<<"$output")" \
		"$(sed -n '2s/^[^:]*:[^:]*: //p; 3s/^ *//p' <<<"$text")"
	fails 0 "allowed, as JSON" explain --json --as=0:0 create "$src/g/new"
	json '[.allowed, .error, .mend]' '[true,null,null]'
	as sergio touch "$src/"$'\xff'
	fails 0 "a name that isn't UTF-8" explain --json --as=0:0 read \
		"$src/"$'\xff'
	json .at.path "\"$src/?\""
	as sergio rm "$src/"$'\xff'
else
	like "denied" "$output" '"allowed": false'
fi
rmdir "$src/g"

# The kernel's own error, also where permissions are not what it is about.
cat >"$T/try.py" <<'EOF2'
import errno, os, sys
def probe(path, flags):
    os.close(os.open(path, flags | os.O_NONBLOCK))
def execute(path):
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(path, [path])
        except OSError as e:
            os._exit(e.errno)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, "")
def delete(path):
    try:
        os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
    except OSError as e:
        if e.errno != errno.ENOTEMPTY:
            raise
calls = {
    "read": lambda p: probe(p, os.O_RDONLY),
    "write": lambda p: probe(p, os.O_RDWR),
    "exec": execute,
    "chown": lambda p: os.chown(p, 0, 0),
    "chmod": lambda p: os.chmod(p, 0o777),
    "create": os.mkdir,
    "delete": delete,
}
os.chdir(sys.argv[1])
for line in sys.stdin:
    op, path = line.split()
    try:
        calls[op](path)
        print(op, path, 0)
    except OSError as e:
        print(op, path, errno.errorcode[e.errno])
EOF2
as sergio sh -c "mkdir '$src/kinds' && cd '$src/kinds' && mkdir -m 777 d &&
	cp /bin/true f && mkfifo p && chmod 777 f p && ln -s d dl && ln -s f fl &&
	ln -s f/ fs && ln -s d/ ds && ln -s dl dll && ln -s p pl && ln -s none nl"
kinds=
for path in d f p dl fl fs ds dll pl nl none; do
	for op in read exec chown chmod create; do
		kinds+="$op $path"$'\n'"$op $path/"$'\n'
	done
	kinds+="write $path/"$'\n'
	[[ $path == d* ]] || kinds+="write $path"$'\n'
done
kinds=$(grep -v -e '^create none' -e '^write d' <<<"$kinds")
compare_kinds() { # WHAT [OPTION...]
	local what=$1 op path
	shift
	"${ns[@]}" python3 "$T/try.py" "$mnt/kinds" <<<"$kinds" >"$T/wanted"
	while read -r op path; do
		output=$(as sergio idshift explain --source="$src/kinds" \
			--as=0:0 "$@" "$op" "$src/kinds/$path")
		case $output in
		allowed*) echo "$op $path 0" ;;
		*) sed -n 's/^denied.*: \(E[A-Z]*\) (.*/'"$op ${path//\//\\/}"' \1/p' \
			<<<"$output" ;;
		esac
	done <<<"$kinds" >"$T/got"
	same "$what" "$T/got" "$T/wanted"
}
compare_kinds "all kinds of objects"
kinds+=$(printf '\ndelete %s' f/ p/ dl/ fl/ fs/ nl/ none none/ d/x)
compare_kinds "and what can't be deleted"
kinds+=$(printf '\ndelete %s' d f p dl fl d/ dll; printf '\ncreate %s' new new/)
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" "${options[@]}" -o ro,cache=none || exit 1
compare_kinds "read-only" -o ro
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" "${options[@]}" -o cache=none || exit 1
rm -r "$src/kinds"

# With an ACL the mode's group bits are its mask.
"${ns[@]}" sh -c "cd '$mnt/open' && echo x >masked && chown 5:7 masked &&
	setfacl -m u:9:r,u:10:x,g::r,m::rw masked"
ask() {
	as sergio sh -c 'cd "$0" && exec idshift explain "$@" open/masked' \
		"$src" "$@"
}
paste() { # CALLER WANTED-REMEDY: of a denied write
	fails 1 "$1 may not write" ask --as="$1" write
	is "the remedy" "${output##*$'\n'}" \
		"  to mend it, in the container, run: $2 'open/masked'"
	ok "can be run" "${ns[@]}" sh -c "cd '$mnt' && $2 open/masked"
	fails 0 "$1 may" ask --as="$1" write
}
fails 1 "not in the group" ask --as=1000:1000 write
is "nor would the group do" "${output#*group-add}" "$output"
paste 1000:7 "setfacl -m g::rw,m::rw"
fails 1 "not in the group" ask --as=1000:1000 write
like "now it would do" "$output" 'podman run --group-add 7'
fails 0 "in it" ask --as=1000:1000:7 write
paste 9:9 "setfacl -m u:9:rw,m::rw"
fails 1 "nobody else gains by it" ask --as=10:10 read
"${ns[@]}" setfacl -m m::r "$mnt/open/masked"
paste 9:9 "setfacl -m m::rw"
"${ns[@]}" chmod g= "$mnt/open/masked"
paste 1000:7 "setfacl -m g::rw,m::w"
rm "$src/open/masked"

# Names are the container's choice: a remedy can be pasted all the same.
cd "$src" || exit
"${ns[@]}" mkdir "$mnt/names"
for name in "e'\$(touch PWNED)'" "'; touch PWNED; '" -x -R $'new\nline' \
	$'tab\t\e[2J' $'\xff\xc3' $'\xc2\x85' $'\xed\xa0\x80' 'ä€😀!!' \
	'back\slash"`touch PWNED`' "\$'\\''\\047touch PWNED"; do
	"${ns[@]}" sh -c 'cd "$0" && echo x >"./$1" && chmod 600 "./$1" &&
		ln -sf -- "$1" nice' "$mnt/names" "$name"
	ask=(as sergio sh -c 'cd names && exec idshift explain "$@"' -)
	fails 1 "a name of the container's" "${ask[@]}" --as=5:5 read nice
	remedy=${output##*change it with: }
	ok "its remedy: $remedy" as sergio bash -c "cd names && $remedy"
	fails 0 "was one" "${ask[@]}" --as=5:5 read nice
	is "on the disk too" "$(stat -c %a "names/$name")" 604
	chmod 600 "names/$name"
	command -v jq >/dev/null || continue
	fails 1 "as JSON" "${ask[@]}" --json --as=5:5 read nice
	is "the same remedy" \
		"$(jq -r .mend <<<"$output" | sed 's/.*change it with: //')" \
		"$remedy"
done
is "nothing else was run" "$(find . -name PWNED)" ""
rm -r names
cd "$T" || exit

fails 2 "no caller" explain read "$src/mine"
fails 2 "an unknown operation" explain --as=0:0 fly "$src/mine"
fails 2 "an unknown capability" explain --as=0:0 --cap=fly read "$src/mine"
fails 2 "not below the source" explain --as=0:0 read /etc/passwd
fails 2 "as the container names it" explain --as=0:0 read own/mine
like "says how to name it" "$output" "did you mean '$src/own/mine'"
fails 2 "a path in a mount" as sergio sh -c \
	"cd '$T/home/sergio' && idshift explain --as=0:0 read mnt/own/mine"
like "has no records" "$output" \
	"'mnt': it is inside a mount of idshift-mount; name it in the source, '$src'"
fails 2 "a mount as the source" as sergio idshift explain --as=0:0 \
	--source="$mnt" read "$mnt/own/mine"
like "neither" "$output" "$mnt': it is inside a mount of idshift-mount"
fails 2 "out of the mount" explain --as=0:0 read "$src/../x"
fails 2 "an id that the container lacks" explain --as=70000:0 read "$src/mine"
like "says so" "$output" "uid '70000': the container has no such uid"
rm -r "$src/foreign" "$src/open/foreign" "$src/sticky/foreign"
kill "$userns"
wait "$userns" 2>/dev/null
ok "unmount" umount_fs sergio "$mnt"
