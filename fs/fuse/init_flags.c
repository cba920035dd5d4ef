/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/init_flags.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/passthrough_ioctl.h"

/* What libfuse has to write, and we to the kernel. */
struct reply {
	struct fuse_out_header header;
	struct fuse_init_out body;
};

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

#define WANTED_CAPABILITIES \
	((uint32_t)(FUSE_CAP_HANDLE_KILLPRIV_V2 | FUSE_CAP_PARALLEL_DIROPS))

/* FUSE_CAP_OVER_IO_URING, of libfuse 3.18 */
#define OVER_IO_URING (UINT32_C(1) << 31)

/* As all else is asked by `want`, so is this: 3.17 refuses a mixture. */
void init_flags_want(struct fuse_conn_info *conn)
{
	conn->want |= conn->capable & WANTED_CAPABILITIES;
	/* $FUSE_URING_ENABLE has it: without interrupts, nor a sandbox. */
	conn->want &= ~OVER_IO_URING;
}

bool init_flags_want_passthrough(struct fuse_conn_info *conn)
{
	conn->want |= conn->capable & (uint32_t)FUSE_CAP_PASSTHROUGH;
	return (conn->want & (uint32_t)FUSE_CAP_PASSTHROUGH) != 0;
}

static void look_at_request(const void *request, size_t size)
{
	(void)request;
	(void)size;
}

static void add_flags(struct reply *reply)
{
	(void)reply;
}

#else

#define WANTED_FLAGS \
	((uint32_t)(FUSE_HANDLE_KILLPRIV_V2 | FUSE_PARALLEL_DIROPS))

/* Where Linux 6.9 has max_stack_depth; before, it was unused. */
#define MAX_STACK_DEPTH \
	(offsetof(struct fuse_init_out, flags2) + sizeof(uint32_t))

/* One process serves one mount. */
static struct fuse_init_in offered;
static bool passthrough_wanted;

void init_flags_want(struct fuse_conn_info *conn)
{
	(void)conn; /* add_flags() */
}

bool init_flags_want_passthrough(struct fuse_conn_info *conn)
{
	(void)conn;
	passthrough_wanted = (offered.flags & FUSE_INIT_EXT) != 0 &&
			     (offered.flags2 & PASSTHROUGH_INIT_FLAG2) != 0;
	return passthrough_wanted;
}

static void look_at_request(const void *request, size_t size)
{
	size_t body = size - sizeof(struct fuse_in_header);

	memcpy(&offered, (const char *)request + sizeof(struct fuse_in_header),
	       body < sizeof(offered) ? body : sizeof(offered));
}

static void add_flags(struct reply *reply)
{
	const uint32_t depth = 1; /* ours, on one that isn't stacked */
	struct fuse_init_out *out = &reply->body;

	if (reply->header.error != 0 ||
	    reply->header.len < offsetof(struct reply, body.max_background))
		return;
	out->flags |= offered.flags & WANTED_FLAGS;
	if (passthrough_wanted) {
		out->flags |= FUSE_INIT_EXT;
		out->flags2 |= PASSTHROUGH_INIT_FLAG2;
		memcpy((char *)out + MAX_STACK_DEPTH, &depth, sizeof(depth));
	}
}

#endif

/*
 * Of a congested mount the kernel writes nothing back but on fsync(2):
 * syncfs(2) and sync(2) pass over most of its files then, and say nothing
 * (fuse_writepages()). libfuse would not let it be more than max_background.
 */
static void never_congested(struct reply *reply)
{
	if (reply->header.error == 0 &&
	    reply->header.len >= offsetof(struct reply, body.max_write))
		reply->body.congestion_threshold = UINT16_MAX;
}

/* What libfuse writes as the answer; its descriptor is a pipe meanwhile. */
static int answer(struct fuse_session *session, const struct fuse_buf *request,
		  struct reply *ret)
{
	const int device = fuse_session_fd(session);
	/* No exec meanwhile; of F_DUPFD the thread sanitizer knows nothing. */
	_cleanup_fd_ int kept = dup(device);
	_cleanup_fd_ int from = -1, to = -1;
	int ends[2];
	ssize_t got;

	if (kept < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	from = ends[0];
	to = ends[1];
	if (dup3(to, device, O_CLOEXEC) < 0)
		return -errno;
	fuse_session_process_buf(session, request);
	if (dup3(kept, device, O_CLOEXEC) < 0)
		return -errno;
	got = read(from, ret, sizeof(*ret));
	return got >= (ssize_t)sizeof(ret->header) &&
			       (size_t)got == ret->header.len ?
		       0 :
		       -EPROTO;
}

int init_flags_serve(struct fuse_session *session, const void *init,
		     size_t size, bool answered)
{
	const struct fuse_buf request = { .size = size, .mem = (void *)init };
	struct reply reply = { .header = { .len = 0 } };
	int r;

	look_at_request(init, size);
	r = answer(session, &request, &reply);
	if (r < 0)
		return r;
	add_flags(&reply);
	never_congested(&reply);
	/* ENOENT: it was answered. */
	if (write(fuse_session_fd(session), &reply, reply.header.len) < 0 &&
	    !(answered && errno == ENOENT))
		return -errno;
	return fuse_session_exited(session) ? -EPROTO : 0;
}
