/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes without a descriptor: by their names from above, or by who has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "node_internal.h"

/* One step of a way down to a node without a descriptor. */
struct step {
	uint32_t node;
	uint32_t parent; /* pinned; NO_NODE once the step is done */
	char *name;
};

struct way {
	struct step *steps; /* the node itself first */
	size_t count;
	size_t room;
};

static int way_push(struct way *way, uint32_t node,
		    const struct node_name *name)
{
	if (way->count == way->room) {
		size_t room = way->room > 0 ? way->room * 2 : 8;
		struct step *steps = realloc(way->steps, room * sizeof(*steps));

		if (steps == NULL)
			return -ENOMEM;
		way->steps = steps;
		way->room = room;
	}
	way->steps[way->count] = (struct step){
		.node = node,
		.parent = name->parent,
		.name = strdup(name->text),
	};
	if (way->steps[way->count].name == NULL)
		return -ENOMEM;
	way->count++;
	return 0;
}

/*
 * The way from the nearest ancestor with a descriptor; every node on it is
 * pinned, so that its ancestors can't die and what is opened stays open.
 */
static int way_up(struct node_table *table, uint32_t index, struct way *way)
{
	int r = 0;

	(void)pthread_mutex_lock(&table->lock);
	while (r == 0 && node_at(table, index)->fd < 0) {
		const struct node_name *name = node_at(table, index)->names;

		r = name == NULL ? -ESTALE : way_push(way, index, name);
		if (r == 0) {
			index = name->parent;
			node_pin(table, index);
		}
	}
	(void)pthread_mutex_unlock(&table->lock);
	return r;
}

static void way_done(struct node_table *table, struct way *way)
{
	(void)pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < way->count; i++) {
		if (way->steps[i].parent != NO_NODE)
			node_unpin(table, way->steps[i].parent);
		free(way->steps[i].name);
	}
	(void)pthread_mutex_unlock(&table->lock);
	free(way->steps);
	*way = (struct way){ 0 };
}

/* The name did not lead there: forget it, unless it was changed meanwhile. */
static void forget_name(struct node_table *table, const struct step *step)
{
	struct node_name *name;

	(void)pthread_mutex_lock(&table->lock);
	name = name_find(table, step->parent, step->name);
	if (name != NULL && name->node == step->node) {
		name_remove(table, name);
		node_at(table, step->node)->replaced = true;
	}
	(void)pthread_mutex_unlock(&table->lock);
}

static void give_descriptor(struct node_table *table, uint32_t index, int *fd)
{
	(void)pthread_mutex_lock(&table->lock);
	if (node_at(table, index)->fd < 0) {
		node_at(table, index)->fd = take_fd(fd);
		table->fds++;
	}
	(void)pthread_mutex_unlock(&table->lock);
}

/* Open the step's node; its parent has a descriptor and is pinned. */
static int step_down(struct node_table *table, const struct step *step,
		     struct statx *ret_stx)
{
	struct node_identity found;
	struct statx stx = { 0 };
	_cleanup_fd_ int fd = -1;
	bool same = false;
	int parent_fd, r;

	(void)pthread_mutex_lock(&table->lock);
	parent_fd = node_at(table, step->parent)->fd;
	(void)pthread_mutex_unlock(&table->lock);

	fd = backing_open_child(parent_fd, step->name);
	if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
		return fd;
	if (fd >= 0) {
		r = backing_stat(fd, &stx);
		if (r < 0)
			return r;
		found = identity_of(&stx);
		(void)pthread_mutex_lock(&table->lock);
		same = identity_adopt(table, step->node, &found);
		(void)pthread_mutex_unlock(&table->lock);
	}
	if (!same) {
		forget_name(table, step);
		return -EAGAIN;
	}

	give_descriptor(table, step->node, &fd);
	*ret_stx = stx;
	return 0;
}

/* The step's parent has served: a long way must not need many descriptors. */
static void step_done(struct node_table *table, struct step *step)
{
	(void)pthread_mutex_lock(&table->lock);
	node_unpin(table, step->parent);
	step->parent = NO_NODE;
	(void)pthread_mutex_unlock(&table->lock);
	node_table_settle(table);
}

static int reopen_by_names(struct node_table *table, uint32_t index,
			   struct statx *ret_stx)
{
	struct statx stx;
	int r;

	do {
		struct way way = { 0 };

		r = way_up(table, index, &way);
		for (size_t i = way.count; r == 0 && i-- > 0;) {
			r = step_down(table, &way.steps[i], &stx);
			if (r == 0 && i == 0)
				*ret_stx = stx;
			if (r == 0)
				step_done(table, &way.steps[i]);
		}
		way_done(table, &way);
		/* Each round is paid with a name, so this ends. */
	} while (r == -EAGAIN);
	return r;
}

/* No name leads to it, but somebody has it open. */
static int reopen_by_handle(struct node_table *table, uint32_t index,
			    struct statx *ret_stx)
{
	struct node_identity expected, found;
	_cleanup_fd_ int fd = -1;
	struct statx stx;
	uint64_t id = 0;
	int r;

	(void)pthread_mutex_lock(&table->lock);
	if (node_at(table, index)->handles > 0)
		id = node_id(table, index);
	expected = node_at(table, index)->identity;
	(void)pthread_mutex_unlock(&table->lock);
	if (id == 0 || table->hooks.reopen == NULL)
		return -ESTALE;
	fd = table->hooks.reopen(table->hooks.context, id);
	r = fd < 0 ? fd : backing_stat(fd, &stx);
	if (r < 0)
		return r == -EBADF ? -ESTALE : r;
	found = identity_of(&stx);
	if (!identity_equal(&expected, &found))
		return -ESTALE;
	give_descriptor(table, index, &fd);
	*ret_stx = stx;
	return 0;
}

int node_reopen(struct node_table *table, uint32_t index, struct statx *ret_stx)
{
	int r = reopen_by_names(table, index, ret_stx);

	/* Whatever has become of the way there: who has it open goes on. */
	if (r < 0 && r != -EMFILE && r != -ENFILE && r != -ENOMEM &&
	    reopen_by_handle(table, index, ret_stx) == 0)
		r = 0;
	return r;
}
