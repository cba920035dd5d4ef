/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small file is opened to be read, whole and at once: at its first open the
 * kernel gets the content before the answer, and needs not ask for it.
 *
 * Only at the first, when the kernel has no page of it (node_opened()): to
 * store one that is locked for a request would wait for that request, in a
 * daemon that nobody could kill meanwhile.
 */
#ifndef IDSHIFT_PREFILL_H
#define IDSHIFT_PREFILL_H

#include "ops.h"

/* Is this open one that may be followed by reading what we can give? */
bool prefill_is_wanted(const struct filesystem *fs,
		       const struct fuse_file_info *fi,
		       const struct statx *stx);
/*
 * fd is the handle's, stx what it was before.  False: the kernel has to ask.
 * Nobody else opens or truncates the file meanwhile.
 */
bool prefill(const struct filesystem *fs, fuse_ino_t ino, int fd,
	     const struct statx *stx);

#endif
