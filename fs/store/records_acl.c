/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "records_internal.h"

int acl_read_disk(int path_fd, const char *name, struct acl **ret)
{
	_cleanup_free_ char *blob = malloc(ACL_MAX_SIZE);
	ssize_t len;

	*ret = NULL;
	if (blob == NULL)
		return -ENOMEM;
	len = backing_getxattr(path_fd, name, blob, ACL_MAX_SIZE);
	if (len == -ENODATA)
		return 0;
	return len < 0 ? (int)len : acl_parse(blob, (size_t)len, ret);
}

int acl_write_disk(int path_fd, const char *name, const struct acl *acl)
{
	_cleanup_free_ char *blob = NULL;
	size_t size;
	int r;

	if (acl == NULL) {
		r = backing_removexattr(path_fd, name);
		return r == -ENODATA ? 0 : r;
	}
	r = acl_to_blob(acl, &blob, &size);
	return r < 0 ? r : backing_setxattr(path_fd, name, blob, size, 0);
}

static const char *disk_name(enum acl_which type)
{
	return type == RECORDS_ACL_ACCESS ? ACL_XATTR_ACCESS :
					    ACL_XATTR_DEFAULT;
}

/*
 * Translations of named entries; the context is the policy.
 */

static const struct owner_map *owner_map_of(const struct view_policy *policy,
					    bool group)
{
	return group ? &policy->owner_gid : &policy->owner_uid;
}

static uint32_t wire_of(const struct view_policy *policy, bool group,
			struct container_id id, struct disk_id disk)
{
	return (group ? view_gid_to_wire(policy, id, disk) :
			view_uid_to_wire(policy, id, disk))
		.value;
}

/* ACLs tell those without a number in a user namespace apart: ID_NONE. */
static bool disk_to_wire(void *context, bool group, uint32_t from,
			 uint32_t *ret)
{
	const struct view_policy *policy = context;
	struct container_id id;

	if (!owner_map_to_container(owner_map_of(policy, group), DISK_ID(from),
				    &id))
		id = policy->unmapped;
	*ret = wire_of(policy, group, id, DISK_ID(from));
	return container_id_is_mapped(id) || !policy->acting.in_userns;
}

static bool to_wire(void *context, bool group, uint32_t from, uint32_t *ret)
{
	*ret = wire_of(context, group, CONTAINER_ID(from),
		       DISK_ID(ID_OVERFLOW));
	return true;
}

static bool to_container(void *context, bool group, uint32_t from,
			 uint32_t *ret)
{
	const struct view_policy *policy = context;
	struct container_id id;

	if (!userns_to_container(group ? &policy->userns_gid :
					 &policy->userns_uid,
				 WIRE_ID(from), &id))
		return false;
	*ret = id.value;
	return true;
}

static bool to_disk(void *context, bool group, uint32_t from, uint32_t *ret)
{
	struct disk_id id;

	if (!owner_map_to_disk(owner_map_of(context, group), CONTAINER_ID(from),
			       &id))
		return false;
	*ret = id.value;
	return true;
}

static int translate(const struct records *records, const struct acl *acl,
		     acl_translate_fn *each, enum acl_unmapped unmapped,
		     struct acl **ret)
{
	const struct acl_translation how = {
		.translate = each,
		.ctx = (void *)(uintptr_t)records->policy,
		.unmapped = unmapped,
		.replacement = ID_NONE, /* nobody's, to access_check() */
	};

	return acl_translate(acl, &how, ret);
}

/* An ACL of the disk as the kernel shows it: it drops whom it can't number. */
static int translate_disk(const struct records *records, const struct acl *disk,
			  struct acl **ret)
{
	return translate(records, disk, disk_to_wire, ACL_UNMAPPED_DROP, ret);
}

/*
 * Reading.
 */

static int recorded_default(const struct records *records, int path_fd,
			    const struct statx *stx, struct acl **ret)
{
	struct disk_owner disk = backing_owner(stx);
	int r;

	*ret = NULL;
	if (!S_ISDIR(stx->stx_mode) || records->policy->real_owners ||
	    !view_is_ours(records->policy, &disk))
		return 0;
	r = acl_read_side(records, path_fd, stx, SIDE_ACL_DEFAULT, ret);
	return r == -EACCES ? 0 : r;
}

static int access_recorded(const struct records *records, int path_fd,
			   const struct statx *stx, const struct acl *disk,
			   struct acl **ret)
{
	_cleanup_recorded_ struct recorded now = { .acl = NULL };
	int r = recorded_read(records, path_fd, stx, 0, true, &now);

