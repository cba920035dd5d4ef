/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The value of the extended attribute user.containers.override_stat:
 * UID:GID:MODE:TYPE, container ids in decimal, mode in octal.  The format is
 * that of containers/storage (pkg/idtools, FormatContainersOverrideXattr), so
 * that its tools and ours read each other's.
 *
 * Pure: text to struct and back.
 */
#ifndef IDSHIFT_OVERRIDE_STAT_H
#define IDSHIFT_OVERRIDE_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "idshift/ids.h"

#define OVERRIDE_STAT_XATTR "user.containers.override_stat"
/* Longest text that override_stat_format() makes, with the final NUL. */
#define OVERRIDE_STAT_MAX 48

/* A recorded view.  What the record does not say is not to be read. */
struct override_stat {
	bool has_uid;
	bool has_gid;
	bool has_mode;
	struct container_id uid;
	struct container_id gid;
	mode_t mode; /* permission bits, 0..07777, no S_IFMT */
};

/*
 * Read `len` bytes at `text` (not NUL-terminated; one trailing NUL or newline
 * is tolerated).  Tolerant as to the writers in the field: three fields, more
 * than four, S_IFMT bits in the mode (libkrun), a missing or unknown TYPE,
 * `x` for a field not known.  The type is not believed: the disk's counts.
 *
 * -EINVAL  malformed: fewer than three fields, an empty field, a sign, a
 *          character that is no digit, an id of 4294967295 or beyond, a mode
 *          beyond 0177777.  *ret is untouched.
 */
int override_stat_parse(const char *text, size_t len,
			struct override_stat *ret);

/*
 * Write the record as text with all fields ("x" for one not had); file_type
 * is the S_IFMT part of a mode: file, dir, symlink, pipe, socket,
 * char-MAJ-MIN and block-MAJ-MIN are written as containers/storage does (for
 * devices we write char-0-0, block-0-0).  The mode is four octal digits.
 * Returns the text's length without NUL; `buf` holds OVERRIDE_STAT_MAX bytes.
 */
size_t override_stat_format(const struct override_stat *record,
			    mode_t file_type, char buf[OVERRIDE_STAT_MAX]);

#endif
