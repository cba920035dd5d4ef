/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was read of objects' records, kept by inode and by the ctime that it
 * was read at: every change of an owner, mode or attribute moves that.
 *
 * A ctime that was fresh then may stand for one more change, as it moves by
 * ticks of the clock (before Linux 6.13).  What was read at such a one counts
 * for a moment only, for the requests that make up a system call; never beyond
 * a change of ours, and never as what a change starts from.
 *
 * What the database has is changed before ctime is moved for it: not kept if a
 * change of ours came between.
 *
 * Of a fixed size: what was put long ago goes.  Thread-safe.
 */
#ifndef IDSHIFT_RECORDS_CACHE_H
#define IDSHIFT_RECORDS_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "idshift/view.h"

struct records_cache;

/* What a look at an object has told. */
struct records_seen {
	struct view view;    /* acl NULL */
	unsigned int absent; /* of the sides, as bits: those it has not */
};

/* When an object is looked at: from before its statx. */
struct records_moment {
	struct timespec clock;
	uint64_t epoch; /* of our own changes */
};

struct records_cache_entry {
	uint64_t dev;
	uint64_t ino;
	uint64_t birth; /* 0 where the file system has none */
	uint64_t ctime;
	uint32_t uid;
	uint32_t gid;
	uint32_t at; /* when it was read, of clock_coarse_ms() */
	uint16_t mode;
	uint8_t absent;
	bool settled : 1; /* counts as long as ctime stays */
	bool in_db : 1;	  /* ctime is moved after a change, not by it */
	bool used : 1;	  /* else there is nothing in it */
};

/* trust_ms: what was read at a fresh ctime counts for so long.  -ENOMEM. */
int records_cache_new(unsigned int trust_ms, struct records_cache **ret);
/* NULL is fine; returns NULL. */
struct records_cache *records_cache_free(struct records_cache *cache);

/* All below do nothing, and find nothing, if the cache is NULL. */

struct records_moment records_moment(struct records_cache *cache);

/* True: known, as of this statx; settled: for good. */
bool records_cache_get(struct records_cache *cache, const struct statx *stx,
		       bool settled, struct records_seen *ret);

/* What is to be put: read of the object whose statx is stx. */
struct records_cache_entry records_cache_entry(
	const struct records_cache *cache, const struct records_moment *moment,
	const struct statx *stx, const struct records_seen *seen);
/* False: not kept, as something was changed meanwhile. */
bool records_cache_put(struct records_cache *cache,
		       const struct records_moment *moment,
		       const struct records_cache_entry *entry);

/* We have changed the object: what was read before counts no more. */
void records_cache_drop(struct records_cache *cache, const struct statx *stx);

#endif
