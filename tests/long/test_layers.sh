#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 900
# Layers of an image with thousands of entries unpacked over each other, and
# podman build from one with its storage in the mount: as in a plain directory.
# IDSHIFT_LAYERS_ENTRIES: in a layer (3000).
. "$(dirname "$0")/../integration/lib.sh"
. "$ROOT/tests/integration/layers.sh"
need_root
need_allow_other
need_command nsenter tar getfattr getcap getfacl podman busybox

entries=${IDSHIFT_LAYERS_ENTRIES-3000}
source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
as sergio mkdir "$home/plain" "$home/work"
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1
"${ns[@]}" mkdir "$home/plain/layers" "$mnt/layers"
layers_compare "$home/plain/layers" "$mnt/layers" "$home/work" 4 "$entries"
is "nothing on disk is setuid" \
	"$(find "$src" -type f -perm /6000 | head -3)" ""
is "nothing on disk has capabilities" "$(getcap -r "$src")" ""
ok "they can be deleted" "${ns[@]}" rm -rf "$mnt/layers"

# ADD unpacks an archive as the root of the build.
context=$home/context
as sergio mkdir "$context"
"${ns[@]}" mkdir -p "$home/work/tree/bin" "$home/work/tree/etc" &&
	"${ns[@]}" cp "$(command -v busybox)" "$home/work/tree/bin/busybox" &&
	"${ns[@]}" ln -s busybox "$home/work/tree/bin/sh"
ok "a root file system" "${ns[@]}" layer_tree "$home/work/tree" 7 600
# A base has nothing to white out.
"${ns[@]}" find "$home/work/tree" -name '.wh.*' -delete
"${ns[@]}" "${layer_tar[@]}" -C "$home/work/tree" -cf "$context/root.tar" .
cat >"$context/Containerfile" <<'END'
FROM scratch
ADD root.tar /
RUN /bin/busybox mkdir -p /var/lib/app && /bin/busybox chown 33:33 /var/lib/app && /bin/busybox chmod 2770 /var/lib/app
RUN /bin/busybox sh -c 'echo secret >/var/lib/app/key && /bin/busybox chown 999:999 /var/lib/app/key && /bin/busybox chmod 4711 /var/lib/app/key && /bin/busybox rm -rf /d1 && /bin/busybox chown -hR 5:60 /d2'
COPY --chown=1000:2000 Containerfile /etc/
END
storage() { # DIR PODMAN-COMMAND...
	local dir=$1
	shift
	as sergio podman --root "$dir/storage" \
		--runroot "/run/user/1000/${dir##*/}" \
		--storage-driver vfs "$@"
}
# An image's layers as they are to be unpacked elsewhere; when they were made
# is left out.
contents() { # DIR
	local dir=$1 layer
	storage "$dir" save -q --format docker-dir -o "$dir.saved" localhost/built >/dev/null || return
	tr ',' '\n' <"$dir.saved/manifest.json" | sed -n \
		's/.*"digest": *"sha256:\([0-9a-f]*\)".*/\1/p' | sed 1d |
		while read -r layer; do
			echo "== a layer"
			as sergio tar --numeric-owner --full-time --xattrs --acls \
				-tvvf "$dir.saved/$layer" |
				sed -E 's/ [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+ / /' |
				sort
		done
}
for dir in "$home/plain" "$mnt"; do
	what="in ${dir##*/}"
	ok "podman build, $what" storage "$dir" build -q --isolation=chroot \
		--network=host -t built "$context"
	contents "$dir" >"$T/${dir##*/}.image" 2>&1
	run=(storage "$dir" run --rm --network=none --cgroups=disabled
		localhost/built /bin/busybox)
	is "its owner and mode, $what" \
		"$("${run[@]}" stat -c '%u:%g %a' /var/lib/app/key 2>&1)" "999:999 4711"
	"${run[@]}" sh -c "/bin/busybox find /bin /d[0-9]* /var /etc/Containerfile -exec \
		/bin/busybox stat -c '%n %F %a %u:%g %h' {} + | /bin/busybox sort" \
		>>"$T/${dir##*/}.image" 2>&1
done
same "the images" "$T/mnt.image" "$T/plain.image"
like "have layers" "$(grep -c '^== a layer' "$T/mnt.image")" '^[3-9]'
for dir in "$home/plain" "$mnt"; do
	ok "podman's reset, ${dir##*/}" storage "$dir" system reset -f
	"${ns[@]}" rm -rf "$dir/storage"
done
is "nothing is left in the source" "$(ls -A "$src")" ""
ok "unmount" umount_fs sergio "$mnt"
