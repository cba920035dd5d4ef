/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small file is opened to be read, whole and at once: at its first open the
 * kernel gets the content before the answer, and needs not ask for it.
 *
 * Only at the first, when the kernel has no page of it: to store one that is
 * locked for a request would wait for that request, in a daemon that nobody
 * could kill meanwhile.
 */
#ifndef IDSHIFT_PREFILL_H
#define IDSHIFT_PREFILL_H

#include "ops.h"

/* By what INIT has settled: is it done in this mount? */
bool prefill_is_possible(const struct filesystem *fs,
			 const struct fuse_conn_info *conn);

/*
 * node_opened() for a handle with the flags of its open(2), which nobody uses
 * yet.  fd is its descriptor, and stx what that was before; NULL where nothing
 * is to be given.  True: the kernel has the content, which was that of the
 * file when this returned.
 */
bool prefill_open(struct filesystem *fs, fuse_ino_t ino, int flags, int fd,
		  const struct statx *stx);

#endif
