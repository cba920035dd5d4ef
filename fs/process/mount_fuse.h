/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mount itself, by libfuse: mount(2) where allowed, else fusermount3. */
#ifndef IDSHIFT_MOUNT_FUSE_H
#define IDSHIFT_MOUNT_FUSE_H

#include "idshift/error.h"
#include "idshift/options.h"

struct filesystem;
struct fuse_session;

/* -errno with a reason. */
int mount_fuse_session(const struct options *options, struct filesystem *fs,
		       struct fuse_session **ret, struct error *error);

/*
 * Mount on options->mountpoint, or, if that isn't -1, on what `target` is a
 * descriptor of, which must stay open until the mount is gone or somebody
 * else's to unmount.  What libfuse and fusermount3 print becomes
 * the reason.  Single-threaded: standard error is redirected meanwhile.
 */
int mount_fuse(struct fuse_session *session, const struct options *options,
	       int target, struct error *error);

/* Serve what another process has mounted, by its /dev/fuse; takes it. */
int mount_fuse_adopt(struct fuse_session *session, int fd, struct error *error);

#endif
