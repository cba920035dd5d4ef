#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# README's reproductions: its commands, as they stand there, print what stands
# there; the dates of files aside.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse

home=$T/home/sergio
as sergio sh -c "cd '$home' && mkdir work vol code mnt && echo n >work/notes &&
	echo c >vol/config && echo x >code/file"
bed_sources+=(sergio "$home/work" sergio "$home/vol" sergio "$home/code")

undated() {
	sed -E 's/ [A-Z][a-z]{2} [ 0-9]{2} [0-9]{2}:[0-9]{2} / DATE /'
}
sed -n '/^## Reproduce/,/^## /s/^    //p' "$ROOT/README.md" >"$T/wanted"
# What has caller= needs no allow_other.
: >/etc/fuse.conf
while IFS= read -r line; do
	[[ $line == '$ '* ]] || continue
	[[ $line == *caller=* ]] || echo user_allow_other >/etc/fuse.conf
	echo "$line"
	as sergio bash -c "cd; ${line#??}" 2>&1 </dev/null
	: >/etc/fuse.conf
done <"$T/wanted" >"$T/got"
undated <"$T/wanted" >"$T/wanted.undated"
undated <"$T/got" >"$T/got.undated"
same "what README shows" "$T/got.undated" "$T/wanted.undated"
is "its commands" "$(grep -c '^\$ ' "$T/wanted")" 14
