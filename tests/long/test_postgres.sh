#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 600
# PostgreSQL whose data are in the mount and belong to its own uid: initdb,
# pgbench, a crash and the recovery, another start.
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_allow_other
need_command nsenter

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
[[ -n $bin ]] || skip_all "postgresql is not installed"
source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1

# A name for the uid in the container.
echo 'postgres:x:999:999::/:/bin/sh' >>/etc/passwd
echo 'postgres:x:999:' >>/etc/group
pg() {
	"${ns[@]}" setpriv --reuid 999 --regid 999 --clear-groups \
		env PATH="$bin:/usr/bin:/bin" PGHOST="$mnt/run" PGUSER=postgres LC_ALL=C "$@"
}
start() {
	pg pg_ctl -w -t 60 -D "$mnt/data" -l "$mnt/run/log" \
		-o "-c listen_addresses= -c unix_socket_directories='$mnt/run'" start
}
"${ns[@]}" sh -c "cd '$mnt' && mkdir data run && chown 999:999 data run && chmod 700 data"
ok "initdb as its own uid" pg initdb -D "$mnt/data" -A trust -U postgres
is "its directory is its own" "$("${ns[@]}" stat -c '%u:%g %a' "$mnt/data")" "999:999 700"
ok "start" start || note "$(cat "$src/run/log")"
ok "pgbench's tables" pg pgbench -q -i -s 5 postgres
ok "pgbench" pg pgbench -c 8 -j 2 -T 45 postgres
fails 1 "another uid may not read the data" "${ns[@]}" setpriv --reuid 1000 \
	--regid 1000 --clear-groups cat "$mnt/data/PG_VERSION"
sum() {
	pg psql -Atc 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) =
		(SELECT sum(delta) FROM pgbench_history) AND
		(SELECT sum(bbalance) FROM pgbench_branches) =
		(SELECT sum(delta) FROM pgbench_history)' postgres
}
is "the sums are right" "$(sum)" t
ok "pg_amcheck" pg pg_amcheck --install-missing postgres
ok "stop at once, as in a crash" pg pg_ctl -D "$mnt/data" -m immediate stop
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$src" "$mnt" || exit 1
ok "recovery after another mount" start
is "the sums are right again" "$(sum)" t
ok "base backup" pg pg_basebackup -c fast -D "$mnt/run/backup" -X fetch
ok "verified" pg pg_verifybackup "$mnt/run/backup"
ok "stop" pg pg_ctl -w -D "$mnt/data" -m fast stop
ok "page checksums can be made" pg pg_checksums --enable -D "$mnt/data"
ok "and hold" pg pg_checksums --check -D "$mnt/data"
ok "I delete it on the host" as sergio rm -rf "$src/data" "$src/run"
ok "unmount at last" umount_fs sergio "$mnt"
