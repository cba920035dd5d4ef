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
for how in host userns disk disk-userns; do
	for acl in acl noacl; do
		seeds=(1 "$random")
		[[ $how != disk* ]] || seeds=("$random")
		for seed in "${seeds[@]}"; do
			IDSHIFT_BUILD=$BUILD bash "$ROOT/tests/oracle/run.sh" \
				"$ops" "$seed" "$how" "$acl" >"$T/oracle" 2>&1
			status=$?
			what="$ops calls, $how, $acl, seed $seed"
			case $status in
			0) result ok "$what" ;;
			77) skip "$what" "$(sed -n 's/^skip: //p' "$T/oracle")" ;;
			*)
				result bad "$what"
				note "tests/oracle/run.sh $ops $seed $how $acl: $(tail -60 "$T/oracle")"
				;;
			esac
		done
	done
done
