#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 3600
# Later libfuses: Debian 13's (3.17) has passthrough of its own, for which there
# is another branch in the code; Debian 14's (3.18) no hooks.  Built in a root of
# that release, 13 without a warning, with the tests of what depends on libfuse.
# IDSHIFT_MIRROR: where from (http://deb.debian.org/debian).
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_fuse
need_command debootstrap unshare pivot_root

mirror=${IDSHIFT_MIRROR-http://deb.debian.org/debian}
export DEBIAN_FRONTEND=noninteractive

# What debootstrap here may not know yet is made as the newest release is.
make_root() { # SUITE
	local script=/usr/share/debootstrap/scripts/$1
	[[ -e $script ]] || script=${script%/*}/sid
	root=$T/$1
	debootstrap --variant=minbase "$1" "$root" "$mirror" "$script" \
		>"$T/log/root" 2>&1 || {
		skip_unreachable "$T/log/root"
		result bad "debootstrap $1"
		note "$(tail -5 "$T/log/root")"
		return 1
	}
	result ok "debootstrap $1"
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	# A mirror may be behind.
	echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/99late"
	mkdir "$root/src" "$root/old"
	cp -r "$ROOT"/{fs,include,tests,tools,Makefile,.ci} "$root/src/"
	ok "packages" inside 'apt-get -q update && apt-get -q -y \
		install --no-install-recommends make && .ci/deps build test'
}

# A root of its own, not a chroot: in one there are no user namespaces.
inside() { # COMMAND: by the shell there
	unshare --mount --propagation private bash -c '
		mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc &&
			mount --rbind /dev dev && mount --rbind /sys sys &&
			pivot_root . old && umount -l /old && cd /src &&
			exec bash -c "$1"' "$root" "$1"
}

tests() { # NAME...
	inside "tests/run --build build $*" >"$T/log/tests" 2>&1 ||
		note "$(tail -40 "$T/log/tests")"
	tail -1 "$T/log/tests"
}

run_tests() { # VERSION
	like "another libfuse" "$(inside 'pkg-config --modversion fuse3')" "^$1"
	like "unit tests" \
		"$(tests test_node test_view test_lock_table test_create test_options \
			test_init_flags)" \
		'^[0-9]{2,} passed, 0 failed, 0 skipped$'
	like "passthrough" "$(tests test_passthrough)" \
		'^([0-9]{2,} passed, 0 failed, 0 skipped|0 passed, 0 failed, 1 skipped)$'
	like "caches, a mount that outlives its daemon, the bed's users, the calls" \
		"$(tests test_cache_modes test_resume test_owners test_sandbox \
			test_fsops test_faults test_fuzz_seeds)" \
		'^[0-9]{3,} passed, 0 failed, 0 skipped$'
}

if make_root trixie; then
	ok "no warning" inside 'make -s -j2 WERROR=1 all tests'
	run_tests '3\.17'
fi
if make_root forky; then
	ok "it builds" inside 'make -s -j2 all tests'
	run_tests '3\.(1[89]|[2-9])'
fi
