/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/handle_table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "idshift/cleanup.h"

#define INITIAL_HANDLES 64u
#define NO_HANDLE UINT32_MAX

struct handle {
	uint32_t generation;
	uint32_t next_free;
	bool open;
	uint64_t node; /* of a file */
	int fd;
	struct dir_stream *dir;
};

struct handle_table {
	pthread_mutex_t lock;
	struct handle *handles;
	uint32_t capacity;
	uint32_t free_head;
	uint32_t first_generation;
};

int handle_table_new(struct handle_table **ret)
{
	struct handle_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&table->lock, NULL);
	table->free_head = NO_HANDLE;
	*ret = table;
	return 0;
}

void handle_table_first_generation(struct handle_table *table,
				   uint32_t generation)
{
	table->first_generation = generation;
}

static void dispose(struct handle *handle)
{
	if (handle->dir != NULL)
		(void)dir_stream_free(handle->dir);
	else
		close_fd(handle->fd);
}

struct handle_table *handle_table_free(struct handle_table *table)
{
	if (table == NULL)
		return NULL;
	for (uint32_t i = 0; i < table->capacity; i++) {
		if (table->handles[i].open)
			dispose(&table->handles[i]);
	}
	(void)pthread_mutex_destroy(&table->lock);
	free(table->handles);
	free(table);
	return NULL;
}

static int grow(struct handle_table *table)
{
	uint32_t capacity =
		table->capacity > 0 ? table->capacity * 2 : INITIAL_HANDLES;
	struct handle *handles;

	if (table->capacity > UINT32_MAX / 4)
		return -ENFILE;
	handles = realloc(table->handles, capacity * sizeof(*handles));
	if (handles == NULL)
		return -ENOMEM;
	for (uint32_t i = capacity; i-- > table->capacity;) {
		handles[i] = (struct handle){
			.generation = table->first_generation,
			.next_free = table->free_head,
		};
		table->free_head = i;
	}
	table->handles = handles;
	table->capacity = capacity;
	return 0;
}

static int add(struct handle_table *table, uint64_t node, int fd,
	       struct dir_stream *dir, uint64_t *ret)
{
	struct handle *handle;
	int r = 0;

	(void)pthread_mutex_lock(&table->lock);
	if (table->free_head == NO_HANDLE)
		r = grow(table);
	if (r == 0) {
		uint32_t index = table->free_head;

		handle = &table->handles[index];
		table->free_head = handle->next_free;
		handle->open = true;
		handle->node = node;
		handle->fd = fd;
		handle->dir = dir;
		*ret = (uint64_t)handle->generation << 32 | index;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return r;
}

int handle_add_file(struct handle_table *table, uint64_t node, int fd,
		    uint64_t *ret)
{
	return add(table, node, fd, NULL, ret);
}

int handle_add_dir(struct handle_table *table, struct dir_stream *dir,
		   uint64_t *ret)
{
	return add(table, 0, dir_stream_fd(dir), dir, ret);
}

/* With the lock held; NULL when the handle is not open. */
static struct handle *find(struct handle_table *table, uint64_t id)
{
	uint32_t index = (uint32_t)id;

	if (index >= table->capacity || !table->handles[index].open ||
	    table->handles[index].generation != (uint32_t)(id >> 32))
		return NULL;
	return &table->handles[index];
}

int handle_fd(struct handle_table *table, uint64_t handle)
{
	const struct handle *found;
	int fd = -EBADF;

	(void)pthread_mutex_lock(&table->lock);
	found = find(table, handle);
	if (found != NULL)
		fd = found->fd;
	(void)pthread_mutex_unlock(&table->lock);
	return fd;
}

int handle_dup_of(struct handle_table *table, uint64_t node)
{
	int fd = -EBADF;

	(void)pthread_mutex_lock(&table->lock);
	for (uint32_t i = 0; fd == -EBADF && i < table->capacity; i++) {
		const struct handle *handle = &table->handles[i];

		/* Under the lock, or it might be closed; it takes no time. */
		if (handle->open && handle->dir == NULL && handle->node == node)
			fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return fd == -1 ? -errno : fd;
}

struct dir_stream *handle_dir(struct handle_table *table, uint64_t handle)
{
	const struct handle *found;
	struct dir_stream *dir = NULL;

	(void)pthread_mutex_lock(&table->lock);
	found = find(table, handle);
	if (found != NULL)
		dir = found->dir;
	(void)pthread_mutex_unlock(&table->lock);
	return dir;
}

void handle_remove(struct handle_table *table, uint64_t handle)
{
	struct handle gone = { .open = false };
	struct handle *found;

	(void)pthread_mutex_lock(&table->lock);
	found = find(table, handle);
	if (found != NULL) {
		gone = *found;
		found->open = false;
		found->generation++;
		found->next_free = table->free_head;
		table->free_head = (uint32_t)handle;
	}
	(void)pthread_mutex_unlock(&table->lock);
	if (gone.open)
		dispose(&gone);
}
