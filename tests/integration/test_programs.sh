#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# Programs as people run them, as container root and as a container's user:
# git, a C build, sqlite with writers inside and on the host, layers of many
# owners.  A plain directory in the same namespace gives the measure.
. "$(dirname "$0")/lib.sh"
need_fuse
need_allow_other
need_subids
need_command nsenter git make cc tar

source_dir "$ME" src
src=$dir
home=$T/home/$ME
mnt=$home/mnt
as "$ME" mkdir "$home/plain"
userns_start "$ME" || skip_all "no user namespaces here"
mount_fs "$ME" "$src" "$mnt" || exit 1
for where in "$home/plain" "$mnt"; do
	"${ns[@]}" sh -c "cd '$where' && install -d -o 1000 -g 1000 user && mkdir root"
done

run_as() { # root|user COMMAND...: with a home of its own
	local who=$1
	shift
	if [[ $who == user ]]; then
		"${ns[@]}" setpriv --reuid 1000 --regid 1000 --clear-groups \
			env HOME=/nonexistent "$@"
	else
		"${ns[@]}" env HOME=/nonexistent "$@"
	fi
}

# both NAME SCRIPT: the script prints the same and leaves the same tree in both
# places, as root and as a user.
both() {
	local who where
	cat >"$T/$1.script"
	chmod 644 "$T/$1.script"
	for who in root user; do
		for where in plain mnt; do
			run_as "$who" bash "$T/$1.script" "$home/$where/$who" \
				>"$T/$1.$who.$where" 2>&1
			echo "exit code $?" >>"$T/$1.$who.$where"
			"${ns[@]}" sh -c "cd '$home/$where/$who' && find . \
				! -path '*/.git/index*' ! -path '*/.git/objects/*' \
				-printf '%P %y %m %U:%G %n %l\n' | sort" \
				>>"$T/$1.$who.$where"
		done
		same "$1 as $who" "$T/$1.$who.mnt" "$T/$1.$who.plain"
		like "$1 as $who: succeeds" "$(grep '^exit code' "$T/$1.$who.plain")" ' 0$'
	done
}

both git <<'EOF'
cd "$1" || exit
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='2001-01-01T00:00:00Z'
export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
set -e
git -c init.defaultBranch=main init -q origin
cd origin
for i in $(seq 40); do
	mkdir -p "d$((i % 7))"
	seq "$i" $((i * 30)) >"d$((i % 7))/f$i"
	((i % 5)) || { chmod +x "d$((i % 7))/f$i"; ln -s "f$i" "d$((i % 7))/l$i"; }
	git add -A
	git commit -qm "change $i"
done
git branch side HEAD~10
git tag v1
cd ..
git clone -q origin clone
cd clone
git status --porcelain
git checkout -q -b work origin/side
echo change >>d1/f1
git commit -qam work
git merge -q -m merge origin/main
git gc -q --aggressive --prune=now
git fsck --full --strict
git repack -qad
git worktree add -q ../tree HEAD~1
git stash list
git push -q origin work
git -C ../origin gc -q
git -C ../origin fsck
git log --format=%H | cksum
git status --porcelain
cd ..
rm -rf tree clone origin
EOF

both build <<'EOF'
cd "$1" || exit
set -e
mkdir -p b/src && cd b
for i in $(seq 24); do
	printf '#include "all.h"\nint f%s(int x)\n{\n\treturn x + %s;\n}\n' "$i" "$i" >"src/f$i.c"
	echo "int f$i(int);" >>src/all.h
done
{
	printf '#include <stdio.h>\n#include "all.h"\nint main(void)\n{\n\tint x = 0;\n'
	for i in $(seq 24); do echo "	x = f$i(x);"; done
	printf '\tprintf("%%d\\n", x);\n\treturn 0;\n}\n'
} >src/main.c
printf 'O := $(patsubst src/%%.c,obj/%%.o,$(wildcard src/*.c))\nprogram: $(O)\n\tcc -o $@ $^\nobj/%%.o: src/%%.c src/all.h | obj\n\tcc -MMD -c -o $@ $<\nobj:\n\tmkdir obj\n-include $(wildcard obj/*.d)\ninstall:\n\tinstall -D -m 755 program root/bin/program\n\tln -sf program root/bin/alias\n' >Makefile
make -s -j8
./program
make -j8 | tail -1
sleep 1
touch src/f3.c
make -j8 | grep -c 'cc -MMD'
make -s install
root/bin/alias
ar rcs lib.a obj/f*.o && ranlib lib.a && ar t lib.a | wc -l
strip program && ./program
cd .. && tar -cf b.tar b && mkdir out && tar -xf b.tar -C out && diff -r b out/b && rm -r out b
rm b.tar
EOF

