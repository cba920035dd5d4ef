/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/init_flags.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/passthrough_ioctl.h"

#define WANTED_FLAGS \
	((uint32_t)(FUSE_HANDLE_KILLPRIV_V2 | FUSE_PARALLEL_DIROPS))

/* Where Linux 6.9 has max_stack_depth; before, it was unused. */
#define MAX_STACK_DEPTH \
	(offsetof(struct fuse_init_out, flags2) + sizeof(uint32_t))

/*
 * One process serves one mount.  INIT is the first request and its reply the
 * first one out, so after that the hooks only pass data on.
 */
static _Atomic uint64_t init_unique;
static uint32_t offered_flags;
static bool passthrough_offered;
static bool passthrough_wanted;
static bool reply_is_kept_back;

static void look_at_request(const void *buf, size_t size)
{
	struct fuse_in_header header;
	struct fuse_init_in init = { 0 };
	size_t body;

	if (size < sizeof(header))
		return;
	memcpy(&header, buf, sizeof(header));
	if (header.opcode != FUSE_INIT)
		return;
	body = size - sizeof(header);
	memcpy(&init, (const char *)buf + sizeof(header),
	       body < sizeof(init) ? body : sizeof(init));
	offered_flags = init.flags;
	passthrough_offered = (init.flags & FUSE_INIT_EXT) != 0 &&
			      (init.flags2 & PASSTHROUGH_INIT_FLAG2) != 0;
	atomic_store(&init_unique, header.unique);
}

static ssize_t hook_read(int fd, void *buf, size_t size, void *userdata)
{
	static atomic_bool seen;
	ssize_t got = read(fd, buf, size);

	(void)userdata;
	if (got > 0 && !atomic_exchange(&seen, true))
		look_at_request(buf, (size_t)got);
	return got;
}

static ssize_t write_init_reply(int fd, struct iovec *iov, int count)
{
	const uint32_t depth = 1; /* ours, on one that isn't stacked */
	struct fuse_init_out out;
	struct iovec edited[2];

	if (reply_is_kept_back)
		return (ssize_t)(iov[0].iov_len +
				 (count > 1 ? iov[1].iov_len : 0));
	/* libfuse writes the header and, as one piece, the body. */
	if (count != 2 || iov[1].iov_len > sizeof(out) ||
	    iov[1].iov_len < offsetof(struct fuse_init_out, max_background))
		return writev(fd, iov, count);
	memcpy(&out, iov[1].iov_base, iov[1].iov_len);
	out.flags |= offered_flags & WANTED_FLAGS;
	if (passthrough_wanted) {
		out.flags |= FUSE_INIT_EXT;
		out.flags2 |= PASSTHROUGH_INIT_FLAG2;
		memcpy((char *)&out + MAX_STACK_DEPTH, &depth, sizeof(depth));
	}
	edited[0] = iov[0];
	edited[1] =
		(struct iovec){ .iov_base = &out, .iov_len = iov[1].iov_len };
	return writev(fd, edited, count);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_out_header header;

	(void)userdata;
	if (atomic_load_explicit(&init_unique, memory_order_relaxed) != 0 &&
	    iov[0].iov_len == sizeof(header)) {
		memcpy(&header, iov[0].iov_base, sizeof(header));
		if (header.unique == atomic_load(&init_unique)) {
			atomic_store(&init_unique, 0);
			return write_init_reply(fd, iov, count);
		}
	}
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

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

bool init_flags_want_passthrough(struct fuse_conn_info *conn)
{
	return fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
}

#else

bool init_flags_want_passthrough(struct fuse_conn_info *conn)
{
	(void)conn;
	passthrough_wanted = passthrough_offered;
	return passthrough_wanted;
}

#endif

int init_flags_install(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {
		.read = hook_read,
		.writev = hook_writev,
		.splice_send = hook_splice_send,
	};

	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

int init_flags_serve(struct fuse_session *session, const void *init,
		     size_t size, bool answered)
{
	const struct fuse_buf buffer = { .size = size, .mem = (void *)init };

	look_at_request(init, size);
	reply_is_kept_back = answered;
	fuse_session_process_buf(session, &buffer);
	return fuse_session_exited(session) ? -EPROTO : 0;
}
