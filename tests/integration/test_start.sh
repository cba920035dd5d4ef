#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a daemon makes of what it is started with: descriptors that are closed,
# or that it inherits, signals that are blocked, limits, a
# parent that ends.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir
as sergio sh -c "mkdir '$mnt'; echo text >'$src/file'"
bed_mounts+=("$mnt")
mounted() {
	grep -cF " $mnt " /proc/self/mountinfo
}

# --- without standard descriptors ----------------------------------------------

for closed in "0<&-" "1>&-" "2>&-" "0<&- 1>&-" "0<&- 2>&-" "1>&- 2>&-" \
	"0<&- 1>&- 2>&-"; do
	as sergio timeout -k 1 10 sh -c \
		"exec idshift-mount '$src' '$mnt' $closed" 2>"$T/log/closed"
	is "$closed: mounts" "$? $(mounted)" "0 1"
	is "$closed: serves" "$(as sergio timeout 5 cat "$mnt/file" 2>&1)" text
	as sergio timeout 5 sh -c "echo new >'$mnt/new'"
	is "$closed: writes" "$(cat "$src/new")" new
	as sergio fusermount3 -u "$mnt"
	ok "$closed: ends" wait_no_leftovers "$T"
done
fails 5 "an error without standard error" as sergio timeout -k 1 10 \
	sh -c "exec idshift-mount '$src' '$home/none' 2>&-"

# --- with those of others ------------------------------------------------------

# Who holds a lock, and waits for a pipe's end, has them back.
as sergio touch "$home/lock"
# shellcheck disable=SC2016
ok "the parent's are not kept" as sergio timeout 10 sh -c '
	exec 9>"$1/lock" && flock 9 && idshift-mount "$2" "$3" 8>"$1/lock" |
		cat && exec 9>&- && flock -n "$1/lock" true' - "$home" "$src" "$mnt"
is "it serves" "$(as sergio cat "$mnt/file")" text
ok "unmount" as sergio fusermount3 -u "$mnt"
# What an option names by its number is opened first.
ok "a trace to a descriptor" as sergio sh -c "exec 7>>'$home/trace' &&
	idshift-mount -o userns=host,caller=5:5,trace=/dev/fd/7 '$src' '$mnt'"
as sergio mkdir "$mnt/no" 2>/dev/null
like "is written" "$(cat "$home/trace")" 'EACCES'
ok "unmount" as sergio fusermount3 -u "$mnt"

if command -v strace >/dev/null; then
	as sergio strace -q -o "$T/log/calls" -e trace=fcntl \
		idshift-mount --version 7>>"$home/trace" >/dev/null
	ok "who has few is not asked for a thousand" \
		test "$(grep -c fcntl "$T/log/calls")" -lt 20
else
	skip "who has few is not asked for a thousand" \
		"strace is not installed"
fi

# --- signals that the parent has blocked ---------------------------------------

# In the background too: the mask is inherited.
cat >"$T/blocked" <<'EOF'
use POSIX;
sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM, SIGINT, SIGHUP)) or die;
exec @ARGV;
EOF
for signal in TERM INT HUP; do
	ok "SIG$signal blocked: mounts" as sergio perl "$T/blocked" \
		idshift-mount "$src" "$mnt"
	kill -"$signal" "$(leftovers "$T" |
		sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p')"
	ok "SIG$signal blocked: ends" wait_no_leftovers "$T"
	[[ $(mounted) == 0 ]] || as sergio fusermount3 -u "$mnt"
done

# --- its limits ----------------------------------------------------------------

ok "a soft limit on the size of files" as sergio sh -c \
	"ulimit -S -f 8 && exec idshift-mount '$src' '$mnt'"
ok "isn't the container's" as sergio sh -c "head -c 100000 /dev/zero >'$mnt/big'"
ok "unmount" as sergio fusermount3 -u "$mnt"
ok "a hard one" as sergio sh -c \
	"ulimit -f 8 && exec idshift-mount '$src' '$mnt'"
as sergio sh -c "LC_ALL=C head -c 100000 /dev/zero >'$mnt/large'" \
	2>"$T/log/large"
like "is told" "$(cat "$T/log/large")" "File too large"
is "and survived" "$(as sergio cat "$mnt/file")" text
ok "unmount" as sergio fusermount3 -u "$mnt"

for limit in 16 32 63; do
	fails 1 "$limit open files" as sergio sh -c \
		"ulimit -n $limit && exec idshift-mount '$src' '$mnt'"
	is "$limit open files: says why" "$output" "idshift-mount: limit of \
open files '$limit': at least 64 are needed; raise it with ulimit -n"
done
ok "64 open files" as sergio sh -c \
	"ulimit -n 64 && exec idshift-mount '$src' '$mnt'"
