#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# A host's setgid directory of a group that its owner isn't in, but that has
# an id in the container: what changes it there takes the bit away on disk
# only where the container does.  As natively, which is asked beside it.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman
# The container's group 5; 100004 on disk.
group_add others 100004
user_add maria 1600 200000 others

source_dir sergio src
src=$dir
mnt=$T/home/sergio/mnt
plain=$T/home/sergio/plain
as sergio mkdir "$plain"
for top in "$src" "$plain"; do
	install -d -o sergio -g others -m 2775 "$top"/{owner,same,bits,off,made}
	install -d -o sergio -g others -m 2555 "$top/narrow"
	install -d -o sergio -g others -m 2755 "$top/left"
done
mount_fs sergio "$src" "$mnt" -o cache=none || exit 1

disk() {
	stat -c '%U:%G %a' "$src/$1"
}
# In the mount and natively, as the container's root, and the same seen.
both() { # DESCRIPTION COMMAND...
	local what=$1 top
	shift
	for top in "$mnt" "$plain"; do
		as sergio podman unshare sh -c "cd '$top' && $*"
		as sergio podman unshare sh -c "cd '$top' && find . -mindepth 1 \
			-printf '%P %y %U:%G %m\n' | sort" >"$T/${top##*/}.seen"
	done
	same "$what: seen as natively" "$T/mnt.seen" "$T/plain.seen"
}

both "at first" true
both "a new owner" chown 33 owner
is "leaves setgid on disk" "$(disk owner)" "sergio:others 2775"
both "no change at all" 'chown :5 same; chmod 2775 same; chown 0:5 same'
is "leaves it too" "$(disk same)" "sergio:others 2775"
both "back again" chown 0 owner
is "still" "$(disk owner)" "sergio:others 2775"
is "without a record" "$(getfattr -m override_stat "$src/owner" 2>/dev/null)" ""
ok "a colleague's file has the group" as maria \
	sh -c "umask 002; mkdir '$src/owner/hers'; echo x >'$src/owner/hers/f'"
is "down the tree" "$(stat -c '%U:%G %a' "$src/owner/hers" "$src/owner/hers/f")" \
	$'maria:others 2775\nmaria:others 664'
rm -r "$src/owner/hers"

both "new ones in it" 'cd made; umask 002; mkdir d d/e; echo x >d/e/f;
	mkdir g; chown -R 33 g; chmod 2750 g'
is "inherit on disk, and from one another" "$(disk made) $(disk made/d) $(disk made/d/e)" \
	"sergio:others 2775 sergio:others 2775 sergio:others 2775"
is "files have the group" "$(disk made/d/e/f)" "sergio:others 664"

both "other bits" chmod 2750 bits
is "the kernel takes it with them" "$(disk bits)" "sergio:others 750"
chmod 2750 "$src/bits"
both "given back by the host" chown 33 bits
is "it stays" "$(disk bits)" "sergio:others 2750"
both "taken by the container" chmod g-s off
is "it goes" "$(disk off)" "sergio:others 775"
both "a directory that we widen" 'chown 33 narrow; chmod 2500 narrow'
is "is open to nobody else" "$(disk narrow)" "sergio:others 700"

# Recorded only: what the disk's group has must be no more than all have.
both "another group" 'chown 33:34 left'
is "leaves what all have" "$(disk left)" "sergio:others 2755"
both "new ones in that" 'cd left; umask 0; mkdir d; echo x >f; chmod 660 f'
is "show nothing to the disk's group" "$(disk left/f)" "sergio:others 600"
both "all of it back" chown -R 0:0 left
is "is mine" "$(disk left)" "sergio:sergio 2755"
ok "unmount" umount_fs sergio "$mnt"
