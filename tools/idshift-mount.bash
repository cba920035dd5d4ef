# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for idshift-mount                       -*- shell-script -*-
# shellcheck shell=bash

_idshift_mount_values() { # NAME: the words that its value may be
	case $1 in
	userns) echo "auto host keep-id nomap pid: podman" ;;
	chown) echo "record disk ignore deny" ;;
	cache) echo "auto none always" ;;
	locks) echo "host local" ;;
	sandbox) echo "on off" ;;
	xattr) echo "rw none" ;;
	passthrough) echo "auto off" ;;
	map) echo "u: g: b:" ;;
	esac
}

_idshift_mount_names="userns= uidmap= gidmap= map= owner= unmapped= chown=
	xattr= locks= cache= attr_timeout= entry_timeout= negative_timeout=
	passthrough= sandbox= threads= max_fds= state= caller= run-as= trace=
	resume= public ro rw noexec exec"

# _idshift_mount_value NAME VALUE PREFIX: candidates for a value.
_idshift_mount_value() {
	local kind=${2%%:*} ids
	case $1 in
	map)
		case $2 in
		u:*:* | g:*:* | b:*:*) ;;
		u:* | b:*)
			mapfile -t COMPREPLY < <(compgen -u -P "$3$kind:" -S : -- "${2#*:}")
			return
			;;
		g:*)
			mapfile -t COMPREPLY < <(compgen -g -P "$3$kind:" -S : -- "${2#*:}")
			return
			;;
		esac
		;;
	state)
		mapfile -t COMPREPLY < <(compgen -d -P "$3" -- "$2")
		return
		;;
	trace | resume)
		mapfile -t COMPREPLY < <(compgen -f -P "$3" -- "$2")
		return
		;;
	run-as)
		mapfile -t COMPREPLY < <(compgen -u -P "$3" -- "$2")
		return
		;;
	esac
	ids=$(_idshift_mount_values "$1")
	mapfile -t COMPREPLY < <(compgen -P "$3" -W "$ids" -- "$2")
}

_idshift_mount() {
	# Words are taken apart at blanks only: readline also does at = and :.
	local line=${COMP_LINE:0:COMP_POINT} words word previous item prefix name
	local strip
	read -ra words <<<"$line"
	word=
	[[ $line == *[[:blank:]] ]] || word=${words[-1]}
	previous=${words[-1]}
	[[ -z $word ]] || previous=${words[-2]}
	COMPREPLY=()
	if [[ $previous == -o ]]; then
		item=${word##*,}
		prefix=${word%"$item"}
		if [[ $item == *=* ]]; then
			_idshift_mount_value "${item%%=*}" "${item#*=}" \
				"$prefix${item%%=*}="
		else
			mapfile -t COMPREPLY < <(compgen -P "$prefix" \
				-W "$_idshift_mount_names" -- "$item")
		fi
		compopt -o nospace 2>/dev/null
	elif [[ $word == --*=* ]]; then
		name=${word%%=*}
		_idshift_mount_value "${name#--}" "${word#*=}" "$name="
		compopt -o nospace 2>/dev/null
	elif [[ $previous == --* && " $(tr -s '\n\t' ' ' \
		<<<"$_idshift_mount_names")" == *" ${previous#--}= "* ]]; then
		_idshift_mount_value "${previous#--}" "$word" ""
		compopt -o nospace 2>/dev/null
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(for name in $_idshift_mount_names; do
			echo "--$name"
		done)
		mapfile -t COMPREPLY < <(compgen -W "${COMPREPLY[*]} -o -f -d -h -V
			--foreground --debug --help --version --print-map --json" \
			-- "$word")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		compopt -o filenames 2>/dev/null
	fi
	# Readline replaces only what follows the last = or : of the word.
	strip=${word%"${word##*[=:]}"}
	[[ -z $strip || $COMP_WORDBREAKS != *[=:]* ]] ||
		COMPREPLY=("${COMPREPLY[@]#"$strip"}")
}
complete -F _idshift_mount idshift-mount
