/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "records_internal.h"

static void log_malformed(const struct statx *stx)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&logged))
		syslog(LOG_DEBUG,
		       "inode %llu: malformed " OVERRIDE_STAT_XATTR
		       " ignored (said once)",
		       (unsigned long long)stx->stx_ino);
}

int acl_read_side(const struct records *records, int path_fd,
		  const struct statx *stx, enum side side, struct acl **ret)
{
	_cleanup_free_ char *blob = malloc(ACL_MAX_SIZE);
	struct acl *acl = NULL;
	ssize_t len;

	*ret = NULL;
	if (blob == NULL)
		return -ENOMEM;
	len = side_read(records->db, path_fd, stx, side, blob, ACL_MAX_SIZE);
	if (len <= 0)
		return len == -ERANGE ? 0 : (int)len;
	if (acl_parse(blob, (size_t)len, &acl) < 0 || acl == NULL)
		return 0;
	if (acl_validate(acl) < 0) {
		acl_free(acl);
		return 0;
	}
	*ret = acl;
	return 0;
}

static int read_record(const struct records *records, int path_fd,
		       const struct statx *stx, struct recorded *ret)
{
	ssize_t len = side_read(records->db, path_fd, stx, SIDE_OVERRIDE_STAT,
				ret->text, sizeof(ret->text));

	if (len == -ERANGE)
		return 0;
	if (len < 0)
		return (int)len;
	ret->len = (size_t)len;
	return 0;
}

static bool mode_counts(const struct view *view,
			const struct override_stat *record)
{
	return !record->has_mode ||
	       (view->mode & MODE_BITS) == (record->mode & MODE_BITS);
}

/* Records of others' objects don't count, real owners need none. */
static bool may_be_recorded(const struct records *records,
			    const struct disk_owner *disk)
{
	return !records->policy->real_owners &&
	       view_is_ours(records->policy, disk);
}

int recorded_read(const struct records *records, int path_fd,
		  const struct statx *stx, unsigned int absent, bool with_acl,
		  struct recorded *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct override_stat record;
	struct records_seen known;
	int r;

	ret->len = 0;
	ret->acl = NULL;
	view_of(records->policy, &disk, NULL, &ret->view);
	/* Strangers' records don't count: don't even look. */
	if (!may_be_recorded(records, &disk))
		return 0;
	if (records_cache_get(records->cache, stx, true, &known))
		absent |= known.absent;
	if ((absent & SIDE_BIT(SIDE_OVERRIDE_STAT)) != 0)
		return 0;
	r = read_record(records, path_fd, stx, ret);
	if (r < 0 || ret->len == 0)
		return r;
	if (override_stat_parse(ret->text, ret->len, &record) < 0) {
		log_malformed(stx);
		return 0;
	}
	view_of(records->policy, &disk, &record, &ret->view);
	if ((!with_acl && mode_counts(&ret->view, &record)) ||
	    S_ISLNK(stx->stx_mode))
		return 0;
	r = acl_read_side(records, path_fd, stx, SIDE_ACL_ACCESS, &ret->acl);
	if (r == 0 && ret->acl != NULL) {
		struct view with;

		view_of_recorded(records->policy, &disk, &record, ret->acl,
				 &with);
		if (with.acl != NULL)
			ret->view = with;
	}
	return r;
}

void recorded_done(struct recorded *recorded)
{
	acl_free(recorded->acl);
	recorded->acl = NULL;
}

/* Is what an object has beside it among its attributes, if anywhere? */
static bool lists_sides(const struct records *records, const struct statx *stx)
{
	return side_in_xattr(stx) && records->xattr_dev != 0 &&
	       records->xattr_dev == backing_dev(stx);
}

/* Without the cache. */
static int look(const struct records *records, int path_fd,
		const struct statx *stx, struct records_seen *ret)
{
	struct disk_owner disk = backing_owner(stx);
	bool recorded = may_be_recorded(records, &disk);
	_cleanup_recorded_ struct recorded now = { .acl = NULL };
	int r = 0;

	*ret = (struct records_seen){ .absent = 0 };
	if (lists_sides(records, stx) && (recorded || S_ISDIR(stx->stx_mode)))
		ret->absent =
			SIDE_ALL & ~(S_ISDIR(stx->stx_mode) ?
					     side_present_child(path_fd, ".") :
					     side_present(path_fd));
	view_of(records->policy, &disk, NULL, &ret->view);
	if (recorded && (ret->absent & SIDE_BIT(SIDE_OVERRIDE_STAT)) == 0) {
		r = recorded_read(records, path_fd, stx, 0, false, &now);
		ret->view = now.view;
		ret->view.acl = NULL;
		if (r == 0 && now.len == 0)
			ret->absent |= SIDE_BIT(SIDE_OVERRIDE_STAT);
	}
	return r < 0 && r != -EACCES ? r : 0;
}

int records_view(const struct records *records, int path_fd,
		 const struct statx *stx, struct view *ret)
{
	struct records_seen seen = { .absent = 0 };
	int r = 0;

	if (!records_cache_get(records->cache, stx, true, &seen))
		r = look(records, path_fd, stx, &seen);
	if (r == 0)
		*ret = seen.view;
	return r;
}