	if (r < 0 && r != -EACCES)
		return r;
	*ret = NULL;
	/* A host's setfacl of a later day wins. */
	if (disk != NULL)
		r = translate_disk(records, disk, ret);
	else if (now.view.acl != NULL)
		r = translate(records, now.view.acl, to_wire, ACL_UNMAPPED_FAIL,
			      ret);
	else
		return 0;
	if (r == 0 && disk != NULL)
		acl_chmod(*ret, now.view.mode & 0777);
	return r;
}

int records_acl_get(const struct records *records, int path_fd,
		    const struct statx *stx, enum acl_which type,
		    struct acl **ret, bool *ret_on_disk)
{
	_cleanup_acl_ struct acl *disk = NULL, *recorded = NULL;
	struct acl *found = NULL;
	int r;

	if (S_ISLNK(stx->stx_mode))
		return -EOPNOTSUPP;
	r = acl_read_disk(path_fd, disk_name(type), &disk);
	if (r < 0)
		return r;
	if (type == RECORDS_ACL_ACCESS) {
		r = access_recorded(records, path_fd, stx, disk, &found);
	} else if (disk != NULL) {
		r = translate_disk(records, disk, &found);
	} else {
		r = recorded_default(records, path_fd, stx, &recorded);
		if (r == 0 && recorded != NULL)
			r = translate(records, recorded, to_wire,
				      ACL_UNMAPPED_FAIL, &found);
	}
	if (r < 0)
		return r;
	*ret = found;
	if (ret_on_disk != NULL)
		*ret_on_disk = disk != NULL;
	return 0;
}

int records_acl_judged(const struct records *records, int path_fd,
		       const struct statx *stx, struct acl **ret)
{
	_cleanup_acl_ struct acl *wire = NULL;
	int r = records_acl_get(records, path_fd, stx, RECORDS_ACL_ACCESS,
				&wire, NULL);

	*ret = NULL;
	if (r == -EOPNOTSUPP || r == -EACCES)
		return 0;
	return r < 0 || wire == NULL ? r :
				       translate(records, wire, to_container,
						 ACL_UNMAPPED_REPLACE, ret);
}

static bool default_is_vouched(const struct records *records, int path_fd,
			       const struct statx *stx, const struct acl *acl)
{
	_cleanup_free_ char *blob = NULL;
	size_t size;

	return acl_to_blob(acl, &blob, &size) == 0 &&
	       side_is_vouched(records->db, path_fd, stx, SIDE_ACL_DEFAULT,
			       blob, size);
}

int records_acl_inherited(const struct records *records, int dir_fd,
			  const struct statx *dir, struct acl **ret,
			  bool *ret_vouched)
{
	int r = recorded_default(records, dir_fd, dir, ret);

	*ret_vouched = r == 0 && *ret != NULL &&
		       default_is_vouched(records, dir_fd, dir, *ret);
	return r;
}

/*
 * Writing.
 */

/* vouched: by us, who are asked to by its owner. */
static int write_default(const struct records *records, int path_fd,
			 const struct statx *stx, const struct acl *acl,
			 bool vouched)
{
	_cleanup_free_ char *blob = NULL;
	size_t size;
	int r = acl_to_blob(acl, &blob, &size);

	if (r < 0)
		return r;
	if (acl != NULL && vouched)
		r = side_vouch(records->db, path_fd, stx, SIDE_ACL_DEFAULT,
			       blob, size);
	if (r == 0)
		r = side_write(records->db, path_fd, stx, SIDE_ACL_DEFAULT,
			       blob, size);
	if (r >= 0 && acl == NULL)
		r = side_vouch(records->db, path_fd, stx, SIDE_ACL_DEFAULT,
			       NULL, 0);
	return r < 0 ? r : 0;
}

int records_acl_hand_on(const struct records *records, int path_fd,
			const struct statx *stx, const struct acl *acl,
			bool vouched)
{
	int r = write_default(records, path_fd, stx, acl, vouched);

	records_cache_drop(records->cache, stx);
	return r;
}

/* acl with container ids.  What counts is written before the other goes. */
static int set_default(const struct records *records, int path_fd,
		       const struct statx *stx, const struct acl *acl)
{
	_cleanup_acl_ struct acl *disk = NULL;
	int r;

	if (!S_ISDIR(stx->stx_mode))
		return acl == NULL ? 0 : -EACCES; /* as posix_acl_xattr_set() */
	if (acl != NULL &&
	    translate(records, acl, to_disk, ACL_UNMAPPED_FAIL, &disk) == 0) {
		r = acl_write_disk(path_fd, ACL_XATTR_DEFAULT, disk);
		return r < 0 ? r :
			       write_default(records, path_fd, stx, NULL, true);
	}
	if (acl != NULL && records->policy->real_owners)
		return -EINVAL;
	/* One that the disk's own hides must not show once that is gone. */
	r = write_default(records, path_fd, stx, acl, true);
	return r < 0 ? r : acl_write_disk(path_fd, ACL_XATTR_DEFAULT, NULL);
}

