/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "idshift/acl.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/records_side.h"
#include "judge.h"

/* Who serves a name. */
enum name_kind {
	NAME_DISK, /* the source, as it is */
	NAME_ACL_ACCESS,
	NAME_ACL_DEFAULT,
	NAME_CAPABILITY,
	NAME_FOREIGN, /* not the caller's: ours, trusted.*, other security.* */
	NAME_UNSUPPORTED,
};

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static enum name_kind name_kind(const struct filesystem *fs, const char *name)
{
	if (strcmp(name, ACL_XATTR_ACCESS) == 0)
		return NAME_ACL_ACCESS;
	if (strcmp(name, ACL_XATTR_DEFAULT) == 0)
		return NAME_ACL_DEFAULT;
	if (strcmp(name, XATTR_NAME_CAPS) == 0)
		return NAME_CAPABILITY;
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		if (!fs->config.xattrs)
			return NAME_UNSUPPORTED;
		return side_is_hidden(name) ? NAME_FOREIGN : NAME_DISK;
	}
	/* The kernel has asked for the caller's privilege. */
	if (has_prefix(name, XATTR_TRUSTED_PREFIX) ||
	    has_prefix(name, XATTR_SECURITY_PREFIX))
		return fs->policy->real_owners ? NAME_DISK : NAME_FOREIGN;
	return NAME_UNSUPPORTED;
}

/* As xattr_permission() of fs/xattr.c answers for trusted.*. */
static int refuse(enum name_kind kind, bool writing)
{
	if (kind == NAME_FOREIGN)
		return writing ? -EPERM : -ENODATA;
	return -EOPNOTSUPP;
}

static enum acl_which acl_which(enum name_kind kind)
{
	return kind == NAME_ACL_ACCESS ? RECORDS_ACL_ACCESS :
					 RECORDS_ACL_DEFAULT;
}

struct target {
	struct filesystem *fs;
	struct caller caller;
	struct node_ref node;
	struct statx stx;
};

static void target_done(struct target *target)
{
	node_release(&target->node);
}
#define _cleanup_target_ __attribute__((cleanup(target_done)))

/* What the source serves as it is needs no statx. */
static int target_begin(struct target *target, fuse_req_t req, fuse_ino_t ino,
			bool as_it_is)
{
	struct filesystem *fs = filesystem_of(req);
	int r;

	*target = (struct target){ .fs = fs, .node = NODE_REF_NONE };
	r = caller_of(fs, req, &target->caller);
	if (r == 0)
		r = as_it_is ? node_acquire(fs->nodes, ino, &target->node) :
			       node_acquire_stat(fs->nodes, ino, &target->node,
						 &target->stx);
	return r;
}

static ssize_t get_acl(struct target *target, enum name_kind kind, char *value,
		       size_t size)
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
static unsigned int places(const struct filesystem *fs, enum name_kind kind)
{
	if (fs->records.xattr_dev == 0)
		return 0;
	switch (kind) {
	case NAME_ACL_ACCESS:
		return fs->has_acls ? SIDE_BIT(SIDE_ACL_ACCESS) |
					      SIDE_DISK_ACL_ACCESS :
				      0;
	case NAME_ACL_DEFAULT:
		return fs->has_acls ? SIDE_BIT(SIDE_ACL_DEFAULT) |
					      SIDE_DISK_ACL_DEFAULT :
				      0;
	case NAME_CAPABILITY:
		return fs->policy->real_owners ? 0 : SIDE_BIT(SIDE_CAPABILITY);
	default:
		return 0;
	}
}

/*
 * Most have none, and the kernel asks for the capability before the first
 * write of each file, ls(1) for the ACL of each.
 */
static bool is_absent(fuse_req_t req, fuse_ino_t ino, enum name_kind kind)
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
	enum name_kind kind = name_kind(filesystem_of(req), name);
	_cleanup_target_ struct target target = { .node = NODE_REF_NONE };
	ssize_t r;

	if (kind == NAME_FOREIGN || kind == NAME_UNSUPPORTED)
		return refuse(kind, false);
	if (is_absent(req, ino, kind))
		return -ENODATA;
	r = target_begin(&target, req, ino, kind == NAME_DISK);
	if (r < 0)
		return r;
	if (kind == NAME_CAPABILITY)
		return records_capability_get(&target.fs->records,
					      target.node.fd, &target.stx,
					      value, size);
	if (kind != NAME_DISK)
		return get_acl(&target, kind, value, size);
	r = judge_access(target.fs, &target.node, ACCESS_READ, "getxattr");
	if (r < 0)
		return r;
	r = backing_getxattr(target.node.fd, name, value, size);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_READ) == 0)
		r = backing_getxattr(target.node.fd, name, value, size);
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
		r = do_getxattr(req, ino, name, value, size);
	reply_value(req, r, value, size);
}

