#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In a sticky directory nobody removes or replaces another's file, also where
# the name has just been given to another file, and the kernel still knows the
# one before.  Two mounts of a source, as two containers have them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setpriv

source_dir sergio src
src=$dir
a=$T/home/sergio/a b=$T/home/sergio/b
# What the kernel knows stays known: no race is needed.
long=attr_timeout=600,entry_timeout=600,negative_timeout=600
mount_fs sergio "$src" "$a" -o "$long" || exit 1
daemon_a=$daemon
mount_fs sergio "$src" "$b" -o cache=none || exit 1
userns_start sergio || exit 1
user() { # ID COMMAND...
	"${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
is_mine() { # WHAT FILE
	is "$1: it is still the other's" \
		"$("${ns[@]}" sh -c 'stat -c %u "$1"; cat "$1"' sh "$2" 2>&1 |
			xargs)" "6 six"
}
# take OLD NEW: in b the name is given to a file of 6, by its directory's owner.
take() {
	"${ns[@]}" rm -rf "$b/$1"
	user 6 sh -c 'echo six >"$1"' sh "$b/$1"
}

"${ns[@]}" mkdir -m 1777 "$a/tmp"
"${ns[@]}" mkdir -m 777 "$a/plain"
for dir in tmp plain; do
	user 5 sh -c "cd '$a/$dir' && echo five >f && stat f"  >/dev/null
	take "$dir/f"
	if [[ $dir == plain ]]; then
		ok "unlink, not sticky" user 5 rm -f "$a/$dir/f"
	else
		fails 1 "unlink" user 5 rm -f "$a/$dir/f"
		like "as natively" "$output" "Operation not permitted"
		is_mine "unlink" "$b/$dir/f"
	fi
done
user 5 sh -c "cd '$a/tmp' && echo five >g && stat g" >/dev/null
take tmp/g
fails 1 "rename" user 5 mv "$a/tmp/g" "$a/tmp/h"
is_mine "rename" "$b/tmp/g"
user 5 sh -c "cd '$a/tmp' && echo five >h && echo five >i && stat h i" >/dev/null
take tmp/h
fails 1 "rename over" user 5 mv -T "$a/tmp/i" "$a/tmp/h"
is_mine "rename over" "$b/tmp/h"
user 5 sh -c "cd '$a/tmp' && stat j" >/dev/null 2>&1
take tmp/j
fails 1 "rename over what wasn't there" user 5 mv -T "$a/tmp/i" "$a/tmp/j"
is_mine "rename over what wasn't there" "$b/tmp/j"
user 5 mkdir "$a/tmp/d"
"${ns[@]}" rmdir "$b/tmp/d"
user 6 mkdir "$b/tmp/d"
fails 1 "rmdir" user 5 rmdir "$a/tmp/d"
# And what one may do goes on.
ok "one's own" user 5 sh -c "cd '$a/tmp' && mv i k && rm k && mkdir e &&
	rmdir e && echo >l && ln l m && rm l m"
ok "the directory's owner" "${ns[@]}" rm -rf "$a/tmp/f" "$a/tmp/h" "$a/tmp/d"
# The sticky bit may come later: by the container, or by the host.
"${ns[@]}" chmod 1777 "$a/plain"
user 5 sh -c "cd '$a/plain' && echo five >f && stat f" >/dev/null
take plain/f
fails 1 "made sticky" user 5 rm -f "$a/plain/f"
is_mine "made sticky" "$b/plain/f"
kill "$userns"
wait "$userns" 2>/dev/null
ok "unmount" umount_fs sergio "$b"
daemon=$daemon_a
ok "unmount" umount_fs sergio "$a"
