/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes in use: by id, by name, as found on disk. */
#include "idshift/node_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "node_internal.h"

static struct node_ref ref_of(struct node_table *table, uint32_t index)
{
	return (struct node_ref){
		.table = table,
		.index = index,
		.id = node_id(table, index),
		.dev = node_at(table, index)->identity.dev,
		.type = (mode_t)node_at(table, index)->identity.type,
		.fd = node_at(table, index)->fd,
	};
}

static int acquire_index(struct node_table *table, uint32_t index,
			 struct node_ref *ret, struct statx *ret_stx)
{
	int r = 0, fd;

	(void)pthread_mutex_lock(&table->lock);
	fd = node_at(table, index)->fd;
	(void)pthread_mutex_unlock(&table->lock);
	if (fd < 0)
		r = node_reopen(table, index, ret_stx);
	(void)pthread_mutex_lock(&table->lock);
	if (r == 0) {
		*ret = ref_of(table, index);
	} else {
		node_unpin(table, index);
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (r < 0)
		node_table_settle(table);
	return r;
}

static int acquire_id(struct node_table *table, uint64_t id,
		      struct node_ref *ret, struct statx *ret_stx)
{
	uint32_t index;
	bool ready = false;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE) {
		node_pin(table, index);
		ready = node_at(table, index)->fd >= 0;
	}
	if (ready)
		*ret = ref_of(table, index);
	(void)pthread_mutex_unlock(&table->lock);
	if (index == NO_NODE)
		return -ESTALE;
	return ready ? 0 : acquire_index(table, index, ret, ret_stx);
}

int node_acquire(struct node_table *table, uint64_t id, struct node_ref *ret)
{
	struct statx stx;

	return acquire_id(table, id, ret, &stx);
}

int node_acquire_stat(struct node_table *table, uint64_t id,
		      struct node_ref *ret, struct statx *ret_stx)
{
	struct node_ref ref = NODE_REF_NONE;
	struct statx stx = { 0 };
	int r = acquire_id(table, id, &ref, &stx);

	/* A descriptor that was there already: the mask says nothing. */
	if (r == 0 && stx.stx_mask == 0)
		r = backing_stat(ref.fd, &stx);
	if (r < 0) {
		node_release(&ref);
		return r;
	}
	*ret = ref;
	*ret_stx = stx;
	return 0;
}

int node_locate(struct node_table *table, uint64_t id, struct node_ref *ret,
		struct node_ref *ret_dir, char ret_name[NODE_NAME_MAX + 1])
{
	const struct node_name *name = NULL;
	uint32_t index, dir = NO_NODE;
	struct statx stx;
	int r;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE && node_at(table, index)->fd < 0)
		name = node_at(table, index)->names;
	if (name != NULL && strlen(name->text) <= NODE_NAME_MAX) {
		(void)memcpy(ret_name, name->text, strlen(name->text) + 1);
		dir = name->parent;
		node_pin(table, index);
		node_pin(table, dir);
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (dir == NO_NODE)
		return -ENOENT;
	r = acquire_index(table, dir, ret_dir, &stx);
	(void)pthread_mutex_lock(&table->lock);
	if (r == 0)
		*ret = ref_of(table, index);
	else
		node_unpin(table, index);
	(void)pthread_mutex_unlock(&table->lock);
	if (r < 0)
		node_table_settle(table);
	return r;
}

bool node_is(const struct node_ref *ref, const struct statx *stx)
{
	struct node_identity found = identity_of(stx);
	bool same;

	(void)pthread_mutex_lock(&ref->table->lock);
	same = identity_equal(&node_at(ref->table, ref->index)->identity,
			      &found);
	(void)pthread_mutex_unlock(&ref->table->lock);
	return same;
}

void node_release(struct node_ref *ref)
{
	bool unsettled;

	if (ref->table == NULL)
		return;
	(void)pthread_mutex_lock(&ref->table->lock);
	node_unpin(ref->table, ref->index);
	unsettled = is_unsettled(ref->table);
	(void)pthread_mutex_unlock(&ref->table->lock);
	if (unsettled)
		node_table_settle(ref->table);
	*ref = NODE_REF_NONE;
}

/* What was there before is there again, by another mount. */
static uint32_t find_remounted(struct node_table *table, uint32_t parent,
			       const char *name,
			       const struct node_identity *found)
{
	const struct node_name *known;

	/* Only of directories mounts are told apart. */
	if (found->mount == 0)
		return NO_NODE;
	known = name_find(table, parent, name);
	return known != NULL && node_at(table, known->node)->fd < 0 &&
			       identity_adopt(table, known->node, found) ?
		       known->node :
		       NO_NODE;
}

