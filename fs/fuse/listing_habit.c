/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listing_habit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* Listings that seem unused before one is made without attributes. */
#define PATIENCE_MIN 4u
/* Where they were wanted after all, it takes twice as many each time. */
#define PATIENCE_MAX 4096u
/* Tries that nothing was looked up after, until that is the guess. */
#define TRIES 2u

struct listing_habit {
	/* Some directory was listed without attributes, and not looked into. */
	atomic_bool watching;
	pthread_mutex_t lock;
	bool plain;	       /* the guess: not wanted */
	unsigned int unused;   /* listings in a row that seem unused */
	unsigned int patience; /* so many until the next try */
	unsigned int tried;    /* tries in a row that found nothing wanted */
	uint64_t try_id;       /* the directory of the last one; 0: none */
};

int listing_habit_new(struct listing_habit **ret)
{
	struct listing_habit *habit = calloc(1, sizeof(*habit));

	if (habit == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&habit->lock, NULL);
	habit->patience = PATIENCE_MIN;
	*ret = habit;
	return 0;
}

struct listing_habit *listing_habit_free(struct listing_habit *habit)
{
	if (habit != NULL)
		(void)pthread_mutex_destroy(&habit->lock);
	free(habit);
	return NULL;
}

static bool is_time_to_try(struct listing_habit *habit)
{
	if (habit->plain || habit->unused < habit->patience)
		return habit->plain;
	habit->unused = 0;
	/* Of the last one nobody looked anything up. */
	if (habit->try_id != 0 && ++habit->tried >= TRIES)
		habit->plain = true;
	return true;
}

bool listing_habit_begin(struct listing_habit *habit,
			 const struct node_ref *dir)
{
	bool plain;

	(void)pthread_mutex_lock(&habit->lock);
	plain = is_time_to_try(habit);
	if (plain)
		habit->try_id = dir->id;
	(void)pthread_mutex_unlock(&habit->lock);
	node_set_listed(dir, plain);
	if (plain)
		atomic_store_explicit(&habit->watching, true,
				      memory_order_relaxed);
	return !plain;
}

void listing_habit_goes_on(struct listing_habit *habit,
			   const struct node_ref *dir, bool asked)
{
	if (node_is_listed(dir))
		return;
	(void)pthread_mutex_lock(&habit->lock);
	habit->unused = asked ? 0 : habit->unused + 1;
	(void)pthread_mutex_unlock(&habit->lock);
}

void listing_habit_looked_up(struct listing_habit *habit,
			     const struct node_ref *dir)
{
	if (!atomic_load_explicit(&habit->watching, memory_order_relaxed) ||
	    !node_is_listed(dir))
		return;
	node_set_listed(dir, false);
	(void)pthread_mutex_lock(&habit->lock);
	atomic_store_explicit(&habit->watching, false, memory_order_relaxed);
	habit->plain = false;
	habit->try_id = 0;
	habit->tried = habit->unused = 0;
	if (habit->patience < PATIENCE_MAX)
		habit->patience *= 2;
	(void)pthread_mutex_unlock(&habit->lock);
}
