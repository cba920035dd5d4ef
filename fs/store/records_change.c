/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "records_internal.h"

/* A change under way, and what it has to undo. */
struct change {
	const struct records *records;
	int path_fd;
	const struct statx *stx;
	struct recorded old;
	struct acl *old_disk_acl; /* read only if it is to be changed */
	mode_t mode;		  /* on disk now */
	bool moved_owner;
	bool wrote_record;
	bool wrote_acl;
	bool wrote_disk_acl;
	bool moved_ctime;
};

static int change_mode(struct change *c, mode_t mode)
{
	int r;

	if (c->mode == mode)
		return 0;
	r = backing_chmod(c->path_fd, mode);
	if (r < 0)
		return r;
	c->mode = mode;
	c->moved_ctime = true;
	return 0;
}

static int change_owner(struct change *c, struct disk_id uid,
			struct disk_id gid, mode_t final)
{
	struct statx stx;
	int r;

	if (uid.value == c->stx->stx_uid && gid.value == c->stx->stx_gid)
		return 0;
	/* The new group must not gain, for a moment, what is only the old's. */
	r = change_mode(c, c->mode & (final | S_IRWXU));
	if (r < 0)
		return r;
	r = backing_chown(c->path_fd, uid, gid);
	if (r < 0)
		return r;
	c->moved_owner = true;
	c->moved_ctime = true;
	/* It takes setuid and setgid away. */
	r = backing_stat(c->path_fd, &stx);
	if (r == 0)
		c->mode = stx.stx_mode & MODE_BITS;
	return r;
}

static int write_side(const struct change *c, enum side side, const void *value,
		      size_t size)
{
	return side_write(c->records->db, c->path_fd, c->stx, side, value,
			  size);
}

static int change_record(struct change *c, const char *text, size_t len)
{
	int r;

	if (len == c->old.len && memcmp(text, c->old.text, len) == 0)
		return 0;
	r = write_side(c, SIDE_OVERRIDE_STAT, text, len);
	if (r < 0)
		return r;
	c->wrote_record = true;
	c->moved_ctime = c->moved_ctime || side_in_xattr(c->stx);
	return 0;
}

/* NULL removes. */
static int write_acl(const struct change *c, const struct acl *acl)
{
	_cleanup_free_ char *blob = NULL;
	size_t size = acl != NULL ? acl_blob_size(acl) : 0;
	int r;

	if (acl != NULL) {
		blob = malloc(size);
		if (blob == NULL)
			return -ENOMEM;
		r = acl_format(acl, blob, size);
		if (r < 0)
			return r;
	}
	return write_side(c, SIDE_ACL_ACCESS, blob, size);
}

static int change_acl(struct change *c, const struct acl *acl)
{
	int r;

	if (acl == NULL && c->old.acl == NULL)
		return 0;
	r = write_acl(c, acl);
	if (r == 0)
		c->wrote_acl = true;
	return r;
}

static int change_disk_acl(struct change *c, const struct acl *acl)
{
	struct statx stx;
	int r;

	if (acl == NULL && c->old_disk_acl == NULL)
		return 0;
	r = acl_write_disk(c->path_fd, ACL_XATTR_ACCESS, acl);
	if (r < 0)
		return r;
	c->wrote_disk_acl = true;
	c->moved_ctime = true;
	/* It has changed the mode along. */
	r = backing_stat(c->path_fd, &stx);
	if (r == 0)
		c->mode = stx.stx_mode & MODE_BITS;
	return r;
}

static void change_undo(struct change *c)
{
	if (c->wrote_disk_acl)
		(void)acl_write_disk(c->path_fd, ACL_XATTR_ACCESS,
				     c->old_disk_acl);
	if (c->wrote_acl)
		(void)write_acl(c, c->old.acl);
	if (c->wrote_record)
		(void)write_side(c, SIDE_OVERRIDE_STAT, c->old.text,
				 c->old.len);
	if (c->moved_owner)
		(void)backing_chown(c->path_fd, DISK_ID(c->stx->stx_uid),
				    DISK_ID(c->stx->stx_gid));
	if (c->moved_ctime && !S_ISLNK(c->stx->stx_mode))
		(void)backing_chmod(c->path_fd, c->stx->stx_mode & MODE_BITS);
}

