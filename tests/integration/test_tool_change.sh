#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# idshift chown, chmod and clear leave the same records as chown(1) and
# chmod(1) by the container's root in a mount; a live mount shows them.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command getfattr setfacl

source_dir sergio through
through=$dir
source_dir sergio without
without=$dir
home=$T/home/sergio
mnt=$home/mnt

make_tree() { # DIR
	as sergio sh -c "cd '$1' && umask 022 && mkdir -p d/sub/deep 'd/a b' &&
		echo x >d/f && echo x >d/sub/g && echo x >'d/a b/n' &&
		ln -s f d/link && ln -s nowhere d/dangling && mkfifo d/p &&
		ln -s sub d/dirlink && ln d/f d/hard && mkdir d/group &&
		chgrp shared d/group && chmod 2775 d/group && echo x >d/group/h &&
		chmod 600 d/sub/g && setfacl -m u:100004:rx d/sub/deep"
}
records() { # DIR
	(cd "$1" && getfattr -hRd -m '^user\.' . | sed '/^$/d')
}
view() { # DIR: as the container sees it
	"${ns[@]}" sh -c "cd '$1' && find . -printf '%P %y %m %U:%G\n' | sort"
}
tool() {
	as sergio sh -c 'cd "$0" && exec idshift "$@"' "$without" "$@"
}

make_tree "$through"
make_tree "$without"
owners "$through" >"$T/owners.before"
userns_start sergio || exit 1
mount_fs sergio "$through" "$mnt" -o cache=none || exit 1

# Both ways, then all that can be compared.
both() { # chown|chmod ARGUMENT...
	local what="$*" status
	"${ns[@]}" sh -c 'cd "$0" && umask 022 && exec "$@"' "$mnt" "$@" \
		>"$T/native.out" 2>&1
	status=$?
	fails "$status" "$what: exit code $status" tool "$@"
	records "$through" >"$T/wanted"
	records "$without" >"$T/got"
	if [[ -s $T/wanted ]]; then
		same "$what: records" "$T/got" "$T/wanted"
	else
		is "$what: no records" "$(cat "$T/got")" ""
	fi
	owners "$through" >"$T/wanted"
	owners "$without" >"$T/got"
	same "$what: on disk" "$T/got" "$T/wanted"
}

both chown -R 5:0 d
both chown 6 d/f
both chown :7 d/sub
both chown 8:9 d/link
both chown -h 8:9 d/link d/dangling
both chown 1:1 d/dangling
both chown -h 10:11 d/p
both chown -R --from=5 12 d
both chown --from=:0 13:13 d/sub/deep d/f
both chown 0:2000 d/group
both chown 5 d/nothing d/f
both chmod 4755 d/f
both chown 5 d/f
both chmod 2755 d/sub
both chmod 755 d/sub
both chmod 00755 d/sub
both chmod -R go-rwx d
both chmod 0400 d/sub/g
both chmod -R u=rwX,g=u-w,o+t d
both chmod a+r,u-w,+x d/f
both chmod +4755 d/f
both chmod -7 d/f d/sub
both chmod -6022,g+w d/sub
both chmod =755 d/f d/sub
both chmod -x d/f
both chmod u+s,g+s,o=g d/hard
both chmod 3777 d/group
both chmod g= d/sub/deep
both chmod 000 d/p
both chmod 644 d/link
both chown -R 0:0 d

# Ids recorded under a larger map: nobody's, until chown replaces them.
for dir in "$through" "$without"; do
	as sergio setfattr -n user.containers.override_stat \
		-v 70000:5:0644:file "$dir/d/f"
done
is "the mount shows nobody" "$("${ns[@]}" stat -c %u:%g "$mnt/d/f")" 65534:5
like "stat as well" "$(tool stat d/f)" 'container +65534:5 0644'
like "and why" "$(tool stat d/f)" 'uid: recorded, but the container has no such id'
both chmod 600 d/f
fails 1 "chmod" tool chmod 600 d/f
like "how to mend it" "$output" "record another with 'idshift chown'"
fails 1 "chown by the container's root" "${ns[@]}" chown 5:5 "$mnt/d/f"
fails 1 "explained" tool explain --as=0:0 chown=5:5 d/f
like "with the remedy" "$output" "record another owner with: idshift chown \
5:5 'd/f', or forget what is recorded with: idshift clear 'd/f'\$"
ok "what the container can't see --from can't either" \
	tool chown --from=70000 1 d/f