# Ten at a time, as many as there are threads, in files that nobody knows yet.
as sergio sh -c "mkdir '$mnt/few' && cd '$mnt/few' && for i in \$(seq 10); do
	(for j in \$(seq 50); do mkdir -p \$i/\$j && echo \$j >\$i/\$j/f &&
		cat \$i/\$j/f && ln -s f \$i/\$j/l && ls -l \$i/\$j || exit
	done) & done; wait; rm -r '$mnt/few'" >/dev/null 2>"$T/log/few"
is "64 open files: are enough" "$(cat "$T/log/few")" ""
ok "unmount" as sergio fusermount3 -u "$mnt"
ok "a soft limit of 16" as sergio sh -c \
	"ulimit -S -n 16 && exec idshift-mount '$src' '$mnt'"
ok "unmount" as sergio fusermount3 -u "$mnt"

# --- a PATH without fusermount3 ------------------------------------------------

if [[ -x /usr/bin/fusermount3 ]]; then
	ok "a PATH without fusermount3" as sergio env PATH=/nonexistent \
		"$T/sys/bin/idshift-mount" "$src" "$mnt"
	kill "$(leftovers "$T" |
		sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p')"
	ok "and it is unmounted" wait_no_leftovers "$T"
fi

# --- a parent that is interrupted while it waits -------------------------------

if command -v strace >/dev/null; then
	# Ended while its daemon is held up in a system call.
	interrupt() { # CALL WHERE MICROSECONDS
		rm -f "$T/log/strace"
		strace -f -q -o "$T/log/strace" -e "trace=$1" \
			-e "inject=$1:delay_$2=$3:when=1" \
			idshift-mount "$src" "$mnt" 2>/dev/null &
		tracer=$!
		wait_for 5 grep -q "$1" "$T/log/strace"
		# The lower number is the parent's.  A shell has its jobs ignore
		# SIGINT.
		kill -TERM "$(sed -n 's/^process \([0-9]*\): idshift-mount:.*/\1/p' \
			<(leftovers "$T") | sort -n | head -1)"
	}
	# When it has left the parent's session.
	interrupt setsid exit 1000000
	ok "interrupted: nothing stays" wait_no_leftovers "$T"
	is "interrupted: no mount" "$(mounted)" 0
	kill "$tracer" 2>/dev/null
	wait "$tracer" || :
	# When it has said that it has mounted, and serves nobody yet.
	interrupt landlock_create_ruleset enter 2000000
	ok "interrupted, mounted: nothing stays" wait_for 10 none_left "$T"
	is "interrupted, mounted: no mount" "$(mounted)" 0
	umount "$mnt" 2>/dev/null
	wait "$tracer" || :
else
	skip "interrupted" "strace is not installed"
fi

# The kernel forgets what the parent's death sends with a change of ids; the
# daemon waits for the database, as the user.
cat >"$T/locks" <<'END'
use Fcntl;
open(my $file, "+<", $ARGV[0]) or die;
my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 1, 0);
fcntl($file, F_SETLK, $lock) or die;
open(my $has, ">", $ARGV[1]) or die;
sleep 60;
END
perl "$T/locks" "$home/.local/state/idshift/lock.mdb" "$T/has" &
locker=$!
ok "the database is locked" wait_for 5 test -e "$T/has"
idshift-mount -o run-as=sergio "$src" "$mnt" 2>/dev/null &
starter=$!
daemons() {
	leftovers "$T" | grep -c ': idshift-mount:'
}
wait_for 5 sh -c "cat /proc/$starter/task/$starter/children | grep -q ."
sleep 0.5
is "run-as: three wait, the one that mounts too" "$(daemons)" 3
kill "$starter"
wait "$starter"
ok "run-as, interrupted: nothing stays" wait_no_leftovers "$T"
kill "$locker"
wait "$locker" || :
is "run-as, interrupted: no mount" "$(mounted)" 0

# What is made on the way to the state directory is as the umask says.
as sergio mkdir "$home/new"
as sergio sh -c "umask 077; XDG_STATE_HOME='$home/new/a/b' exec idshift-mount \
	'$src' '$mnt'" || exit 1
ok "umask: unmount" fusermount3 -u "$mnt"
is "umask: of the parents" "$(stat -c %a "$home"/new/a{,/b,/b/idshift} | xargs)" \
	"700 700 700"