/* acl NULL removes. */
static int set_acl(struct target *target, enum name_kind kind,
		   const struct acl *acl)
{
	struct filesystem *fs = target->fs;
	struct view view = { 0 };
	bool drop_setgid = false;
	int r = judge_owner(fs, &target->node, "setfacl");

	if (r == 0)
		r = node_view(fs, &target->node, &target->stx, &view);

	if (r < 0)
		return r;
	/* Where the kernel would send FUSE_SETXATTR_ACL_KILL_SGID. */
	if (acl != NULL && kind == NAME_ACL_ACCESS &&
	    (view.mode & S_ISGID) != 0)
		drop_setgid = !caller_in_group(fs, &target->caller, &view);
	r = records_acl_set(&fs->records, target->node.fd, &target->stx,
			    acl_which(kind), acl, drop_setgid);
	if (r == 0 && is_privileged(view.mode))
		node_set_privileged(&target->node, true);
	return r;
}

static int set_acl_blob(struct target *target, enum name_kind kind,
			const char *value, size_t size)
{
	_cleanup_acl_ struct acl *acl = NULL;
	int r = acl_parse(value, size, &acl);

	if (r == 0 && acl != NULL)
		r = acl_validate(acl);
	return r < 0 ? r : set_acl(target, kind, acl);
}

/* Attributes of ours need the disk's u+w, which container root may lack. */
static int set_capability(struct target *target, const char *value, size_t size,
			  int flags)
{
	const struct records *records = &target->fs->records;
	int r = records_capability_set(records, target->node.fd, &target->stx,
				       value, size, flags);

	if (r == -EACCES &&
	    widen(target->fs, &target->caller, &target->node, 0) == 0)
		r = records_capability_set(records, target->node.fd,
					   &target->stx, value, size, flags);
	return r;
}

static int do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		       const char *value, size_t size, int flags)
{
	enum name_kind kind = name_kind(filesystem_of(req), name);
	_cleanup_target_ struct target target = { .node = NODE_REF_NONE };
	int r;

	if (kind == NAME_FOREIGN || kind == NAME_UNSUPPORTED)
		return refuse(kind, true);
	r = target_begin(&target, req, ino, kind == NAME_DISK);
	if (r < 0)
		return r;
	if (kind == NAME_CAPABILITY)
		return set_capability(&target, value, size, flags);
	if (kind != NAME_DISK) {
		(void)pthread_mutex_lock(node_change_lock(&target.node));
		r = set_acl_blob(&target, kind, value, size);
		(void)pthread_mutex_unlock(node_change_lock(&target.node));
		return r;
	}
	r = judge_set_xattr(target.fs, &target.node, "setxattr");
	if (r < 0)
		return r;
	r = backing_setxattr(target.node.fd, name, value, size, flags);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_WRITE) == 0)
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
	enum name_kind kind = name_kind(filesystem_of(req), name);
	_cleanup_target_ struct target target = { .node = NODE_REF_NONE };
	int r;

	if (kind == NAME_FOREIGN || kind == NAME_UNSUPPORTED)
		return refuse(kind, true);
	r = target_begin(&target, req, ino, kind == NAME_DISK);
	if (r < 0)
		return r;
	if (kind == NAME_CAPABILITY)
		return records_capability_remove(&target.fs->records,
						 target.node.fd, &target.stx);
	if (kind != NAME_DISK) {
		(void)pthread_mutex_lock(node_change_lock(&target.node));
		r = set_acl(&target, kind, NULL);
		(void)pthread_mutex_unlock(node_change_lock(&target.node));
		return r;
	}
	r = judge_set_xattr(target.fs, &target.node, "removexattr");
	if (r < 0)
		return r;
	r = backing_removexattr(target.node.fd, name);
	if (r == -EACCES &&
	    widen(target.fs, &target.caller, &target.node, ACCESS_WRITE) == 0)
		r = backing_removexattr(target.node.fd, name);
	return judge_disk(target.fs, r, "removexattr", &target.node, NULL);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_result(req, do_removexattr(req, ino, name));
}

