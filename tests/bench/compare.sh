#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compare.sh REVISION [run.sh's arguments]: this tree against another revision
# of it, both built here: what an operation costs, counted (counts.sh), then
# measured in turn in the same rounds.  COUNTS=only stops before that.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
revision=${1-}
if [[ -z $revision ]] || ! commit=$(git -C "$ROOT" rev-parse --verify --quiet \
	--short "$revision^{commit}"); then
	echo "compare.sh: '$revision' is no revision;" \
		"make bench-compare BASE=REVISION" >&2
	exit 2
fi
shift
dir=$(mktemp -d /var/tmp/idshift-base.XXXXXX) || exit
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# An archive, not a worktree: nothing of it stays in the repository, even if
# this is killed.
mkdir "$dir/tree"
git -C "$ROOT" archive "$commit" | tar -x -C "$dir/tree" || exit
echo "building $commit" >&2
if ! (unset MAKEFLAGS MFLAGS MAKELEVEL
	make -C "$dir/tree" -j"$(nproc)" B="$dir/build" >"$dir/log" 2>&1); then
	tail -20 "$dir/log" >&2
	exit 1
fi
build=${IDSHIFT_BUILD:-$ROOT/build}
if ((EUID == 0)) && command -v strace >/dev/null; then
	echo "counting requests, system calls and instructions" >&2
	"$HERE/counts.sh" --plain "$dir/build/idshift-mount" >"$dir/counts.base" &&
		"$HERE/counts.sh" --plain "$build/idshift-mount" >"$dir/counts" &&
		"$HERE/counts.sh" --compare "$dir/counts.base" "$dir/counts"
fi
[[ ${COUNTS-} != only ]] || exit
"$HERE/run.sh" --fs idshift,records,base --base "$dir/build/idshift-mount" "$@"
