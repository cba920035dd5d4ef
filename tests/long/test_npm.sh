#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 600
# npm install of packages with programs to link, as container root (which
# takes the owner of the directory) and as a user; no registry is asked.
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_allow_other
need_command nsenter npm node

source_dir sergio src
src=$dir
home=$T/home/sergio
mnt=$home/mnt
as sergio mkdir "$home/plain"
userns_start sergio || skip_all "no user namespaces here"
mount_fs sergio "$src" "$mnt" || exit 1

cat >"$T/work" <<'EOF'
cd "$1" || exit
export HOME=$PWD/home npm_config_cache=$PWD/home/cache npm_config_offline=true
export npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
mkdir -p home made
for i in $(seq 30); do
	mkdir -p "p$i/bin" "p$i/lib/deep/er"
	for j in $(seq 20); do echo "exports.x = $j" >"p$i/lib/deep/er/m$j.js"; done
	printf '#!/usr/bin/env node\nconsole.log("tool %s", require("../lib/deep/er/m3.js").x)\n' "$i" >"p$i/bin/tool.js"
	((i % 2)) && chmod +x "p$i/bin/tool.js"
	printf '{"name":"p%s","version":"1.0.%s","bin":{"tool%s":"bin/tool.js"},"scripts":{"install":"echo built >built"}}\n' \
		"$i" "$i" "$i" >"p$i/package.json"
	npm pack --silent --pack-destination made "./p$i" >/dev/null || echo "pack $i failed"
done
mkdir app && cd app && echo '{"name":"app","version":"1.0.0","private":true}' >package.json
npm install --silent --foreground-scripts=false ../made/*.tgz || echo "install failed"
for i in 1 2 30; do ./node_modules/.bin/tool$i; npx --no-install tool$i; done
npm ls --depth=0 2>&1 | sed 1d
npm ci --silent || echo "ci failed"
npm uninstall --silent p2 p3 || echo "uninstall failed"
npm prune --silent
cd ..
npm install --silent -g --prefix "$PWD/global" ./made/p7-*.tgz || echo "global failed"
global/bin/tool7
rm -rf home/cache/_logs
find app global -printf '%P %y %m %U:%G %n %l\n' | sort
EOF
chmod 644 "$T/work"
for who in root user; do
	for where in "$home/plain" "$mnt"; do
		"${ns[@]}" sh -c "cd '$where' && mkdir $who"
		command=("${ns[@]}" bash)
		if [[ $who == user ]]; then
			"${ns[@]}" chown 1000:1000 "$where/$who"
			command=("${ns[@]}" setpriv --reuid 1000 --regid 1000 --clear-groups bash)
		fi
		"${command[@]}" "$T/work" "$where/$who" 2>&1 |
			sed "s@$where@DIR@g" >"$T/npm.$who.${where##*/}"
	done
	same "npm as $who" "$T/npm.$who.mnt" "$T/npm.$who.plain"
	is "as $who: nothing failed" "$(grep -c failed "$T/npm.$who.plain")" 0
done
ok "I delete it on the host" as sergio rm -rf "$src/root" "$src/user"
ok "unmount" umount_fs sergio "$mnt"
