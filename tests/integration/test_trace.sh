#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# trace=FILE has a line for each denied request, and none for another, as text
# or as JSON; in it: who, what, where, which rule.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
need_command setfattr setfacl python3
user_add nosub 1500 none

source_dir nosub src
src=$dir
home=$T/home/nosub
mnt=$home/mnt
as nosub sh -c "cd '$src' && mkdir shut closed open sticky && chmod 700 shut &&
	chmod 777 open sticky && chmod +t sticky && echo x >shut/f &&
	echo x >closed/f && chmod 600 closed/f && echo x >sticky/f && echo x >sticky/prog &&
	chmod 700 sticky/prog &&
	echo x >open/mine && chmod 777 open/mine && mkdir closed/d"
as nosub idshift chown --userns host -o owner=0:0 1001:1001 "$src/open/mine"
echo x >"$src/open/theirs"
chmod 600 "$src/open/theirs"

traced() { # FILE SHELL-COMMAND: in the mount, as 1001:1001:7
	mount_fs nosub "$src" "$mnt" -o userns=host,owner=0:0 \
		-o "caller=1001:1001:7,trace=$1" || exit 1
	as nosub sh -c "cd '$mnt' && $2" >/dev/null 2>&1
	umount_fs nosub "$mnt"
}

other='The caller is neither the owner nor in a group of the object: the others'"'"' permissions count.'
owner='Only the object'"'"'s owner may do this, and the caller is not.'
# denied SHELL-COMMAND LINE: without the caller, the error and the rule.
denied() {
	local line=${2/ EACCES/ by 1001:1001:7: EACCES: $other}
	line=${line/ EPERM/ by 1001:1001:7: EPERM: ${3-$owner}}
	as nosub rm -f "$home/trace"
	traced "$home/trace" "$1"
	is "$1" "$(cat "$home/trace")" "$line"
}
denied 'stat open/mine && ls open && echo x >open/mine && mkdir open/d && rmdir open/d' ''
denied 'stat shut/f' 'lookup /shut EACCES'
denied 'ls shut' 'list /shut EACCES'
denied 'ls -l .' ''
denied 'cat closed/f' 'open /closed/f EACCES'
denied 'test -r closed/f' 'access /closed/f EACCES'
denied 'touch closed/new' 'create /closed/new EACCES'
denied 'mkdir closed/new' 'mkdir /closed/new EACCES'
denied 'mkfifo closed/new' 'mknod /closed/new EACCES'
denied 'ln -s x closed/new' 'symlink /closed/new EACCES'
denied 'ln open/mine closed/new' 'link /closed/new EACCES'
denied 'ln sticky/f open/new' 'link /sticky/f EPERM' \
	'Only the owner may link to a file that is special, setuid or setgid, or not readable and writable to the caller.'
denied 'rm -f closed/f' 'unlink /closed/f EACCES'
denied 'rmdir closed/d' 'rmdir /closed/d EACCES'
denied 'rm -f sticky/f' 'unlink /sticky/f EPERM' \
	'The directory is sticky: only the owner of the object or of the directory may remove or rename it.'
denied 'mv -f closed/f open/f' 'rename /closed/f EACCES'
denied 'mv -f open/mine closed/mine' 'rename /closed/mine EACCES'
denied 'chmod 777 closed' 'chmod /closed EPERM'
denied 'chown 1001 closed' 'chown /closed EPERM'
denied 'chown 5 open/mine' 'chown /open/mine EPERM' \
	'Nobody may give an object away without CAP_CHOWN.'
denied 'touch -d 2001-01-01 closed' 'utimes /closed EPERM'
denied 'truncate -c -s 0 closed/f' 'open /closed/f EACCES'
denied 'python3 -c "import os; os.truncate(\"closed/f\", 0)"' 'truncate /closed/f EACCES'
denied 'setfattr -n user.x -v y sticky/f' 'setxattr /sticky/f EACCES'
denied 'setfattr -n user.x -v y sticky' 'setxattr /sticky EPERM'
denied 'getfattr -n user.x closed/f' 'getxattr /closed/f EACCES'
denied 'setfacl -m u:5:r closed' 'setfacl /closed EPERM'
denied 'sticky/prog' 'exec /sticky/prog EACCES'
denied 'chmod 777 open/theirs' 'setattr /open/theirs EPERM' \
	'The user who mounted may not do it in the source.'
