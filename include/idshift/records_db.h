/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records in a database, for objects that can't hold an extended attribute:
 * LMDB in a directory of the user's own, shared by all of that user's mounts
 * and tools, safe against kill -9 and power loss (each change is a synced
 * transaction).  Keyed by backing_key().  Any thread may call any function.
 *
 * Errors are the system's, -EAGAIN for too many readers at a time, and -EIO
 * for a database that is damaged or another version's.
 */
#ifndef IDSHIFT_RECORDS_DB_H
#define IDSHIFT_RECORDS_DB_H

#include <stddef.h>
#include <sys/types.h>

#include "idshift/backing.h"

struct records_db;

/* What of an object is kept; part of the key. */
enum records_db_kind {
	RECORDS_DB_OVERRIDE_STAT = 'r',
	RECORDS_DB_ACL_ACCESS = 'a',
	RECORDS_DB_ACL_DEFAULT = 'd',
	RECORDS_DB_CAPABILITY = 'c',
};

/*
 * Open or create the database in `dir` (created with its parents, mode 0700).
 * Must not be held across fork(2).  On failure *ret is untouched.
 */
int records_db_open(const char *dir, struct records_db **ret);
/* NULL is fine; returns NULL. */
struct records_db *records_db_close(struct records_db *db);

/* The value's length, -ENOENT, or -ERANGE when it is longer than `size`. */
ssize_t records_db_get(struct records_db *db, enum records_db_kind kind,
		       const struct backing_key *key, void *value, size_t size);
/* In place of what there was. */
int records_db_set(struct records_db *db, enum records_db_kind kind,
		   const struct backing_key *key, const void *value,
		   size_t size);
/* 0 also where there was none. */
int records_db_remove(struct records_db *db, enum records_db_kind kind,
		      const struct backing_key *key);

#endif
