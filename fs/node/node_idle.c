/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of descriptors: nodes that have one, a name, and no user now,
 * least recently used last.
 *
 * Those of files that nobody has open are closed after one tick to two, at
 * each tick all that were idle at the last one and still are: what the host
 * deletes must not keep its space for our sake.  Directories and open files
 * stay, since a container may be in them when the host removes the name, and
 * then nothing else leads there; but not directories of other mounts below the
 * source, which the host couldn't unmount.
 */
#include "node_internal.h"

#include <signal.h>
#include <time.h>

#include "idshift/cleanup.h"

void idle_init(struct node_table *table)
{
	pthread_condattr_t attributes;

	for (int i = 0; i < IDLE_LISTS; i++)
		table->idle[i] = (struct idle_list){ NO_NODE, NO_NODE };
	table->idle_mark = NO_NODE;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&table->ageing.stir, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

static struct idle_list *list_of(struct node_table *table,
				 const struct node *node)
{
	return &table->idle[node->ages ? IDLE_AGEING : IDLE_KEPT];
}

void idle_remove(struct node_table *table, uint32_t index)
{
	struct node *node = node_at(table, index);
	struct idle_list *list = list_of(table, node);

	if (!node->idle)
		return;
	if (node->prev != NO_NODE)
		node_at(table, node->prev)->next = node->next;
	else
		list->head = node->next;
	if (node->next != NO_NODE)
		node_at(table, node->next)->prev = node->prev;
	else
		list->tail = node->prev;
	if (table->idle_mark == index)
		table->idle_mark = node->next;
	node->idle = false;
}

static bool may_age(const struct node_table *table, const struct node *node)
{
	if (S_ISDIR(node->identity.type))
		return node->identity.mount !=
		       node_at(table, ROOT_NODE)->identity.mount;
	return node->handles == 0;
}

void idle_add(struct node_table *table, uint32_t index)
{
	struct node *node = node_at(table, index);
	struct idle_list *list;

	if (node->idle || node->queued || node->pins > 0 || node->fd < 0 ||
	    node->names == NULL)
		return;
	node->idle = true;
	node->ages = may_age(table, node);
	list = list_of(table, node);
	node->prev = NO_NODE;
	node->next = list->head;
	if (list->head != NO_NODE)
		node_at(table, list->head)->prev = index;
	else
		list->tail = index;
	list->head = index;
	if (node->ages && table->ageing.asleep)
		(void)pthread_cond_signal(&table->ageing.stir);
}

int idle_evict(struct node_table *table)
{
	uint32_t index = table->idle[IDLE_AGEING].tail;
	int fd;

	if (index == NO_NODE)
		index = table->idle[IDLE_KEPT].tail;
	if (index == NO_NODE)
		return -1;
	idle_remove(table, index);
	fd = node_at(table, index)->fd;
	node_at(table, index)->fd = -1;
	table->fds--;
	return fd;
}

/* With the lock, which is not held while one is closed. */
static void tick(struct node_table *table)
{
	/* A mark that is used again moves to the next older one. */
	while (table->idle_mark != NO_NODE && !table->ageing.ending) {
		int fd = idle_evict(table);

		(void)pthread_mutex_unlock(&table->lock);
		close_fd(fd);
		(void)pthread_mutex_lock(&table->lock);
	}
	table->idle_mark = table->idle[IDLE_AGEING].head;
}

static void wait_for_tick(struct node_table *table)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += table->ageing.seconds;
	while (r == 0 && !table->ageing.ending)
		r = pthread_cond_timedwait(&table->ageing.stir, &table->lock,
					   &until);
}

static void *age(void *data)
{
	struct node_table *table = data;

	(void)pthread_mutex_lock(&table->lock);
	while (!table->ageing.ending) {
		if (table->idle[IDLE_AGEING].head == NO_NODE) {
			table->ageing.asleep = true;
			(void)pthread_cond_wait(&table->ageing.stir,
						&table->lock);
			table->ageing.asleep = false;
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

	table->ageing.seconds = seconds;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&table->ageing.thread, NULL, age, table);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		table->ageing.seconds = 0;
	return r;
}

void idle_end(struct node_table *table)
{
	if (table->ageing.seconds > 0) {
		(void)pthread_mutex_lock(&table->lock);
		table->ageing.ending = true;
		(void)pthread_cond_signal(&table->ageing.stir);
		(void)pthread_mutex_unlock(&table->lock);
		(void)pthread_join(table->ageing.thread, NULL);
	}
	(void)pthread_cond_destroy(&table->ageing.stir);
}
