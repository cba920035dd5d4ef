/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors nobody uses are closed after one tick to two: at each tick all
 * that were idle at the last one and still are.
 */
#include "node_internal.h"

#include <signal.h>
#include <time.h>

#include "idshift/cleanup.h"

void age_init(struct age *age)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&age->stir, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

void age_stir(struct node_table *table)
{
	if (table->age.asleep)
		(void)pthread_cond_signal(&table->age.stir);
}

/* With the lock, which is not held while one is closed. */
static void tick(struct node_table *table)
{
	/* A mark that is used again moves to the next older one. */
	while (table->idle_mark != NO_NODE && !table->age.ending) {
		int fd = idle_evict(table);

		(void)pthread_mutex_unlock(&table->lock);
		close_fd(fd);
		(void)pthread_mutex_lock(&table->lock);
	}
	table->idle_mark = table->idle_head;
}

static void wait_for_tick(struct node_table *table)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += table->age.seconds;
	while (r == 0 && !table->age.ending)
		r = pthread_cond_timedwait(&table->age.stir, &table->lock,
					   &until);
}

static void *age(void *data)
{
	struct node_table *table = data;

	(void)pthread_mutex_lock(&table->lock);
	while (!table->age.ending) {
		if (table->idle_head == NO_NODE) {
			table->age.asleep = true;
			(void)pthread_cond_wait(&table->age.stir, &table->lock);
			table->age.asleep = false;
			continue;
		}
		wait_for_tick(table);
		tick(table);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return NULL;
}

int node_table_start_ageing(struct node_table *table, unsigned int seconds)
{
	sigset_t all, old;
	int r;

	table->age.seconds = seconds;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&table->age.thread, NULL, age, table);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		table->age.seconds = 0;
	return r;
}

void age_end(struct node_table *table)
{
	if (table->age.seconds > 0) {
		(void)pthread_mutex_lock(&table->lock);
		table->age.ending = true;
		(void)pthread_cond_signal(&table->age.stir);
		(void)pthread_mutex_unlock(&table->lock);
		(void)pthread_join(table->age.thread, NULL);
	}
	(void)pthread_cond_destroy(&table->age.stir);
}
