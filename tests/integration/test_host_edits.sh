#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# What the host does to the source while it is mounted: it shows in the mount
# within the cache's second, and it is what counts.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command nsenter setfattr python3

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
xattr=user.containers.override_stat
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" -o map=g:shared:2000 || exit 1
first=$daemon

inside() {
	"${ns[@]}" sh -c "cd '$mnt' && $1"
}
user() { # UID:GID COMMAND: one of the container's users
	"${ns[@]}" setpriv --reuid "${1%:*}" --regid "${1#*:}" --clear-groups \
		sh -c "cd '$mnt' && $2"
}
host() {
	as sergio sh -c "cd '$src' && $1"
}
view() {
	"${ns[@]}" stat -c "${2-%u:%g %a}" "$mnt/$1" 2>&1 | sed 's/.*: //'
}
shows() { # PATH WANTED [FORMAT]
	[[ $(view "$1" "${3-%u:%g %a}") == "$2" ]]
}
record() {
	as sergio getfattr --only-values -n "$xattr" "$src/$1" 2>/dev/null
}
# soon DESCRIPTION PATH WANTED [FORMAT]: within 2 s.
soon() {
	wait_for 2 shows "${@:2}"
	is "$1" "$(view "$2" "${4-%u:%g %a}")" "$3"
}

inside 'mkdir d sub && umask 0 && for f in a b c d/f g g2 g3 other; do echo x >$f; done
	chown 5:6 a b d/f d; chmod 640 a; chmod 2711 d'
is "as the container made it" "$(view a) $(view d)" "5:6 640 5:6 2711"

# --- modes and groups ------------------------------------------------------

host 'chmod 604 a'
soon "a host's chmod wins over the record" a "5:6 604"
host 'chmod 640 a'
soon "and the next" a "5:6 640"
inside 'chmod 4751 a'
is "the container's own chmod counts after it" "$(view a)" "5:6 4751"
host 'chmod 700 a'
soon "a host's chmod ends setuid, too" a "5:6 700"
host 'chmod 755 d'
soon "a directory's" d "5:6 755"
inside 'chown 1000:2000 g && chmod 660 g && chown 5:0 g2 && chgrp 7 g3'
is "a mapped group is on disk" "$(stat -c '%U:%G %a' "$src/g")" "sergio:shared 660"
host 'chgrp sergio g'
soon "a host's chgrp away from it" g "1000:0 660"
host 'chgrp shared g2'
soon "a chgrp to a mapped group wins over a recorded one" g2 "5:2000 666"
inside 'chown 6 g2'
is "also for the next record" "$(record g2)" 6:2000:0666:file
host 'chgrp sergio g2'
soon "and away again" g2 "6:0 666"
# Nothing on disk ever said 7, so nothing there says that it is over.
host 'chgrp shared g3'
soon "a group that only the container has stays" g3 "0:7 666"
chown root "$src/other"
soon "a file that becomes another's" other "65534:0 666"
fails 1 "is not the container root's to change" inside 'chmod 600 other'
chown sergio "$src/other"
soon "and mine again" other "0:0 666"

# --- names -----------------------------------------------------------------

inside 'cat b d/f; stat nothing-yet' >/dev/null 2>&1
host 'mv b moved'
soon "a rename on the host takes the record along" moved "5:6 666"
soon "the old name is gone" b "No such file or directory"
host 'mv d/f f2 && mv d d2'
soon "a move to another directory" f2 "5:6 666"
soon "a directory's rename" d2 "5:6 755"
host 'ln f2 hard'
soon "a hard link" hard "5:6 666 2" "%u:%g %a %h"
host 'rm hard'
soon "shows as gone in its other name" f2 "1" %h
host 'echo later >nothing-yet'
soon "a name that did not exist" nothing-yet "0:0 644"
host 'rm moved && mkdir moved'
soon "a file replaced by a directory" moved "directory 0:0 755" "%F %u:%g %a"
inside 'chown 5:6 c && cat c' >/dev/null
host 'echo new >c.new && mv c.new c'
soon "a file renamed over another" c "0:0 644"
inside 'chown 5:6 c'
host 'rm c && ln -s f2 c'
soon "replaced by a symlink" c "symbolic link 0:0" "%F %u:%g"
host 'rm c'
soon "deleted" c "No such file or directory"
host 'rm -r moved; for i in 1 2 3; do echo >sub/$i; done'
names() {
	[[ $(inside 'echo sub/*') == "$1" ]]
}
ok "new names in a listing" wait_for 2 names "sub/1 sub/2 sub/3"
host 'rm sub/2; mv sub/3 sub/4'
ok "and those that went" wait_for 2 names "sub/1 sub/4"

