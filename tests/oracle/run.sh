#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh OPS SEED [host|userns|disk|disk-userns|plain] [acl|noacl] [OPTION...]
#
# The same random calls in a plain directory and on idshift-mount, made on the
# host by an ordinary user (host), inside the user namespace (userns), with real
# owners by root (disk) or by the namespace's root (disk-userns), or, to test
# the oracle itself, in another plain directory (plain).  OPTIONs go to the
# oracle: --keep-going, --replay FILE...
#
# Exit code 0: no difference; 77: it can't run here, and why.  Environment:
#   IDSHIFT_BUILD           the build directory
#   ORACLE                  the oracle's program, else IDSHIFT_BUILD/tests/oracle
#   ORACLE_BASE             where the trees go (/var/tmp)
#   ORACLE_FS=TYPE          on a tmpfs instead, or on an image in memory of
#                           ext4, xfs or btrfs
#   ORACLE_MOUNT_OPTIONS    options for idshift-mount, each a word
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${IDSHIFT_BUILD:-$root/build}

skip() {
	echo "skip: $*"
	exit 77
}

usage() {
	sed -n '3s/^# /usage: /p' "$0" >&2
	exit 2
}

(($# >= 2)) || usage
ops=$1 seed=$2
shift 2
how=host acl=on
while (($# > 0)); do
	case $1 in
	host | userns | disk | disk-userns | plain) how=$1 ;;
	acl) acl=on ;;
	noacl) acl=off ;;
	*) break ;;
	esac
	shift
done

((EUID == 0)) || skip "must be root, to write the maps of a user namespace"
# All that it starts ends with its PID namespace, all mounts with the other.
if [[ -z ${ORACLE_BED-} ]]; then
	enter=(unshare --mount --pid --fork --kill-child --mount-proc)
	"${enter[@]}" true 2>/dev/null || skip "root here may not make namespaces"
	unshare --user true 2>/dev/null || skip "kernel: no user namespaces"
	base=$(mktemp -d "${ORACLE_BASE:-${IDSHIFT_TEST_DIR:-/var/tmp}}/idshift-oracle.XXXXXX") || exit
	ORACLE_BED=$base "${enter[@]}" bash "$0" "$ops" "$seed" "$how" \
		"$([[ $acl == on ]] && echo acl || echo noacl)" "$@"
	status=$?
	rm -rf "$base"
	exit $status
fi
base=$ORACLE_BED

mount --make-rprivate / || exit
chmod 755 "$base"
fs=${ORACLE_FS-}
if [[ $fs == tmpfs ]]; then
	mount -t tmpfs -o mode=755,noatime,nosuid,nodev oracle "$base" || exit
elif [[ -n $fs ]]; then
	command -v "mkfs.$fs" >/dev/null || skip "no mkfs.$fs"
	mount -t tmpfs -o mode=755,size=1g oracle "$base" || exit
	truncate -s 512M "$base/image"
	"mkfs.$fs" -q "$base/image" 2>"$base/mkfs" || { cat "$base/mkfs"; exit 1; }
	# The image is hidden then, and in use until the last mount is gone.
	mount -t "$fs" -o loop,noatime,nosuid,nodev "$base/image" "$base" ||
		skip "kernel: no $fs, or no loop devices"
	chmod 755 "$base"
else
	# Access times aren't compared, but those set explicitly must stay.
	mount --bind "$base" "$base" || exit
	mount -o remount,bind,noatime,nosuid,nodev "$base" || exit
fi
mkdir "$base"/{a,src,mnt,state,sys}
chown 1000:1000 "$base"/{a,src,mnt,state}
mount -t tmpfs -o mode=755 oracle "$base/sys" || exit

