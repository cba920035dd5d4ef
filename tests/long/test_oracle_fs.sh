#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1500
# Random calls on sources that aren't of the file system of /var/tmp: by a user
# on the host, in the namespace, and with real owners.
# IDSHIFT_ORACLE_OPS: how many in each (3000); IDSHIFT_ORACLE_SEED.
. "$(dirname "$0")/../integration/lib.sh"
need_root
need_fuse

ops=${IDSHIFT_ORACLE_OPS-3000}
seed=${IDSHIFT_ORACLE_SEED-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
for fs in tmpfs xfs btrfs; do
	for how in host userns disk; do
		what="$fs, $how, $ops calls, seed $seed"
		ORACLE_FS=$fs "$ROOT/tests/oracle/run.sh" "$ops" "$seed" \
			"$how" >"$T/log/oracle" 2>&1
		case $? in
		0) result ok "$what" ;;
		77) skip "$what" "$(sed -n 's/^skip: //p' "$T/log/oracle")" ;;
		*)
			result bad "$what"
			note "$(tail -40 "$T/log/oracle")"
			;;
		esac
	done
done