# --- layers ----------------------------------------------------------------

# An image's layers: many owners, setuid, links, whiteouts, directories whose
# owner and mode come last, an upper layer that replaces.
"${ns[@]}" bash -c "mkdir -p '$home/plain/make' && cd '$home/plain/make'
	mkdir -p l1/{usr/bin,etc,var/lib,home} l2/{etc,usr/bin,var/lib/db}
	for i in \$(seq 300); do
		mkdir -p l1/var/lib/d\$((i % 20)); echo \$i >l1/var/lib/d\$((i % 20))/f\$i
		chown \$((i * 7)):\$((i * 11 % 60000)) l1/var/lib/d\$((i % 20))/f\$i
		chmod \$((i % 8))\$((i % 7))4 l1/var/lib/d\$((i % 20))/f\$i
	done
	for i in \$(seq 0 19); do chown \$i:50 l1/var/lib/d\$i; chmod 1\$((i % 8))55 l1/var/lib/d\$i; done
	cp /bin/true l1/usr/bin/su; chmod 4755 l1/usr/bin/su; cp /bin/true l1/usr/bin/wall
	chown 0:5 l1/usr/bin/wall; chmod 2755 l1/usr/bin/wall
	ln l1/usr/bin/su l1/usr/bin/su2; ln -s su l1/usr/bin/sulink; chown -h 8:9 l1/usr/bin/sulink
	echo secret >l1/etc/shadow; chown 0:42 l1/etc/shadow; chmod 640 l1/etc/shadow
	mkdir l1/home/u; chown 65000:65000 l1/home/u; chmod 700 l1/home/u
	mkfifo l1/etc/fifo; chown 3:4 l1/etc/fifo; setcap cap_net_raw=ep l1/usr/bin/wall
	echo new >l2/etc/shadow; chown 5:42 l2/etc/shadow; chmod 600 l2/etc/shadow
	cp /bin/false l2/usr/bin/su; chown 33:33 l2/usr/bin/su; mkdir l2/etc/fifo
	for l in l1 l2; do tar --xattrs --xattrs-include='*' --numeric-owner -cf \$l.tar -C \$l .; done"
for where in plain mnt; do
	"${ns[@]}" bash -c "cd '$home/$where/root' && mkdir image && cd image &&
		for l in l1 l2; do tar --xattrs --xattrs-include='*' --numeric-owner \
		-xpf '$home/plain/make/'\$l.tar || echo failed; done
		rm -r var/lib/d3; rm usr/bin/su2
		find . -printf '%P %y %m %U:%G %n %s %l %T@\n' | sort | sed '/ d /s/ [^ ]*\$//'
		getcap -r . | sort; find . -type f -exec cksum {} + | sort -k3" \
		>"$T/layers.$where" 2>&1
done
# Times of directories that rm changed differ; those of files must not.
sed -i '/^[^ ]* d /s/ [0-9.]*$//' "$T"/layers.*
same "layers of many owners" "$T/layers.mnt" "$T/layers.plain"
is "all of them on disk mine" "$(find "$src" ! -user "$ME" | wc -l)" 0
is "and nothing setuid" "$(find "$src" -type f -perm /6000)" ""

# --- sqlite, inside and on the host at once --------------------------------

if ! command -v sqlite3 >/dev/null; then
	skip "sqlite with concurrent writers" "sqlite3 is not installed"