/* Has the view's owner and group on disk, so that "owner" means the same? */
static bool owner_on_disk(const struct records *records,
			  const struct statx *stx, const struct view *view)
{
	struct disk_owner disk = backing_owner(stx);
	struct view base;

	view_of(records->policy, &disk, NULL, &base);
	return container_id_equal(base.uid, view->uid) &&
	       container_id_equal(base.gid, view->gid);
}

static void let_owner_in(struct acl *acl, bool is_dir)
{
	for (size_t i = 0; i < acl->count; i++) {
		if (acl->entries[i].tag == ACL_USER_OBJ)
			acl->entries[i].perm |= ACL_READ | ACL_WRITE |
						(is_dir ? ACL_EXECUTE : 0);
	}
}

/* Is there an access ACL to remove, be it one that doesn't count now? */
static int has_access(const struct records *records, int path_fd,
		      const struct statx *stx)
{
	_cleanup_acl_ struct acl *acl = NULL;
	int r = records_acl_get(records, path_fd, stx, RECORDS_ACL_ACCESS, &acl,
				NULL);

	if (r < 0 || acl != NULL)
		return r < 0 ? r : 1;
	return !records->policy->real_owners &&
	       side_exists(records->db, path_fd, stx, SIDE_ACL_ACCESS);
}

/* acl with container ids. */
static int set_access(const struct records *records, int path_fd,
		      const struct statx *stx, const struct acl *acl,
		      bool drop_setgid)
{
	_cleanup_acl_ struct acl *disk = NULL;
	struct disk_acl_change change = { .remove = true };
	bool says_mode = acl == NULL || acl_is_mode(acl);
	struct view now, want;
	int r = records_view(records, path_fd, stx, &now);

	if (r < 0)
		return r;
	want = now;
	if (acl != NULL)
		want.mode = (want.mode & ~(mode_t)0777) | acl_mode_bits(acl);
	if (drop_setgid)
		want.mode &= ~(mode_t)S_ISGID;
	if (says_mode && want.mode == now.mode) {
		r = has_access(records, path_fd, stx);
		if (r == 0) /* whether ctime moves is the file system's */
			return acl_write_disk(path_fd, ACL_XATTR_ACCESS, NULL);
		if (r < 0)
			return r;
	}
	if (!says_mode) {
		if (owner_on_disk(records, stx, &want) &&
		    translate(records, acl, to_disk, ACL_UNMAPPED_FAIL,
			      &disk) == 0) {
			if (!records->policy->real_owners)
				let_owner_in(disk, S_ISDIR(stx->stx_mode));
			change = (struct disk_acl_change){ .set = disk };
		} else if (records->policy->real_owners) {
			return -EINVAL;
		} else {
			want.acl = acl;
		}
	}
	return records_change(records, path_fd, stx, 0, &want, want.acl == NULL,
			      &change);
}

/*
 * Does the one on disk name somebody whom the caller can't have seen?  Who
 * changes what he saw would take him away; natively he sees ID_NONE, which
 * can't be set.
 */
static int hides_entries(const struct records *records, int path_fd,
			 enum acl_which type)
{
	_cleanup_acl_ struct acl *disk = NULL, *seen = NULL;
	int r;

	if (!records->policy->acting.in_userns)
		return 0;
	r = acl_read_disk(path_fd, disk_name(type), &disk);
	if (r < 0 || disk == NULL)
		return r;
	r = translate_disk(records, disk, &seen);
	return r < 0 ? r : seen->count < disk->count;
}

int records_acl_set(const struct records *records, int path_fd,
		    const struct statx *stx, enum acl_which type,
		    const struct acl *acl, bool drop_setgid)
{
	_cleanup_acl_ struct acl *inside = NULL;
	struct disk_owner disk = backing_owner(stx);
	int r = 0;

	if (S_ISLNK(stx->stx_mode))
		return -EOPNOTSUPP;
	if (!view_is_ours(records->policy, &disk))
		return -EPERM;
	if (acl != NULL) {
		r = hides_entries(records, path_fd, type);
		if (r > 0)
			r = -EINVAL;
	}
	if (acl != NULL && r == 0)
		r = translate(records, acl, to_container, ACL_UNMAPPED_FAIL,
			      &inside);
	if (r < 0)
		return r;
	r = type == RECORDS_ACL_DEFAULT ?
		    set_default(records, path_fd, stx, inside) :
		    set_access(records, path_fd, stx, inside, drop_setgid);
	records_cache_drop(records->cache, stx);
	return r;
}
