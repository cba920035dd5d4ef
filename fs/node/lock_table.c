/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/lock_table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "idshift/cleanup.h"
#include "idshift/clock.h"

#define BUCKETS 256u
/* So many who wait are looked at for a deadlock; Linux itself follows 10. */
#define SEARCH_MAX 64u

struct lock_owner {
	struct lock_owner *next; /* in the bucket, while listed */
	uint64_t node;
	uint64_t owner;
	uint64_t handle;
	int fd;
	bool listed;
	unsigned int holds;	   /* the list's own counts too */
	struct lock_ranges ranges; /* empty unless listed */
};

/* By when the RELEASE has come. */
#define CLOSE_MS 20u

struct lock_table {
	pthread_mutex_t lock;
	_Atomic uint32_t closed_at[BUCKETS]; /* clock_coarse_ms() */
	atomic_uint count;
	struct lock_owner *buckets[BUCKETS];
	struct lock_op *ops; /* under way */
	size_t ranges;	     /* of all owners */
	unsigned int search; /* the latest's number */
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
	lock_ranges_clear(&entry->ranges);
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
static size_t bucket_of(uint64_t node)
{
	return (node ^ node >> 32) % BUCKETS;
}

static struct lock_owner **bucket(struct lock_table *table, uint64_t node)
{
	return &table->buckets[bucket_of(node)];
}

void lock_note_close(struct lock_table *table, uint64_t node)
{
	atomic_store_explicit(&table->closed_at[bucket_of(node)],
			      clock_coarse_ms(), memory_order_relaxed);
}

bool lock_was_closed(const struct lock_table *table, uint64_t node)
{
	uint32_t at = atomic_load_explicit(&table->closed_at[bucket_of(node)],
					   memory_order_relaxed);

	return clock_coarse_ms() - at < CLOSE_MS;
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
				  uint64_t owner, uint64_t handle, int fd)
{
	struct lock_owner *made = calloc(1, sizeof(*made));
	struct lock_owner *entry;

	if (made == NULL) {
		close_fd(fd);
		return NULL;
	}
	made->node = node;
	made->owner = owner;
	made->handle = handle;
	made->fd = fd;
	(void)pthread_mutex_lock(&table->lock);
	entry = find(table, node, owner);
	if (entry == NULL && table->count < LOCK_OWNERS_MAX) {
		entry = made;
		made = NULL;
		entry->holds = 1;
		entry->listed = true;
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
		     uint64_t handle)
{
	(void)pthread_mutex_lock(&table->lock);
	entry->handle = handle;
	(void)pthread_mutex_unlock(&table->lock);
}

static void set_range(struct lock_table *table, struct lock_owner *entry,
		      const struct lock_range *range)
{
	size_t before = entry->ranges.count;

	if (!entry->listed)
		return;
	lock_ranges_set(&entry->ranges, range, LOCK_RANGES_MAX - table->ranges);
	table->ranges = table->ranges - before + entry->ranges.count;
}

void lock_op_begin(struct lock_table *table, struct lock_owner *entry,
		   struct lock_range range, struct lock_op *op)
{
	*op = (struct lock_op){ .entry = entry, .range = range };
	(void)pthread_mutex_lock(&table->lock);
	op->next = table->ops;
	op->link = &table->ops;
	if (op->next != NULL)
		op->next->link = &op->next;
	table->ops = op;
	/* Others must not be told of it when it is gone already. */
	if (range.type == F_UNLCK)
		set_range(table, entry, &range);
	(void)pthread_mutex_unlock(&table->lock);
}

/*
 * The system calls of an owner's threads are in an order that isn't known
 * here: of the bytes that another one changed meanwhile nothing is noted.
 */
static void note_grant(struct lock_table *table, struct lock_op *op)
{
	struct lock_range range = op->range;

	for (struct lock_op *other = table->ops; other != NULL;
	     other = other->next) {
		if (other->entry == op->entry &&
		    lock_ranges_overlap(&other->range, &range))
			other->doubtful = true;
	}
	if (op->doubtful)
		range.type = F_UNLCK;
	set_range(table, op->entry, &range);
}

void lock_op_end(struct lock_table *table, struct lock_op *op, bool granted)
{
	(void)pthread_mutex_lock(&table->lock);
	*op->link = op->next;
	if (op->next != NULL)
		op->next->link = op->link;
	if (granted)
		note_grant(table, op);
	(void)pthread_mutex_unlock(&table->lock);
}

/* Queue what the owner waits for, once in a search; how many are queued. */
static size_t add_waits(const struct lock_table *table, uint64_t owner,
			struct lock_op **queue, size_t count)
{
	for (struct lock_op *op = table->ops; op != NULL && count < SEARCH_MAX;
	     op = op->next) {
		if (!op->waits || op->entry->owner != owner ||
		    op->search == table->search)
			continue;
		op->search = table->search;
		queue[count++] = op;
	}
	return count;
}

/*
 * An owner's id is the same on all nodes.  Who waits needs all holders of
 * conflicting locks to give them up, so one way back is enough.
 */
static bool is_deadlock(struct lock_table *table, struct lock_op *origin)
{
	struct lock_op *queue[SEARCH_MAX] = { origin };
	size_t count = 1;

	table->search++;
	for (size_t i = 0; i < count; i++) {
		const struct lock_owner *waiting = queue[i]->entry;
		const struct lock_owner *entry = *bucket(table, waiting->node);

		for (; entry != NULL; entry = entry->next) {
			if (entry->node != waiting->node ||
			    entry->owner == waiting->owner ||
			    lock_ranges_conflict(&entry->ranges,
						 &queue[i]->range) == NULL)
				continue;
			if (entry->owner == origin->entry->owner)
				return true;
			count = add_waits(table, entry->owner, queue, count);
		}
	}
	return false;
}

int lock_op_wait(struct lock_table *table, struct lock_op *op)
{
	int r = 0;

	(void)pthread_mutex_lock(&table->lock);
	if (is_deadlock(table, op))
		r = -EDEADLK;
	else
		op->waits = true;
	(void)pthread_mutex_unlock(&table->lock);
	return r;
}

pid_t lock_conflict(struct lock_table *table, uint64_t node, uint64_t owner,
		    const struct lock_range *wanted)
{
	const struct lock_owner *entry;
	bool found_exact = false;
	pid_t pid = 0;

	(void)pthread_mutex_lock(&table->lock);
	/* The oldest is the last. */
	for (entry = *bucket(table, node); entry != NULL; entry = entry->next) {
		const struct lock_range *range;
		bool exact;

		if (entry->node != node || entry->owner == owner)
			continue;
		range = lock_ranges_conflict(&entry->ranges, wanted);
		if (range == NULL)
			continue;
		exact = range->start == wanted->start &&
			range->end == wanted->end;
		if (exact || !found_exact)
			pid = range->pid;
		found_exact |= exact;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return pid;
}

/*
 * A thread of its owner has a request under way, which may be waiting: what it
 * gets after this it keeps.  Of what it is just getting nothing is noted.
 */
static bool has_op(struct lock_table *table, const struct lock_owner *entry)
{
	bool found = false;

	for (struct lock_op *op = table->ops; op != NULL; op = op->next) {
		if (op->entry == entry)
			found = op->doubtful = true;
	}
	return found;
}

static void unlock_all(const struct lock_owner *entry)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(entry->fd, F_OFD_SETLK, &all);
}

/* Of the node's, those of an owner or of a handle. */
static void drop(struct lock_table *table, uint64_t node, bool by_handle,
		 uint64_t value)
{
	struct lock_owner **link, *entry, *gone = NULL;

	/* A glance at it spares most closes the rest. */
	if (atomic_load(&table->count) == 0)
		return;
	(void)pthread_mutex_lock(&table->lock);
	link = bucket(table, node);
	while ((entry = *link) != NULL) {
		if (entry->node != node ||
		    (by_handle ? entry->handle : entry->owner) != value) {
			link = &entry->next;
			continue;
		}
		table->ranges -= entry->ranges.count;
		lock_ranges_clear(&entry->ranges);
		if (has_op(table, entry)) {
			unlock_all(entry);
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		table->count--;
		entry->listed = false;
		entry->next = gone;
		gone = entry;
	}
	(void)pthread_mutex_unlock(&table->lock);
	while (gone != NULL) {
		entry = gone;
		gone = entry->next;
		lock_owner_put(table, entry);
	}
}

void lock_drop_owner(struct lock_table *table, uint64_t node, uint64_t owner)
{
	drop(table, node, false, owner);
}

void lock_drop_handle(struct lock_table *table, uint64_t node, uint64_t handle)
{
	drop(table, node, true, handle);
}
