# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Layers of an image, made by layer_tree, unpacked over each other as container
# root, in the mount and in a plain directory of the namespace.  $ns is from
# userns_start.

layer_tar=(tar --numeric-owner --xattrs '--xattrs-include=*' --acls)

# layer_make DIR LAYER ENTRIES: DIR/layer-LAYER.tar, by way of DIR/tree.
layer_make() {
	"${ns[@]}" mkdir -m 755 "$1/tree" &&
		"${ns[@]}" layer_tree "$1/tree" "$2" "$3" &&
		"${ns[@]}" "${layer_tar[@]}" --sort=name -C "$1/tree" \
			-cf "$1/layer-$2.tar" . &&
		"${ns[@]}" rm -rf "$1/tree"
}

# layer_unpack ARCHIVE DIR: what it whites out goes first.
layer_unpack() {
	"${ns[@]}" sh -c '
		cd "$2" && tar -tf "$1" | grep "/\.wh\." | while read -r path; do
			case $path in
			*/.wh..wh..opq) find "${path%/*}" -mindepth 1 -delete ;;
			*) rm -rf "${path%/*}/${path##*/.wh.}" ;;
			esac 2>/dev/null
		done' sh "$1" "$2"
	"${ns[@]}" "${layer_tar[@]}" -C "$2" --exclude='.wh.*' -xpf "$1"
}

# layer_show DIR: all that can be seen of a tree.  (When a directory was
# changed last is the run's own affair.)
layer_show() {
	"${ns[@]}" sh -c '
		cd "$1" || exit
		echo "== entries"
		find . ! -type d -printf "%P %y %m %U:%G %n %l %s %T+\n" | sort
		find . -type d -printf "%P %y %m %U:%G %n\n" | sort
		echo "== links"
		find . ! -type d -links +1 -printf "%i %P\n" | sort -k 2 |
			awk "{ print \$2, first[\$1] } !first[\$1] { first[\$1] = \$2 }"
		echo "== content"
		find . -type f -print0 | sort -z | xargs -0r sha256sum
		echo "== attributes"
		getfattr -hRd -m - -e hex . | sed "/^\$/d"
		echo "== capabilities"
		getcap -r . | sort
		echo "== ACLs"
		getfacl -Rpn .' sh "$1" 2>&1
}

# layers_compare PLAIN MOUNTED WORK LAYERS ENTRIES: results for each layer.
layers_compare() {
	local -A dirs=([plain]=$1 [mounted]=$2)
	local work=$3 layers=$4 entries=$5 layer where what
	for ((layer = 1; layer <= layers; layer++)); do
		ok "layer $layer" layer_make "$work" "$layer" "$entries"
		for where in plain mounted; do
			ok "layer $layer unpacked, $where" layer_unpack \
				"$work/layer-$layer.tar" "${dirs[$where]}"
			layer_show "${dirs[$where]}" >"$T/$where.layers"
		done
		same "layer $layer is the same" "$T/mounted.layers" "$T/plain.layers"
	done
	# It must have had something to compare.
	for what in 'd[0-9]*/f[0-9]* p ' ' c 600 ' 'security.capability=' \
		'user.layer' 'user:[0-9]' 'default:user:' ' [246]7[0-9][0-9] '; do
		like "there are: $what" "$(grep -c "$what" "$T/mounted.layers")" \
			'^[1-9]'
	done
}
