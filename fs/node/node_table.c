/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/node_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/turns.h"
#include "node_internal.h"

/* Nodes to bury, and their descriptors to close, in one go. */
#define BURIALS 64

uint64_t node_id(const struct node_table *table, uint32_t index)
{
	uint32_t generation = node_at(table, index)->generation;

	if (index != ROOT_NODE)
		generation += table->first_generation;
	return (uint64_t)generation << 32 | ((uint64_t)index + NODE_ROOT_ID);
}

uint32_t node_index(const struct node_table *table, uint64_t id)
{
	uint32_t index = (uint32_t)id - (uint32_t)NODE_ROOT_ID;

	if (index / NODE_BLOCK >= table->block_count ||
	    table->blocks[index / NODE_BLOCK] == NULL ||
	    !node_at(table, index)->live || node_id(table, index) != id)
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

	if (S_ISDIR(stx->stx_mode) && (stx->stx_mask & STATX_MNT_ID) != 0)
		identity.mount = stx->stx_mnt_id;
	if ((stx->stx_mask & STATX_BTIME) != 0) {
		identity.birth_sec = stx->stx_btime.tv_sec;
		identity.birth_nsec = stx->stx_btime.tv_nsec;
	}
	return identity;
}

bool identity_equal(const struct node_identity *a,
		    const struct node_identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->mount == b->mount &&
	       a->type == b->type && a->birth_sec == b->birth_sec &&
	       a->birth_nsec == b->birth_nsec;
}

bool identity_adopt(struct node_table *table, uint32_t index,
		    const struct node_identity *found)
{
	struct node_identity *identity = &node_at(table, index)->identity;
	struct node_identity like = *found;

	like.mount = identity->mount;
	if (!identity_equal(identity, &like))
		return false;
	if (identity->mount != found->mount &&
	    node_find(table, found) != NO_NODE)
		return false;
	/* No part of where it is found. */
	identity->mount = found->mount;
	return true;
}

void node_pin(struct node_table *table, uint32_t index)
{
	node_at(table, index)->pins++;
	idle_remove(table, index);
}

/* Life and death of nodes. */

static bool is_dead(const struct node_table *table, uint32_t index)
{
	const struct node *node = node_at(table, index);

	return index != ROOT_NODE && node->live && node->lookups == 0 &&
	       node->pins == 0 && node->children == 0;
}

void queue_if_dead(struct node_table *table, uint32_t index)
{
	struct node *node = node_at(table, index);

	if (node->queued || !is_dead(table, index))
		return;
	idle_remove(table, index);
	node->queued = true;
	node->next = table->dead_head;
	table->dead_head = index;
}

struct burial {
	int fd;
	mode_t type;
	uint64_t dev;
	bool orphan;
};

static void bury(struct node_table *table, uint32_t index,
		 struct burial *ret_burial)
{
	struct node *node = node_at(table, index);

	*ret_burial = (struct burial){
		.fd = node->fd,
		.type = (mode_t)node->identity.type,
		.dev = node->identity.dev,
		.orphan = node->names == NULL && node->fd >= 0,
	};
	while (node->names != NULL)
		name_remove(table, node->names);
	node_drop(table, index);
}

/* Bury the next dead nodes; false when there are no more. */
static bool bury_next(struct node_table *table)
{
	struct burial burials[BURIALS];
	size_t count = 0;
	bool more, shrunk;

	(void)pthread_mutex_lock(&table->lock);
	while (count < BURIALS && table->dead_head != NO_NODE) {
		uint32_t index = table->dead_head;

		table->dead_head = node_at(table, index)->next;
		node_at(table, index)->queued = false;
		if (is_dead(table, index))
			bury(table, index, &burials[count++]);
		else
			idle_add(table, index); /* revived */
	}
	more = table->dead_head != NO_NODE;
	shrunk = !more && nodes_shrink(table);
	(void)pthread_mutex_unlock(&table->lock);

	for (size_t i = 0; i < count; i++) {
		if (burials[i].orphan && table->hooks.orphan != NULL)
			table->hooks.orphan(table->hooks.context, burials[i].fd,
					    burials[i].type, burials[i].dev);
		close_fd(burials[i].fd);
	}
	if (shrunk)
		memory_give_back();
	return more;
}

/* Evict while more than so many are open. */
static void shrink(struct node_table *table, size_t max_fds)
{
	int fd;

	do {
		fd = -1;
		(void)pthread_mutex_lock(&table->lock);
		if (table->fds > max_fds)
			fd = idle_evict(table);
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
	if (--node_at(table, index)->pins > 0)
		return;
	queue_if_dead(table, index);
	idle_add(table, index);
}

int node_table_new(int root_fd, size_t max_fds, const struct node_hooks *hooks,
		   struct node_table **ret)
{
	struct node_table *table = calloc(1, sizeof(*table));
	struct node_identity identity;
	struct statx stx;
	uint32_t root;
	int r;

	if (table == NULL)
		return -ENOMEM;
	table->dead_head = NO_NODE;
	table->max_fds = max_fds;
	table->hooks = *hooks;
	(void)pthread_mutex_init(&table->lock, NULL);
	idle_init(table);
	for (size_t i = 0; i < CHANGE_LOCKS; i++)
		(void)pthread_mutex_init(&table->change_locks[i], NULL);
	r = backing_stat(root_fd, &stx);
	if (r == 0)
		r = nodes_init(table);
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
	idle_end(table);
	for (uint32_t i = 0; i < table->block_count * NODE_BLOCK; i++) {
		struct node *node;

		if (table->blocks[i / NODE_BLOCK] == NULL)
			continue;
		node = node_at(table, i);
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
	nodes_free(table);
	names_free(table);
	free(table);
	return NULL;
}

uint64_t node_turn(struct node_table *table, uint64_t id)
{
	const struct node_identity *identity;
	uint32_t index;
	uint64_t key = 0;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE) {
		identity = &node_at(table, index)->identity;
		key = turns_key(identity->dev, identity->ino);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return key;
}

pthread_mutex_t *node_change_lock(const struct node_ref *ref)
{
	return node_change_lock_of(ref->table, ref->id);
}

pthread_mutex_t *node_change_lock_of(struct node_table *table, uint64_t id)
{
	return node_change_lock_by(table, node_turn(table, id));
}

pthread_mutex_t *node_change_lock_by(struct node_table *table, uint64_t turn)
{
	return &table->change_locks[turn % CHANGE_LOCKS];
}

void node_table_stats(struct node_table *table, struct node_table_stats *ret)
{
	struct node_table_stats stats = { 0 };

	(void)pthread_mutex_lock(&table->lock);
	stats.nodes = table->live;
	stats.fds = table->fds;
	for (uint32_t i = 0; i < table->block_count * NODE_BLOCK; i++) {
		if (table->blocks[i / NODE_BLOCK] != NULL &&
		    node_at(table, i)->live)
			stats.lookups += node_at(table, i)->lookups;
	}
	(void)pthread_mutex_unlock(&table->lock);
	*ret = stats;
}
