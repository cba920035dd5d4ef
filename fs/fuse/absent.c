/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "absent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "idshift/clock.h"

/* Names kept in mind; a power of two. */
#define NAMES 4096u
/* Who asks that often, so many milliseconds apart at most, will ask again. */
#define OFTEN 3u
#define APART_MS 10000u

struct name {
	uint64_t hash; /* of the directory and the name */
	uint32_t at;   /* when it was last asked for */
	uint32_t times;
};

struct absent_names {
	pthread_mutex_t lock;
	struct name names[NAMES];
};

int absent_new(struct absent_names **ret)
{
	struct absent_names *absent = calloc(1, sizeof(*absent));

	if (absent == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&absent->lock, NULL);
	*ret = absent;
	return 0;
}

struct absent_names *absent_free(struct absent_names *absent)
{
	if (absent != NULL)
		(void)pthread_mutex_destroy(&absent->lock);
	free(absent);
	return NULL;
}

/* FNV-1a */
static uint64_t hash_of(uint64_t dir, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ dir;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return hash;
}

bool absent_again(struct absent_names *absent, const struct node_ref *dir,
		  const char *name)
{
	uint64_t hash = hash_of(dir->id, name);
	uint32_t now = clock_coarse_ms();
	struct name *known = &absent->names[hash >> 32 & (NAMES - 1)];
	bool again;

	if (node_has_locked(dir))
		return false;
	(void)pthread_mutex_lock(&absent->lock);
	if (known->hash != hash || now - known->at > APART_MS)
		*known = (struct name){ .hash = hash };
	known->at = now;
	again = known->times >= OFTEN - 1;
	if (!again)
		known->times++;
	(void)pthread_mutex_unlock(&absent->lock);
	return again;
}
