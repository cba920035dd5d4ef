/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: libfuse as it is built by default from 3.18.3 on,
 * without fuse_session_custom_io().  Who asks for it is told to the file
 * NO_HOOKS_TOLD.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct fuse_custom_io;
struct fuse_session;

int fuse_session_custom_io(struct fuse_session *session,
			   const struct fuse_custom_io *io, int fd);
/* What it is in programs that were built with libfuse 3.17 or later. */
int fuse_session_custom_io_317(struct fuse_session *session,
			       const struct fuse_custom_io *io, size_t size,
			       int fd);

static int refuse(void)
{
	const char *path = getenv("NO_HOOKS_TOLD");
	int fd = path == NULL ? -1 :
				open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd >= 0) {
		(void)!write(fd, "refused\n", 8);
		(void)close(fd);
	}
	return -ENOTSUP;
}

int fuse_session_custom_io(struct fuse_session *session,
			   const struct fuse_custom_io *io, int fd)
{
	(void)session;
	(void)io;
	(void)fd;
	return refuse();
}

int fuse_session_custom_io_317(struct fuse_session *session,
			       const struct fuse_custom_io *io, size_t size,
			       int fd)
{
	(void)session;
	(void)io;
	(void)size;
	(void)fd;
	return refuse();
}