fails 1 "so it stays" tool explain --as=0:0 write d/f
is "no map would help" "${output##*--map*}" "$output"
ok "chown from here" tool chown 5:5 d/f
fails 0 "explained" tool explain --as=0:0 chown=6:6 d/f
as sergio setfattr -n user.containers.override_stat -v 5:5:0644:file "$through/d/f"
both chmod 600 d/f
both chmod 644 d/f

# The database's records too: what a mount of each shows.
both chown -R 21:22 d
as sergio mkdir "$home/second"
view "$mnt" >"$T/wanted"
ok "unmount" umount_fs sergio "$mnt"
mount_fs sergio "$without" "$home/second" || exit 1
view "$home/second" >"$T/got"
same "a mount shows the same" "$T/got" "$T/wanted"
like "and something" "$(cat "$T/got")" 'd/dangling l 777 21:22'

# A live mount, its cache filled.
is "before" "$("${ns[@]}" stat -c %u:%g "$home/second/d/f")" 21:22
ok "chown below a live mount" tool chown 5:6 d/f d/p
ok "shows within a second and a little" wait_for 2 \
	"${ns[@]}" sh -c "[ \$(stat -c %u:%g '$home/second/d/f') = 5:6 ]"
fails 1 "a path in the mount is refused" as sergio idshift chown 1 \
	"$home/second"
like "with the reason" "$output" \
	"^idshift chown: '$home/second': it is inside a mount"
fails 1 "-R doesn't walk into a mount" as sergio idshift chown -R 1 \
	"$home/second"

ok "clear -R" tool clear -R d
is "no records" "$(records "$without")" ""
ok "clear again" tool clear d/f d/dangling
owners() { view "$home/second" | awk '{ print $NF }' | sort -u; }
all_root() { [[ $(owners) == 0:0 ]]; }
wait_for 3 all_root
is "the disk counts again" "$(owners)" 0:0

# Refusals.
echo x >"$without/roots"
fails 1 "another's file" tool chown 5 roots
is "why" "$output" \
	"idshift chown: 'roots': on disk it belongs to uid 0, not to you (uid 1000)"
rm "$without/roots"

# A colleague's records count in that colleague's mounts.
user_add maria 1001 200000 shared
install -d -o root -g shared -m 2770 "$T/shared"
for name in maria sergio; do
	as "$name" sh -c "umask 002 && cd '$T/shared' && echo x >$name &&
		setfattr -n user.containers.override_stat -v 33:2000:04660:file $name
		setfattr -n user.idshift.capability -v caps $name; echo x >$name.plain"
done
fails 1 "clear a tree with a colleague's records" \
	as sergio idshift clear -R -o map=g:shared:2000 "$T/shared"
is "said so" "$output" "idshift clear: '$T/shared/maria': on disk it belongs \
to uid 1001, not to you (uid 1000)"
is "they stay" "$(getfattr -d --absolute-names "$T/shared/maria" | grep -c =)" 2
is "one's own are gone" "$(getfattr -d "$T/shared/sergio")" ""
rm -r "$T/shared"
# Half of a user's records, those of links, is out of root's sight.
ok "a record in each place" tool chown -h 5 d/f d/dangling
records "$without" >"$T/wanted"
fails 1 "root clears a user's tree" idshift clear -R "$without"
records "$without" >"$T/got"
same "the records stay" "$T/got" "$T/wanted"
ok "the user clears it" tool clear -R d
is "no records" "$(records "$without")" ""
# Another program's mistake.
as sergio setfattr -n user.containers.override_stat "$without/d/f"
like "stat tells it" "$(tool stat d/f)" 'record     empty, which counts as none'
like "as JSON too" "$(tool stat --json d/f | tr -d ' \n')" \
	'"record":."text":"","in":"extendedattribute"'
ok "clear an empty record" tool clear d/f
is "it is gone" "$(records "$without")" ""

