/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "idshift/backing.h"
#include "idshift/clock.h"
#include "idshift/records_side.h"

/* 3 MiB, of which only what is used takes memory. */
#define SETS_BITS 14
#define SETS (1u << SETS_BITS)
#define WAYS 4u
/* Sets share them. */
#define LOCKS 64u

struct set {
	struct records_cache_entry ways[WAYS]; /* the newest first */
};

struct records_cache {
	unsigned int trust_ms;
	/* Of our changes; moved before what they made wrong is dropped. */
	_Atomic uint64_t epoch;
	pthread_mutex_t locks[LOCKS];
	struct set *sets;
};

int records_cache_new(unsigned int trust_ms, struct records_cache **ret)
{
	struct records_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return -ENOMEM;
	cache->sets = calloc(SETS, sizeof(*cache->sets));
	if (cache->sets == NULL) {
		free(cache);
		return -ENOMEM;
	}
	cache->trust_ms = trust_ms;
	for (unsigned int i = 0; i < LOCKS; i++)
		(void)pthread_mutex_init(&cache->locks[i], NULL);
	*ret = cache;
	return 0;
}

struct records_cache *records_cache_free(struct records_cache *cache)
{
	if (cache == NULL)
		return NULL;
	for (unsigned int i = 0; i < LOCKS; i++)
		(void)pthread_mutex_destroy(&cache->locks[i]);
	free(cache->sets);
	free(cache);
	return NULL;
}

struct records_moment records_moment(struct records_cache *cache)
{
	struct records_moment moment = { .epoch = 0 };

	if (cache == NULL)
		return moment;
	moment.epoch = atomic_load(&cache->epoch);
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &moment.clock);
	return moment;
}

static uint64_t birth_of(const struct statx *stx)
{
	return (stx->stx_mask & STATX_BTIME) != 0 ?
		       backing_nanoseconds(&stx->stx_btime) :
		       0;
}

static unsigned int set_of(uint64_t dev, uint64_t ino)
{
	uint64_t hash = (ino ^ dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned int)(hash >> (64 - SETS_BITS));
}

static pthread_mutex_t *lock_of(struct records_cache *cache, unsigned int set)
{
	return &cache->locks[set % LOCKS];
}

static bool is_of(const struct records_cache_entry *entry, uint64_t dev,
		  uint64_t ino)
{
	return entry->used && entry->ino == ino && entry->dev == dev;
}

static struct records_cache_entry *find(struct set *set, uint64_t dev,
					uint64_t ino)
{
	for (unsigned int way = 0; way < WAYS; way++) {
		if (is_of(&set->ways[way], dev, ino))
			return &set->ways[way];
	}
	return NULL;
}

static bool holds(const struct records_cache *cache,
		  const struct records_cache_entry *entry,
		  const struct statx *stx, bool settled)
{
	if (entry->ctime != backing_nanoseconds(&stx->stx_ctime) ||
	    entry->birth != birth_of(stx))
		return false;
	return entry->settled ||
	       (!settled && clock_coarse_ms() - entry->at < cache->trust_ms);
}

bool records_cache_get(struct records_cache *cache, const struct statx *stx,
		       bool settled, struct records_seen *ret)
{
	uint64_t dev = backing_dev(stx);
	unsigned int at = set_of(dev, stx->stx_ino);
	const struct records_cache_entry *entry;
	bool found;

	if (cache == NULL)
		return false;
	(void)pthread_mutex_lock(lock_of(cache, at));
	entry = find(&cache->sets[at], dev, stx->stx_ino);
	found = entry != NULL && holds(cache, entry, stx, settled);
	if (found)
		*ret = (struct records_seen){
			.view = { .uid = CONTAINER_ID(entry->uid),
				  .gid = CONTAINER_ID(entry->gid),
				  .mode = entry->mode },
			.absent = entry->absent,
		};
	(void)pthread_mutex_unlock(lock_of(cache, at));
	return found;
}

struct records_cache_entry records_cache_entry(
	const struct records_cache *cache, const struct records_moment *moment,
	const struct statx *stx, const struct records_seen *seen)
{
	bool settled = backing_was_settled(stx, &moment->clock);
	/* Where only seconds are kept a fresh one says nothing. */
	bool fresh = stx->stx_ctime.tv_nsec != 0;

	return (struct records_cache_entry){
		.dev = backing_dev(stx),
		.ino = stx->stx_ino,
		.birth = birth_of(stx),
		.ctime = backing_nanoseconds(&stx->stx_ctime),
		.uid = seen->view.uid.value,
		.gid = seen->view.gid.value,
		.mode = (uint16_t)seen->view.mode,
		.absent = (uint8_t)seen->absent,
		.settled = settled,
		.in_db = !side_in_xattr(stx),
		.used = cache != NULL &&
			(settled || (fresh && cache->trust_ms > 0)),
		.at = clock_coarse_ms(),
	};
}

bool records_cache_put(struct records_cache *cache,
		       const struct records_moment *moment,
		       const struct records_cache_entry *entry)
{
	unsigned int at = set_of(entry->dev, entry->ino);
	struct records_cache_entry *place;
	struct set *set;
	bool put;

	if (cache == NULL || !entry->used)
		return false;
	(void)pthread_mutex_lock(lock_of(cache, at));
	put = (entry->settled && !entry->in_db) ||
	      atomic_load(&cache->epoch) == moment->epoch;
	if (put) {
		set = &cache->sets[at];
		place = find(set, entry->dev, entry->ino);
		if (place == NULL) {
			place = set->ways;
			memmove(place + 1, place, (WAYS - 1) * sizeof(*place));
		}
		*place = *entry;
	}
	(void)pthread_mutex_unlock(lock_of(cache, at));
	return put;
}

void records_cache_drop(struct records_cache *cache, const struct statx *stx)
{
	uint64_t dev = backing_dev(stx);
	unsigned int at = set_of(dev, stx->stx_ino);
	struct records_cache_entry *entry;

	if (cache == NULL)
		return;
	(void)atomic_fetch_add(&cache->epoch, 1);
	(void)pthread_mutex_lock(lock_of(cache, at));
	entry = find(&cache->sets[at], dev, stx->stx_ino);
	if (entry != NULL)
		entry->used = false;
	(void)pthread_mutex_unlock(lock_of(cache, at));
}
