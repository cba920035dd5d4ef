# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion of idshift(1)

_idshift() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local sub=${COMP_WORDS[1]-} i words=
	local map='--userns= --uidmap= --gidmap= --map= --owner= --unmapped= --state= -o'
	local subs='map stat chown chmod clear explain run doctor help'

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$subs --help --version" -- "$cur")
		return
	fi
	# A command of run's own.
	if [[ $sub == run ]]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			if [[ ${COMP_WORDS[i]} == -- ]]; then
				if declare -F _command_offset >/dev/null; then
					_command_offset $((i + 1))
				else
					mapfile -t COMPREPLY < <(compgen -c -- "$cur")
				fi
				return
			fi
		done
	fi
	case $cur in
	--userns=*)
		mapfile -t COMPREPLY < <(compgen -W 'auto host keep-id nomap podman pid:' -- "${cur#*=}")
		return
		;;
	-*)
		case $sub in
		map | stat) words="--json $map" ;;
		chown) words="-R --recursive -h --no-dereference --from= $map" ;;
		chmod | clear) words="-R --recursive $map" ;;
		explain) words="--as= --cap --cap= --json --source= $map" ;;
		run) words="--public --ro --cache= --chown= --locks= --xattr= $map --" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words --help" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
		;;
	esac
	case $sub in
	help)
		mapfile -t COMPREPLY < <(compgen -W "$subs" -- "$cur")
		;;
	map) ;;
	run | doctor)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	explain)
		if [[ $prev == --source ]]; then
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			[[ " ${COMP_WORDS[*]:2:COMP_CWORD-2} " =~ \ (read|write|create|delete|exec|chown|chmod|list|traverse)\  ]] ||
				mapfile -t COMPREPLY < <(compgen -W 'read write create delete exec chown chmod list traverse' -- "$cur")
		fi
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}
complete -o filenames -F _idshift idshift
