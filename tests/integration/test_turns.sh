#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Changes of one object through two mounts of its source, and by idshift, at the
# same time: each that was said to be done is.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command python3

source_dir sergio src
src=$dir
home=$T/home/sergio
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$home/one" -o cache=none || exit 1
first=$daemon
mount_fs sergio "$src" "$home/two" -o cache=none || exit 1

# In each round one changes the owner, another the mode.
cat >"$T/rounds" <<'EOF'
import os, subprocess, sys

chowns, chmods = sys.argv[1:3]
rounds = int(sys.argv[3])
open(chowns + "/f", "w").close()
lost = []
for i in range(rounds):
    uid, mode = 1 + i % 50, (0o600, 0o664)[i % 2]
    go, went = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(go, 1)
        os.chmod(chmods + "/f", mode)
        os._exit(0)
    os.write(went, b"x")
    os.chown(chowns + "/f", uid, uid)
    os.waitpid(child, 0)
    os.close(go)
    os.close(went)
    now = os.stat(chowns + "/f")
    if (now.st_uid, now.st_mode & 0o7777) != (uid, mode):
        lost.append("%d: %d %o" % (i, now.st_uid, now.st_mode))
print("lost:", len(lost), *lost[:3])
EOF
chmod 644 "$T/rounds"
is "two mounts" "$("${ns[@]}" python3 "$T/rounds" "$home/one" "$home/two" 500)" \
	"lost: 0"
is "one mount" "$("${ns[@]}" python3 "$T/rounds" "$home/one" "$home/one" 100)" \
	"lost: 0"

# As sergio: what idshift says is container ids.
lost=0
for i in {1..60}; do
	as sergio idshift chmod $((i % 2 ? 600 : 664)) "$src/f" &
	"${ns[@]}" chown "$i:$i" "$home/one/f"
	wait $!
	[[ $(as sergio idshift stat --json "$src/f" | python3 -c '
import json, sys
seen = json.load(sys.stdin)[0]["container"]
print(seen["uid"], seen["mode"])') == "$i 0$((i % 2 ? 600 : 664))" ]] || lost=$((lost + 1))
done
is "a mount and idshift" "$lost" 0
# Who stands still in the middle of a change holds nobody up.
as_background sergio python3 -c '
import fcntl, os, sys, time
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 2 ** 62)
open(sys.argv[2], "w").close()
time.sleep(60)' "$home/.local/state/idshift/turns" "$T/log/held"
holder=$!
ok "another has all turns" wait_for 10 test -e "$T/log/held"
ok "chown goes on" "${ns[@]}" timeout 30 chown 5:5 "$home/two/f"
is "and is done" "$("${ns[@]}" stat -c %u:%g "$home/two/f")" 5:5
kill "$holder"
wait "$holder" 2>/dev/null
daemon=$first
ok "unmount" umount_fs sergio "$home/one"
ok "unmount the second" umount_fs sergio "$home/two"
