#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 240
# Root's mounts: reads and writes go past the daemon, and all answers as on a
# plain directory.  Where a file can't be passed through it is copied.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
mkdir -m 755 "$T/data"
cd "$T/data" || exit
mkdir plain src mnt state
plain=$T/data/plain src=$T/data/src mnt=$T/data/mnt

# mount_root SOURCE [OPTION...]
mount_root() {
	local source=$1
	shift
	mount_fs root "$source" "$mnt" -o "userns=host,public,state=$T/data/state" \
		"$@" || exit 1
	log=$T/log/daemon-${#bed_mounts[@]}.log
}

unmount() {
	ok "unmount" umount "$mnt"
	wait "$daemon"
}

status() { # FIELD
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$daemon/status"
}

# What the daemon has read and written: io_of COMMAND..., in bytes.
io() {
	awk '/^[rw]char/ { sum += $2 } END { print sum }' "/proc/$daemon/io"
}
io_of() {
	local before
	before=$(io)
	"$@" >/dev/null 2>&1
	echo $(($(io) - before))
}
passes() {
	dd if=/dev/zero of="$mnt/io" bs=1M count=4 && cat "$mnt/io"
	rm "$mnt/io"
}

mount_root "$src" -o chown=disk
# The kernel's offer, as the companion sees it.
[[ $(idshift doctor "$src" 2>/dev/null) == *"FUSE passthrough: is there"* ]] ||
	skip_all "kernel: no FUSE passthrough"
[[ $(status Seccomp) == 2 ]] || sandboxed=no
copied=$((8 << 20))
ok "8 MiB go past the daemon" test "$(io_of passes)" -lt 100000

# compare NAME COMMAND...: in $plain and $mnt alike.
compare() {
	local name=$1
	shift
	mkdir -m 777 "$plain/$name" "$mnt/$name"
	"$@" fsops_data "$plain/$name" >"$T/plain.out" 2>&1
	"$@" fsops_data "$mnt/$name" >"$T/mounted.out" 2>&1
	same "fsops_data, $name" "$T/mounted.out" "$T/plain.out"
	compare_fsops "$name" "$plain/$name" "$mnt/$name" "$@"
}
user=(setpriv --reuid 1000 --regid 1000 --init-groups)
compare user "${user[@]}"

# --- who writes strips, whoever owns ---------------------------------------

# strip DIR: by somebody else, through a file that was open before.
strip() {
	local dir=$1
	rm -f "$dir/s"
	echo text >"$dir/s"
	chmod 0777 "$dir/s"
	setpriv --reuid 1000 --regid 1000 --clear-groups bash -c "
		exec 3<>'$dir/s'
		echo ready
		read -r _
		echo more >&3
		cat '$dir/s'
		stat -c '%a %s' '$dir/s'" < <(sleep 0.5; chmod 6777 "$dir/s"
		echo go; sleep 0.2)
}
is "another's write strips" "$(strip "$mnt")" "$(strip "$plain")"

# --- both sides ------------------------------------------------------------

echo host >"$src/f"
exec 4<>"$mnt/f"
echo more >>"$src/f"
is "the host appends, the reader sees it" "$(cat <&4)" $'host\nmore'
echo mount >>"$mnt/f"
is "and the host what is appended here" "$(cat "$src/f")" $'host\nmore\nmount'
printf X | dd of="$src/f" conv=notrunc status=none
is "at once, the other way" "$(dd if="$mnt/f" bs=4 count=1 status=none)" Xost
: >"$src/f"
is "cut by the host" "$(cat "$mnt/f")" ""
echo new >"$src/g"
mv "$src/g" "$src/f"
is "replaced by the host" "$(cat "$mnt/f")" new
exec 4>&-
ok "host and mount exclude each other" flock -n "$mnt/f" bash -c \
	"! flock -n '$src/f' true"
exec 5>"$mnt/built"
cat /bin/true >&5
chmod 755 "$mnt/built"
exec 6<"$mnt/built" 5>&-
# RELEASE comes after close(2) has returned.
ok "closed by its writer, still read: the host runs it" \
	wait_for 5 "$src/built"
exec 6<&-
touch "$mnt/l"
flock "$mnt/l" sleep 1 &
sleep 0.3
ok "a lock ends with who held it, others having it open" \
	timeout 10 flock "$mnt/l" true
