#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# What bash offers at the end of a line, with readline's own word breaks.
. "$(dirname "$0")/lib.sh"

. "$ROOT/tools/idshift.bash"
. "$ROOT/tools/idshift-mount.bash"
mkdir "$T/names" "$T/names/tree" "$T/names/two words"
: >"$T/names/traces"
cd "$T/names" || exit

# Words as readline has them: broken at blanks, = and : too.
offered() { # LINE
	local program=${1%% *}
	COMP_LINE=$1 COMP_POINT=${#1}
	COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
	local line=${1//=/ = }
	mapfile -t COMP_WORDS < <(tr -s ' ' '\n' <<<"${line//:/ : }")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	"_${program//-/_}" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd '|'
}
offers() { # LINE WANTED
	is "$1" "$(offered "$1")" "$2"
}
offers 'idshift ex' explain
offers 'idshift map --userns=ke' keep-id
offers 'idshift map --userns=' 'auto|host|keep-id|nomap|pid:|podman'
offers 'idshift map --userns ho' host
offers 'idshift stat --map=u' 'u:'
offers 'idshift chown --fr' --from=
offers 'idshift chown 5 tr' 'traces|tree'
offers 'idshift explain --source=t' 'tree|two words'
offers 'idshift explain --source t' 'tree|two words'
offers 'idshift explain --source=tree t' traverse
offers 'idshift explain --as=5:5 tr' traverse
offers 'idshift explain --as=5:5 chown=1:1 tr' 'traces|tree'
offers 'idshift explain --cap=dac_r' dac_read_search
offers 'idshift run tr' tree
offers 'idshift run --cache=n' none
offers 'idshift help do' doctor
offers 'idshift-mount -o ro,userns=ke' keep-id
offers 'idshift-mount --userns=ke' keep-id
offers 'idshift-mount --sandbox=o' 'off|on'
offers 'idshift-mount --trace=tr' 'traces|tree'
offers 'idshift-mount --run-as=roo' root
# Nothing that a program takes is missing.
for name in $("$BUILD/idshift-mount" --help |
	sed -n '/^whose user/,/^ *--print-map/p' | grep -v print-map |
	sed -n 's/^  \([a-z].*\)/\1/p' | sed 's/  .*//' |
	grep -oE '(^|, )[a-z_-]+=?'); do
	name=${name%,}
	[[ -n $name ]] || continue
	like "idshift-mount -o $name" "$(offered "idshift-mount -o ${name%=}")" \
		"(^|[|])$name([|]|\$)"
done
for command in map stat chown chmod clear explain run doctor; do
	for name in $("$BUILD/idshift" help "$command" |
		sed -n '/^Map options/q; s/^ .*  *\(--[a-z-]*=*\).*/\1/p'); do
		like "idshift $command $name" "$(offered "idshift $command ${name%=}")" \
			"(^|[|])$name([|]|\$)"
	done
done
