/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mount that outlives its daemon.  A supervisor that holds the open
 * /dev/fuse descriptor of a mount starts the daemon with /dev/fd/N as
 * MOUNTPOINT, and starts it again when it has died.  The kernel says INIT
 * once only, so the first daemon keeps it in a file, and the next ones read
 * it there.
 *
 * The file also counts the daemons: an epoch that goes into node ids and
 * handles, so that those of a dead daemon never name another one's objects
 * (they answer ESTALE and EBADF; the kernel looks names up anew).
 */
#ifndef IDSHIFT_RESUME_H
#define IDSHIFT_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/error.h"

struct fuse_session;

/* Is this MOUNTPOINT a mount's descriptor: /dev/fd/N? */
bool resume_is_descriptor(const char *mountpoint);
/* N; -1: it isn't. */
int resume_descriptor(const char *mountpoint);

/* An INIT is a header and some flags; room for those to come. */
#define RESUME_INIT_MAX 512

struct resume {
	int fd;		/* the file; -1: nothing is kept */
	uint32_t epoch; /* 0: the first daemon */
	size_t size;	/* of the INIT; 0: it is still to come */
	unsigned char init[RESUME_INIT_MAX];
};
#define RESUME_NONE ((struct resume){ .fd = -1 })

/* Where this epoch's generations begin, far from all others'. */
static inline uint32_t resume_first_generation(const struct resume *resume)
{
	return resume->epoch * UINT32_C(0x9e3779b9);
}

/*
 * Make the file, or read it and count one more; its daemon holds a lock on it,
 * and another is refused.  EXIT_STATUS_OTHER.
 */
int resume_open(const char *path, struct resume *ret, struct error *error);

/*
 * Before the loop: serve the mount's first INIT and keep it, or take the kept
 * one as read; requests that the last daemon left unanswered come again.  A
 * mount that isn't to be resumed has RESUME_NONE.
 */
int resume_begin(struct resume *resume, struct fuse_session *session);

#endif