int node_found(struct node_table *table, const struct node_ref *parent,
	       const char *name, int fd, const struct statx *stx,
	       struct node_ref *ret)
{
	struct node_identity identity = identity_of(stx);
	_cleanup_fd_ int owned = fd;
	uint32_t index;
	int r = 0;

	(void)pthread_mutex_lock(&table->lock);
	index = node_find(table, &identity);
	if (index == NO_NODE)
		index = find_remounted(table, parent->index, name, &identity);
	if (index == NO_NODE) {
		r = node_new(table, &identity, fd, &index);
		if (r == 0)
			(void)take_fd(&owned);
	} else if (node_at(table, index)->fd < 0 && fd >= 0) {
		node_at(table, index)->fd = take_fd(&owned);
		table->fds++;
	}
	if (r == 0) {
		node_pin(table, index);
		r = name_add(table, index, parent->index, name);
		if (r < 0)
			node_unpin(table, index);
	}
	if (r == 0) {
		node_at(table, index)->lookups++;
		*ret = ref_of(table, index);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return r;
}

/*
 * Of an id of this table the kernel forgets what it was given, no more: an
 * earlier table's ids of the same mount are known to nobody here.
 */
static void drop_lookups(struct node_table *table, uint32_t index,
			 uint64_t count)
{
	struct node *node = node_at(table, index);

#ifdef __SANITIZE_ADDRESS__
	if (count > node->lookups && index != ROOT_NODE)
		(void)fprintf(stderr, "inode %llu: %llu of %llu forgotten\n",
			      (unsigned long long)node->identity.ino,
			      (unsigned long long)count,
			      (unsigned long long)node->lookups);
#endif
	node->lookups -= count < node->lookups ? count : node->lookups;
}

void node_forget(struct node_table *table, uint64_t id, uint64_t lookups)
{
	const struct node_lookups forgotten = { .id = id, .count = lookups };

	node_forget_all(table, &forgotten, 1);
}

void node_forget_all(struct node_table *table,
		     const struct node_lookups *forgotten, size_t count)
{
	bool unsettled;

	(void)pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < count; i++) {
		uint32_t index = node_index(table, forgotten[i].id);

		if (index == NO_NODE)
			continue;
		drop_lookups(table, index, forgotten[i].count);
		queue_if_dead(table, index);
	}
	unsettled = is_unsettled(table);
	(void)pthread_mutex_unlock(&table->lock);
	if (unsettled)
		node_table_settle(table);
}

int node_pin_name(struct node_table *table, const struct node_ref *parent,
		  const char *name, struct node_ref *ret)
{
	struct node_name *known;
	uint32_t index = NO_NODE;
	struct statx stx;

	*ret = NODE_REF_NONE;
	(void)pthread_mutex_lock(&table->lock);
	known = name_find(table, parent->index, name);
	if (known != NULL) {
		index = known->node;
		node_pin(table, index);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return index == NO_NODE ? -ENOENT :
				  acquire_index(table, index, ret, &stx);
}

void node_name_removed(struct node_table *table, const struct node_ref *parent,
		       const char *name)
{
	struct node_name *known;

	(void)pthread_mutex_lock(&table->lock);
	known = name_find(table, parent->index, name);
	if (known != NULL)
		name_remove(table, known);
	(void)pthread_mutex_unlock(&table->lock);
}

/* Whom the name leads to, which is taken off it; else who had it before. */
static uint32_t take_name(struct node_table *table,
			  const struct node_ref *parent, const char *name,
			  const struct node_ref *before)
{
	struct node_name *known = name_find(table, parent->index, name);
	uint32_t index = NO_NODE;

	if (known != NULL) {
		index = known->node;
		name_remove(table, known);
	} else if (before != NULL && before->table != NULL) {
		index = before->index;
	}
	return index;
}

void node_renamed(struct node_table *table, const struct node_ref *parent,
		  const char *name, const struct node_ref *new_parent,
		  const char *new_name, const struct node_ref *moved,
		  const struct node_ref *exchanged)
{
	uint32_t from, to;

	(void)pthread_mutex_lock(&table->lock);
	from = take_name(table, parent, name, moved);
	to = take_name(table, new_parent, new_name, exchanged);
	/* Out of memory: the descriptor, which the caller pins, remains. */
	if (from != NO_NODE)
		(void)name_add(table, from, new_parent->index, new_name);
	if (exchanged != NULL && to != NO_NODE)
		(void)name_add(table, to, parent->index, name);
	(void)pthread_mutex_unlock(&table->lock);
}
