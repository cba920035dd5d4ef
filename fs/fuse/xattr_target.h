/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request about an extended attribute is about. */
#ifndef IDSHIFT_XATTR_TARGET_H
#define IDSHIFT_XATTR_TARGET_H

#include "ops.h"

#include "caller.h"

/* Who serves a name. */
enum xattr_kind {
	XATTR_KIND_DISK, /* the source, as it is */
	XATTR_KIND_ACL_ACCESS,
	XATTR_KIND_ACL_DEFAULT,
	XATTR_KIND_CAPABILITY,
	XATTR_KIND_FOREIGN, /* not the caller's: ours, trusted.*, other
			       security.* */
	XATTR_KIND_UNSUPPORTED,
};

enum xattr_kind xattr_kind(const struct filesystem *fs, const char *name);

/* The object, and who asks for it. */
struct xattr_target {
	struct filesystem *fs;
	struct caller caller;
	struct node_ref node;
	struct statx stx;
};

/*
 * as_it_is: the source serves it so, which needs no statx.  0 or -errno; to be
 * followed by xattr_target_done().
 */
int xattr_target_begin(struct xattr_target *target, fuse_req_t req,
		       fuse_ino_t ino, bool as_it_is);
void xattr_target_done(struct xattr_target *target);
#define _cleanup_xattr_target_ __attribute__((cleanup(xattr_target_done)))

/*
 * The answer of getxattr and listxattr: -errno, or r bytes; size 0 asks for
 * their number alone.
 */
void reply_xattr(fuse_req_t req, ssize_t r, const char *value, size_t size);

#endif
