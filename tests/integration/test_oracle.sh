#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# Random calls, compared one by one with a plain directory in a real user
# namespace.  A seed of its own each time, besides a fixed one:
# ORACLE_SEED=N repeats it, ORACLE_OPS=N makes it longer.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse

ops=${ORACLE_OPS-3000}
random=${ORACLE_SEED-$((RANDOM * 32768 + RANDOM))}
note "random seed: $random"
# oracle WHAT OPS SEED HOW ACL [OPTION...]
oracle() {
	local what=$1 status
	shift
	IDSHIFT_BUILD=$BUILD bash "$ROOT/tests/oracle/run.sh" "$@" \
		>"$T/oracle" 2>&1
	status=$?
	case $status in
	0) result ok "$what" ;;
	77) skip "$what" "$(sed -n 's/^skip: //p' "$T/oracle")" ;;
	*)
		result bad "$what"
		note "tests/oracle/run.sh $*: $(tail -60 "$T/oracle")"
		;;
	esac
}

for how in host userns disk disk-userns; do
	oracle "what once differed, $how" 1 1 "$how" acl \
		--replay "$ROOT/tests/oracle/cases"
	for acl in acl noacl; do
		seeds=(1 "$random")
		[[ $how != disk* ]] || seeds=("$random")
		for seed in "${seeds[@]}"; do
			oracle "$ops calls, $how, $acl, seed $seed" \
				"$ops" "$seed" "$how" "$acl"
		done
	done
done