oracle=${ORACLE:-$build/tests/oracle}
if [[ ! -x $oracle ]]; then
	oracle=$base/sys/oracle
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -g \
		-I"$root/include" -o "$oracle" "$root"/tests/oracle/*.c || exit
fi
args=(--ops "$ops" --seed "$seed" --acl "$acl")
# What no file system above another can know of it.  truncate(2) of an empty
# file leaves its times and mode, but on ext4; tmpfs takes setgid away with an
# ACL that isn't there, and none before a call that it doesn't have; btrfs takes
# nothing away for a hole where there is one, and has far positions.
known=truncate:ctime-moved,truncate:mtime-moved,truncate:mtime,truncate:mode
case $fs in
tmpfs) args+=(--known "$known,setacl:mode,fallocate:mode") ;;
xfs) args+=(--known "$known") ;;
btrfs) args+=(--known "$known,fallocate:mode,fallocate:ctime-moved,fallocate:mtime-moved"
	--ignore "read:errno EINVAL/EISDIR,pread:errno EINVAL/EISDIR") ;;
esac
args+=("$@")
if [[ $how == plain ]]; then
	"$oracle" "${args[@]}" "$base/a" "$base/src"
	exit
fi

[[ -x $build/idshift-mount ]] || skip "$build/idshift-mount is not built"
[[ -e /dev/fuse ]] || skip "kernel: no /dev/fuse"
# A host as it is for users, seen from here only.
mkdir "$base/sys/etc" "$base/sys/bin"
cp -a /etc/. "$base/sys/etc/"
mount --bind "$base/sys/etc" /etc || exit
for file in passwd group; do
	awk -F: '$3 != 1000' "$base/sys/etc/$file" >"$base/sys/new"
	cat "$base/sys/new" >"/etc/$file"
done
echo "oracle:x:1000:1000::$base/state:/bin/sh" >>/etc/passwd
echo "oracle:x:1000:" >>/etc/group
echo "oracle:100000:65536" | tee /etc/subuid >/etc/subgid
rm -f /etc/nsswitch.conf
echo user_allow_other >/etc/fuse.conf
mknod -m 666 "$base/sys/fuse" c 10 229 || exit
mount --bind "$base/sys/fuse" /dev/fuse || exit
(: <>/dev/fuse) 2>/dev/null || skip "kernel: /dev/fuse can't be opened"
# The checkout may be in a directory that only root can enter.
install -m 755 "$build/idshift-mount" "$base/sys/bin/" || exit
export XDG_STATE_HOME=$base/state HOME=$base/state
daemon=$base/sys/bin/idshift-mount
read -ra options <<<"${ORACLE_MOUNT_OPTIONS-}"
log=$base/sys/log
: >"$log"
chmod 666 "$log"

user=(setpriv --reuid 1000 --regid 1000 --init-groups)
mounter=("${user[@]}")
case $how in
disk)
	mounter=()
	options+=(-o chown=disk --uidmap 0:1000:1 --uidmap 1:100000:65536
		--gidmap 0:1000:1 --gidmap 1:100000:65536)
	args+=(--real-owners)
	;;
disk-userns)
	options+=(-o chown=disk)
	args+=(--real-owners)
	;;
esac
if [[ $how == host || $how == disk ]]; then
	"${mounter[@]}" "$daemon" -f "${options[@]}" "$base/src" "$base/mnt" \
		>>"$log" 2>&1 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		# Not as root, who has no id in the container.
		! "${user[@]}" mountpoint -q "$base/mnt" || break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	if ! "${user[@]}" mountpoint -q "$base/mnt"; then
		cat "$log" >&2
		echo "run.sh: no mount" >&2
		exit 1
	fi
else
	printf -v command '%q ' "$daemon" "${options[@]}" "$base/src" "$base/mnt"
	args+=(--b-command "$command >>$log 2>&1")
fi

"$oracle" "${args[@]}" --source "$base/src" "$base/a" "$base/mnt"
status=$?
if [[ $how == host || $how == disk ]]; then
	kill -0 "$pid" 2>/dev/null || {
		echo "run.sh: the daemon died"
		status=1
	}
	umount -l "$base/mnt"
	for ((i = 0; i < 50; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
fi
if [[ -s $log ]]; then
	echo "-- the daemon said:"
	tail -30 "$log"
fi
[[ -z ${ORACLE_LOG-} ]] || cp "$log" "$ORACLE_LOG"
exit $status