# No name writes a line of its own.
denied 'mkdir "closed/a
b\\"' 'mkdir /closed/a\012b\134 EACCES'
# Nor does one drive a terminal: CSI as a character and as a byte.
denied 'mkdir "closed/$(printf "\303\244\302\233\233")"' \
	$'mkdir /closed/\303\244\\302\\233\\233 EACCES'

as nosub rm -f "$home/trace.json"
traced "$home/trace.json" 'cat closed/f; mkdir "closed/\"a
b"; mkdir "$(printf "closed/\\377")"; chown 5 closed'
is "JSON" "$(python3 -c '
import json, sys
for line in open(sys.argv[1]):
    d = json.loads(line)
    print(d["op"], ascii(d["path"]), d["uid"], d["gid"], d["groups"], d["error"],
          d["reason"].split(":")[0])' "$home/trace.json")" \
"open '/closed/f' 1001 1001 [7] EACCES The caller is neither the owner nor in a group of the object
mkdir '/closed/\"a\nb' 1001 1001 [7] EACCES The caller is neither the owner nor in a group of the object
mkdir '/closed/?' 1001 1001 [7] EACCES The caller is neither the owner nor in a group of the object
chown '/closed' 1001 1001 [7] EPERM Only the object's owner may do this, and the caller is not."
is "one file for all runs" "$(traced "$home/trace.json" 'cat closed/f'
	wc -l <"$home/trace.json")" 5
ok "a trace under a umask" as nosub sh -c "umask 077 && exec idshift-mount -o \
	'userns=host,caller=5:5,trace=$home/own' '$src' '$mnt'"
as nosub fusermount3 -u "$mnt"
is "is as private" "$(stat -c %a "$home/own")" 600
as nosub mkfifo "$home/fifo"
fails 1 "to a FIFO that nobody reads" as nosub timeout 5 idshift-mount -o \
	"userns=host,caller=5:5,trace=$home/fifo" "$src" "$mnt"
is "says so" "$output" "idshift-mount: trace '$home/fifo': nobody reads it"
# --- a reader that stalls ------------------------------------------------------

# 64 KiB is what the pipe holds.
exec 8<>"$home/fifo"
mount_fs nosub "$src" "$mnt" -o userns=host,owner=0:0 \
	-o "caller=1001:1001,trace=$home/fifo" || exit 1
long=$(printf '%0200d' 0)
many() {
	as nosub timeout 20 sh -c "for i in \$(seq 400); do
		mkdir '$mnt/closed/$long'\$i; done" >"$T/log/many" 2>&1
	grep -c 'Permission denied' "$T/log/many"
}
is "a full FIFO: requests are answered" "$(many)" 400
timeout 1 cat <&8 >"$T/log/read"
as nosub mkdir "$mnt/closed/last" 2>/dev/null
timeout 1 cat <&8 >>"$T/log/read"
is "what was read are whole lines" \
	"$(grep -cvE '^mkdir /closed/.* by 1001:1001: EACCES: |missing' "$T/log/read")" 0
like "the last one too" "$(tail -1 "$T/log/read")" '^mkdir /closed/last '
is "it says how many are missing" \
	"$(awk '/ denials are missing here: /{ n += $1 } END { print n }' "$T/log/read")" \
	"$((401 - $(grep -c '^mkdir' "$T/log/read")))"
is "full again" "$(many)" 400
kill "$daemon"
ok "it ends all the same" timeout 10 tail --pid="$daemon" -f /dev/null
wait "$daemon"
exec 8<&-
# shellcheck disable=SC2016
fails 1 "to a socket" as nosub timeout 5 python3 -c 'import socket, subprocess, sys
a, b = socket.socketpair()
run = subprocess.run(sys.argv[1:], stderr=b)
print(a.recv(1000).decode(), end="")
sys.exit(run.returncode)' idshift-mount -o userns=host,caller=5:5,trace=/dev/stderr \
	"$src" "$mnt"
is "says so too" "$output" "idshift-mount: trace '/dev/stderr': it is a \
socket, which can't be opened; name a file or a FIFO"
rm "$src/open/theirs"