# --- data ------------------------------------------------------------------

holds() {
	[[ $(inside "cat $1") == "$2" ]]
}
inside 'echo 1234567 >data && cat data' >/dev/null
host 'echo ab >data'
ok "what the host writes, shorter" wait_for 2 holds data ab
host 'echo abcdefghij >data'
ok "and longer" wait_for 2 holds data abcdefghij
host 'printf X | dd of=data bs=1 seek=3 conv=notrunc status=none'
ok "and in place, of the same size" wait_for 2 holds data abcXefghij
inside 'exec 3<data; read -r line <&3; sleep 3; cat data' >"$T/open" &
reader=$!
sleep 0.5
host 'printf Y | dd of=data bs=1 seek=3 conv=notrunc status=none'
wait "$reader"
is "also by who holds it open" "$(cat "$T/open")" abcYefghij
host 'touch -d "2001-02-03 04:05:06.789 UTC" data'
soon "times" data "981173106" %Y
host 'setfattr -n user.mine -v host data'
value() {
	[[ $(inside "getfattr --only-values -n user.mine data") == "$1" ]]
}
ok "extended attributes" wait_for 2 value host

# --- numbers used again ----------------------------------------------------

inside 'mkdir many && cd many && for i in $(seq 60); do echo >f$i; mkdir d$i
	ln -s x l$i; mkfifo p$i; done; chown -h 5:6 f* d* l* p*; chmod 4700 f*'
is "their owners" "$(inside 'stat -c %u:%g many/* | sort | uniq -c | xargs')" "240 5:6"
for round in 1 2 3; do
	host 'rm -r many/* && cd many && for i in $(seq 80); do mkfifo p$i; ln -s y l$i
		echo >f$i; mkdir d$i; done'
	sleep 1.2
	is "no record comes back with an inode's number, $round" \
		"$(inside 'stat -c %u:%g many/* | sort | uniq -c | xargs')" "320 0:0"
	is "nor a mode" "$(inside 'stat -c %a many/f* | sort -u')" 644
	inside 'chown -h 5:6 many/*'
done

# --- a container that uses what the host removes ---------------------------

inside 'echo text >held; exec 3<>held; sleep 1.5; stat -L -c "%u:%g %h" /proc/self/fd/3
	chown 7:8 /proc/self/fd/3; stat -L -c "%u:%g %h" /proc/self/fd/3; cat <&3' \
	>"$T/held" 2>&1 &
reader=$!
wait_for 2 test -s "$src/held"
host 'rm held'
wait "$reader"
is "an open file without a name stays whole" "$(xargs <"$T/held")" "0:0 0 7:8 0 text"
inside 'echo text >held; sleep 1.5; cat held >/dev/null; exec 3<held; sleep 1.5
	stat -L -c "%u:%g %h" /proc/self/fd/3; chown 7:8 /proc/self/fd/3
	stat -L -c "%u:%g %h" /proc/self/fd/3; cat <&3; cat held' >"$T/held" 2>&1 &
reader=$!
wait_for 2 test -s "$src/held"
sleep 1.7
host 'echo new >temporary && mv temporary held'
wait "$reader"
is "nor one that another has replaced" "$(xargs <"$T/held")" "0:0 0 7:8 0 text new"
# An editor's save while somebody has the file open: a new open finds the new.
host 'echo old >edited'
inside 'stat edited >/dev/null; exec 3<edited; sleep 0.5; echo mine >>edited; cat edited' \
	>"$T/edited" 2>&1 &
