/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_BUCKETS 1024u

/* FNV-1a; the table is in memory and its keys are bounded by the kernel. */
static uint32_t name_hash(uint32_t parent, const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ parent;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return (uint32_t)(hash ^ hash >> 32);
}

int names_init(struct node_table *table)
{
	table->name_buckets =
		buckets_new(INITIAL_BUCKETS * sizeof(*table->name_buckets));
	if (table->name_buckets == NULL)
		return -ENOMEM;
	table->name_mask = INITIAL_BUCKETS - 1;
	return 0;
}

void names_free(struct node_table *table)
{
	buckets_free(table->name_buckets,
		     (table->name_mask + 1) * sizeof(*table->name_buckets));
}

void names_resize(struct node_table *table, uint32_t count)
{
	struct node_name **buckets = buckets_new(count * sizeof(*buckets));
	uint32_t mask = count - 1;

	if (buckets == NULL)
		return; /* longer chains, nothing worse */
	for (uint32_t i = 0; i <= table->name_mask; i++) {
		struct node_name *name = table->name_buckets[i];

		while (name != NULL) {
			struct node_name *next = name->hash_next;
			uint32_t at =
				name_hash(name->parent, name->text) & mask;

			name->hash_next = buckets[at];
			buckets[at] = name;
			name = next;
		}
	}
	names_free(table);
	table->name_buckets = buckets;
	table->name_mask = mask;
}

struct node_name *name_find(struct node_table *table, uint32_t parent,
			    const char *text)
{
	uint32_t at = name_hash(parent, text) & table->name_mask;
	struct node_name *name = table->name_buckets[at];

	while (name != NULL &&
	       (name->parent != parent || strcmp(name->text, text) != 0))
		name = name->hash_next;
	return name;
}

static void unlink_from_node(struct node_table *table, struct node_name *name)
{
	struct node_name **link = &node_at(table, name->node)->names;

	while (*link != name)
		link = &(*link)->node_next;
	*link = name->node_next;
}

static void unlink_from_hash(struct node_table *table, struct node_name *name)
{
	uint32_t at = name_hash(name->parent, name->text) & table->name_mask;
	struct node_name **link = &table->name_buckets[at];

	while (*link != name)
		link = &(*link)->hash_next;
	*link = name->hash_next;
}

void name_remove(struct node_table *table, struct node_name *name)
{
	uint32_t node = name->node, parent = name->parent;

	unlink_from_node(table, name);
	unlink_from_hash(table, name);
	node_at(table, parent)->children--;
	table->name_count--;
	queue_if_dead(table, parent);
	/* Its descriptor is now the only way to it. */
	if (node_at(table, node)->names == NULL)
		idle_remove(table, node);
	free(name);
}

static void make_latest(struct node_table *table, struct node_name *name)
{
	struct node *node = node_at(table, name->node);

	if (node->names == name)
		return;
	unlink_from_node(table, name);
	name->node_next = node->names;
	node->names = name;
}

static struct node_name *name_new(struct node_table *table, uint32_t node,
				  uint32_t parent, const char *text)
{
	size_t len = strlen(text) + 1;
	struct node_name *name = malloc(sizeof(*name) + len);
	uint32_t at;

	if (name == NULL)
		return NULL;
	if (table->name_count > table->name_mask)
		names_resize(table, (table->name_mask + 1) * 2);
	at = name_hash(parent, text) & table->name_mask;
	memcpy(name->text, text, len);
	name->node = node;
	name->parent = parent;
	name->hash_next = table->name_buckets[at];
	table->name_buckets[at] = name;
	name->node_next = node_at(table, node)->names;
	node_at(table, node)->names = name;
	node_at(table, parent)->children++;
	table->name_count++;
	return name;
}

/*
 * A directory with known children turned up below itself: the host moved the
 * tree while the kernel still walks the old one, or bound it there.  In a
 * circle of names nothing ever dies and no way up ends, so the name that
 * leads from the node down to the parent goes.
 */
static void cut_circle(struct node_table *table, uint32_t node, uint32_t parent)
{
	struct node_name *name = node_at(table, parent)->names;

	while (name != NULL && name->parent != node)
		name = node_at(table, name->parent)->names;
	if (name != NULL)
		name_remove(table, name);
}

int name_add(struct node_table *table, uint32_t node, uint32_t parent,
	     const char *text)
{
	struct node_name *name = name_find(table, parent, text);

	if (name != NULL && name->node != node) {
		name_remove(table, name);
		name = NULL;
	}
	/* A bind mount of what needs no name, or has one further up. */
	if (node == ROOT_NODE || node == parent)
		return 0;
	if (node_at(table, node)->children > 0)
		cut_circle(table, node, parent);
	if (name != NULL)
		make_latest(table, name);
	else
		name = name_new(table, node, parent, text);
	if (name == NULL)
		return -ENOMEM;
	node_at(table, node)->replaced = false;
	if (S_ISDIR(node_at(table, node)->identity.type)) {
		while (name->node_next != NULL)
			name_remove(table, name->node_next);
	}
	return 0;
}
