#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# The maps of the published guides to rootless containers.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
ME=solly
sed -i '/^sergio:/d; s/[:,]sergio$/:/' /etc/passwd /etc/group /etc/subuid /etc/subgid
user_add solly 1000 120000
user_add maria 1600 10001
machine_users=(solly maria)
need_podman

# guide USER CONTAINER-ID HOST-ID: a file of the container id shows as the
# host id through the mount, as natively, and is the user's on disk.
guide() {
	local user=$1 id=$2 host=$3 what="$1: container $2 is host $3"
	local mnt=$T/home/$1/mnt plain=$T/home/$1/plain
	as "$user" podman unshare touch "$plain/$id" "$mnt/$id"
	ok "$what: chown" as "$user" podman unshare chown "$id:$id" \
		"$plain/$id" "$mnt/$id"
	is "$what: natively" "$(stat -c %u:%g "$plain/$id")" "$host:$host"
	is "$what: through the mount" \
		"$(as "$user" stat -c %u:%g "$mnt/$id")" "$host:$host"
	is "$what: inside" \
		"$(as "$user" podman unshare stat -c %u:%g "$mnt/$id")" "$id:$id"
}

for user in solly maria; do
	source_dir "$user" src
	as "$user" mkdir "$T/home/$user/plain"
	mount_fs "$user" "$dir" "$T/home/$user/mnt" || exit 1
	for kind in uid gid; do
		as "$user" podman unshare cat "/proc/self/${kind}_map" |
			awk '{ print $1, $2, $3 }' >"$T/$kind.native"
	done
	as "$user" idshift-mount --print-map "$dir" "$T/home/$user/mnt" \
		>"$T/map" 2>&1
	is "$user: --print-map" "$?" 0
	# Lines of three numbers, in the first part: uids, then gids.
	awk 'NF == 3 && /^[ 0-9]+$/ { print $1, $2, $3 }' "$T/map" |
		head -4 >"$T/printed"
	cat "$T/uid.native" "$T/gid.native" >"$T/native"
	same "$user: the same map as podman's" "$T/printed" "$T/native" ||
		note "$(cat "$T/map")"
done
guide solly 0 1000
guide solly 1 120000
guide solly 65536 185535
guide maria 0 1600
guide maria 1 10001
guide maria 1000 11000

json=$(as solly idshift-mount --print-map --json "$T/home/solly/src" \
	"$T/home/solly/mnt" | tr -d ' \n')
like "--print-map --json" "$json" \
	'"userns":\{"uid":\[\{"container":0,"host":1000,"count":1\},\{"container":1,"host":120000,"count":65536\}\]'
for user in solly maria; do
	ok "unmount $user" as "$user" fusermount3 -u "$T/home/$user/mnt"
done
