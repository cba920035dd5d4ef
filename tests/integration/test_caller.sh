#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 300
# caller= does what the kernel does: random calls on random trees by random
# callers, really in a user namespace, and judged by us in the mount of an
# ordinary user.  idshift explain on the same trees.  CALLER_SEED=N repeats a
# seed, CALLER_ROUNDS=N and CALLER_CALLS=N make it longer.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_command getfacl
user_add nosub 1500 none

rounds=${CALLER_ROUNDS-4}
calls=${CALLER_CALLS-400}
first=${CALLER_SEED-$((RANDOM * 32768 + RANDOM))}
note "random seed: $first"
userns_start sergio || skip_all "kernel: no user namespaces here"
native=$T/home/sergio/native

# In the tree of a user namespace the owner map is that of subordinate ids.
# Who has none starts with a tree of his own.
setting() { # SEED: sets $user, $shown and $root
	if (($1 % 2)); then
		user=sergio
		shown=(-o "userns=host,map=b:1000:0,map=b:100000:1:65536")
		root=("${ns[@]}")
		made=()
	else
		user=nosub
		shown=(-o "userns=host,owner=0:0")
		root=(as nosub)
		made=("${shown[@]}" -o caller=0:0)
	fi
	mnt=$T/home/$user/mnt
}

tree() { # DIR COMMAND...: by a root, who sees all
	local dir=$1
	shift
	"$@" sh -c 'cd "$1" && find . -printf "%P %y %m %U:%G %l\n" | sort &&
		getfacl -PRns . | sort' - "$dir" 2>&1
}

explained() { # WHO: answers to the lines that are its input
	local op path rest
	while read -r op path rest; do
		as "$user" idshift explain --source "$src" "${shown[@]}" \
			--as "$1" "$op" "$src/$path" >/dev/null 2>&1
		case $? in
		0) echo "$op $path yes" ;;
		1) echo "$op $path no" ;;
		*) echo "$op $path cannot" ;;
		esac
	done
}

one_caller() { # RUN WHO
	local run=$1 who=$2 what="seed $seed, $user: $2"
	"${ns[@]}" callers ask "$run" "$who" "$native" >"$T/native"
	head -12 "$T/native" >"$T/asked"
	explained "$who" <"$T/asked" >"$T/explained"
	same "$what: explain" "$T/explained" "$T/asked"
	mount_fs "$user" "$src" "$mnt" "${shown[@]}" -o caller="$who" || exit 1
	as "$user" callers ask "$run" - "$mnt" >"$T/judged"
	same "$what: access" "$T/judged" "$T/native"
	"${ns[@]}" callers calls "$run" "$calls" "$who" "$native" >"$T/native" 2>&1
	as "$user" callers calls "$run" "$calls" - "$mnt" >"$T/judged" 2>&1
	same "$what: $calls calls, $(grep -c '= E[AP]' "$T/native") denied" \
		"$T/judged" "$T/native"
	is "$what: came to the end" "$(tail -1 "$T/native" | cut -d' ' -f1)" "$calls"
	umount_fs "$user" "$mnt" || exit 1
}

for ((seed = first; seed < first + rounds; seed++)); do
	setting "$seed"
	source_dir "$user" "src-$seed"
	src=$dir
	as sergio mkdir "$native"
	mount_fs "$user" "$src" "$mnt" "${made[@]}" || exit 1
	is "seed $seed: made" "$("${ns[@]}" callers make "$seed" "$native" &&
		"${root[@]}" callers make "$seed" "$mnt")" ""
	tree "$native" "${ns[@]}" >"$T/native"
	tree "$mnt" "${root[@]}" >"$T/mounted"
	same "seed $seed: the tree" "$T/mounted" "$T/native"
	umount_fs "$user" "$mnt" || exit 1
	for run in {1..4}; do
		run=$((seed * 16 + run))
		one_caller "$run" "$(callers who "$run")"
	done
	mount_fs "$user" "$src" "$mnt" "${made[@]}" || exit 1
	tree "$native" "${ns[@]}" >"$T/native"
	tree "$mnt" "${root[@]}" >"$T/mounted"
	same "seed $seed: the tree afterwards" "$T/mounted" "$T/native"
	umount_fs "$user" "$mnt" || exit 1
	rm -r "$native"
done
kill "$userns"
wait "$userns" 2>/dev/null || :
