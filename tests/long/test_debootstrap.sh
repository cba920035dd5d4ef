#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1800
# A Debian made by debootstrap inside the mount, by container root, as in a
# plain directory of the namespace; then apt-get install and dpkg -i in it.
# IDSHIFT_MIRROR: where from (http://deb.debian.org/debian).
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_allow_other
need_command debootstrap nsenter chroot dpkg-deb

mirror=${IDSHIFT_MIRROR-http://deb.debian.org/debian}
source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
as sergio mkdir "$home/plain"
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1

# What apt on this machine needs to get through, its tools need too.
proxies=()
while IFS='=' read -r name value; do
	[[ $name != *_proxy && $name != *_PROXY ]] || proxies+=("$name=$value")
done < <(env)

# Packages are fetched once: the second takes them from the first.
cache=$T/cache
mkdir "$cache"
chown sergio "$cache"
# No device nodes in a user namespace: debootstrap binds the host's where it
# believes to be in lxc.
bootstrap() { # ROOT
	"${ns[@]}" env "${proxies[@]}" PATH="$PATH" container=lxc debootstrap \
		--variant=minbase --cache-dir="$cache" bookworm "$1" "$mirror"
}
bootstrap "$home/plain/root" >"$T/log/plain" 2>&1 || {
	skip_unreachable "$T/log/plain"
	result bad "debootstrap into a plain directory"
	note "$(tail -5 "$T/log/plain")"
	exit 1
}
result ok "debootstrap into a plain directory"
ok "debootstrap into the mount" bootstrap "$mnt/root" || {
	tail -20 "$src/root/debootstrap/debootstrap.log" 2>/dev/null | sed 's/^/# /'
	exit 1
}

mkdir -p "$T/pkg/DEBIAN" "$T/pkg/usr/bin" "$T/pkg/var/lib/shifted"
cat >"$T/pkg/DEBIAN/control" <<'EOF'
Package: shifted
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: owners and modes
EOF
cat >"$T/pkg/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
getent passwd shifted >/dev/null ||
	useradd --system --uid 777 --no-create-home shifted
chown -R shifted:mail /var/lib/shifted
chmod 2770 /var/lib/shifted
dpkg-statoverride --force-all --update --add root mail 02755 /usr/bin/shifted
EOF
chmod 755 "$T/pkg/DEBIAN/postinst"
echo '#!/bin/sh' >"$T/pkg/usr/bin/shifted"
chmod 755 "$T/pkg/usr/bin/shifted" "$T/pkg" "$T/pkg/DEBIAN"
dpkg-deb --root-owner-group --build "$T/pkg" "$T/shifted.deb" >/dev/null

in_root() { # ROOT COMMAND...
	local root=$1
	shift
	"${ns[@]}" env "${proxies[@]}" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"
}
for root in "$home/plain/root" "$mnt/root"; do
	what="in ${root#"$home/"}"
	"${ns[@]}" cp "$T/shifted.deb" "$root/root/"
	"${ns[@]}" cp /etc/resolv.conf /etc/hosts "$root/etc/"
	# The sandbox's user has no network identity of its own here.
	echo 'APT::Sandbox::User "root";' >"$T/sandbox"
	"${ns[@]}" cp "$T/sandbox" "$root/etc/apt/apt.conf.d/"
	"${ns[@]}" mount --rbind /proc "$root/proc"
	ok "apt-get update, $what" in_root "$root" apt-get -q update
	ok "apt-get install, $what" in_root "$root" apt-get -q -y \
		install --no-install-recommends sudo cron man-db
	ok "dpkg -i, $what" in_root "$root" dpkg -i /root/shifted.deb
	is "dpkg's audit, $what" "$(in_root "$root" dpkg --audit)" ""
	in_root "$root" dpkg --verify >"$T/verify.${root//\//_}" 2>&1
	ok "remove and purge, $what" in_root "$root" apt-get -q -y purge man-db
	"${ns[@]}" sh -c "cd '$root' && find . -xdev ! -name proc ! -path './var/log/*' \
		! -path './var/cache/*' ! -path './dev/*' ! -path './proc/*' \
		! -path './sys/*' ! -path './tmp/*' ! -path '*/__pycache__*' \
		-printf '%P %y %m %U:%G %n %l\n' | sort; getcap -r . | sort" \
		>"$T/tree.${root//\//_}"
done
same "both trees are alike: owners, modes, links" "$T/tree.${mnt//\//_}_root" \
	"$T/tree.${home//\//_}_plain_root"
is "nothing on disk is setuid" "$(find "$src" -type f -perm /6000 | head -3)" ""
"${ns[@]}" sh -c "grep -o '$mnt/root/[^ ]*' /proc/self/mountinfo | sort -ru |
	xargs -r -n 1 umount -l"
ok "it can be deleted" "${ns[@]}" rm -rf "$mnt/root"
is "and nothing is left of it" "$(ls -A "$src")" ""
ok "unmount" umount_fs sergio "$mnt"