reader=$!
sleep 0.3
host 'echo new >temporary && mv temporary edited'
wait "$reader"
is "what is opened is what is there, also where another is open" \
	"$(xargs <"$T/edited") $(xargs <"$src/edited")" "new mine new mine"
# The way to it is closed, but not the file.
host 'mkdir way && echo text >way/f'
inside 'exec 3<>way/f; sleep 0.5; stat -L -c %h /proc/self/fd/3
	flock -n 3 && echo locked; cat <&3' >"$T/way" 2>&1 &
reader=$!
sleep 0.3
host 'chmod 000 way'
wait "$reader"
is "an open file without a way to it" "$(xargs <"$T/way")" "1 locked text"
host 'chmod 755 way'
# What a change records on its way counts from then on.
host 'echo text >closed && chmod 400 closed'
inside 'truncate -s 1 closed && ln closed closed2'
is "a mode that is recorded by the way" "$(inside 'stat -c %a closed')" 400
inside 'mkdir cwd && cd cwd && sleep 1.5 && echo x >f; echo $?' >"$T/held" 2>&1 &
reader=$!
wait_for 2 test -d "$src/cwd"
host 'rmdir cwd'
wait "$reader"
like "no creating in a directory that is gone" "$(xargs <"$T/held")" \
	'([Dd]irectory nonexistent|No such file or directory) [12]$'

# --- what bears the same time as before -------------------------------------

inside 'mkdir same && echo one >same/a && touch -d @1000 same/a same'
sleep 0.1
is "a listing and a file are kept" "$(inside 'ls same; cat same/a; ls same; cat same/a' |
	xargs)" "a one a one"
host 'echo two >same/a && echo >same/b && touch -d @1000 same/a same'
sleep 1.2
is "a host's change shows whatever time it sets" \
	"$(inside 'ls same; cat same/a' | xargs)" "a b two"
# Also to who has it open, and heard of the change before he locks it.
inside 'exec 3<same/a; head -c 1 >/dev/null <&3 && sleep 2
	stat same/a >/dev/null; flock -s 3; cat <&3' >"$T/held" 2>&1 &
reader=$!
sleep 0.5
host 'echo x33 | dd of=same/a conv=notrunc status=none; touch -d @1000 same/a'
wait "$reader"
is "and to him who locks it" "$(xargs <"$T/held")" 33

# --- two mounts of a source ------------------------------------------------

userns_mount sergio "$src" "$home/mnt2" || exit 1
second=$daemon
seen() { # MOUNT PATH WANTED
	[[ $("${ns[@]}" stat -c '%u:%g %a' "$1/$2") == "$3" ]]
}
inside 'touch both'
inside 'stat both' >/dev/null
"${ns[@]}" chown 33 "$home/mnt2/both"
inside 'chgrp 44 both'
is "half of a change in each, at once" "$(view both)" "33:44 644"
inside 'stat f2' >/dev/null
ok "stat in the second" seen "$home/mnt2" f2 "5:6 666"
inside 'chown 50:60 f2 && chmod 4711 f2'
ok "a chown in one shows in the other" wait_for 2 seen "$home/mnt2" f2 "50:60 4711"
"${ns[@]}" chown 51:0 "$home/mnt2/f2"
ok "and the other way" wait_for 2 seen "$mnt" f2 "51:0 711"
inside 'ln -s x link; mkfifo fifo; chown -h 3:4 link fifo'
ok "a symlink's, from the database" wait_for 2 seen "$home/mnt2" link "3:4 777"
ok "a fifo's" wait_for 2 seen "$home/mnt2" fifo "3:4 644"
"${ns[@]}" chown -h 9:9 "$home/mnt2/link"
ok "and the other way" wait_for 2 seen "$mnt" link "9:9 777"
for i in $(seq 100); do
	inside "chown $i:1 f2"
done &
for i in $(seq 100); do
	"${ns[@]}" chmod "$((600 + i % 8))" "$home/mnt2/f2"
done
wait $!
sleep 1.2
is "they agree after changes at once" "$(view f2)" \
	"$("${ns[@]}" stat -c '%u:%g %a' "$home/mnt2/f2")"
