/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/node_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "node_internal.h"

#define INITIAL_NODES 1024u

uint64_t node_id(const struct node_table *table, uint32_t index)
{
	uint32_t generation = table->nodes[index].generation;

	if (index != ROOT_NODE)
		generation += table->first_generation;
	return (uint64_t)generation << 32 | ((uint64_t)index + NODE_ROOT_ID);
}

uint32_t node_index(const struct node_table *table, uint64_t id)
{
	uint32_t index = (uint32_t)id - (uint32_t)NODE_ROOT_ID;

	if (index >= table->capacity || !table->nodes[index].live ||
	    node_id(table, index) != id)
		return NO_NODE;
	return index;
}

void node_table_first_generation(struct node_table *table, uint32_t generation)
{
	table->first_generation = generation;
}

struct node_identity identity_of(const struct statx *stx)
{
	struct node_identity identity = {
		.dev = backing_dev(stx),
		.ino = stx->stx_ino,
		.type = stx->stx_mode & S_IFMT,
	};

	if ((stx->stx_mask & STATX_BTIME) != 0) {
		identity.birth_sec = stx->stx_btime.tv_sec;
		identity.birth_nsec = stx->stx_btime.tv_nsec;
	}
	return identity;
}

bool identity_equal(const struct node_identity *a,
		    const struct node_identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->type == b->type &&
	       a->birth_sec == b->birth_sec && a->birth_nsec == b->birth_nsec;
}

static uint32_t *identity_bucket(struct node_table *table,
				 const struct node_identity *identity)
{
	uint64_t hash = (identity->ino ^ identity->dev << 40) *
			UINT64_C(0x9e3779b97f4a7c15);

	return &table->identity_buckets[(uint32_t)(hash >> 32) &
					table->identity_mask];
}

/* The idle list. */

void idle_remove(struct node_table *table, uint32_t index)
{
	struct node *node = &table->nodes[index];

	if (!node->idle)
		return;
	if (node->prev != NO_NODE)
		table->nodes[node->prev].next = node->next;
	else
		table->idle_head = node->next;
	if (node->next != NO_NODE)
		table->nodes[node->next].prev = node->prev;
	else
		table->idle_tail = node->prev;
	node->idle = false;
}

/* Does nothing to a node that can't be evicted. */
static void idle_add(struct node_table *table, uint32_t index)
{
	struct node *node = &table->nodes[index];

	if (node->idle || node->queued || node->pins > 0 || node->fd < 0 ||
	    node->names == NULL)
		return;
	node->idle = true;
	node->prev = NO_NODE;
	node->next = table->idle_head;
	if (table->idle_head != NO_NODE)
		table->nodes[table->idle_head].prev = index;
	else
		table->idle_tail = index;
	table->idle_head = index;
}

void node_pin(struct node_table *table, uint32_t index)
{
	table->nodes[index].pins++;
	idle_remove(table, index);
}

/* Life and death of nodes. */

static int table_grow(struct node_table *table)
{
	uint32_t capacity =
		table->capacity > 0 ? table->capacity * 2 : INITIAL_NODES;
	uint32_t *buckets;
	struct node *nodes;

	if (table->capacity > UINT32_MAX / 4)
		return -ENOMEM;
	nodes = realloc(table->nodes, capacity * sizeof(*nodes));
	if (nodes == NULL)
		return -ENOMEM;
	table->nodes = nodes;
	buckets = malloc(capacity * sizeof(*buckets));
	if (buckets == NULL)
		return -ENOMEM;
	memset(nodes + table->capacity, 0,
	       (capacity - table->capacity) * sizeof(*nodes));
	for (uint32_t i = capacity; i-- > table->capacity;) {
		nodes[i].next = table->free_head;
		table->free_head = i;
	}
	free(table->identity_buckets);
	table->identity_buckets = buckets;
	table->identity_mask = capacity - 1;
	memset(buckets, 0xff, capacity * sizeof(*buckets));
	for (uint32_t i = 0; i < table->capacity; i++) {
		uint32_t *bucket;

		if (!nodes[i].live)
			continue;
		bucket = identity_bucket(table, &nodes[i].identity);
		nodes[i].hash_next = *bucket;
		*bucket = i;
	}
	table->capacity = capacity;
	return 0;
}

uint32_t node_find(struct node_table *table,
		   const struct node_identity *identity)
{
	uint32_t index = *identity_bucket(table, identity);

	while (index != NO_NODE &&
	       !identity_equal(&table->nodes[index].identity, identity))
		index = table->nodes[index].hash_next;
	return index;
}

int node_new(struct node_table *table, const struct node_identity *identity,
	     int fd, uint32_t *ret)
{
	struct node *node;
	uint32_t *bucket;
	uint32_t index;

	if (table->free_head == NO_NODE && table_grow(table) < 0)
		return -ENOMEM;
	index = table->free_head;
	node = &table->nodes[index];
	table->free_head = node->next;
	*node = (struct node){
		.identity = *identity,
		.generation = node->generation,
		.fd = fd,
		.live = true,
	};
	bucket = identity_bucket(table, identity);
	node->hash_next = *bucket;
	*bucket = index;
	table->live++;
	if (fd >= 0)
		table->fds++;
	*ret = index;
	return 0;
}

static void identity_remove(struct node_table *table, uint32_t index)
{
	uint32_t *link = identity_bucket(table, &table->nodes[index].identity);

	while (*link != index)
		link = &table->nodes[*link].hash_next;
	*link = table->nodes[index].hash_next;
}