/* May it be kept by its ctime?  Not where the database has what it lacks. */
static bool is_cached(const struct records *records, const struct statx *stx)
{
	return !side_in_xattr(stx) || lists_sides(records, stx);
}

int records_look(const struct records *records, int path_fd,
		 const struct records_moment *moment, const struct statx *stx,
		 bool settled, struct records_seen *ret)
{
	struct records_cache_entry entry;
	int r;

	if (records_cache_get(records->cache, stx, settled, ret))
		return 0;
	r = look(records, path_fd, stx, ret);
	if (r < 0 || !is_cached(records, stx))
		return r;
	entry = records_cache_entry(records->cache, moment, stx, ret);
	(void)records_cache_put(records->cache, moment, &entry);
	return 0;
}

/* The record by name, 0 for none; -EAGAIN. */
static ssize_t read_child(const struct records *records, int dir_fd,
			  const char *name, const struct statx *stx,
			  char text[RECORD_READ_MAX], unsigned int *ret_absent)
{
	const unsigned int bit = SIDE_BIT(SIDE_OVERRIDE_STAT);
	ssize_t len;

	*ret_absent = 0;
	if (lists_sides(records, stx))
		*ret_absent = SIDE_ALL & ~side_present_child(dir_fd, name);
	if ((*ret_absent & bit) != 0)
		return 0;
	len = side_read_child(records->db, dir_fd, name, stx,
			      SIDE_OVERRIDE_STAT, text, RECORD_READ_MAX);
	if (len == 0)
		*ret_absent |= bit;
	return len < 0 ? -EAGAIN : len;
}

/*
 * Whose record it is, or who has none: the name may have led elsewhere
 * meanwhile.  Without its record an object would be the mounting user's for
 * all in the container.
 */
static bool name_stayed(int dir_fd, const char *name, const struct statx *stx)
{
	struct statx again;

	return backing_stat_child(dir_fd, name, &again) == 0 &&
	       backing_is_unchanged(stx, &again);
}

int records_look_child(const struct records *records, int dir_fd,
		       uint64_t dir_dev, const char *name,
		       const struct records_moment *moment,
		       const struct statx *stx,
		       struct records_cache_entry *note,
		       struct records_seen *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct records_cache_entry entry;
	struct override_stat record;
	char text[RECORD_READ_MAX];
	bool settled;
	ssize_t len;

	*ret = (struct records_seen){ .absent = 0 };
	view_of(records->policy, &disk, NULL, &ret->view);
	if (!may_be_recorded(records, &disk) ||
	    records_cache_get(records->cache, stx, false, ret))
		return 0;
	settled = backing_was_settled(stx, &moment->clock);
	/* The database's key begins with the file system. */
	if (dir_dev != backing_dev(stx) || (note == NULL && !settled))
		return -EAGAIN;
	len = read_child(records, dir_fd, name, stx, text, &ret->absent);
	if (len < 0 || (note == NULL && !name_stayed(dir_fd, name, stx)))
		return -EAGAIN;
	if (len > 0) {
		if (override_stat_parse(text, (size_t)len, &record) < 0)
			return -EAGAIN;
		view_of(records->policy, &disk, &record, &ret->view);
		if (!mode_counts(&ret->view, &record) &&
		    !S_ISLNK(stx->stx_mode))
			return -EAGAIN;
	}
	if (!settled || !is_cached(records, stx))
		return 0;
	entry = records_cache_entry(records->cache, moment, stx, ret);
	if (note != NULL)
		*note = entry;
	else
		(void)records_cache_put(records->cache, moment, &entry);
	return 0;
}

unsigned int records_absent_of_new(const struct records *records,
				   const struct statx *stx)
{
	return lists_sides(records, stx) ? SIDE_ALL & ~(SIDE_DISK_ACL_ACCESS |
							SIDE_DISK_ACL_DEFAULT) :
					   0;
}

void records_made(const struct records *records,
		  const struct records_moment *moment, const struct statx *stx,
		  const struct view *view, bool recorded)
{
	bool certain =
		lists_sides(records, stx) && !records->policy->real_owners;
	struct records_seen seen = { .view = *view, .absent = SIDE_ALL };
	struct records_cache_entry entry;

	if (recorded)
		seen.absent &= ~SIDE_BIT(SIDE_OVERRIDE_STAT);
	entry = records_cache_entry(records->cache, moment, stx, &seen);
	if (certain && records_cache_put(records->cache, moment, &entry))
		return;
	/* What had the inode's number before may still be there. */
	if (!recorded)
		records_cache_drop(records->cache, stx);
}

/* A regular file's attributes go with it, where files hold any. */
bool records_may_outlive(const struct records *records, mode_t type,
			 uint64_t dev)
{
	return !S_ISREG(type) || dev != records->xattr_dev;
}

void records_forget(const struct records *records, int path_fd,
		    const struct statx *stx)
{
	side_forget(records->db, path_fd, stx);
}