/* Names to show, in a buffer of XATTR_LIST_MAX bytes. */
struct name_list {
	char *names;
	size_t used;
};

/* Every name once: the disk and a record may both have an ACL. */
static void list_add(struct name_list *list, const char *name)
{
	size_t len = strlen(name) + 1;

	for (size_t at = 0; at < list->used;
	     at += strlen(list->names + at) + 1) {
		if (strcmp(list->names + at, name) == 0)
			return;
	}
	if (len > XATTR_LIST_MAX - list->used)
		return;
	memcpy(list->names + list->used, name, len);
	list->used += len;
}

/* xattr(7): to CAP_SYS_ADMIN alone.  Once a list: *known is -1 before. */
static bool shows_trusted(const struct target *target, int *known)
{
	if (*known < 0)
		*known = caller_is_admin(target->fs, &target->caller);
	return *known;
}

/* The source's names, but for those that are not the container's. */
static int list_disk(const struct target *target, struct name_list *list)
{
	_cleanup_free_ char *names = malloc(XATTR_LIST_MAX);
	bool real_owners = target->fs->policy->real_owners;
	int trusted = -1;
	ssize_t size;

	if (names == NULL)
		return -ENOMEM;
	size = backing_listxattr(target->node.fd, names, XATTR_LIST_MAX);
	if (size < 0)
		return size == -EOPNOTSUPP ? 0 : (int)size;
	for (size_t at = 0; at < (size_t)size;) {
		enum name_kind kind;
		size_t len = strnlen(names + at, (size_t)size - at) + 1;

		if (len > (size_t)size - at)
			break; /* not terminated */
		kind = name_kind(target->fs, names + at);
		if (has_prefix(names + at, XATTR_TRUSTED_PREFIX) &&
		    kind == NAME_DISK && !shows_trusted(target, &trusted))
			kind = NAME_FOREIGN;
		if (kind == NAME_DISK || kind == NAME_ACL_ACCESS ||
		    kind == NAME_ACL_DEFAULT ||
		    (kind == NAME_CAPABILITY && real_owners))
			list_add(list, names + at);
		at += len;
	}
	return 0;
}

/* Whoever can write the file can make one up that nobody can get. */
static bool recorded_counts(const struct target *target, enum side side)
{
	const struct records *records = &target->fs->records;
	_cleanup_acl_ struct acl *acl = NULL;

	if (side == SIDE_CAPABILITY)
		return records_capability_get(records, target->node.fd,
					      &target->stx, NULL, 0) >= 0;
	if (records_acl_get(records, target->node.fd, &target->stx,
			    side == SIDE_ACL_ACCESS ? RECORDS_ACL_ACCESS :
						      RECORDS_ACL_DEFAULT,
			    &acl, NULL) < 0)
		return false;
	return acl != NULL;
}

static void list_recorded(const struct target *target, struct name_list *list)
{
	static const struct {
		enum side side;
		const char *name;
	} recorded[] = {
		{ SIDE_ACL_ACCESS, ACL_XATTR_ACCESS },
		{ SIDE_ACL_DEFAULT, ACL_XATTR_DEFAULT },
		{ SIDE_CAPABILITY, XATTR_NAME_CAPS },
	};

	if (target->fs->policy->real_owners)
		return;
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		if (side_exists(target->fs->records.db, target->node.fd,
				&target->stx, recorded[i].side) &&
		    recorded_counts(target, recorded[i].side))
			list_add(list, recorded[i].name);
	}
}

static ssize_t do_listxattr(fuse_req_t req, fuse_ino_t ino, char *names)
{
	_cleanup_target_ struct target target = { .node = NODE_REF_NONE };
	struct name_list list = { .names = names };
	int r = target_begin(&target, req, ino, false);

	/* Symbolic links have none that is shown, but for real capabilities. */
	if (r == 0 &&
	    (!S_ISLNK(target.stx.stx_mode) || target.fs->policy->real_owners))
		r = list_disk(&target, &list);
	if (r < 0)
		return r;
	list_recorded(&target, &list);
	return (ssize_t)list.used;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	_cleanup_free_ char *list = malloc(XATTR_LIST_MAX);
	ssize_t r = -ENOMEM;

	if (list != NULL)
		r = do_listxattr(req, ino, list);
	if (r >= 0 && size > 0 && (size_t)r > size)
		r = -ERANGE;
	reply_value(req, r, list, size);
}
