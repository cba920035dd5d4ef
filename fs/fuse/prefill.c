/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prefill.h"

#include <unistd.h>

/* More takes longer to copy once more than to be asked for. */
#define SMALL 16384

bool prefill_is_wanted(const struct filesystem *fs,
		       const struct fuse_file_info *fi, const struct statx *stx)
{
	return fs->session != NULL && fs->config.keep_cache && !fs->writeback &&
	       !fs->remote_source && (fi->flags & O_ACCMODE) != O_WRONLY &&
	       (fi->flags & (O_DIRECT | O_TRUNC)) == 0 && stx->stx_size > 0 &&
	       stx->stx_size <= SMALL;
}

bool prefill(const struct filesystem *fs, fuse_ino_t ino, int fd,
	     const struct statx *stx)
{
	struct fuse_bufvec content = FUSE_BUFVEC_INIT(stx->stx_size);
	char bytes[SMALL + 1];

	/* One more would show that it has grown. */
	if (pread(fd, bytes, stx->stx_size + 1, 0) != (ssize_t)stx->stx_size)
		return false;
	content.buf[0].mem = bytes;
	return fuse_lowlevel_notify_store(fs->session, ino, 0, &content, 0) ==
	       0;
}
