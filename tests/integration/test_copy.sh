#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tar -xp of a tree with many owners, modes, links and a fifo as container
# root; rsync -a and cp -a back out.  Equal to the same on a plain directory.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command tar rsync
need_podman

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
as sergio mkdir "$home/plain" "$home/out"
mount_fs sergio "$src" "$mnt" || exit 1
bind=(-v "$home/plain:/plain" -v "$mnt:/mnt" -v "$home/out:/out")

cat >"$home/make" <<'EOF'
mkdir /tmp/tree && cd /tmp/tree || exit
umask 0
for id in 0 1 5 33 100 999 1000 1001 2000 65534; do
	mkdir "owner-$id"
	for mode in 0000 0200 0400 0600 0644 0664 0666 0711 0755 0777 1755 2755 \
		4711 6755 7777; do
		echo "$id $mode" >"owner-$id/f$mode"
		chown "$id:$((id / 2))" "owner-$id/f$mode"
		chmod "$mode" "owner-$id/f$mode"
	done
	ln -s "f0644" "owner-$id/symlink"
	chown -h "$id:$id" "owner-$id/symlink"
	mkfifo -m 620 "owner-$id/fifo"
	chown "$id:5" "owner-$id/fifo"
	ln "owner-$id/f0644" "owner-$id/hard"
	ln "owner-$id/symlink" "owner-$id/hard-symlink"
	for mode in 0000 0500 0700 0755 1777 2775 3777; do
		mkdir "owner-$id/d$mode"
		echo x >"owner-$id/d$mode/file"
		chown "$id:$id" "owner-$id/d$mode"
		chmod "$mode" "owner-$id/d$mode"
	done
	chown "$id:$id" "owner-$id"
done
setfattr -n user.note -v hello owner-5/f0644
find . -exec touch -h -d '2020-02-02 02:02:02.123456789' {} +
tar -cpf /out/tree.tar --xattrs .
EOF
ok "a tree" container sergio "${bind[@]}" -v "$home/make:/make" -- bash /make

# All that can be seen of a tree, as the container's root.
show() { # DIR
	container sergio "${bind[@]}" -- sh -c "cd '$1' && find . -mindepth 1 \
		-printf '%P %y %m %U:%G %n %l %T+\n' | sort; find . -type f -print0 |
		sort -z | xargs -0 sha256sum; getfattr -hRd -m '^user\.' . |
		sed '/^\$/d'"
}
for dir in plain mnt; do
	ok "tar -xp on $dir" container sergio "${bind[@]}" -- \
		tar -C "/$dir" -xpf /out/tree.tar --xattrs \
		--xattrs-include='user.*'
	show "/$dir" >"$T/$dir.show"
done
same "tar -xp" "$T/mnt.show" "$T/plain.show"
like "it has owners" "$(grep -c '65534:32767' "$T/mnt.show")" '[1-9]'

for dir in plain mnt; do
	ok "rsync -aHX from $dir" container sergio "${bind[@]}" -- \
		rsync -aHX "/$dir/" "/out/rsync-$dir/"
	ok "cp -a from $dir" container sergio "${bind[@]}" -- \
		cp -a "/$dir" "/out/cp-$dir"
	ok "tar -c from $dir" container sergio "${bind[@]}" -- sh -c \
		"tar -C /$dir -cpf - --xattrs --sort=name . | sha256sum >/out/sum-$dir"
done
for tool in rsync cp; do
	show "/out/$tool-plain" >"$T/plain.out"
	show "/out/$tool-mnt" >"$T/mnt.out"
	same "$tool back out" "$T/mnt.out" "$T/plain.out"
done
ok "rsync and cp -a into the mount" container sergio "${bind[@]}" -- sh -c '
	rsync -aHX /plain/ /mnt/rsync/ && rsync -aHX /plain/ /plain/rsync/ &&
	cp -a /out/cp-plain /mnt/cp && cp -a /out/cp-plain /plain/cp'
for tool in rsync cp; do
	show "/plain/$tool" >"$T/plain.out"
	show "/mnt/$tool" >"$T/mnt.out"
	same "$tool into it" "$T/mnt.out" "$T/plain.out"
done
is "rsync finds nothing to do a second time" "$(container sergio "${bind[@]}" \
	-- rsync -aHXi --delete /plain/rsync/ /mnt/rsync/)" ""
ok "rm -rf" container sergio "${bind[@]}" -- \
	sh -c 'rm -rf /mnt/* && test -z "$(ls -A /mnt)"'
is "nothing is left on disk" "$(find "$src" -mindepth 1)" ""
ok "unmount" umount_fs sergio "$mnt"
