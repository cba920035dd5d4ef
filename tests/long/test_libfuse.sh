#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1800
# Debian 13's libfuse (3.17) has passthrough of its own, for which there is
# another branch in the code: built in a root of that release without a
# warning, with the tests of what depends on libfuse.
# IDSHIFT_MIRROR: where from (http://deb.debian.org/debian).
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_fuse
need_command debootstrap unshare pivot_root

mirror=${IDSHIFT_MIRROR-http://deb.debian.org/debian}
root=$T/trixie
debootstrap --variant=minbase trixie "$root" "$mirror" >"$T/log/root" 2>&1 || {
	grep -qE 'unreachable|Failed getting release|resolve' "$T/log/root" &&
		skip_all "kernel: no network here: $(grep -m 1 '^E:' "$T/log/root")"
	result bad "debootstrap"
	note "$(tail -5 "$T/log/root")"
	exit 1
}
result ok "debootstrap"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/src" "$root/old"
cp -r "$ROOT"/{fs,include,tests,tools,Makefile,.ci} "$root/src/"

# A root of its own, not a chroot: in one there are no user namespaces.
inside() { # COMMAND: by the shell there
	unshare --mount --propagation private bash -c '
		mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc &&
			mount --rbind /dev dev && mount --rbind /sys sys &&
			pivot_root . old && umount -l /old && cd /src &&
			exec bash -c "$1"' "$root" "$1"
}
export DEBIAN_FRONTEND=noninteractive
ok "packages" inside 'apt-get -q update && apt-get -q -y \
	install --no-install-recommends make && .ci/deps build test'
like "another libfuse" "$(inside 'pkg-config --modversion fuse3')" '^3\.(1[7-9]|[2-9])'
ok "no warning" inside 'make -s -j2 WERROR=1 all tests'

tests() { # NAME...
	inside "tests/run --build build $*" >"$T/log/tests" 2>&1 ||
		note "$(tail -40 "$T/log/tests")"
	tail -1 "$T/log/tests"
}
like "unit tests" \
	"$(tests test_node test_view test_lock_table test_create test_options)" \
	'^[0-9]{2,} passed, 0 failed, 0 skipped$'
like "passthrough" "$(tests test_passthrough)" \
	'^([0-9]{2,} passed, 0 failed, 0 skipped|0 passed, 0 failed, 1 skipped)$'
like "caches, a mount that outlives its daemon, and the bed's users" \
	"$(tests test_cache_modes test_resume test_owners test_sandbox)" \
	'^[0-9]{3,} passed, 0 failed, 0 skipped$'
