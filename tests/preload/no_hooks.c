/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: libfuse as it is built by default from 3.18.3 on,
 * without fuse_session_custom_io().
 */
#include <errno.h>

struct fuse_custom_io;
struct fuse_session;

int fuse_session_custom_io(struct fuse_session *session,
			   const struct fuse_custom_io *io, int fd);

int fuse_session_custom_io(struct fuse_session *session,
			   const struct fuse_custom_io *io, int fd)
{
	(void)session;
	(void)io;
	(void)fd;
	return -ENOTSUP;
}