static bool is_dead(const struct node_table *table, uint32_t index)
{
	const struct node *node = &table->nodes[index];

	return index != ROOT_NODE && node->live && node->lookups == 0 &&
	       node->pins == 0 && node->children == 0;
}

void queue_if_dead(struct node_table *table, uint32_t index)
{
	struct node *node = &table->nodes[index];

	if (node->queued || !is_dead(table, index))
		return;
	idle_remove(table, index);
	node->queued = true;
	node->next = table->dead_head;
	table->dead_head = index;
}

static void bury(struct node_table *table, uint32_t index)
{
	struct node *node = &table->nodes[index];

	while (node->names != NULL)
		name_remove(table, node->names);
	identity_remove(table, index);
	if (node->fd >= 0)
		table->fds--;
	node->live = false;
	node->generation++;
	node->next = table->free_head;
	table->free_head = index;
	table->live--;
}

/* Bury the next dead node; false when there is none. */
static bool bury_next(struct node_table *table)
{
	struct node gone = { .fd = -1 };
	uint32_t index;
	bool more, orphan = false;

	(void)pthread_mutex_lock(&table->lock);
	index = table->dead_head;
	more = index != NO_NODE;
	if (more) {
		table->dead_head = table->nodes[index].next;
		table->nodes[index].queued = false;
	}
	if (more && is_dead(table, index)) {
		gone = table->nodes[index];
		orphan = gone.names == NULL && gone.fd >= 0;
		bury(table, index);
	} else if (more) {
		idle_add(table, index); /* revived */
	}
	(void)pthread_mutex_unlock(&table->lock);

	if (orphan && table->orphan_hook != NULL)
		table->orphan_hook(table->orphan_context, gone.fd,
				   gone.identity.type);
	close_fd(gone.fd);
	return more;
}

/* Take one idle descriptor out of the cache; -1 when there is none. */
static int evict(struct node_table *table)
{
	uint32_t index = table->idle_tail;
	int fd;

	if (index == NO_NODE)
		return -1;
	idle_remove(table, index);
	fd = table->nodes[index].fd;
	table->nodes[index].fd = -1;
	table->fds--;
	return fd;
}

/* Evict while more than so many are open. */
static void shrink(struct node_table *table, size_t max_fds)
{
	int fd;

	do {
		fd = -1;
		(void)pthread_mutex_lock(&table->lock);
		if (table->fds > max_fds)
			fd = evict(table);
		(void)pthread_mutex_unlock(&table->lock);
		close_fd(fd);
	} while (fd >= 0);
}

/* What was put off until no lock is held. */
void node_table_settle(struct node_table *table)
{
	while (bury_next(table))
		;
	shrink(table, table->max_fds);
}

void node_table_drop_idle(struct node_table *table)
{
	shrink(table, 0);
}

void node_unpin(struct node_table *table, uint32_t index)
{
	if (--table->nodes[index].pins > 0)
		return;
	queue_if_dead(table, index);
	idle_add(table, index);
}

int node_table_new(int root_fd, size_t max_fds, node_orphan_fn *orphan_hook,
		   void *orphan_context, struct node_table **ret)
{
	struct node_table *table = calloc(1, sizeof(*table));
	struct node_identity identity;
	struct statx stx;
	uint32_t root;
	int r;

	if (table == NULL)
		return -ENOMEM;
	table->free_head = NO_NODE;
	table->dead_head = NO_NODE;
	table->idle_head = NO_NODE;
	table->idle_tail = NO_NODE;
	table->max_fds = max_fds;
	table->orphan_hook = orphan_hook;
	table->orphan_context = orphan_context;
	(void)pthread_mutex_init(&table->lock, NULL);
	for (size_t i = 0; i < CHANGE_LOCKS; i++)
		(void)pthread_mutex_init(&table->change_locks[i], NULL);
	r = backing_stat(root_fd, &stx);
	if (r == 0)
		r = table_grow(table);
	if (r == 0)
		r = names_init(table);
	if (r == 0) {
		identity = identity_of(&stx);
		r = node_new(table, &identity, root_fd, &root);
	}
	if (r < 0) {
		(void)node_table_free(table);
		return r;
	}
	*ret = table;
	return 0;
}

struct node_table *node_table_free(struct node_table *table)
{
	if (table == NULL)
		return NULL;
	for (uint32_t i = 0; i < table->capacity; i++) {
		struct node *node = &table->nodes[i];

		if (!node->live)
			continue;
		while (node->names != NULL) {
			struct node_name *name = node->names;

			node->names = name->node_next;
			free(name);
		}
		close_fd(node->fd);
	}
	for (size_t i = 0; i < CHANGE_LOCKS; i++)
		(void)pthread_mutex_destroy(&table->change_locks[i]);
	(void)pthread_mutex_destroy(&table->lock);
	free(table->nodes);
	free(table->identity_buckets);
	free(table->name_buckets);
	free(table);
	return NULL;
}

pthread_mutex_t *node_change_lock(const struct node_ref *ref)
{
	return &ref->table->change_locks[ref->index % CHANGE_LOCKS];
}

void node_table_stats(struct node_table *table, struct node_table_stats *ret)
{
	struct node_table_stats stats = { 0 };

	(void)pthread_mutex_lock(&table->lock);
	stats.nodes = table->live;
	stats.fds = table->fds;
	for (uint32_t i = 0; i < table->capacity; i++) {
		if (table->nodes[i].live)
			stats.lookups += table->nodes[i].lookups;
	}
	(void)pthread_mutex_unlock(&table->lock);
	*ret = stats;
}