ok "unmount the second" "${ns[@]}" umount "$home/mnt2"
ok "its daemon ends" wait_for 5 test ! -e "/proc/$second"
daemon=$first
ok "unmount" umount_fs sergio "$mnt"

# --- what is deleted is gone, its space too ----------------------------------

held() { # of what the host deleted
	find "/proc/$daemon/fd" -lname '*/big (deleted)' 2>/dev/null
}

mount_fs sergio "$src" "$mnt" || exit 1
inside 'head -c 100000 /dev/zero >big; chown 7:7 big; cat big >/dev/null'
host 'rm big'
ok "no descriptor keeps a deleted file for long" \
	wait_for 5 sh -c "$(declare -f held); daemon=$daemon; [ -z \"\$(held)\" ]"
ok "all that is unused is closed" \
	wait_for 5 sh -c "[ \"\$(ls /proc/$daemon/fd | wc -l)\" -lt 30 ]"
# Who opens a file gets one, be it replaced again and again meanwhile.
cat >"$T/replace.py" <<'END'
import os, sys, time
os.chdir(sys.argv[1])
end = time.monotonic() + 7
at = 0
while time.monotonic() < end:
    if time.monotonic() > at:
        at = time.monotonic() + 0.05
        with open("other.new", "w") as file:
            file.write(str(at))
        os.rename("other.new", "other")
    with open("swapped.new", "w") as file:
        file.write("text")
    os.rename("swapped.new", "swapped")
    time.sleep(0.001)
END
as_background sergio python3 "$T/replace.py" "$src"
replacing=$!
ok "it is there" wait_for 5 test -e "$src/swapped"
is "opened while the host replaces it" "$("${ns[@]}" python3 - "$mnt/swapped" <<'END'
import sys, time
end = time.monotonic() + 3
errors = set()
while time.monotonic() < end:
    try:
        with open(sys.argv[1]) as file:
            text = file.read()
        if text != "text":
            errors.add(text)
    except OSError as error:
        errors.add(str(error))
print(errors or "no error")
END
)" "no error"
# Nor is another file, which was looked up long before, a removed one for it.
is "another file is a removed one" "$("${ns[@]}" python3 - "$mnt" <<'END'
import os, sys, threading, time
os.chdir(sys.argv[1])
stop = False
def busy():
    while not stop:
        with open("swapped") as file:
            file.read()
thread = threading.Thread(target=busy)
thread.start()
old = 0
for i in range(20):
    os.stat("other")
    time.sleep(0.1)
    # As natively, it may be replaced just then.
    with open("other") as file:
        old += os.fstat(file.fileno()).st_nlink == 0
stop = True
thread.join()
print(old if old > 5 else "hardly ever")
END
)" "hardly ever"
wait "$replacing"
rm "$src/swapped" "$src/other"
ok "unmount" umount_fs sergio "$mnt"

# --- cache=none: at once ---------------------------------------------------

mount_fs sergio "$src" "$mnt" -o cache=none -o map=g:shared:2000 || exit 1
inside 'echo x >now; chown 5:0 now; cat now; chmod 700 now' >/dev/null
at_once() { # DESCRIPTION HOST-COMMAND PATH WANTED [FORMAT]
	view "$3" >/dev/null
	host "$2"
	is "cache=none: $1" "$(view "$3" "${5-%u:%g %a}")" "$4"
}
at_once chmod 'chmod 604 now' now "5:0 604"
at_once chgrp 'chgrp shared now' now "5:2000 604"
at_once rename 'mv now now2' now2 "5:2000 604"
at_once "the old name" true now "No such file or directory"
at_once "write" 'echo longer >now2' now2 7 %s
is "cache=none: its text" "$(inside 'cat now2')" longer
at_once "replace" 'echo n >n; mv n now2' now2 "0:0 644"
at_once "delete" 'rm now2' now2 "No such file or directory"
at_once "create" 'echo x >now2' now2 "0:0 644"
ok "unmount at last" umount_fs sergio "$mnt"
