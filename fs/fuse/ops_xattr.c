/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/*
 * 0 for a name that is served, else what reading (writing) it answers; as
 * xattr_permission() of fs/xattr.c does for names that are not the caller's.
 */
static int judge_name(const struct filesystem *fs, const char *name,
		      bool writing)
{
	if (!fs->config.xattrs)
		return -EOPNOTSUPP;
	if (has_prefix(name, "user."))
		return !records_xattr_is_ours(name) ? 0 :
		       writing			    ? -EPERM :
						      -ENODATA;
	if (has_prefix(name, "trusted.") || has_prefix(name, "security."))
		return writing ? -EPERM : -ENODATA;
	return -EOPNOTSUPP;
}

static int acquire(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		   struct caller *caller, struct node_ref *node)
{
	int r = caller_of(fs, req, caller);

	return r < 0 ? r : node_acquire(fs->nodes, ino, node);
}

static ssize_t do_getxattr(struct filesystem *fs, fuse_req_t req,
			   fuse_ino_t ino, const char *name, char *value,
			   size_t size)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct caller caller;
	ssize_t r = judge_name(fs, name, false);

	if (r == 0)
		r = acquire(fs, req, ino, &caller, &node);
	if (r < 0)
		return r;
	r = backing_getxattr(node.fd, name, value, size);
	if (r == -EACCES && widen(fs, &caller, &node, ACCESS_READ) == 0)
		r = backing_getxattr(node.fd, name, value, size);
	return r;
}

/* size 0 asks for the length alone. */
static void reply_value(fuse_req_t req, ssize_t r, const char *value,
			size_t size)
{
	if (r < 0)
		reply_result(req, (int)r);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)r);
	else
		(void)fuse_reply_buf(req, value, (size_t)r);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	_cleanup_free_ char *value = size > 0 ? malloc(size) : NULL;
	ssize_t r = -ENOMEM;

	if (value != NULL || size == 0)
		r = do_getxattr(filesystem_of(req), req, ino, name, value,
				size);
	reply_value(req, r, value, size);
}

static int do_setxattr(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		       const char *name, const char *value, size_t size,
		       int flags)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct caller caller;
	int r = judge_name(fs, name, true);

	if (r == 0)
		r = acquire(fs, req, ino, &caller, &node);
	if (r < 0)
		return r;
	r = backing_setxattr(node.fd, name, value, size, flags);
	if (r == -EACCES && widen(fs, &caller, &node, ACCESS_WRITE) == 0)
		r = backing_setxattr(node.fd, name, value, size, flags);
	return r;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	reply_result(req, do_setxattr(filesystem_of(req), req, ino, name, value,
				      size, flags));
}

static int do_removexattr(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
			  const char *name)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct caller caller;
	int r = judge_name(fs, name, true);

	if (r == 0)
		r = acquire(fs, req, ino, &caller, &node);
	if (r < 0)
		return r;
	r = backing_removexattr(node.fd, name);
	if (r == -EACCES && widen(fs, &caller, &node, ACCESS_WRITE) == 0)
		r = backing_removexattr(node.fd, name);
	return r;
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_result(req, do_removexattr(filesystem_of(req), req, ino, name));
}

/* Keep the names that the mount serves; the new length. */
static size_t filter_names(const struct filesystem *fs, char *list, size_t size)
{
	size_t kept = 0;

	for (size_t at = 0; at < size;) {
		size_t len = strnlen(list + at, size - at) + 1;

		if (len > size - at)
			break; /* not terminated */
		if (judge_name(fs, list + at, false) == 0) {
			memmove(list + kept, list + at, len);
			kept += len;
		}
		at += len;
	}
	return kept;
}

static ssize_t do_listxattr(struct filesystem *fs, fuse_ino_t ino, char *list,
			    size_t room)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	ssize_t len = node_acquire(fs->nodes, ino, &node);

	if (len == 0)
		len = backing_listxattr(node.fd, list, room);
	/* Symbolic links have none of those that are served. */
	if (len == -ELOOP || len == -EOPNOTSUPP)
		return 0;
	return len < 0 ? len : (ssize_t)filter_names(fs, list, (size_t)len);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	_cleanup_free_ char *list = malloc(XATTR_LIST_MAX);
	ssize_t r = -ENOMEM;

	if (list != NULL)
		r = do_listxattr(filesystem_of(req), ino, list, XATTR_LIST_MAX);
	if (r >= 0 && size > 0 && (size_t)r > size)
		r = -ERANGE;
	reply_value(req, r, list, size);
}
