#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# Whoever changes places between two of the daemon's system calls gains
# nothing: with a colleague who is always fast enough (tests/preload/swap.c),
# and with many processes in the container and on the host that race against
# it for RACE_SECONDS (tests/integration/race.c).
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command setfattr setfacl
swap=$T/sys/bin/swap.so
if [[ ! -e $swap ]]; then
	need_command "${CC:-cc}"
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -shared \
		-fPIC -o "$swap" "$ROOT/tests/preload/swap.c" -ldl || exit 1
fi
user_add maria 1600 200000 shared

home=$T/home/sergio
mnt=$home/mnt
source_dir sergio src
src=$dir

# mount_swapping AFTER NAME WITH [OPTION...]
mount_swapping() {
	local after=$1 name=$2 with=$3 log
	shift 3
	as sergio mkdir -p "$mnt"
	log=$T/log/daemon-$((${#bed_mounts[@]} + 1)).log
	as_background sergio env "LD_PRELOAD=$swap" "SWAP_AFTER=$after" \
		"SWAP_NAME=$name" "SWAP_WITH=$with" idshift-mount -f "$@" \
		"$src" "$mnt" >>"$log" 2>&1
	daemon=$!
	bed_mounts+=("$mnt")
	bed_wait_mount "$daemon" "$log" as sergio mountpoint -q "$mnt"
}

# What the container's owner 5 keeps for itself, beside a file of sergio's;
# older than the clock's tick.
private_files() {
	rm -rf "$src/f"
	as sergio mkdir "$src/f"
	as sergio sh -c "cd '$src/f' && echo private >n && chmod 600 n &&
		setfattr -n user.containers.override_stat -v 5:5:0600:file n &&
		echo open >o && chmod 644 o"
	sleep 0.1
}
inode() {
	stat -c %i "$src/f/$1"
}

for after in stat twice; do
	private_files
	private=$(inode n) open=$(inode o)
	mount_swapping "$after" n o -o owner=1000:1000 || exit 1
	seen=$(as sergio stat -c '%i %u' "$mnt/f/n")
	case $after in
	stat) is "swapped $after: it happened" "$(inode n)" "$open" ;;
	twice) is "swapped $after: it happened" "$(inode n)" "$private" ;;
	esac
	case $seen in
	"$private 100004" | "$open 100999")
		result ok "swapped $after: each has its own owner"
		;;
	*) result bad "swapped $after: each has its own owner: $seen" ;;
	esac
	ok "unmount" umount_fs sergio "$mnt"
done

# A record read of the wrong one: root's file must not become 5's.
private_files
private=$(inode n) open=$(inode o)
mount_swapping twice o n -o owner=1000:1000 || exit 1
seen=$(as sergio stat -c '%i %u' "$mnt/f/o")
is "swapped twice: nobody has another's record" "$seen" "$open 100999"
ok "unmount" umount_fs sergio "$mnt"

# The same of a listing, which looks at each only once.
for after in stat twice; do
	private_files
	private=$(inode n) open=$(inode o)
	mount_swapping "$after" n o -o owner=1000:1000 || exit 1
	seen=$(as sergio find "$mnt/f" -type f -printf '%i %U\n' | sort | xargs)
	wanted=$(printf '%s\n' "$private 100004" "$open 100999" | sort | xargs)
	[[ $after == twice ]] || is "swapped in a listing: it happened" \
		"$(inode n)" "$open"
	is "swapped $after in a listing: each has its own owner" "$seen" \
		"$wanted"
	ok "unmount" umount_fs sergio "$mnt"
done

# A private directory of sergio's in the place of a new one; be it the last
# that was made there, and so as new as the directory's last change.
userns_start sergio || skip_all "no user namespaces here"
for last in secret later; do
	rm -rf "$src/shared"
	as sergio sh -c "mkdir '$src/shared' && cd '$src/shared' &&
		mkdir -m 700 secret; sleep 0.1; echo x >secret/f
		[ $last = secret ] || touch $last"
	mount_swapping make new secret || exit 1
	"${ns[@]}" sh -c "umask 0; mkdir '$mnt/shared/new'" 2>/dev/null
	is "a swapped directory: it happened" "$(cat "$src/shared/new/f")" x
	is "a swapped directory isn't opened to others, last was $last" \
		"$(stat -c %a "$src/shared/new")" 700
	ok "unmount" umount_fs sergio "$mnt"
done

# --- many, against chance --------------------------------------------------

seconds=${RACE_SECONDS-5}
outside=$home/outside
race=$src/race
as sergio sh -c "mkdir '$outside' && echo canary >'$outside/f' &&
	chmod 644 '$outside/f' && setfattr -n user.canary -v x '$outside/f'
	mkdir '$outside/sub'; touch '$outside/sub/f'; mkdir '$race'"
chgrp shared "$race"
chmod 2777 "$race"
outside_is() {
	find "$outside" -printf '%p %y %U:%G %m %n %T@ %C@ %s\n' | sort
	getfattr -Rd -m - "$outside" 2>/dev/null
	cat "$outside/f"
}
before=$(outside_is)
for cache in auto none; do
	mount_fs sergio "$src" "$mnt" -o map=g:shared:2000,cache=$cache || exit 1
	pids=() what=()
	start() { # NAME COMMAND...
		local name=$1
		shift
		"$@" >"$T/race-${#pids[@]}.out" 2>&1 &
		pids+=($!)
		what+=("$name")
	}
	each=$(((seconds + 1) / 2))
	start "a colleague" as maria race swap "$race" "$outside" $each
	start "another of hers" as maria race swap "$race" "$outside" $each
	start "the container's root" "${ns[@]}" race swap "$mnt/race" \
		"$outside" $each
	start "its uid 1000" "${ns[@]}" setpriv --reuid 1000 --regid 1000 \
		--clear-groups race swap "$mnt/race" "$outside" $each
	for uid in 0 0 1000; do
		start "who works as $uid" "${ns[@]}" setpriv --reuid $uid \
			--regid $uid --clear-groups race use "$mnt/race" $each
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		status=$?
		calls=$(tail -1 "$T/race-$i.out")
		if ((status == 0)) && [[ $calls == [1-9]* ]]; then
			result ok "${what[i]}: nothing of the outside, cache=$cache"
		else
			result bad "${what[i]}: exit code $status, cache=$cache"
			note "$(tail -3 "$T/race-$i.out")"
		fi
	done
	ok "the mount still answers" "${ns[@]}" ls "$mnt/race"
	ok "unmount" umount_fs sergio "$mnt"
done
is "nothing outside was written" "$(outside_is)" "$before"
rm -rf "$race"
