# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion of idshift(1)

_idshift_subs='map stat chown chmod clear explain run doctor help'
_idshift_operations='read write create delete exec chown chmod list traverse'

_idshift_options() { # SUBCOMMAND
	local map='--userns= --uidmap= --gidmap= --map= --owner= --unmapped= --state= -o'

	case $1 in
	map | stat) echo "--json $map" ;;
	chown) echo "-R --recursive -h --no-dereference --from= $map" ;;
	chmod | clear) echo "-R --recursive $map" ;;
	explain) echo "--as= --cap --cap= --json --source= --ro --noexec --chown= $map" ;;
	run) echo "--public --ro --noexec --cache= --caller= --chown= --locks= --sandbox= --trace= --xattr= $map --" ;;
	esac
	echo --help
}

_idshift_words() { # CANDIDATES WORD [PREFIX]
	mapfile -t COMPREPLY < <(compgen -P "${3-}" -W "$1" -- "$2")
	[[ ${COMPREPLY[0]-} != *[=:] ]] || compopt -o nospace 2>/dev/null
}

_idshift_files() { # -d|-f WORD [PREFIX]
	mapfile -t COMPREPLY < <(compgen -P "${3-}" "$1" -- "$2")
	compopt -o filenames 2>/dev/null
}

_idshift_value() { # NAME VALUE PREFIX
	case $1 in
	userns) _idshift_words 'auto host keep-id nomap podman pid:' "$2" "$3" ;;
	map) _idshift_words 'u: g: b:' "$2" "$3" ;;
	chown) _idshift_words 'record disk ignore deny' "$2" "$3" ;;
	cache) _idshift_words 'auto none always' "$2" "$3" ;;
	locks) _idshift_words 'host local' "$2" "$3" ;;
	sandbox) _idshift_words 'on off' "$2" "$3" ;;
	xattr) _idshift_words 'rw none' "$2" "$3" ;;
	cap) _idshift_words 'all none chown dac_override dac_read_search fowner fsetid' \
		"$2" "$3" ;;
	source | state) _idshift_files -d "$2" "$3" ;;
	trace) _idshift_files -f "$2" "$3" ;;
	esac
}

_idshift_operand() { # SUBCOMMAND WORD WORD-BEFORE...
	case $1 in
	help) _idshift_words "$_idshift_subs" "$2" ;;
	map) ;;
	run | doctor) _idshift_files -d "$2" ;;
	explain)
		if [[ " ${*:3} " =~ \ (${_idshift_operations// /|})(=[^ ]*)?\  ]]; then
			_idshift_files -f "$2"
		else
			_idshift_words "$_idshift_operations" "$2"
		fi
		;;
	*) _idshift_files -f "$2" ;;
	esac
}

_idshift() {
	# Words are taken apart at blanks only: readline also does at = and :.
	local line=${COMP_LINE:0:COMP_POINT} words word previous i strip
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	word=${words[-1]} previous=${words[-2]}
	COMPREPLY=()
	# A command of run's own.
	if [[ ${words[1]} == run ]]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} == -- ]] || continue
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$word")
			fi
			return
		done
	fi
	if ((${#words[@]} == 2)); then
		_idshift_words "$_idshift_subs --help --version" "$word"
	elif [[ $word == --*=* ]]; then
		strip=${word%%=*}
		_idshift_value "${strip#--}" "${word#*=}" "$strip="
	elif [[ $word == -* ]]; then
		_idshift_words "$(_idshift_options "${words[1]}")" "$word"
	elif [[ $previous == --@(userns|map|source|state) ]]; then
		_idshift_value "${previous#--}" "$word" ''
	else
		_idshift_operand "${words[1]}" "$word" "${words[@]:2:${#words[@]}-3}"
	fi
	# Readline replaces only what follows the last = or : of the word.
	strip=${word%"${word##*[=:]}"}
	[[ -z $strip || $COMP_WORDBREAKS != *[=:]* ]] ||
		COMPREPLY=("${COMPREPLY[@]#"$strip"}")
}
complete -F _idshift idshift