as sergio chgrp shared "$without/d/group"
fails 1 "a group that the container lacks" tool chown 5 d/group
like "said so" "$output" "^idshift chown: 'd/group': its owner or group, 1000:2000 on disk, has no id"
ok "with an id" tool chown --map=g:2000:2000 5 d/group
fails 3 "an id that the container lacks" tool chown 70000 d
like "said so" "$output" "^idshift chown: uid '70000': the container has no"
fails 2 "a name" tool chown root d
fails 2 "no path" tool chown 5
fails 2 "no mode" tool chmod 999 d/f
for command in "chown 5" "chmod 600" clear; do
	# shellcheck disable=SC2086
	fails 2 "$command --json" tool $command --json d/f
done
is "said so" "$output" \
	"idshift clear: option '--json': only of 'map', 'stat' and 'explain'"
fails 2 "an unknown option" tool chown -x 5 d
fails 2 "an unknown long option" tool chown --nothing=1 5 d
fails 1 "no such file" tool chmod 644 nothing
is "one line" "$output" \
	"idshift chmod: 'nothing': No such file or directory"
ok "map options" tool chown --userns=host -o unmapped=3,ro 70000 d/f
is "another map's ids" "$(getfattr --absolute-names --only-values \
	-n user.containers.override_stat "$without/d/f")" 70000:1000:0644:file

# Interrupted before each call that changes something, it ends after the one
# object that it is at; never in the middle of one.
control=$T/control
interrupted() { # CALL COMMAND...
	printf '%b' "\\x$(printf %02x "$1")\\0\\0\\0\\xfe\\xff\\xff\\xff\\1\\0\\0\\0" \
		>"$control"
	truncate -s 4096 "$control"
	chmod 666 "$control"
	shift
	as sergio env LD_PRELOAD="$T/sys/bin/fault.so" \
		FAULT_CONTROL="$control" sh -c 'cd "$0" && exec "$@"' "$without" "$@"
}
if [[ $(LD_PRELOAD=$T/sys/bin/fault.so idshift --version 2>&1) == idshift* ]]; then
	as sergio sh -c "cd '$without' && mkdir i && touch i/f i/g"
	: >"$T/states"
	: >"$T/codes"
	for ((call = 1; call < 20; call++)); do
		as sergio sh -c "cd '$without/i' && idshift clear f g &&
			chgrp sergio f g && chmod 0460 f g"
		interrupted "$call" idshift chown --map=g:shared:2000 33:2000 \
			i/f i/g >>"$T/log/interrupted" 2>&1
		status=$?
		echo "$status" >>"$T/codes"
		for file in f g; do
			echo "$(stat -c %G:%a "$without/i/$file")" \
				"$(records "$without/i" | grep -A1 "file: $file" |
					sed -n 's/.*stat=//p')"
		done >>"$T/states"
		((status != 0)) || break
	done
	is "interrupted, it ends so, or has done all" \
		"$(uniq "$T/codes" | paste -sd ' ')" "130 0"
	ok "often enough" test "$call" -gt 5
	is "each object is as before or as after" "$(sort -u "$T/states")" \
		$'sergio:460 \nshared:660 "33:2000:0460:file"'
else
	skip "interrupted" "kernel: a sanitizer's build takes no such library"
fi

# Deep, wide, and with few descriptors.
as sergio python3 - "$without" <<-'PY' 2>/dev/null || skip "deep" "no python3"
	import os, sys
	os.chdir(sys.argv[1]); os.mkdir("deep"); os.chdir("deep")
	for i in range(1500):
	    os.mkdir("dir%d" % (i % 10)); open("file", "w").close()
	    os.symlink("..", "up"); os.chdir("dir%d" % (i % 10))
PY
if [[ -d $without/deep ]]; then
	ok "a deep tree, 64 descriptors" as sergio bash -c \
		'ulimit -n 64 && cd "$0" && idshift chown -R 9:9 deep' "$without"
	is "all of it" "$(as sergio bash -c 'cd "$0/deep" && n=0
		while idshift stat file up . 2>/dev/null | grep -cw 9 |
			grep -qx 3 && n=$((n + 1)) && ((n < 30)) && cd dir*
		do :; done; echo $n' "$without")" 30
	ok "clear it" as sergio bash -c \
		'ulimit -n 64 && cd "$0" && idshift clear -R deep' "$without"
	as sergio rm -rf "$without/deep"
fi
kill "$userns"
wait "$userns" 2>/dev/null
ok "unmount the second" umount_fs sergio "$home/second"