wait $!
cp /bin/true "$mnt/true"
ok "a program starts at once after it was copied" "$mnt/true"
touch -a -d @1000000000 "$mnt/f"
cat "$mnt/f" >"$T/out"
ok "reading moves the access time" test "$(stat -c %X "$mnt/f")" -gt 1000000000
chattr +i "$src/f" 2>/dev/null && {
	fails 1 "an immutable file stays so" tee -a "$mnt/f"
	chattr -i "$src/f"
}
is "nothing was said" "$(grep -v 'sandbox without' "$log")" ""
unmount

# --- recorded owners, and other modes --------------------------------------

mount_root "$src"
ok "recording: past the daemon" test "$(io_of passes)" -lt 100000
compare recorded "${user[@]}"
if [[ ! ${sandboxed-} ]]; then
	# chown, dac_override, fowner, fsetid; sys_admin for the ioctl
	is "root keeps" "$(status CapEff)" 000000000020001b
fi
unmount
mount_root "$src" -o passthrough=off
ok "passthrough=off: by the daemon" test "$(io_of passes)" -gt $copied
[[ ${sandboxed-} ]] || is "without the privilege" "$(status CapEff)" 000000000000001b
unmount
mount_root "$src" -o cache=always
ok "cache=always: past the daemon" test "$(io_of passes)" -lt 100000
unmount
mount_root "$src" -o ro
echo x >"$src/r"
is "ro: read" "$(cat "$mnt/r")" x
unmount

# For the containers of a user, as their root and as another of their ids.
userns_start sergio || exit 1
mkdir "$T/data/users"
chown 1000:1000 "$plain" "$T/data/users"
mount_root "$T/data/users" -o userns=auto,chown=disk --uidmap 0:1000:1 \
	--uidmap 1:100000:65536 --gidmap 0:1000:1 --gidmap 1:100000:65536
compare_in() { # WHO NAME
	local who=("${ns[@]}" setpriv --reuid "$1" --regid "$1" --clear-groups)
	"${ns[@]}" mkdir -m 777 "$plain/$2" "$mnt/$2"
	"${ns[@]}" chown "$1:$1" "$plain/$2" "$mnt/$2"
	"${who[@]}" fsops_data "$plain/$2" >"$T/plain.out" 2>&1
	"${who[@]}" fsops_data "$mnt/$2" >"$T/mounted.out" 2>&1
	same "fsops_data, $2" "$T/mounted.out" "$T/plain.out"
	compare_fsops "$2" "$plain/$2" "$mnt/$2" "${who[@]}"
}
compare_in 0 "container root"
compare_in 1000 "container user"
ok "past the daemon" test "$(io_of "${ns[@]}" dd if=/dev/zero of="$mnt/io" \
	bs=1M count=8)" -lt 100000
unmount
kill "$userns"
wait "$userns" 2>/dev/null

# Nobody else has it.
source_dir sergio own
echo "user_allow_other" >/etc/fuse.conf
as sergio mkdir "$T/home/sergio/mnt"
as_background root idshift-mount -f -o run-as=sergio,userns=host "$dir" \
	"$T/home/sergio/mnt" 2>"$T/log/run-as"
daemon=$! mnt=$T/home/sergio/mnt
bed_mounts+=("$mnt")
bed_wait_mount "$daemon" "$T/log/run-as" as sergio mountpoint -q "$mnt"
is "run-as: no privilege" "$(status CapEff)" 0000000000000000
ok "run-as: by the daemon" test "$(io_of as sergio dd if=/dev/zero \
	of="$mnt/io" bs=1M count=8)" -gt $copied
unmount
mnt=$T/data/mnt

# --- what can't be passed through ------------------------------------------

mkdir "$T/data"/{lower,upper,work,merged}
echo lower >"$T/data/lower/l"
if mount -t overlay -o "lowerdir=$T/data/lower,upperdir=$T/data/upper,workdir=$T/data/work" \
	overlay "$T/data/merged" 2>/dev/null; then
	mount_root "$T/data/merged" -o chown=disk
	is "overlayfs: read" "$(cat "$mnt/l")" lower
	ok "overlayfs: copied" test "$(io_of passes)" -gt $copied
	is "said once" "$(grep -c 'are copied' "$log")" 1
	like "doctor says so" "$(idshift doctor "$T/data/merged" 2>&1)" \
		'passthrough.*stacked'
	like "with the reason" "$(cat "$log")" 'Too many levels|symbolic'
	unmount
	umount "$T/data/merged"
else
	skip "a source on overlayfs" "kernel: no overlayfs here"
fi
