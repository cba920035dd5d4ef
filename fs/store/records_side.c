/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_side.h"

#include <errno.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/override_stat.h"

static const struct {
	const char *name;
	enum records_db_kind kind;
} sides[SIDE_COUNT] = {
	[SIDE_OVERRIDE_STAT] = { OVERRIDE_STAT_XATTR,
				 RECORDS_DB_OVERRIDE_STAT },
	[SIDE_ACL_ACCESS] = { IDSHIFT_XATTR_PREFIX "acl_access",
			      RECORDS_DB_ACL_ACCESS },
	[SIDE_ACL_DEFAULT] = { IDSHIFT_XATTR_PREFIX "acl_default",
			       RECORDS_DB_ACL_DEFAULT },
	[SIDE_CAPABILITY] = { IDSHIFT_XATTR_PREFIX "capability",
			      RECORDS_DB_CAPABILITY },
};

const char *side_name(enum side side)
{
	return sides[side].name;
}

bool side_is_hidden(const char *name)
{
	return strcmp(name, OVERRIDE_STAT_XATTR) == 0 ||
	       strncmp(name, IDSHIFT_XATTR_PREFIX,
		       strlen(IDSHIFT_XATTR_PREFIX)) == 0;
}

static ssize_t db_read(struct records_db *db, int path_fd,
		       const struct statx *stx, enum side side, void *value,
		       size_t size)
{
	struct backing_key key;
	ssize_t len;

	if (backing_key(path_fd, stx, &key) < 0)
		return 0; /* none could have been made */
	len = records_db_get(db, sides[side].kind, &key, value, size);
	return len == -ENOENT ? 0 : len;
}

ssize_t side_read(struct records_db *db, int path_fd, const struct statx *stx,
		  enum side side, void *value, size_t size)
{
	ssize_t len;

	if (!side_in_xattr(stx))
		return db_read(db, path_fd, stx, side, value, size);
	len = backing_getxattr(path_fd, sides[side].name, value, size);
	if (len == -ENODATA)
		return 0;
	if (len == -EOPNOTSUPP)
		return db_read(db, path_fd, stx, side, value, size);
	return len;
}

bool side_exists(struct records_db *db, int path_fd, const struct statx *stx,
		 enum side side)
{
	char byte;
	ssize_t len = side_read(db, path_fd, stx, side, &byte, sizeof(byte));

	return len > 0 || len == -ERANGE;
}

static int db_write(struct records_db *db, int path_fd, const struct statx *stx,
		    enum side side, const void *value, size_t size)
{
	struct backing_key key;
	int r = backing_key(path_fd, stx, &key);

	if (r < 0)
		return size == 0 ? 0 : r;
	if (size == 0)
		return records_db_remove(db, sides[side].kind, &key);
	return records_db_set(db, sides[side].kind, &key, value, size);
}

int side_write(struct records_db *db, int path_fd, const struct statx *stx,
	       enum side side, const void *value, size_t size)
{
	int r;

	if (!side_in_xattr(stx))
		return db_write(db, path_fd, stx, side, value, size);
	if (size > 0)
		r = backing_setxattr(path_fd, sides[side].name, value, size, 0);
	else
		r = backing_removexattr(path_fd, sides[side].name);
	if (r == -ENODATA)
		return 0;
	if (r == -EOPNOTSUPP)
		return db_write(db, path_fd, stx, side, value, size);
	return r;
}

void side_forget(struct records_db *db, int path_fd, const struct statx *stx)
{
	struct backing_key key;

	if (backing_key(path_fd, stx, &key) < 0)
		return;
	for (int side = 0; side < SIDE_COUNT; side++) {
		char byte;

		/* Looking is cheap, a write transaction is not. */
		if (records_db_get(db, sides[side].kind, &key, &byte, 0) !=
		    -ENOENT)
			(void)records_db_remove(db, sides[side].kind, &key);
	}
}
