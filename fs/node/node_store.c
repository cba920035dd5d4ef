/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where nodes live: in blocks that never move, found by index or by identity.
 * After the kernel has forgotten most of them memory goes back to the system.
 */
#include "node_internal.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define INITIAL_BUCKETS 1024u

void *buckets_new(size_t size)
{
	void *buckets = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return buckets == MAP_FAILED ? NULL : buckets;
}

void buckets_free(void *buckets, size_t size)
{
	if (buckets != NULL)
		(void)munmap(buckets, size);
}

static uint32_t *identity_bucket(struct node_table *table,
				 const struct node_identity *identity)
{
	uint64_t hash = (identity->ino ^ identity->dev << 40) *
			UINT64_C(0x9e3779b97f4a7c15);

	return &table->identity_buckets[(uint32_t)(hash >> 32) &
					table->identity_mask];
}

static void identity_insert(struct node_table *table, uint32_t index)
{
	struct node *node = node_at(table, index);
	uint32_t *bucket = identity_bucket(table, &node->identity);

	node->hash_next = *bucket;
	*bucket = index;
}

static void identity_remove(struct node_table *table, uint32_t index)
{
	uint32_t *link =
		identity_bucket(table, &node_at(table, index)->identity);

	while (*link != index)
		link = &node_at(table, *link)->hash_next;
	*link = node_at(table, index)->hash_next;
}

static void identity_free(struct node_table *table)
{
	buckets_free(table->identity_buckets,
		     (table->identity_mask + 1) *
			     sizeof(*table->identity_buckets));
}

/* Out of memory: chains stay as long as they are, nothing worse. */
static void identity_resize(struct node_table *table, uint32_t buckets)
{
	uint32_t *fresh = buckets_new(buckets * sizeof(*fresh));

	if (fresh == NULL)
		return;
	identity_free(table);
	table->identity_buckets = fresh;
	table->identity_mask = buckets - 1;
	memset(fresh, 0xff, buckets * sizeof(*fresh));
	for (uint32_t block = 0; block < table->block_count; block++) {
		for (uint32_t i = 0; table->blocks[block] && i < NODE_BLOCK;
		     i++) {
			if (table->blocks[block][i].live)
				identity_insert(table, block * NODE_BLOCK + i);
		}
	}
}

int nodes_init(struct node_table *table)
{
	table->free_head = NO_NODE;
	identity_resize(table, INITIAL_BUCKETS);
	return table->identity_buckets == NULL ? -ENOMEM : 0;
}

void nodes_free(struct node_table *table)
{
	for (uint32_t block = 0; block < table->block_count; block++)
		free(table->blocks[block]);
	free(table->blocks);
	identity_free(table);
}

/* The place for one more block among the pointers to them. */
static int block_place(struct node_table *table, uint32_t *ret)
{
	struct node **blocks;
	uint32_t at = 0;

	while (table->holes > 0 && table->blocks[at] != NULL)
		at++;
	if (table->holes > 0) {
		*ret = at;
		return 0;
	}
	if (table->block_count >= NO_NODE / NODE_BLOCK)
		return -ENOMEM;
	blocks = realloc(table->blocks,
			 (table->block_count + 1) * sizeof(*blocks));
	if (blocks == NULL)
		return -ENOMEM;
	table->blocks = blocks;
	table->blocks[table->block_count] = NULL;
	*ret = table->block_count;
	return 0;
}

/* All of the block's nodes that are not in use are free ones. */
static void free_list_add(struct node_table *table, uint32_t block)
{
	for (uint32_t i = NODE_BLOCK; i-- > 0;) {
		struct node *node = &table->blocks[block][i];

		if (node->live)
			continue;
		node->next = table->free_head;
		table->free_head = block * NODE_BLOCK + i;
	}
}

static int block_add(struct node_table *table)
{
	struct node *nodes = calloc(NODE_BLOCK, sizeof(*nodes));
	uint32_t at;

	if (nodes == NULL || block_place(table, &at) < 0) {
		free(nodes);
		return -ENOMEM;
	}
	table->blocks[at] = nodes;
	if (at == table->block_count)
		table->block_count++;
	else
		table->holes--;
	free_list_add(table, at);
	return 0;
}

uint32_t node_find(struct node_table *table,
		   const struct node_identity *identity)
{
	uint32_t index = *identity_bucket(table, identity);

	while (index != NO_NODE &&
	       !identity_equal(&node_at(table, index)->identity, identity))
		index = node_at(table, index)->hash_next;
	return index;
}

int node_new(struct node_table *table, const struct node_identity *identity,
	     int fd, uint32_t *ret)
{
	struct node *node;
	uint32_t index;

	if (table->free_head == NO_NODE && block_add(table) < 0)
		return -ENOMEM;
	if (table->live > table->identity_mask)
		identity_resize(table, (table->identity_mask + 1) * 2);
	index = table->free_head;
	node = node_at(table, index);
	table->free_head = node->next;
	*node = (struct node){
		.identity = *identity,
		/* The table's: a block that comes back has forgotten its own.
		 */
		.generation = table->generation++,
		.fd = fd,
		.live = true,
	};
	identity_insert(table, index);
	table->live++;
	if (table->live > table->most)
		table->most = table->live;
	if (fd >= 0)
		table->fds++;
	*ret = index;
	return 0;
}

void node_drop(struct node_table *table, uint32_t index)
{
	struct node *node = node_at(table, index);

	identity_remove(table, index);
	if (node->fd >= 0)
		table->fds--;
	node->live = false;
	node->next = table->free_head;
	table->free_head = index;
	table->live--;
}

static bool block_is_free(const struct node *nodes)
{
	for (uint32_t i = 0; i < NODE_BLOCK; i++) {
		if (nodes[i].live)
			return false;
	}
	return true;
}

static uint32_t buckets_for(uint32_t count)
{
	uint32_t buckets = INITIAL_BUCKETS;

	while (buckets < count)
		buckets *= 2;
	return buckets;
}

/*
 * When half of the nodes are gone: what it costs is paid by those.  The root
 * keeps the first block.
 */
bool nodes_shrink(struct node_table *table)
{
	bool freed = false;

	if (table->block_count - table->holes < 2 ||
	    table->live >= table->most - table->live)
		return false;
	table->most = table->live;
	table->free_head = NO_NODE;
	for (uint32_t block = table->block_count; block-- > 0;) {
		struct node **nodes = &table->blocks[block];

		if (*nodes != NULL && !block_is_free(*nodes)) {
			free_list_add(table, block);
			continue;
		}
		if (*nodes != NULL) {
			free(*nodes);
			*nodes = NULL;
			table->holes++;
			freed = true;
		}
		if (block + 1 == table->block_count) {
			table->block_count--;
			table->holes--;
		}
	}
	if (buckets_for(table->live) <= table->identity_mask)
		identity_resize(table, buckets_for(table->live));
	if (buckets_for(table->name_count) <= table->name_mask)
		names_resize(table, buckets_for(table->name_count));
	return freed;
}

void memory_give_back(void)
{
#ifdef __GLIBC__
	/* The names lie between other things, a page can't be without. */
	(void)malloc_trim(0);
#endif
}
