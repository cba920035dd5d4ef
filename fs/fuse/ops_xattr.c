/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/acl.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/records_side.h"
#include "judge.h"
#include "xattr_target.h"

/* As xattr_permission() of fs/xattr.c answers for trusted.*. */
static int refuse(enum xattr_kind kind, bool writing)
{
	if (kind == XATTR_KIND_FOREIGN)
		return writing ? -EPERM : -ENODATA;
	return -EOPNOTSUPP;
}

static enum acl_which acl_which(enum xattr_kind kind)
{
	return kind == XATTR_KIND_ACL_ACCESS ? RECORDS_ACL_ACCESS :
					       RECORDS_ACL_DEFAULT;
}

static ssize_t get_acl(struct xattr_target *target, enum xattr_kind kind,
		       char *value, size_t size)
{
	_cleanup_acl_ struct acl *acl = NULL;
	size_t need;
	int r;

	r = records_acl_get(&target->fs->records, target->node.fd, &target->stx,
			    acl_which(kind), &acl, NULL);
	if (r < 0)
		return r;
	if (acl == NULL)
		return -ENODATA;
	need = acl_blob_size(acl);
	if (size > 0)
		r = acl_format(acl, value, size);
	return r < 0 ? r : (ssize_t)need;
}

/* Where the object could have such an attribute; 0: that isn't known. */
static unsigned int places(const struct filesystem *fs, enum xattr_kind kind)
{
	if (fs->records.xattr_dev == 0)
		return 0;
	switch (kind) {
	case XATTR_KIND_ACL_ACCESS:
		return fs->has_acls ? SIDE_BIT(SIDE_ACL_ACCESS) |
					      SIDE_DISK_ACL_ACCESS :
				      0;
	case XATTR_KIND_ACL_DEFAULT:
		return fs->has_acls ? SIDE_BIT(SIDE_ACL_DEFAULT) |
					      SIDE_DISK_ACL_DEFAULT :
				      0;
	case XATTR_KIND_CAPABILITY:
		return fs->policy->real_owners ? 0 : SIDE_BIT(SIDE_CAPABILITY);
	default:
		return 0;
	}
}

/*
 * Most have none, and the kernel asks for the capability before the first
 * write of each file, ls(1) for the ACL of each.
 */
static bool is_absent(fuse_req_t req, fuse_ino_t ino, enum xattr_kind kind)
{
	struct filesystem *fs = filesystem_of(req);
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	unsigned int wanted = places(fs, kind);
	struct records_seen seen = { .absent = 0 };
	struct caller caller;
	struct statx stx;

	return wanted != 0 && caller_of(fs, req, &caller) == 0 &&
	       node_look(fs, ino, &node, &stx, &seen) == 0 &&
	       (seen.absent & wanted) == wanted;
}

static ssize_t do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   char *value, size_t size)
{
	enum xattr_kind kind = xattr_kind(filesystem_of(req), name);
	_cleanup_xattr_target_ struct xattr_target target = {
		.node = NODE_REF_NONE
	};
	ssize_t r;

	if (kind == XATTR_KIND_FOREIGN || kind == XATTR_KIND_UNSUPPORTED)
		return refuse(kind, false);
	if (is_absent(req, ino, kind))
		return -ENODATA;
	r = xattr_target_begin(&target, req, ino, kind == XATTR_KIND_DISK);
	if (r < 0)
		return r;
	if (kind == XATTR_KIND_CAPABILITY)
		return records_capability_get(&target.fs->records,
					      target.node.fd, &target.stx,
					      value, size);
	if (kind != XATTR_KIND_DISK)
		return get_acl(&target, kind, value, size);
	r = judge_access(target.fs, &target.caller, &target.node, ACCESS_READ,
			 "getxattr");
	if (r < 0)
		return r;
	r = backing_getxattr(target.node.fd, name, value, size);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_READ))
		r = backing_getxattr(target.node.fd, name, value, size);
	return r;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	_cleanup_free_ char *value = size > 0 ? malloc(size) : NULL;
	ssize_t r = -ENOMEM;

	if (value != NULL || size == 0)
		r = do_getxattr(req, ino, name, value, size);
	reply_xattr(req, r, value, size);
}

static int change_acl(struct xattr_target *target, enum xattr_kind kind,
		      const struct acl *acl)
{
	struct filesystem *fs = target->fs;
	struct view view = { 0 };
	bool drop_setgid = false;
	int r = judge_owner(fs, &target->caller, &target->node, "setfacl");

	if (r == 0)
		r = node_view(fs, &target->node, &target->stx, &view);
	if (r < 0)
		return r;
	/* Where the kernel would send FUSE_SETXATTR_ACL_KILL_SGID. */
	if (acl != NULL && kind == XATTR_KIND_ACL_ACCESS &&
	    (view.mode & S_ISGID) != 0)
		drop_setgid = !caller_in_group(fs, &target->caller, &view);
	r = records_acl_set(&fs->records, target->node.fd, &target->stx,
			    acl_which(kind), acl, drop_setgid);
	if (r == 0 && is_privileged(view.mode))
		node_set_privileged(&target->node, true);
	return r;
}

