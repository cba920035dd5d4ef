/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/dir_stream.h"

#include "message.h"
#include "target.h"

/* Directories above the present one whose descriptors stay open. */
#define LEVELS_OPEN 32

/* A directory being worked on: the subdirectories still to do. */
struct level {
	int fd; /* path fd; -1: closed, to be found again by ".." */
	uint64_t dev;
	uint64_t ino;
	char **names;
	size_t count;
	size_t capacity;
	size_t path_len;
};

struct state {
	const struct walk *walk;
	struct level *levels;
	size_t depth;
	size_t capacity;
	char *path; /* of the present object */
	size_t path_len;
	size_t path_room;
	bool failed;
};

static void say(struct state *state, int r)
{
	state->failed = true;
	if (r < 0)
		complain_path(state->walk->command, state->path, strerror(-r));
}

static int path_append(struct state *state, const char *name)
{
	size_t len = strlen(name);
	bool slash =
		state->path_len > 0 && state->path[state->path_len - 1] != '/';
	size_t need = state->path_len + len + 2;

	if (need > state->path_room) {
		char *grown = realloc(state->path, 2 * need);

		if (grown == NULL)
			return -ENOMEM;
		state->path = grown;
		state->path_room = 2 * need;
	}
	if (slash)
		state->path[state->path_len++] = '/';
	memcpy(state->path + state->path_len, name, len + 1);
	state->path_len += len;
	return 0;
}

static void path_cut(struct state *state, size_t len)
{
	state->path[len] = '\0';
	state->path_len = len;
}

static void level_done(struct level *level)
{
	for (size_t i = 0; i < level->count; i++)
		free(level->names[i]);
	free(level->names);
	close_fd(level->fd);
}

