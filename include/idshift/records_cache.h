/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was read of objects' records, kept by inode and by the ctime that it
 * was read at: every change of an owner, mode or attribute moves that.
 *
 * A ctime that was fresh then may stand for one more change, as it moves by
 * ticks of the clock (before Linux 6.13).  What was read at such a one counts
 * for the trust's time only, and never beyond a change of ours.  For so long
 * what was absent is taken to be so whatever the ctime: that of a directory
 * moves with each of its entries.
 *
 * Of a fixed size: what was put long ago goes.  Thread-safe.
 */
#ifndef IDSHIFT_RECORDS_CACHE_H
#define IDSHIFT_RECORDS_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "idshift/view.h"

struct records_cache;

/* What a look at an object has told. */
struct records_seen {
	struct view view;    /* acl NULL */
	unsigned int absent; /* of the sides, as bits: those it has not */
};

struct records_cache_entry {
	uint64_t dev;
	uint64_t ino;
	uint64_t birth; /* 0 where the file system has none */
	uint64_t ctime;
	uint32_t uid;
	uint32_t gid;
	uint32_t at; /* when it was read, in milliseconds */
	uint16_t mode;
	uint8_t absent;
	bool settled : 1; /* counts as long as ctime stays */
	bool used : 1;	  /* else there is nothing in it */
};

/* trust_ms: what was read at a fresh ctime counts for so long.  -ENOMEM. */
int records_cache_new(unsigned int trust_ms, struct records_cache **ret);
/* Returns NULL. */
struct records_cache *records_cache_free(struct records_cache *cache);

/* All below do nothing, and find nothing, if the cache is NULL. */

/* True: known, as of this statx. */
bool records_cache_get(struct records_cache *cache, const struct statx *stx,
		       struct records_seen *ret);

/* Those of its sides that were absent a moment ago. */
unsigned int records_cache_absent(struct records_cache *cache,
				  const struct statx *stx);

/* To be asked for before the statx of what will be put. */
uint64_t records_cache_epoch(struct records_cache *cache);
/*
 * What is to be put: read of the object whose statx, from before the reading,
 * is stx; `settled` (backing_is_settled()) likewise.
 */
struct records_cache_entry records_cache_entry(
	const struct records_cache *cache, const struct statx *stx,
	bool settled, const struct records_seen *seen);
void records_cache_put(struct records_cache *cache, uint64_t epoch,
		       const struct records_cache_entry *entry);

/* We have changed the object: what was read before counts no more. */
void records_cache_drop(struct records_cache *cache, const struct statx *stx);

#endif
