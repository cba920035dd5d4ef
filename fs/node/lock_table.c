/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/lock_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "idshift/cleanup.h"

#define BUCKETS 256u

struct lock_owner {
	struct lock_owner *next; /* in the bucket, while listed */
	uint64_t node;
	uint64_t owner;
	uint64_t handle;
	pid_t pid;
	int fd;
	unsigned int holds; /* the list's own counts too */
};

struct lock_table {
	pthread_mutex_t lock;
	/* A glance at it spares most closes the rest. */
	atomic_uint count;
	struct lock_owner *buckets[BUCKETS];
};

int lock_table_new(struct lock_table **ret)
{
	struct lock_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&table->lock, NULL);
	*ret = table;
	return 0;
}

static void dispose(struct lock_owner *entry)
{
	if (entry == NULL)
		return;
	close_fd(entry->fd);
	free(entry);
}

struct lock_table *lock_table_free(struct lock_table *table)
{
	if (table == NULL)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (table->buckets[i] != NULL) {
			struct lock_owner *entry = table->buckets[i];

			table->buckets[i] = entry->next;
			dispose(entry);
		}
	}
	(void)pthread_mutex_destroy(&table->lock);
	free(table);
	return NULL;
}

/* All owners of a node are in one bucket. */
static struct lock_owner **bucket(struct lock_table *table, uint64_t node)
{
	return &table->buckets[(node ^ node >> 32) % BUCKETS];
}

static struct lock_owner *find(struct lock_table *table, uint64_t node,
			       uint64_t owner)
{
	struct lock_owner *entry = *bucket(table, node);

	while (entry != NULL && (entry->node != node || entry->owner != owner))
		entry = entry->next;
	return entry;
}

struct lock_owner *lock_owner_find(struct lock_table *table, uint64_t node,
				   uint64_t owner)
{
	struct lock_owner *entry;

	(void)pthread_mutex_lock(&table->lock);
	entry = find(table, node, owner);
	if (entry != NULL)
		entry->holds++;
	(void)pthread_mutex_unlock(&table->lock);
	return entry;
}

struct lock_owner *lock_owner_add(struct lock_table *table, uint64_t node,
				  uint64_t owner, int fd)
{
	struct lock_owner *made = calloc(1, sizeof(*made));
	struct lock_owner *entry;

	if (made == NULL) {
		close_fd(fd);
		return NULL;
	}
	made->node = node;
	made->owner = owner;
	made->fd = fd;
	(void)pthread_mutex_lock(&table->lock);
	entry = find(table, node, owner);
	if (entry == NULL && table->count < LOCK_OWNERS_MAX) {
		entry = made;
		made = NULL;
		entry->holds = 1;
		entry->next = *bucket(table, node);
		*bucket(table, node) = entry;
		table->count++;
	}
	if (entry != NULL)
		entry->holds++;
	(void)pthread_mutex_unlock(&table->lock);
	dispose(made);
	return entry;
}

void lock_owner_put(struct lock_table *table, struct lock_owner *entry)
{
	bool last;

	if (entry == NULL)
		return;
	(void)pthread_mutex_lock(&table->lock);
	last = --entry->holds == 0;
	(void)pthread_mutex_unlock(&table->lock);
	if (last)
		dispose(entry);
}

int lock_owner_fd(const struct lock_owner *entry)
{
	return entry->fd;
}

void lock_owner_note(struct lock_table *table, struct lock_owner *entry,
		     uint64_t handle, pid_t pid)
{
	(void)pthread_mutex_lock(&table->lock);
	entry->handle = handle;
	entry->pid = pid;
	(void)pthread_mutex_unlock(&table->lock);
}

pid_t lock_other_pid(struct lock_table *table, uint64_t node, uint64_t owner)
{
	const struct lock_owner *entry;
	pid_t pid = 0;

	(void)pthread_mutex_lock(&table->lock);
	for (entry = *bucket(table, node); entry != NULL; entry = entry->next) {
		if (entry->node == node && entry->owner != owner)
			pid = entry->pid;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return pid;
}

/* Take one matching entry off the list; NULL when there is none. */
static struct lock_owner *unlist(struct lock_table *table, uint64_t node,
				 bool by_handle, uint64_t value)
{
	struct lock_owner **link, *entry;

	(void)pthread_mutex_lock(&table->lock);
	link = bucket(table, node);
	while (*link != NULL &&
	       ((*link)->node != node ||
		(by_handle ? (*link)->handle : (*link)->owner) != value))
		link = &(*link)->next;
	entry = *link;
	if (entry != NULL) {
		*link = entry->next;
		table->count--;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return entry;
}

void lock_drop_owner(struct lock_table *table, uint64_t node, uint64_t owner)
{
	if (atomic_load(&table->count) > 0)
		lock_owner_put(table, unlist(table, node, false, owner));
}

void lock_drop_handle(struct lock_table *table, uint64_t node, uint64_t handle)
{
	struct lock_owner *entry;

	if (atomic_load(&table->count) == 0)
		return;
	while ((entry = unlist(table, node, true, handle)) != NULL)
		lock_owner_put(table, entry);
}
