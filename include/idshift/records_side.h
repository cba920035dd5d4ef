/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of an object beside it: as an extended attribute where it can
 * hold one, else in the database.  Values are opaque here.
 */
#ifndef IDSHIFT_RECORDS_SIDE_H
#define IDSHIFT_RECORDS_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "idshift/records_db.h"

/* Prefix of our attributes, but for the one shared with other tools. */
#define IDSHIFT_XATTR_PREFIX "user.idshift."

enum side {
	SIDE_OVERRIDE_STAT, /* override_stat.h */
	SIDE_ACL_ACCESS,    /* a blob as acl.h reads, container ids */
	SIDE_ACL_DEFAULT,
	SIDE_CAPABILITY, /* struct vfs_cap_data, rootid a container id */
	SIDE_COUNT,
};

/* The attribute's name. */
const char *side_name(enum side side);
/* Is this one of the names that a mount hides? */
bool side_is_hidden(const char *name);

/*
 * The length, 0 when there is none (an empty value counts as none).
 * -ERANGE  longer than `size`
 * -EACCES  the acting user may not read the object
 */
ssize_t side_read(struct records_db *db, int path_fd, const struct statx *stx,
		  enum side side, void *value, size_t size);
/*
 * The same of an entry of a directory on the same file system; another object
 * may have taken the name meanwhile.
 */
ssize_t side_read_child(struct records_db *db, int dir_fd, const char *name,
			const struct statx *stx, enum side side, void *value,
			size_t size);
/*
 * Which of the sides, as bits 1 << side, an object may have as an attribute;
 * and the same of what the disk itself has.  One system call.
 */
#define SIDE_BIT(side) (1U << (side))
#define SIDE_DISK_ACL_ACCESS SIDE_BIT(SIDE_COUNT)
#define SIDE_DISK_ACL_DEFAULT SIDE_BIT(SIDE_COUNT + 1)
#define SIDE_ALL (SIDE_BIT(SIDE_COUNT + 2) - 1)
unsigned int side_present(int path_fd);
unsigned int side_present_child(int dir_fd, const char *name);
bool side_exists(struct records_db *db, int path_fd, const struct statx *stx,
		 enum side side);
/*
 * size 0 removes it.  1: it is an attribute, which has moved the object's
 * ctime; 0: it is in the database, or there was none to remove.
 */
int side_write(struct records_db *db, int path_fd, const struct statx *stx,
	       enum side side, const void *value, size_t size);
/*
 * Whoever can write an object can write its attributes.  What must be told
 * from a stranger's is noted in the database as well: before it is written,
 * and size 0 after it is removed.  A file system without keys (backing_key())
 * has nothing that is vouched for.
 */
int side_vouch(struct records_db *db, int path_fd, const struct statx *stx,
	       enum side side, const void *value, size_t size);
bool side_is_vouched(struct records_db *db, int path_fd,
		     const struct statx *stx, enum side side, const void *value,
		     size_t size);
/* Forget all that the database has of the object. */
void side_forget(struct records_db *db, int path_fd, const struct statx *stx);

/* Does the kind of object have user.* attributes? (xattr(7)) */
static inline bool side_in_xattr(const struct statx *stx)
{
	return S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode);
}

#endif
