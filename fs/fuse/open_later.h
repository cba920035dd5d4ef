/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An open(2) that has to wait until somebody on the host gives up his lease
 * (fcntl(2), F_SETLEASE), which takes as long as /proc/sys/fs/lease-break-time
 * says.  It waits in a thread of its own: ten of them would keep all threads
 * from serving anybody else.
 */
#ifndef IDSHIFT_OPEN_LATER_H
#define IDSHIFT_OPEN_LATER_H

#include "ops.h"

/* Opens and answers; false, without an answer: a lease is in the way. */
typedef bool open_now_fn(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi);

/* 0: it will be answered.  -errno; no more than some may wait. */
int open_later(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi,
	       open_now_fn *now);

#endif