static int level_remember(struct level *level, const char *name)
{
	if (level->count == level->capacity) {
		size_t room = level->capacity == 0 ? 16 : 2 * level->capacity;
		char **grown = realloc(level->names, room * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		level->names = grown;
		level->capacity = room;
	}
	level->names[level->count] = strdup(name);
	if (level->names[level->count] == NULL)
		return -ENOMEM;
	level->count++;
	return 0;
}

static void visit(struct state *state, int fd, const struct statx *stx)
{
	int r = state->walk->visit(state->walk->context, fd, stx, state->path);

	if (r != 0)
		say(state, r);
}

/* A mount of ours, as operand or met below it, is not to be walked into. */
static bool is_mount(struct state *state, int fd, const struct statx *stx)
{
	char reason[TARGET_REASON_MAX];

	if (state->depth > 0 &&
	    backing_dev(stx) == state->levels[state->depth - 1].dev)
		return false;
	if (!target_is_in_mount(fd, reason))
		return false;
	state->failed = true;
	complain_path(state->walk->command, state->path, reason);
	return true;
}

/* One entry of the directory: done at once unless it is a directory. */
static int visit_entry(struct state *state, struct level *level,
		       const char *name)
{
	_cleanup_fd_ int fd = backing_open_child(level->fd, name);
	struct statx stx;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* removed meanwhile */
	r = backing_stat(fd, &stx);
	if (r < 0)
		return r;
	if (S_ISDIR(stx.stx_mode))
		return level_remember(level, name);
	visit(state, fd, &stx);
	return 0;
}

static int visit_entries(struct state *state, struct level *level)
{
	int fd = backing_reopen(level->fd, O_RDONLY | O_DIRECTORY);
	struct dir_stream *stream;
	struct dir_item item;
	int r;

	if (fd < 0)
		return fd;
	r = dir_stream_new(fd, &stream);
	if (r < 0) {
		close_fd(fd);
		return r;
	}
	dir_stream_lock(stream);
	while ((r = dir_stream_next(stream, &item)) > 0) {
		int entry;

		if (strcmp(item.name, ".") == 0 || strcmp(item.name, "..") == 0)
			continue;
		entry = path_append(state, item.name);
		if (entry == 0)
			entry = visit_entry(state, level, item.name);
		if (entry < 0)
			say(state, entry);
		path_cut(state, level->path_len);
	}
	dir_stream_unlock(stream);
	(void)dir_stream_free(stream);
	return r;
}

static struct level *level_push(struct state *state)
{
	if (state->depth == state->capacity) {
		size_t room = state->capacity == 0 ? 16 : 2 * state->capacity;
		struct level *grown =
			realloc(state->levels, room * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		state->levels = grown;
		state->capacity = room;
	}
	/* The one that is farthest off gives its descriptor up. */
	if (state->depth >= LEVELS_OPEN)
		close_fd(
			take_fd(&state->levels[state->depth - LEVELS_OPEN].fd));
	state->levels[state->depth] = (struct level){ .fd = -1 };
	return &state->levels[state->depth++];
}

/* A directory whose path fd is `fd` (ownership taken): itself, its files. */
static int enter(struct state *state, int fd, const struct statx *stx)
{
	_cleanup_fd_ int owned = fd;
	struct level *level;

	if (is_mount(state, fd, stx))
		return 0;
	visit(state, fd, stx);
	level = level_push(state);
	if (level == NULL)
		return -ENOMEM;
	level->fd = take_fd(&owned);
	level->dev = backing_dev(stx);
	level->ino = stx->stx_ino;
	level->path_len = state->path_len;
	return visit_entries(state, level);
}

/*
 * The parent's descriptor was closed.  A directory that was moved meanwhile
 * has another parent, which is not to be walked.
 */
static int reopen_parent(const struct level *child, struct level *parent)
{
	struct statx stx;
	int r;

	parent->fd = openat(child->fd, "..",
			    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (parent->fd < 0)
		return -errno;
	r = backing_stat(parent->fd, &stx);
	if (r == 0 &&
	    (backing_dev(&stx) != parent->dev || stx.stx_ino != parent->ino))
		r = -ESTALE;
	return r;
}

static void level_pop(struct state *state)
{
	level_done(&state->levels[--state->depth]);
}

/* Back up.  If that fails, what is left can't be reached any more. */
static void leave(struct state *state)
{
	struct level *child = &state->levels[state->depth - 1];
	int r = 0;

	path_cut(state, child->path_len);
	if (state->depth > 1 && child[-1].fd < 0)
		r = reopen_parent(child, child - 1);
	level_pop(state);
	if (r < 0)
		say(state, r);
	while (r < 0 && state->depth > 0)
		level_pop(state);
}

static int descend(struct state *state, struct level *level)
{
	_cleanup_free_ char *name = level->names[--level->count];
	_cleanup_fd_ int fd = -1;
	struct statx stx;
	int r;

	path_cut(state, level->path_len);
	r = path_append(state, name);
	if (r < 0)
		return r;
	fd = backing_open_child(level->fd, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = backing_stat(fd, &stx);
	if (r == 0 && S_ISDIR(stx.stx_mode))
		return enter(state, take_fd(&fd), &stx);
	if (r == 0)
		visit(state, fd, &stx); /* has been replaced */
	return r;
}

static void walk_tree(struct state *state)
{
	while (state->depth > 0) {
		struct level *level = &state->levels[state->depth - 1];
		int r;

		if (level->count == 0) {
			leave(state);
			continue;
		}
		r = descend(state, level);
		if (r < 0)
			say(state, r);
	}
}

static void walk_operand(struct state *state, const char *path)
{
	_cleanup_fd_ int fd = -1;
	struct statx stx;
	int r = path_append(state, path);

	if (r < 0) {
		complain_path(state->walk->command, path, strerror(-r));
		state->failed = true;
		return;
	}
	fd = target_open_path(path, state->walk->follow, &stx);
	if (fd < 0) {
		say(state, fd);
	} else if (state->walk->recursive && S_ISDIR(stx.stx_mode)) {
		r = enter(state, take_fd(&fd), &stx);
		if (r < 0)
			say(state, r);
		walk_tree(state);
	} else if (!is_mount(state, fd, &stx)) {
		visit(state, fd, &stx);
	}
}

bool walk_path(const struct walk *walk, const char *path)
{
	struct state state = { .walk = walk };

	walk_operand(&state, path);
	free(state.levels);
	free(state.path);
	return !state.failed;
}
