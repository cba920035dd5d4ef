#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# short
# Each fuzz target over its corpus: seeds, and what once made one fail.
. "$(dirname "$0")/lib.sh"

for corpus in "$ROOT"/tests/fuzz/corpus/*/; do
	target=${corpus%/}
	target=${target##*/}
	if [[ ! -x $BUILD/tests/fuzz_$target ]]; then
		result bad "fuzz_$target is built"
		continue
	fi
	ok "$target" "$BUILD/tests/fuzz_$target" "$corpus"/*
done
