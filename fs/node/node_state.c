/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What handlers keep with a node. */
#include "idshift/node_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "node_internal.h"

void node_set_privileged(const struct node_ref *ref, bool privileged)
{
	(void)pthread_mutex_lock(&ref->table->lock);
	node_at(ref->table, ref->index)->privileged = privileged;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

bool node_is_privileged(struct node_table *table, uint64_t id)
{
	bool privileged = false;
	uint32_t index;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE)
		privileged = node_at(table, index)->privileged;
	(void)pthread_mutex_unlock(&table->lock);
	return privileged;
}

void node_set_strangeness(const struct node_ref *ref,
			  enum node_strangeness strangeness)
{
	(void)pthread_mutex_lock(&ref->table->lock);
	node_at(ref->table, ref->index)->strangeness = (uint8_t)strangeness;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

enum node_strangeness node_strangeness(const struct node_ref *ref)
{
	enum node_strangeness strangeness;

	(void)pthread_mutex_lock(&ref->table->lock);
	strangeness = node_at(ref->table, ref->index)->strangeness;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return strangeness;
}

void node_set_found_again(const struct node_ref *ref, uint32_t at)
{
	(void)pthread_mutex_lock(&ref->table->lock);
	node_at(ref->table, ref->index)->found_again = at;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

uint32_t node_found_again(const struct node_ref *ref)
{
	uint32_t at;

	(void)pthread_mutex_lock(&ref->table->lock);
	at = node_at(ref->table, ref->index)->found_again;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return at;
}

void node_set_listed(const struct node_ref *ref, bool listed)
{
	(void)pthread_mutex_lock(&ref->table->lock);
	node_at(ref->table, ref->index)->listed = listed;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

bool node_is_listed(const struct node_ref *ref)
{
	bool listed;

	(void)pthread_mutex_lock(&ref->table->lock);
	listed = node_at(ref->table, ref->index)->listed;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return listed;
}

void node_was_locked(const struct node_ref *file)
{
	const struct node_name *name;

	(void)pthread_mutex_lock(&file->table->lock);
	name = node_at(file->table, file->index)->names;
	for (; name != NULL; name = name->node_next)
		node_at(file->table, name->parent)->has_locked = true;
	(void)pthread_mutex_unlock(&file->table->lock);
}

bool node_has_locked(const struct node_ref *dir)
{
	bool locked;

	(void)pthread_mutex_lock(&dir->table->lock);
	locked = node_at(dir->table, dir->index)->has_locked;
	(void)pthread_mutex_unlock(&dir->table->lock);
	return locked;
}

void node_path(const struct node_ref *ref, char *buf, size_t size)
{
	const struct node_table *table = ref->table;
	size_t at = size - 1; /* the path grows from its end */
	uint32_t index = ref->index;

	buf[at] = '\0';
	(void)pthread_mutex_lock(&ref->table->lock);
	while (index != ROOT_NODE) {
		const struct node_name *name = node_at(table, index)->names;
		const char *text = name != NULL ? name->text : "?";
		size_t len = strlen(text);

		if (len + 1 > at) {
			at -= at > 0;
			buf[at] = '?';
			break;
		}
		at -= len;
		memcpy(buf + at, text, len);
		buf[--at] = '/';
		if (name == NULL)
			break;
		index = name->parent;
	}
	(void)pthread_mutex_unlock(&ref->table->lock);
	if (buf[at] == '\0')
		buf[--at] = '/';
	memmove(buf, buf + at, size - at);
}

bool node_was_replaced(const struct node_ref *ref)
{
	struct node *node;
	bool named;

	(void)pthread_mutex_lock(&ref->table->lock);
	node = node_at(ref->table, ref->index);
	named = node->replaced ||
		(node->names != NULL && ref->index != ROOT_NODE);
	/* Once: who comes again comes by what is open. */
	node->replaced = false;
	while (node->names != NULL)
		name_remove(ref->table, node->names);
	(void)pthread_mutex_unlock(&ref->table->lock);
	return named;
}

bool node_pages_are_as_of(const struct node_ref *ref, uint64_t ctime)
{
	bool same;

	(void)pthread_mutex_lock(&ref->table->lock);
	same = node_at(ref->table, ref->index)->pages_ctime == ctime;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return same;
}

void node_set_pages_as_of(const struct node_ref *ref, uint64_t ctime)
{
	(void)pthread_mutex_lock(&ref->table->lock);
	node_at(ref->table, ref->index)->pages_ctime = ctime;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

void node_tell(const struct node_ref *ref, const struct statx *stx)
{
	struct node_content told = { 0 };
	struct node *node;

	if (stx != NULL)
		told = (struct node_content){
			.size = stx->stx_size,
			.mtime = backing_nanoseconds(&stx->stx_mtime),
			.ctime = backing_nanoseconds(&stx->stx_ctime),
		};
	(void)pthread_mutex_lock(&ref->table->lock);
	node = node_at(ref->table, ref->index);
	if (stx != NULL && node->is_told &&
	    (told.size != node->told.size || told.mtime != node->told.mtime))
		node->pages_unsure = false; /* the kernel drops them */
	else if (stx == NULL ||
		 (node->is_told && told.ctime != node->told.ctime))
		node->pages_unsure = true;
	node->told = told;
	node->is_told = stx != NULL;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

bool node_pages_are_unsure(const struct node_ref *ref)
{
	bool unsure;

	(void)pthread_mutex_lock(&ref->table->lock);
	unsure = node_at(ref->table, ref->index)->pages_unsure;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return unsure;
}

void node_pages_dropped(const struct node_ref *ref)
{
	struct node *node;

	(void)pthread_mutex_lock(&ref->table->lock);
	node = node_at(ref->table, ref->index);
	node->pages_unsure = false;
	node->is_told = false;
	(void)pthread_mutex_unlock(&ref->table->lock);
}

bool node_is_told(const struct node_ref *ref, const struct statx *stx)
{
	const struct node *node;
	bool same;

	(void)pthread_mutex_lock(&ref->table->lock);
	node = node_at(ref->table, ref->index);
	same = node->is_told && node->told.size == stx->stx_size &&
	       node->told.mtime == backing_nanoseconds(&stx->stx_mtime) &&
	       node->told.ctime == backing_nanoseconds(&stx->stx_ctime);
	(void)pthread_mutex_unlock(&ref->table->lock);
	return same;
}

bool node_is_told_size(struct node_table *table, uint64_t id, uint64_t size)
{
	bool same = false;
	uint32_t index;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE)
		same = node_at(table, index)->is_told &&
		       node_at(table, index)->told.size == size;
	(void)pthread_mutex_unlock(&table->lock);
	return same;
}

/* Whether it ages depends on its handles. */
static void idle_again(struct node_table *table, uint32_t index)
{
	idle_remove(table, index);
	idle_add(table, index);
}

bool node_opened(struct node_table *table, uint64_t id, bool writes)
{
	struct node *node;
	bool first = false;
	uint32_t index;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE) {
		node = node_at(table, index);
		first = !node->was_opened;
		node->was_opened = true;
		node->handles++;
		node->writers += writes;
		idle_again(table, index);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return first;
}

void node_closed(struct node_table *table, uint64_t id, bool writes)
{
	struct node *node;
	uint32_t index;

	(void)pthread_mutex_lock(&table->lock);
	index = node_index(table, id);
	if (index != NO_NODE && node_at(table, index)->handles > 0) {
		node = node_at(table, index);
		node->handles--;
		if (writes && node->writers > 0)
			node->writers--;
		idle_again(table, index);
	}
	(void)pthread_mutex_unlock(&table->lock);
}

static bool is_written(const struct node_table *table, uint32_t index)
{
	return table->blocks[index / NODE_BLOCK] != NULL &&
	       node_at(table, index)->live &&
	       node_at(table, index)->writers > 0;
}

int node_writers(struct node_table *table, uint64_t **ret, size_t *ret_count)
{
	uint64_t *ids = NULL;
	size_t count = 0;

	(void)pthread_mutex_lock(&table->lock);
	for (uint32_t i = 0; i < table->block_count * NODE_BLOCK; i++)
		count += is_written(table, i);
	ids = malloc((count > 0 ? count : 1) * sizeof(*ids));
	count = 0;
	for (uint32_t i = 0; ids != NULL && i < table->block_count * NODE_BLOCK;
	     i++) {
		if (is_written(table, i))
			ids[count++] = node_id(table, i);
	}
	(void)pthread_mutex_unlock(&table->lock);
	*ret = ids;
	*ret_count = count;
	return ids != NULL ? 0 : -ENOMEM;
}

bool node_has_writer(const struct node_ref *ref)
{
	bool has;

	(void)pthread_mutex_lock(&ref->table->lock);
	has = node_at(ref->table, ref->index)->writers > 0;
	(void)pthread_mutex_unlock(&ref->table->lock);
	return has;
}
