/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "open_later.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "answering.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/thread.h"

#define WAITERS_MAX 1024
/* The name may lead to another leased file by then; but not again and again. */
#define TRIES 8

struct late_open {
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	open_now_fn *now;
	int path_fd; /* its own: the file system may end meanwhile */
};

static atomic_uint waiters;

static void late_free(struct late_open *late)
{
	if (late == NULL)
		return;
	close_fd(late->path_fd);
	free(late);
	atomic_fetch_sub(&waiters, 1);
}

/* Who has the file open stands in the way of a new lease. */
static bool wait_and_open(struct late_open *late, bool last)
{
	_cleanup_fd_ int fd =
		backing_reopen(late->path_fd, late->fi.flags & O_ACCMODE);
	bool answered;

	answering_begin();
	answered = late->now(late->req, late->ino, &late->fi);
	if (!answered && (fd < 0 || last)) {
		reply_result(late->req, fd < 0 ? fd : -EAGAIN);
		answered = true;
	}
	answering_end();
	return answered;
}

static void *run(void *data)
{
	struct late_open *late = data;

	for (int i = 1; !wait_and_open(late, i == TRIES); i++)
		;
	late_free(late);
	return NULL;
}

int open_later(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi,
	       open_now_fn *now)
{
	const struct filesystem *fs = filesystem_of(req);
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct late_open *late = malloc(sizeof(*late));
	int r;

	if (late == NULL)
		return -ENOMEM;
	*late = (struct late_open){
		.req = req, .ino = ino, .fi = *fi, .now = now, .path_fd = -1
	};
	r = atomic_fetch_add(&waiters, 1) >= WAITERS_MAX ? -EAGAIN : 0;
	if (r == 0)
		r = node_acquire(fs->nodes, ino, &node);
	if (r == 0) {
		late->path_fd =
			keep_open(fs, fcntl(node.fd, F_DUPFD_CLOEXEC, 0));
		r = late->path_fd < 0 ? -EMFILE : thread_start(run, late, 0);
	}
	if (r < 0)
		late_free(late);
	return r;
}
