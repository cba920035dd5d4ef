#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# What each cache= promises: when a change made beside the mount shows in it,
# and when the source has what was written through it.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command python3

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt second=$T/home/sergio/second
as sergio mkdir "$mnt" "$second"

inside() { # COMMAND: its output, run by the mounting user in the mount
	as sergio bash -c "cd '$mnt' && $1" 2>&1
}
host() {
	as sergio bash -c "cd '$src' && $1"
}

# see NAME WANTED COMMAND: at once with cache=none, within a second with auto.
see() {
	local end=$((SECONDS + 3)) got
	got=$(inside "$3")
	if [[ $mode == auto ]]; then
		while [[ $got != "$2" ]] && ((SECONDS < end)); do
			sleep 0.1
			got=$(inside "$3")
		done
	fi
	is "$mode: $1" "$got" "$2"
}

host_edits() {
	host 'rm -rf ./*; echo one >f; echo gone >g; mkdir d'
	# All of it is known to the kernel before it changes.
	inside 'cat f g; stat f g d; ls -l . d; ls new' >/dev/null
	host 'echo two words >f'
	see "content" "two words" 'cat f'
	host 'echo longer than before >>f'
	see "size" 29 'stat -c %s f'
	host 'chmod 600 f'
	see "mode" 600 'stat -c %a f'
	host 'echo new >new; rm g; echo sub >d/sub'
	see "a new name" new 'cat new'
	see "a name that is gone" "no" 'test -e g || echo no'
	inside 'for i in 1 2 3 4 5; do test -e often; done'
	host 'echo made >often'
	see "a name that was often asked for" made 'cat often'
	# Who has the lock sees what was made under it.
	inside 'mkdir l; flock l/file true; for i in 1 2 3 4 5; do test -e l/journal; done'
	host 'echo made >l/journal'
	is "$mode: one beside a file that was locked, at once" \
		"$(inside 'cat l/journal')" made
	see "a listing" sub 'ls d'
	host 'mv new f'
	see "another file under a name" new 'cat f'
	host 'touch -d @1000000000 f'
	see "times" 1000000000 'stat -c %Y f'
}

# Open on both sides: what is written on one is read on the other.
both_sides() {
	host 'truncate -s 8192 m'
	inside 'exec 5<>m; dd bs=10 count=1 <&5 status=none >/dev/null
		printf mount | dd conv=notrunc of=m status=none'
	is "$mode: written, and closed: the host has it" \
		"$(host 'head -c 5 m')" mount
	host 'printf host- | dd conv=notrunc of=m status=none'
	see "opened anew after the host wrote" host- 'head -c 5 m'
	is "$mode: a mapping, synchronized, is on disk" \
		"$(as sergio mapped "$mnt/m" "$src/m" 4096)" \
		"$(as sergio mapped "$src/m" "$src/m" 4096)"
}

# What a mapping of the host's writes need not move any time, from its second
# store on, and on tmpfs never.
host_mapping() { # SOURCE
	as sergio python3 - "$1/mapped" "$mnt/mapped" <<'EOF'
import mmap, os, sys, time

def read():
    with open(sys.argv[2], "rb") as file:
        return file.read(4).decode()

with open(sys.argv[1], "wb") as file:
    file.write(b"zero" * 2048)
fd = os.open(sys.argv[1], os.O_RDWR)
memory = mmap.mmap(fd, 8192)
seen = []
for text in b"one.", b"two.", b"three":
    memory[0:4] = text[0:4]
    time.sleep(1.2)
    seen += [read(), read()]
memory.close()
os.close(fd)
seen += [read(), read()]
print(*seen)
EOF
}

two_mounts() {
	mount_fs sergio "$src" "$second" -o "cache=$mode" || exit 1
	inside 'echo first >two; cat two' >/dev/null
	as sergio sh -c "cat '$second/two' && echo second >>'$second/two'" \
		>"$T/out"
	is "$mode: another mount sees what was closed" "$(cat "$T/out")" first
	see "and this one what the other appended" $'first\nsecond' 'cat two'
	ok "unmount" umount_fs sergio "$second"
	daemon=$first
}

for mode in none auto; do
	mount_fs sergio "$src" "$mnt" -o "cache=$mode" || exit 1
	first=$daemon
	host_edits
	both_sides
	is "$mode: a mapping of the host's, opened anew" \
		"$(host_mapping "$src")" \
		"one. one. two. two. thre thre thre thre"
	two_mounts
	ok "unmount" umount_fs sergio "$mnt"
done

# --- closing ---------------------------------------------------------------

# flushes MOUNT-OPTION: how many 100 times of open and close ask for.
flushes() {
	mount_fs sergio "$src" "$mnt" -d -o "$1" || exit 1
	inside 'echo x >c; cat c' >/dev/null
	inside 'for i in {1..100}; do exec 3<c; exec 3<&-; done'
	ok "$1: unmount" umount_fs sergio "$mnt"
	flushes=$(grep -c 'opcode: FLUSH' "$daemon_log")
}
flushes locks=host
ok "host's locks: closing a file gives them back" test "$flushes" -ge 100
flushes locks=local
is "local locks: only the first close(2) asks" "$flushes" 1

