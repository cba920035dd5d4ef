/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of objects in the source: read as the container sees it, changed
 * so that the container sees what it asked for.  The rules are view.h's; here
 * they meet the disk.
 *
 * Records of regular files and directories are extended attributes; those of
 * everything else, and of sources without user xattrs, lie in the database.
 *
 * Changes to one object are to be serialised by the caller (two at once mix
 * their halves); reads may run beside them.
 */
#ifndef IDSHIFT_RECORDS_H
#define IDSHIFT_RECORDS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "idshift/override_stat.h"
#include "idshift/records_db.h"
#include "idshift/view.h"

/* Prefix of our other attributes. */
#define IDSHIFT_XATTR_PREFIX "user.idshift."

struct records {
	const struct view_policy *policy;
	struct records_db *db;
};

/* Is this one of the names that the mount hides? */
bool records_xattr_is_ours(const char *name);

/*
 * What the container sees of the object behind a path fd, whose statx is
 * `stx`.  A record that is malformed counts as none, one that can't be read
 * (the host took u+r away) likewise.
 */
int records_view(const struct records *records, int path_fd,
		 const struct statx *stx, struct view *ret);

/*
 * Bring the object to the wanted view (ids of ID_NONE stay as they are seen):
 * group and mode on disk, record made or removed, ctime moved.  *stx is the
 * state before; stat again afterwards.  On failure all is as before, as far
 * as the disk lets us.
 *
 * -EPERM  the object is not ours
 */
int records_apply(const struct records *records, int path_fd,
		  const struct statx *stx, const struct view *want);

/* The object is gone for good (no name left, last reference dropped). */
void records_forget(const struct records *records, int path_fd,
		    const struct statx *stx);

#endif