else
	writer() { # WHO ROWS
		local i
		for ((i = 0; i < $2; i++)); do
			echo "BEGIN IMMEDIATE; INSERT INTO t(who, n) VALUES('$1', $i); COMMIT;"
		done
	}
	for mode in delete wal truncate; do
		# A WAL's shared memory is shared by one kernel's page cache only:
		# two mounts of a file have two, and SQLite says not to.
		[[ $mode == wal ]] && parties="inside user" || parties="inside user host"
		"${ns[@]}" sh -c "cd '$mnt' && mkdir -m 777 sq-$mode && cd sq-$mode &&
			sqlite3 db 'PRAGMA journal_mode=$mode; CREATE TABLE t(who, n);' &&
			chmod 666 db*" >/dev/null
		pids=()
		for party in $parties; do
			writer "$party" 100 >"$T/$party.sql"
			case $party in
			inside) command=("${ns[@]}" sqlite3) where=$mnt ;;
			user) command=(run_as user sqlite3) where=$mnt ;;
			host) command=(as "$ME" sqlite3) where=$src ;;
			esac
			(umask 0; "${command[@]}" -bail -cmd '.timeout 60000' \
				-cmd 'PRAGMA synchronous=off' "$where/sq-$mode/db" \
				<"$T/$party.sql" >"$T/log/sqlite-$party" 2>&1) &
			pids+=($!)
		done
		failed=
		for pid in "${pids[@]}"; do
			wait "$pid" || failed="$failed $pid"
		done
		is "sqlite, journal $mode: all writers succeed" "$failed" "" ||
			note "$(tail -n 3 "$T"/log/sqlite-*)"
		is "journal $mode: no row is lost" \
			"$(as "$ME" sqlite3 "$src/sq-$mode/db" 'SELECT who, count(DISTINCT n), count(*) FROM t GROUP BY who ORDER BY who' | xargs)" \
			"$(for party in $parties; do echo "$party|100|100"; done | sort | xargs)"
		is "journal $mode: integrity, inside and on the host" \
			"$("${ns[@]}" sqlite3 "$mnt/sq-$mode/db" 'PRAGMA integrity_check')
$(as "$ME" sqlite3 "$src/sq-$mode/db" 'PRAGMA integrity_check')" $'ok\nok'
	done
fi

# In turns, each within the cache's second: what the other deleted, wrote or
# truncated must not come back, or a committed row is rolled back.
if command -v sqlite3 >/dev/null; then
	for mode in delete truncate persist; do
		"${ns[@]}" sh -c "cd '$mnt' && mkdir turns-$mode && sqlite3 turns-$mode/db \
			'PRAGMA journal_mode=$mode; CREATE TABLE t(n); INSERT INTO t VALUES(1)'" >/dev/null
		for n in 2 4 6 8; do
			as "$ME" sqlite3 "$src/turns-$mode/db" \
				"INSERT INTO t VALUES($n)" 2>&1
			"${ns[@]}" sqlite3 "$mnt/turns-$mode/db" \
				"PRAGMA journal_mode=$mode; INSERT INTO t VALUES($((n + 1)))" 2>&1
		done | grep -vx "$mode" >"$T/turns"
		is "sqlite in turns, journal $mode: no error" "$(cat "$T/turns")" ""
		is "in turns, journal $mode: all rows" \
			"$(as "$ME" sqlite3 "$src/turns-$mode/db" \
				'SELECT group_concat(n) FROM t; PRAGMA integrity_check' | xargs)" \
			"1,2,3,4,5,6,7,8,9 ok"
	done
fi

# What a lock protects is read anew once the lock is had.
"${ns[@]}" sh -c "cd '$mnt' && echo 0 >counter && chmod 666 counter && cat counter" >/dev/null
cat >"$T/count" <<'EOF'
exec 9<>"$1"
for i in $(seq 100); do
	flock 9
	n=$(head -1 "$1")
	echo $((n + 1)) >"$1"
	flock -u 9
done
EOF
"${ns[@]}" bash "$T/count" "$mnt/counter" &
counters=($!)
as_background "$ME" bash "$T/count" "$src/counter"
counters+=($!)
wait "${counters[@]}"
is "a counter under flock, inside and on the host" "$(cat "$src/counter")" 200
ok "unmount" umount_fs "$ME" "$mnt"
