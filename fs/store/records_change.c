/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "intents_internal.h"

/* A change under way, and what it has to undo. */
struct change {
	const struct records *records;
	int path_fd;
	const struct statx *stx;
	unsigned int absent; /* what it is known not to have */
	struct recorded old;
	struct acl *old_disk_acl; /* read only if it is to be changed */
	struct view full;	  /* what is wanted, nothing left open */
	struct acl *acl;	  /* full.acl, owned */
	struct view_plan plan;
	mode_t mode; /* on disk now */
	int intent;
	bool moved_owner;
	bool wrote_record;
	bool wrote_acl;
	bool wrote_disk_acl;
	bool wrote_db; /* which moves no ctime by itself */
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

/* As side_write(). */
static int write_side(struct change *c, enum side side, const void *value,
		      size_t size)
{
	int r = side_write(c->records->db, c->path_fd, c->stx, side, value,
			   size);

	c->wrote_db = c->wrote_db || r == 0;
	return r;
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
	/* Which another value does, and the same need not. */
	c->moved_ctime = c->moved_ctime || r > 0;
	return 0;
}

/* NULL removes. */
static int write_acl(struct change *c, const struct acl *acl)
{
	_cleanup_free_ char *blob = NULL;
	size_t size;
	int r = acl_to_blob(acl, &blob, &size);

	return r < 0 ? r : write_side(c, SIDE_ACL_ACCESS, blob, size);
}

static int change_acl(struct change *c, const struct acl *acl)
{
	int r;

	if (acl == NULL && c->old.acl == NULL)
		return 0;
	r = write_acl(c, acl);
	if (r < 0)
		return r;
	c->wrote_acl = true;
	return 0;
}

/* One whose record is gone must not count by the next. */
static int drop_stray_acl(struct change *c)
{
	int r;

	if (c->old.len > 0 || c->acl != NULL ||
	    (c->absent & SIDE_BIT(SIDE_ACL_ACCESS)) != 0 ||
	    S_ISLNK(c->stx->stx_mode) ||
	    !side_exists(c->records->db, c->path_fd, c->stx, SIDE_ACL_ACCESS))
		return 0;
	r = write_acl(c, NULL);
	return r < 0 ? r : 0;
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

/*
 * Not without need: chmod takes the setgid of a group that isn't ours.  The
 * sandbox makes no setuid, also where one was: the rest must come back.
 */
static void undo_mode(const struct change *c)
{
	mode_t mode = c->stx->stx_mode & MODE_BITS;
	struct statx now;

	if ((backing_stat(c->path_fd, &now) < 0 ||
	     now.stx_mode != c->stx->stx_mode) &&
	    backing_chmod(c->path_fd, mode) < 0 && (mode & S_ISUID) != 0)
		(void)backing_chmod(c->path_fd, mode & ~(mode_t)S_ISUID);
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
		undo_mode(c);
	if (c->wrote_db)
		(void)backing_touch_ctime(c->path_fd, c->stx);
}

/* The record's text, as planned; 0: none. */
static size_t planned_record(const struct change *c,
			     char text[OVERRIDE_STAT_MAX])
{
	return c->plan.recorded ?
		       override_stat_format(&c->plan.record,
					    c->stx->stx_mode & S_IFMT, text) :
		       0;
}

static int change_run(struct change *c, const struct disk_acl_change *disk_acl)
{
	const struct view_plan *plan = &c->plan;
	char text[OVERRIDE_STAT_MAX];
	size_t len = planned_record(c, text);
	/*
	 * The host's setuid can't be given back: what fails more easily comes
	 * before.  The record's mode doesn't count until that is gone.
	 */
	bool owner_last = (c->mode & S_ISUID) != 0;
	int r = 0;

	if (!owner_last)
		r = change_owner(c, plan->uid, plan->gid, plan->mode);
	if (r == 0 && disk_acl->set != NULL)
		r = change_disk_acl(c, disk_acl->set);
	/*
	 * The record first: it counts only once the disk's mode is the one
	 * that it leads to, so what shows flips with the chmod.
	 */
	if (r == 0)
		r = change_acl(c, c->acl);
	if (r == 0)
		r = drop_stray_acl(c);
	if (r == 0)
		r = change_record(c, text, len);
	if (r == 0 && owner_last)
		r = change_owner(c, plan->uid, plan->gid, plan->mode);
	if (r == 0 && !S_ISLNK(c->stx->stx_mode))
		r = change_mode(c, plan->mode);
	/* The mask stays behind as the group's bits, narrowed by now. */
	if (r == 0 && disk_acl->remove)
		r = change_disk_acl(c, NULL);
	/* Whoever read the old record meanwhile must not keep it. */
	if (r == 0 && (c->wrote_db || !c->moved_ctime))
		r = backing_touch_ctime(c->path_fd, c->stx);
	return r;
}

/* The recorded ACL to have. */
static int wanted_acl(struct change *c, const struct view *want,
		      bool forget_acl)
{
	int r;

	acl_free(c->acl);
	c->acl = NULL;
	if (forget_acl)
		return 0;
	if (want->acl != NULL)
		return acl_clone(want->acl, &c->acl);
	if (c->old.view.acl == NULL)
		return 0;
	r = acl_clone(c->old.view.acl, &c->acl);
	if (r == 0)
		acl_chmod(c->acl, want->mode & 0777);
	return r;
}

static int change_plan(struct change *c, const struct view *want,
		       bool forget_acl)
{
	struct disk_owner disk = backing_owner(c->stx);
	int r = wanted_acl(c, want, forget_acl);

	if (r < 0)
		return r;
	c->full = *want;
	if (!container_id_is_mapped(c->full.uid))
		c->full.uid = c->old.view.uid;
	if (!container_id_is_mapped(c->full.gid))
		c->full.gid = c->old.view.gid;
	c->full.acl = c->acl;
	return view_plan(c->records->policy, &disk, &c->full, &c->plan);
}

/*
 * Does the view change all at once?  A single step does; and a first record
 * that says the owner as it shows does not count before the chmod after it.
 */
static bool is_one_step(const struct change *c,
			const struct disk_acl_change *disk_acl)
{
	char text[OVERRIDE_STAT_MAX];
	size_t len = planned_record(c, text);
	bool owner = c->plan.uid.value != c->stx->stx_uid ||
		     c->plan.gid.value != c->stx->stx_gid;
	bool cleared = owner && !S_ISDIR(c->stx->stx_mode) &&
		       (c->mode & (S_ISUID | S_ISGID)) != 0;
	bool record = len != c->old.len || memcmp(text, c->old.text, len) != 0;
	bool mode = !S_ISLNK(c->stx->stx_mode) && c->plan.mode != c->mode;
	bool acl = c->acl != NULL || c->old.acl != NULL;
	bool on_disk = disk_acl->set != NULL ||
		       (disk_acl->remove && c->old_disk_acl != NULL);

	if (c->old.len == 0 && !owner && !acl && !on_disk &&
	    container_id_equal(c->full.uid, c->old.view.uid) &&
	    container_id_equal(c->full.gid, c->old.view.gid))
		return true;
	return owner + cleared + record + mode + acl + on_disk <= 1;
}

static void change_intend(struct change *c, bool unread,
			  const struct disk_acl_change *disk_acl)
{
	char text[OVERRIDE_STAT_MAX];
	const struct intent intent = {
		.want = c->full,
		.disk_acl = *disk_acl,
		.before = backing_owner(c->stx),
		.after = { .uid = c->plan.uid,
			   .gid = c->plan.gid,
			   .mode = c->plan.mode },
		.old_record = unread ? NULL : c->old.text,
		.old_len = c->old.len,
		.new_record = text,
		.new_len = planned_record(c, text),
	};

	c->intent = intent_begin(c->records, c->path_fd, c->stx, &intent);
}

/* Lend the object the owner's r and w, which user.* xattrs need (xattr(7)). */
static int change_lend(struct change *c, bool unread, const struct view *want,
		       bool forget_acl)
{
	/* setuid goes anyway, and the sandbox lets no chmod leave it. */
	mode_t lent = (c->mode & ~(mode_t)S_ISUID) | S_IRUSR | S_IWUSR;
	int r = change_mode(c, lent);
	if (r < 0 || !unread)
		return r;
	recorded_done(&c->old);
	r = recorded_read(c->records, c->path_fd, c->stx, c->absent, true,
			  &c->old);
	return r < 0 ? r : change_plan(c, want, forget_acl);
}

static int change_all(struct change *c, const struct view *want,
		      bool forget_acl, const struct disk_acl_change *disk_acl)
{
	int r = recorded_read(c->records, c->path_fd, c->stx, c->absent, true,
			      &c->old);
	bool unread = r == -EACCES;
	bool lend = side_in_xattr(c->stx) && !c->records->policy->real_owners &&
		    (unread || (c->mode & S_IWUSR) == 0);

	if (r < 0 && !(lend && unread))
		return r;
	r = 0;
	if (disk_acl->set != NULL || disk_acl->remove)
		r = acl_read_disk(c->path_fd, ACL_XATTR_ACCESS,
				  &c->old_disk_acl);
	if (r == 0)
		r = change_plan(c, want, forget_acl);
	if (r < 0)
		return r;
	if (lend || !is_one_step(c, disk_acl))
		change_intend(c, unread, disk_acl);
	if (lend)
		r = change_lend(c, unread, want, forget_acl);
	return r < 0 ? r : change_run(c, disk_acl);
}

int records_change(const struct records *records, int path_fd,
		   const struct statx *stx, unsigned int absent,
		   const struct view *want, bool forget_acl,
		   const struct disk_acl_change *disk_acl)
{
	struct disk_owner disk = backing_owner(stx);
	struct change c = {
		.records = records,
		.path_fd = path_fd,
		.stx = stx,
		.absent = absent,
		.mode = stx->stx_mode & MODE_BITS,
		.intent = INTENT_NONE,
	};
	int r;

	if (!view_is_ours(records->policy, &disk))
		return -EPERM;
	r = change_all(&c, want, forget_acl, disk_acl);
	if (r < 0)
		change_undo(&c);
	records_cache_drop(records->cache, stx);
	intent_end(records, c.intent);
	recorded_done(&c.old);
	acl_free(c.old_disk_acl);
	acl_free(c.acl);
	return r;
}

int records_apply(const struct records *records, int path_fd,
		  const struct statx *stx, unsigned int absent,
		  const struct view *want)
{
	static const struct disk_acl_change keep = { .set = NULL };

	return records_change(records, path_fd, stx, absent, want, false,
			      &keep);
}
