/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/session_io.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "idshift/cleanup.h"

static ssize_t hook_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buf, size);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	return writev(fd, iov, count);
}

/*
 * By a copy; what can't be copied is answered by an error.  -1 has libfuse give
 * up the pipe, with what is left in it.
 */
static ssize_t send_copied(int pipe, int device, size_t len)
{
	struct fuse_out_header header;
	_cleanup_free_ char *answer = malloc(len);
	size_t got = 0, size = answer != NULL ? len : sizeof(header);
	char *to = answer != NULL ? answer : (char *)&header;

	while (got < size) {
		ssize_t more = read(pipe, to + got, size - got);

		if (more <= 0)
			return -1;
		got += (size_t)more;
	}
	if (answer == NULL) {
		header.len = sizeof(header);
		header.error = -ENOMEM;
		if (write(device, &header, sizeof(header)) > 0)
			errno = ENOMEM;
		return -1;
	}
	return write(device, answer, len);
}

/*
 * libfuse drops a request whose answer doesn't go out, and the caller would
 * wait for good.  The kernel takes all of a pipe or nothing: where it is empty
 * it has ended the request itself.
 */
static ssize_t hook_splice_send(int fd_in, off_t *off_in, int fd_out,
				off_t *off_out, size_t len, unsigned int flags,
				void *userdata)
{
	ssize_t sent = splice(fd_in, off_in, fd_out, off_out, len, flags);

	(void)userdata;
	/* ENOENT: it was interrupted, nobody waits. */
	if (sent >= 0 || errno == ENOENT || errno == ENODEV)
		return sent;
	return send_copied(fd_in, fd_out, len);
}

__attribute__((format(printf, 2, 0))) static void say_nothing(
	enum fuse_log_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
}

void session_io_keep_quiet(bool quiet)
{
	fuse_set_log_func(quiet ? say_nothing : NULL);
}

int session_io_install(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {
		.read = hook_read,
		.writev = hook_writev,
		.splice_send = hook_splice_send,
	};
	int r;

	/* That there are none is nothing to tell the user. */
	session_io_keep_quiet(true);
	r = fuse_session_custom_io(session, &io, fuse_session_fd(session));
	session_io_keep_quiet(false);
	return r < 0 ? r : -r;
}
