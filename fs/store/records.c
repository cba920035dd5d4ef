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

int recorded_read(const struct records *records, int path_fd,
		  const struct statx *stx, bool with_acl, struct recorded *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct override_stat record;
	int r;

	ret->len = 0;
	ret->acl = NULL;
	view_of(records->policy, &disk, NULL, &ret->view);
	/* Strangers' records don't count: don't even look. */
	if (records->policy->real_owners ||
	    !view_is_ours(records->policy, &disk))
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

int records_view(const struct records *records, int path_fd,
		 const struct statx *stx, struct view *ret)
{
	_cleanup_recorded_ struct recorded now = { .acl = NULL };
	int r = recorded_read(records, path_fd, stx, false, &now);

	if (r < 0 && r != -EACCES)
		return r;
	*ret = now.view;
	ret->acl = NULL;
	return 0;
}

int records_view_child(const struct records *records, int dir_fd,
		       uint64_t dir_dev, const char *name, bool watched,
		       const struct statx *stx, struct view *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct override_stat record;
	char text[RECORD_READ_MAX];
	struct statx again;
	ssize_t len;

	view_of(records->policy, &disk, NULL, ret);
	if (records->policy->real_owners ||
	    !view_is_ours(records->policy, &disk))
		return 0;
	/* The database's key begins with the file system. */
	if (dir_dev != backing_dev(stx))
		return -EAGAIN;
	len = side_read_child(records->db, dir_fd, name, stx,
			      SIDE_OVERRIDE_STAT, text, sizeof(text));
	if (len < 0)
		return -EAGAIN;
	/*
	 * Whose record it is, or who has none: the name may have led elsewhere
	 * meanwhile.  Without its record an object would be the mounting
	 * user's for all in the container.
	 */
	if (!watched && (!backing_is_settled(stx) ||
			 backing_stat_child(dir_fd, name, &again) < 0 ||
			 !backing_is_unchanged(stx, &again)))
		return -EAGAIN;
	if (len == 0)
		return 0;
	if (override_stat_parse(text, (size_t)len, &record) < 0)
		return -EAGAIN;
	view_of(records->policy, &disk, &record, ret);
	return mode_counts(ret, &record) || S_ISLNK(stx->stx_mode) ? 0 :
								     -EAGAIN;
}

int records_view_dir(const struct records *records, int path_fd,
		     const struct statx *stx, struct view *ret,
		     bool *ret_default_acl)
{
	struct disk_owner disk = backing_owner(stx);
	unsigned int present = side_present(path_fd);

	*ret_default_acl =
		(present & (1U << SIDE_ACL_DEFAULT | SIDE_DISK_ACL)) != 0;
	if ((present & 1U << SIDE_OVERRIDE_STAT) != 0)
		return records_view(records, path_fd, stx, ret);
	view_of(records->policy, &disk, NULL, ret);
	return 0;
}

void records_forget(const struct records *records, int path_fd,
		    const struct statx *stx)
{
	side_forget(records->db, path_fd, stx);
}