static int set_acl_in_turn(struct xattr_target *target, enum xattr_kind kind,
			   const struct acl *acl)
{
	struct change_turn change;
	int r;

	change_begin(target->fs, target->node.id, true, &change);
	r = change_acl(target, kind, acl);
	change_end(&change);
	return r;
}

/* acl NULL removes.  One that is recorded needs the disk's u+w. */
static int set_acl(struct xattr_target *target, enum xattr_kind kind,
		   const struct acl *acl)
{
	int r = set_acl_in_turn(target, kind, acl);

	if (r == -EACCES &&
	    widen(target->fs, &target->caller, &target->node, 0))
		r = set_acl_in_turn(target, kind, acl);
	return r;
}

static int set_acl_blob(struct xattr_target *target, enum xattr_kind kind,
			const char *value, size_t size)
{
	_cleanup_acl_ struct acl *acl = NULL;
	int r = acl_parse(value, size, &acl);

	if (r == 0 && acl != NULL)
		r = acl_validate(acl);
	return r < 0 ? r : set_acl(target, kind, acl);
}

/* value NULL removes. */
static int capability_in_turn(struct xattr_target *target, const char *value,
			      size_t size, int flags)
{
	const struct records *records = &target->fs->records;
	const int fd = target->node.fd;
	struct change_turn change;
	int r;

	change_begin(target->fs, target->node.id, true, &change);
	r = backing_stat(fd, &target->stx);
	if (r == 0 && value != NULL)
		r = records_capability_set(records, fd, &target->stx, value,
					   size, flags);
	else if (r == 0)
		r = records_capability_remove(records, fd, &target->stx);
	change_end(&change);
	return r;
}

/* Attributes of ours need the disk's u+w, which container root may lack. */
static int set_capability(struct xattr_target *target, const char *value,
			  size_t size, int flags)
{
	int r = judge_capability(target->fs, &target->node);

	if (r == 0)
		r = capability_in_turn(target, value, size, flags);
	if (r == -EACCES &&
	    widen(target->fs, &target->caller, &target->node, 0))
		r = capability_in_turn(target, value, size, flags);
	return r;
}

static int do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		       const char *value, size_t size, int flags)
{
	enum xattr_kind kind = xattr_kind(filesystem_of(req), name);
	_cleanup_xattr_target_ struct xattr_target target = {
		.node = NODE_REF_NONE
	};
	int r;

	if (kind == XATTR_KIND_FOREIGN || kind == XATTR_KIND_UNSUPPORTED)
		return refuse(kind, true);
	r = xattr_target_begin(&target, req, ino, kind == XATTR_KIND_DISK);
	if (r < 0)
		return r;
	if (kind == XATTR_KIND_CAPABILITY)
		return set_capability(&target, value, size, flags);
	if (kind != XATTR_KIND_DISK)
		return set_acl_blob(&target, kind, value, size);
	r = judge_set_xattr(target.fs, &target.caller, &target.node,
			    "setxattr");
	if (r < 0)
		return r;
	r = backing_setxattr(target.node.fd, name, value, size, flags);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_WRITE))
		r = backing_setxattr(target.node.fd, name, value, size, flags);
	return judge_disk(target.fs, r, "setxattr", &target.node, NULL);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	reply_result(req, do_setxattr(req, ino, name, value, size, flags));
}

static int do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	enum xattr_kind kind = xattr_kind(filesystem_of(req), name);
	_cleanup_xattr_target_ struct xattr_target target = {
		.node = NODE_REF_NONE
	};
	int r;

	if (kind == XATTR_KIND_FOREIGN || kind == XATTR_KIND_UNSUPPORTED)
		return refuse(kind, true);
	r = xattr_target_begin(&target, req, ino, kind == XATTR_KIND_DISK);
	if (r < 0)
		return r;
	if (kind == XATTR_KIND_CAPABILITY)
		return set_capability(&target, NULL, 0, 0);
	if (kind != XATTR_KIND_DISK)
		return set_acl(&target, kind, NULL);
	r = judge_set_xattr(target.fs, &target.caller, &target.node,
			    "removexattr");
	if (r < 0)
		return r;
	r = backing_removexattr(target.node.fd, name);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_WRITE))
		r = backing_removexattr(target.node.fd, name);
	return judge_disk(target.fs, r, "removexattr", &target.node, NULL);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_result(req, do_removexattr(req, ino, name));
}