# --- always: the kernel keeps what was written -----------------------------

mode=always
mount_fs sergio "$src" "$mnt" -o cache=always || exit 1
host 'rm -rf ./*'
# The daemon's own count of its calls says that the kernel keeps it.
writes() {
	inside 'dd if=/dev/zero of=w bs=1 count=2000 status=none'
}
before=$(awk '/^syscw/ { print $2 }' "/proc/$daemon/io")
writes
after=$(awk '/^syscw/ { print $2 }' "/proc/$daemon/io")
ok "2,000 small writes are few requests" test $((after - before)) -lt 500
is "closed: the source has it" "$(host 'stat -c %s w')" 2000
is "fsync: the source has it while it is open" "$(inside \
	"exec 3>s; printf synced >&3; sync s; cat '$src/s'")" synced
is "append, by two at a time" "$(inside 'exec 3>>a 4>>a; printf 1 >&3
	printf 2 >&4; printf 3 >&3; cat a; exec 3>&- 4>&-')$(host 'cat a')" 123123
is "a write-only handle, in the middle of a page" "$(inside \
	"printf 0123456789 >'$src/p'; printf ab | dd of=p bs=1 seek=4 conv=notrunc status=none; cat p")" 0123ab6789
is "times are those of the write" "$(inside 'echo t >t; touch -d @1000000000 t
	echo u >>t; test $(stat -c %Y t) -gt 1000000000 && echo later
	touch -d @1200000000 t; stat -c %Y t')$(host 'stat -c " %Y" t')" \
	$'later\n1200000000 1200000000'
is "holes: all is told as data" "$(inside 'truncate -s 1M h; printf x |
	dd of=h bs=1 seek=70000 conv=notrunc status=none; cp --sparse=auto h h2
	cmp h h2 && echo same')" same
ok "unmount" umount_fs sergio "$mnt"

# A disk that is full in the middle of a write-back: who asks is told.
full=$T/home/sergio/full
as sergio mkdir "$full"
mount -t tmpfs -o size=300k,mode=700,uid=1000,gid=1000 full "$full"
mount_fs sergio "$full" "$mnt" || exit 1
is "auto: a mapping of the host's on tmpfs" "$(host_mapping "$full")" \
	"one. one. two. two. thre thre thre thre"
rm "$full/mapped"
ok "unmount" umount_fs sergio "$mnt"
for mode in always auto; do
	mount_fs sergio "$full" "$mnt" -o "cache=$mode" || exit 1
	as sergio python3 - "$mnt" "$mode" >"$T/out" 2>&1 <<'EOF'
import errno, mmap, os, sys

def result(call, *arguments):
    try:
        call(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]

fd = os.open(sys.argv[1] + "/big", os.O_CREAT | os.O_RDWR)
size = 500000  # one request, of which a part has room
if sys.argv[2] == "always":
    os.pwrite(fd, b"x" * size, 0)
    print(result(os.fsync, fd))
else:
    os.ftruncate(fd, size)
    memory = mmap.mmap(fd, size)
    memory[:] = b"x" * size
    print(result(memory.flush))
EOF
	is "$mode: no room for what was written" "$(cat "$T/out")" ENOSPC
	as sergio rm -f "$full/big"
	ok "unmount" umount_fs sergio "$mnt"
done
umount "$full"

# Who has no id in the container, and what the kernel writes back for others.
mode=always
mount_fs sergio "$src" "$mnt" -o cache=always || exit 1
inside 'rm -rf ./*; echo a container >t; chmod 606 t; echo x >s; chmod 2606 s'
for file in t s; do
	fails 1 "root of the host truncates $file" python3 -c \
		"import os; os.truncate('$mnt/$file', 1)"
	like "permission is denied" "$output" PermissionError
done
is "nothing is lost, all goes on" "$(inside 'cat t s')" $'a container\nx'
ok "unmount" umount_fs sergio "$mnt"

# The kernel is the judge here too.  (Not of holes: when two ask at a time, all
# is data from then on.)
as sergio mkdir "$T/home/sergio/plain"
plain=$T/home/sergio/plain
mount_fs sergio "$src" "$mnt" -o cache=always || exit 1
userns_start sergio || exit 1
compare() { # WHO NAME
	local program who=("${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups)
	"${ns[@]}" mkdir "$plain/$2" "$mnt/$2"
	"${ns[@]}" chown "$1:$1" "$plain/$2" "$mnt/$2"
	for program in data io names meta; do
		"${who[@]}" "fsops_$program" "$plain/$2" >"$T/plain.out" 2>&1
		"${who[@]}" "fsops_$program" "$mnt/$2" >"$T/mounted.out" 2>&1
		same "fsops_$program, $2" "$T/mounted.out" "$T/plain.out"
	done
}
compare 0 "root"
compare 1000 "user"
ok "unmount" umount_fs sergio "$mnt"