static int change_run(struct change *c, const struct view_plan *plan,
		      const struct acl *acl,
		      const struct disk_acl_change *disk_acl)
{
	char text[OVERRIDE_STAT_MAX];
	size_t len = 0;
	int r;

	if (plan->recorded)
		len = override_stat_format(&plan->record,
					   c->stx->stx_mode & S_IFMT, text);
	r = change_owner(c, plan->uid, plan->gid, plan->mode);
	if (r == 0 && disk_acl->set != NULL)
		r = change_disk_acl(c, disk_acl->set);
	/*
	 * The record first: it counts only once the disk's mode is the one
	 * that it leads to, so what shows flips with the chmod.
	 */
	if (r == 0)
		r = change_acl(c, acl);
	if (r == 0)
		r = change_record(c, text, len);
	if (r == 0 && !S_ISLNK(c->stx->stx_mode))
		r = change_mode(c, plan->mode);
	/* The mask stays behind as the group's bits, narrowed by now. */
	if (r == 0 && disk_acl->remove)
		r = change_disk_acl(c, NULL);
	if (r == 0 && !c->moved_ctime)
		r = backing_touch_ctime(c->path_fd, c->stx);
	return r;
}

/* Read what is recorded, making the object readable for that if need be. */
static int change_begin(struct change *c, bool changes_disk_acl)
{
	int r = recorded_read(c->records, c->path_fd, c->stx, true, &c->old);

	if (side_in_xattr(c->stx) && !c->records->policy->real_owners &&
	    (r == -EACCES || (c->mode & S_IWUSR) == 0)) {
		/* user.* xattrs need the owner's r and w on the object. */
		r = change_mode(c, c->mode | S_IRUSR | S_IWUSR);
		if (r == 0) {
			recorded_done(&c->old);
			r = recorded_read(c->records, c->path_fd, c->stx, true,
					  &c->old);
		}
	}
	if (r == 0 && changes_disk_acl)
		r = acl_read_disk(c->path_fd, ACL_XATTR_ACCESS,
				  &c->old_disk_acl);
	return r;
}

/* The recorded ACL to have; what `ret_owned` holds is to be freed. */
static int wanted_acl(const struct change *c, const struct view *want,
		      bool forget_acl, struct acl **ret_owned)
{
	int r;

	*ret_owned = NULL;
	if (forget_acl)
		return 0;
	if (want->acl != NULL)
		return acl_clone(want->acl, ret_owned);
	if (c->old.view.acl == NULL)
		return 0;
	r = acl_clone(c->old.view.acl, ret_owned);
	if (r == 0)
		acl_chmod(*ret_owned, want->mode & 0777);
	return r;
}

static int change_plan_and_run(struct change *c, const struct view *want,
			       bool forget_acl,
			       const struct disk_acl_change *disk_acl)
{
	_cleanup_acl_ struct acl *acl = NULL;
	struct disk_owner disk = backing_owner(c->stx);
	struct view full = *want;
	struct view_plan plan;
	int r = wanted_acl(c, want, forget_acl, &acl);

	if (r < 0)
		return r;
	if (!container_id_is_mapped(full.uid))
		full.uid = c->old.view.uid;
	if (!container_id_is_mapped(full.gid))
		full.gid = c->old.view.gid;
	full.acl = acl;
	r = view_plan(c->records->policy, &disk, &full, &plan);
	return r < 0 ? r : change_run(c, &plan, acl, disk_acl);
}

int records_change(const struct records *records, int path_fd,
		   const struct statx *stx, const struct view *want,
		   bool forget_acl, const struct disk_acl_change *disk_acl)
{
	struct disk_owner disk = backing_owner(stx);
	struct change c = {
		.records = records,
		.path_fd = path_fd,
		.stx = stx,
		.mode = stx->stx_mode & MODE_BITS,
	};
	int r;

	if (!view_is_ours(records->policy, &disk))
		return -EPERM;
	r = change_begin(&c, disk_acl->set != NULL || disk_acl->remove);
	if (r == 0)
		r = change_plan_and_run(&c, want, forget_acl, disk_acl);
	if (r < 0)
		change_undo(&c);
	recorded_done(&c.old);
	acl_free(c.old_disk_acl);
	return r;
}

int records_apply(const struct records *records, int path_fd,
		  const struct statx *stx, const struct view *want)
{
	static const struct disk_acl_change keep = { .set = NULL };

	return records_change(records, path_fd, stx, want, false, &keep);
}
