#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# plot.sh [FILE.json] >FILE.svg: what run.sh --json printed, as a picture.
# Of --scale it draws cost against size.
set -u
for command in gnuplot jq; do
	command -v "$command" >/dev/null || {
		echo "plot.sh: $command is not installed" >&2
		exit 1
	}
done
dir=$(mktemp -d) || exit
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cat -- "${1:--}" >"$dir/json" || exit
jq -e . "$dir/json" >/dev/null || exit

# A column of ratios for each file system, a line for each row; "?" is none.
bars() {
	local names
	mapfile -t names < <(jq -r '[.rows[].ratio | keys[]] | unique as $has
		| ["idshift", "local", "records", "userns", "disk", "always", "base",
		   "bindfs", "bindfs-mt",
		   "fuse-overlayfs", "idmapped"][] | select(IN($has[]))' "$dir/json")
	jq -r --args '$ARGS.positional as $names
		| (["row"] + $names), (.rows[] | select(.threads == 1)
			| . as $r | [.row] + [$names[] | $r.ratio[.].median // "?"])
		| @tsv' "${names[@]}" <"$dir/json" >"$dir/bars" || return
	cat <<-END
		set terminal svg size 1200,520 font "sans-serif,12" background "white"
		set title "Time, as a ratio to the raw directory (1 thread; smaller is faster)"
		set style data histograms
		set style histogram clustered gap 1
		set style fill solid 0.85 noborder
		set logscale y 2
		set yrange [0.5:*]
		set grid ytics lc rgb "#dddddd"
		set xtics rotate by 40 right nomirror scale 0
		set key top right horizontal
		set datafile separator tab
		set datafile missing "?"
		plot for [i=2:$((${#names[@]} + 1))] "$dir/bars" using i:xtic(1) \
			title columnheader(i), 1 notitle with lines lc rgb "#444444"
	END
}

curves() {
	local i name row memory=0 commands='' rows=(readdir walk stat)
	local names
	mapfile -t names < <(jq -r '.filesystems[].name' "$dir/json")
	for name in "${names[@]}"; do
		for row in "${rows[@]}"; do
			jq -r --arg n "$name" --arg r "$row" '.scale[]
				| select(.name == $n and .row == $r)
				| [.size, .seconds * 1e6] | @tsv' "$dir/json" \
				>"$dir/$row.$name"
		done
		jq -r --arg n "$name" '.memory[] | select(.name == $n)
			| [.size, .rss_kb / 1024] | @tsv' "$dir/json" >"$dir/memory.$name"
		[[ ! -s $dir/memory.$name ]] || memory=1
	done
	((!memory)) || rows+=(memory)
	echo 'set terminal svg size 1200,700 font "sans-serif,12" background "white"'
	echo 'set multiplot layout 2,2'
	echo 'set logscale xy; set grid lc rgb "#dddddd"; set key left top'
	echo 'set format x "10^{%L}"; set xlabel "files in the directory"'
	for row in "${rows[@]}"; do
		case $row in
		readdir) echo 'set title "readdir, cold: us an entry"' ;;
		walk) echo 'set title "stat of every file, cold: us each"' ;;
		stat) echo 'set title "stat of 1,000 of them after that, cold: us each"' ;;
		memory) echo 'set title "memory of the daemon then: MiB"' ;;
		esac
		commands=
		# The same colour in each.
		for i in "${!names[@]}"; do
			name=${names[i]}
			[[ ! -s $dir/$row.$name ]] ||
				commands+="${commands:+, }\"$dir/$row.$name\" using 1:2 with linespoints lt $((i + 1)) title \"$name\""
		done
		[[ -z $commands ]] || echo "plot $commands"
	done
	echo 'unset multiplot'
}

if jq -e .scale "$dir/json" >/dev/null; then
	curves
else
	bars
fi >"$dir/commands" || exit
gnuplot "$dir/commands"
