/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_side.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/acl.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
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

/* keyed: 0 or the error of making the key. */
static ssize_t db_read(struct records_db *db, int keyed,
		       const struct backing_key *key, enum side side,
		       void *value, size_t size)
{
	ssize_t len;

	/* Without a key none can have been kept. */
	if (keyed < 0)
		return keyed == -EOPNOTSUPP ? 0 : keyed;
	len = records_db_get(db, sides[side].kind, key, value, size);
	return len == -ENOENT ? 0 : len;
}

ssize_t side_read(struct records_db *db, int path_fd, const struct statx *stx,
		  enum side side, void *value, size_t size)
{
	struct backing_key key;
	ssize_t len = -EOPNOTSUPP;

	if (S_ISDIR(stx->stx_mode))
		len = backing_getxattr_dir(path_fd, sides[side].name, value,
					   size);
	else if (S_ISREG(stx->stx_mode))
		len = backing_getxattr(path_fd, sides[side].name, value, size);
	if (len == -EOPNOTSUPP)
		return db_read(db, backing_key(path_fd, stx, &key), &key, side,
			       value, size);
	return len == -ENODATA ? 0 : len;
}

ssize_t side_read_child(struct records_db *db, int dir_fd, const char *name,
			const struct statx *stx, enum side side, void *value,
			size_t size)
{
	struct backing_key key;
	ssize_t len = -EOPNOTSUPP;

	if (side_in_xattr(stx))
		len = backing_getxattr_child(dir_fd, name, sides[side].name,
					     value, size);
	if (len == -EOPNOTSUPP)
		return db_read(db, backing_key_child(dir_fd, name, stx, &key),
			       &key, side, value, size);
	return len == -ENODATA ? 0 : len;
}

/* Enough for what is usual; of more, everything may be there. */
#define NAMES_MAX 1024

static unsigned int find_sides(const char *names, ssize_t size)
{
	unsigned int found = 0;

	if (size < 0)
		return SIDE_ALL; /* too many, or kept in the database */
	for (size_t at = 0; at < (size_t)size;) {
		size_t len = strnlen(names + at, (size_t)size - at);

		if (strncmp(names + at, ACL_XATTR_ACCESS, len + 1) == 0)
			found |= SIDE_DISK_ACL_ACCESS;
		if (strncmp(names + at, ACL_XATTR_DEFAULT, len + 1) == 0)
			found |= SIDE_DISK_ACL_DEFAULT;
		for (int side = 0; side < SIDE_COUNT; side++) {
			if (strncmp(names + at, sides[side].name, len + 1) == 0)
				found |= SIDE_BIT(side);
		}
		at += len + 1;
	}
	return found;
}

unsigned int side_present(int path_fd)
{
	char names[NAMES_MAX];

	return find_sides(names,
			  backing_listxattr(path_fd, names, sizeof(names)));
}

unsigned int side_present_child(int dir_fd, const char *name)
{
	char names[NAMES_MAX];

	return find_sides(names, backing_listxattr_child(dir_fd, name, names,
							 sizeof(names)));
}

bool side_exists(struct records_db *db, int path_fd, const struct statx *stx,
		 enum side side)
{
	char byte;
	ssize_t len = side_read(db, path_fd, stx, side, &byte, sizeof(byte));

	return len > 0 || len == -ERANGE;
}

/*
 * An object of an overlay's lower layer is born anew by its first change: which
 * is had before what is kept of it.
 */
static int key_to_write(int path_fd, const struct statx *stx, bool change,
			struct backing_key *ret)
{
	struct statx now;
	int r = backing_key(path_fd, stx, ret);

	if (r < 0 || !ret->by_birth)
		return r;
	if (change)
		r = backing_touch_ctime(path_fd, stx);
	if (r == 0)
		r = backing_stat(path_fd, &now);
	return r < 0 ? r : backing_key(path_fd, &now, ret);
}

/* Looking is cheap, a write transaction is not. */
static int db_remove(struct records_db *db, enum side side,
		     const struct backing_key *key)
{
	char byte;

	if (records_db_get(db, sides[side].kind, key, &byte, 0) == -ENOENT)
		return 0;
	return records_db_remove(db, sides[side].kind, key);
}

static int db_write(struct records_db *db, int path_fd, const struct statx *stx,
		    enum side side, const void *value, size_t size)
{
	struct backing_key key;
	int r = key_to_write(path_fd, stx, size > 0, &key);

	if (r < 0)
		return size == 0 && r == -EOPNOTSUPP ? 0 : r;
	if (size == 0)
		return db_remove(db, side, &key);
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
	return r < 0 ? r : 1;
}

int side_vouch(struct records_db *db, int path_fd, const struct statx *stx,
	       enum side side, const void *value, size_t size)
{
	int r = db_write(db, path_fd, stx, side, value, size);

	return r == -EOPNOTSUPP ? 0 : r;
}

bool side_is_vouched(struct records_db *db, int path_fd,
		     const struct statx *stx, enum side side, const void *value,
		     size_t size)
{
	_cleanup_free_ char *kept = malloc(size);
	struct backing_key key;

	return kept != NULL && backing_key(path_fd, stx, &key) == 0 &&
	       records_db_get(db, sides[side].kind, &key, kept, size) ==
		       (ssize_t)size &&
	       memcmp(kept, value, size) == 0;
}

void side_forget(struct records_db *db, int path_fd, const struct statx *stx)
{
	struct backing_key key;

	if (backing_key(path_fd, stx, &key) < 0)
		return;
	for (int side = 0; side < SIDE_COUNT; side++) {
		/* Of directories only one is ever vouched for. */
		if (!S_ISDIR(stx->stx_mode) || side == SIDE_ACL_DEFAULT)
			(void)db_remove(db, (enum side)side, &key);
	}
}
