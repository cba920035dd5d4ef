/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/acl.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/records_side.h"
#include "xattr_target.h"

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
static bool shows_trusted(const struct xattr_target *target, int *known)
{
	if (*known < 0)
		*known = caller_is_admin(target->fs, &target->caller);
	return *known;
}

/* The source's names, but for those that are not the container's. */
static int list_disk(const struct xattr_target *target, struct name_list *list)
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
		enum xattr_kind kind;
		size_t len = strnlen(names + at, (size_t)size - at) + 1;

		if (len > (size_t)size - at)
			break; /* not terminated */
		kind = xattr_kind(target->fs, names + at);
		if (strncmp(names + at, XATTR_TRUSTED_PREFIX,
			    XATTR_TRUSTED_PREFIX_LEN) == 0 &&
		    kind == XATTR_KIND_DISK && !shows_trusted(target, &trusted))
			kind = XATTR_KIND_FOREIGN;
		if (kind == XATTR_KIND_DISK || kind == XATTR_KIND_ACL_ACCESS ||
		    kind == XATTR_KIND_ACL_DEFAULT ||
		    (kind == XATTR_KIND_CAPABILITY && real_owners))
			list_add(list, names + at);
		at += len;
	}
	return 0;
}

/* Whoever can write the file can make one up that nobody can get. */
static bool recorded_counts(const struct xattr_target *target, enum side side)
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

static void list_recorded(const struct xattr_target *target,
			  struct name_list *list)
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
	_cleanup_xattr_target_ struct xattr_target target = {
		.node = NODE_REF_NONE
	};
	struct name_list list = { .names = names };
	int r = xattr_target_begin(&target, req, ino, false);

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
	reply_xattr(req, r, list, size);
}
