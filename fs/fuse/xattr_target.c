/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xattr_target.h"

#include <errno.h>
#include <linux/xattr.h>
#include <string.h>

#include "idshift/acl.h"
#include "idshift/records_side.h"

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

enum xattr_kind xattr_kind(const struct filesystem *fs, const char *name)
{
	if (strcmp(name, ACL_XATTR_ACCESS) == 0)
		return XATTR_KIND_ACL_ACCESS;
	if (strcmp(name, ACL_XATTR_DEFAULT) == 0)
		return XATTR_KIND_ACL_DEFAULT;
	if (strcmp(name, XATTR_NAME_CAPS) == 0)
		return XATTR_KIND_CAPABILITY;
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		if (!fs->config.xattrs)
			return XATTR_KIND_UNSUPPORTED;
		return side_is_hidden(name) ? XATTR_KIND_FOREIGN :
					      XATTR_KIND_DISK;
	}
	/* The kernel has asked for the caller's privilege. */
	if (has_prefix(name, XATTR_TRUSTED_PREFIX) ||
	    has_prefix(name, XATTR_SECURITY_PREFIX))
		return fs->policy->real_owners ? XATTR_KIND_DISK :
						 XATTR_KIND_FOREIGN;
	return XATTR_KIND_UNSUPPORTED;
}

void xattr_target_done(struct xattr_target *target)
{
	node_release(&target->node);
}

int xattr_target_begin(struct xattr_target *target, fuse_req_t req,
		       fuse_ino_t ino, bool as_it_is)
{
	struct filesystem *fs = filesystem_of(req);
	int r;

	*target = (struct xattr_target){ .fs = fs, .node = NODE_REF_NONE };
	r = caller_of(fs, req, &target->caller);
	if (r == 0)
		r = as_it_is ? node_acquire(fs->nodes, ino, &target->node) :
			       node_acquire_stat(fs->nodes, ino, &target->node,
						 &target->stx);
	return r;
}

void reply_xattr(fuse_req_t req, ssize_t r, const char *value, size_t size)
{
	if (r < 0)
		reply_result(req, (int)r);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)r);
	else
		(void)fuse_reply_buf(req, value, (size_t)r);
}
