/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "judge.h"
#include "listing_habit.h"

static int do_opendir(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		      struct fuse_file_info *fi)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	_cleanup_fd_ int fd = -1;
	struct statx stx = { 0 };
	struct dir_stream *dir;
	struct caller caller;
	int r;

	r = caller_of(fs, req, &caller);
	if (r == 0)
		r = node_acquire_stat(fs->nodes, ino, &node, &stx);
	if (r == 0)
		r = judge_access(fs, &caller, &node, ACCESS_READ, "list");
	if (r == 0 && (fi->flags & O_NOATIME) != 0)
		r = judge_owner(fs, &caller, &node, "list with O_NOATIME");
	if (r < 0)
		return r;
	fd = open_node(fs, &caller, &node, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return judge_disk(fs, fd, "list", &node, NULL);
	r = dir_stream_new(fd, &dir);
	if (r < 0)
		return r;
	(void)take_fd(&fd);
	r = handle_add_dir(fs->handles, dir, &fi->fh);
	if (r < 0) {
		(void)dir_stream_free(dir);
		return r;
	}
	/* The kernel keeps the listing, and drops it when mtime moves. */
	fi->cache_readdir = fs->config.keep_cache;
	fi->keep_cache = pages_are_current(fs, &node, &stx, -1, 0);
	return 0;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int r = do_opendir(fs, req, ino, fi);

	if (r < 0)
		reply_result(req, r);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		handle_remove(fs->handles, fi->fh);
}

/* More of one reply is read again when it's needed. */
#define NOTES_MAX 256

/* A reply under construction. */
struct listing {
	fuse_req_t req;
	struct filesystem *fs;
	struct records_moment began;
	const struct node_ref *dir;
	struct caller caller;
	bool plus;	 /* the form of the entries, */
	bool attributes; /* which may be without */
	char *buffer;
	size_t size;
	size_t used;
	/*
	 * No name in the directory changes hands while its entries are looked
	 * at, or all of that is done again: is_watched().
	 */
	enum { WATCH_UNDECIDED, WATCHED, UNWATCHED } watch;
	struct statx before;
	/* What was read meanwhile, to be kept when that was so. */
	struct records_cache_entry *notes; /* NOTES_MAX, owned */
	size_t noted;
};

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static size_t add_plain(struct listing *list, const struct dir_item *item)
{
	struct stat attr = { .st_ino = shown_ino(list->fs, list->dir->dev,
						 item->ino),
			     .st_mode = item->type };

	return fuse_add_direntry(list->req, list->buffer + list->used,
				 list->size - list->used, item->name, &attr,
				 (off_t)item->next);
}

/*
 * To look at each name twice would tell, too, and costs a call more for each;
 * but the directory itself must not have changed just now.
 */
static bool is_watched(struct listing *list)
{
	if (list->watch == WATCH_UNDECIDED)
		list->watch =
			backing_stat(list->dir->fd, &list->before) == 0 &&
					backing_is_settled(&list->before) ?
				WATCHED :
				UNWATCHED;
	return list->watch == WATCHED;
}

static bool has_changed_hands(const struct listing *list)
{
	struct statx now;

	return list->watch == WATCHED &&
	       (backing_stat(list->dir->fd, &now) < 0 ||
		!backing_is_unchanged(&list->before, &now));
}

/* The kernel hears nothing of what was listed. */
static void drop_listed(struct listing *list)
{
	for (size_t at = 0; at < list->used;) {
		const struct fuse_direntplus *entry =
			(const void *)(list->buffer + at);

		if (entry->entry_out.nodeid != 0)
			node_forget(list->fs->nodes, entry->entry_out.nodeid,
				    1);
		at += FUSE_DIRENTPLUS_SIZE(entry);
	}
	list->used = 0;
	list->noted = 0;
	list->watch = UNWATCHED;
}

static void take_note(struct listing *list,
		      const struct records_cache_entry *note)
{
	if (list->notes == NULL)
		list->notes = malloc(NOTES_MAX * sizeof(*note));
	if (list->notes != NULL && list->noted < NOTES_MAX)
		list->notes[list->noted++] = *note;
}

static void keep_notes(struct listing *list)
{
	for (size_t i = 0; i < list->noted; i++)
		(void)records_cache_put(list->fs->records.cache, &list->began,
					&list->notes[i]);
}

/*
 * An entry with its attributes is a lookup, counted unless it does not fit.
 * One that can't be looked up is listed all the same: the caller's own lookup
 * will tell why.
 */
static size_t add_plus(struct listing *list, const struct dir_item *item)
{
	const struct fuse_entry_param plain = {
		.attr = { .st_ino = shown_ino(list->fs, list->dir->dev,
					      item->ino),
			  .st_mode = item->type },
	};
	struct fuse_entry_param entry = plain;
	struct records_cache_entry note = { .used = false };
	size_t room = list->size - list->used, need;

	/*
	 * "." and ".." are not looked up: node id 0.
	 */
	if (list->attributes && !is_dot(item->name)) {
		if (enter_child(list->fs, &list->caller, list->dir, item->name,
				is_watched(list) ? &note : NULL, &entry) < 0)
			entry = plain;
	}
	if (note.used)
		take_note(list, &note);
	need = fuse_add_direntry_plus(list->req, list->buffer + list->used,
				      room, item->name, &entry,
				      (off_t)item->next);
	if (need > room && entry.ino != 0)
		node_forget(list->fs->nodes, entry.ino, 1);
	return need;
}

static int fill_once(struct listing *list, struct dir_stream *dir,
		     uint64_t position)
{
	struct dir_item item;
	int r = dir_stream_seek(dir, position);

	if (r < 0)
		return r;
	while ((r = dir_stream_next(dir, &item)) > 0) {
		size_t need = list->plus ? add_plus(list, &item) :
					   add_plain(list, &item);

		if (need > list->size - list->used) {
			dir_stream_unread(dir);
			return 0;
		}
		list->used += need;
	}
	/* What is already listed goes out; the error comes next time. */
	return list->used > 0 ? 0 : r;
}

static int fill_listing(struct listing *list, struct dir_stream *dir,
			uint64_t position)
{
	int r = fill_once(list, dir, position);

	if (!has_changed_hands(list)) {
		keep_notes(list);
		return r;
	}
	drop_listed(list);
	return fill_once(list, dir, position);
}

/* Who is judged gets none: to list is one thing, to look up another. */
static bool wants_attributes(const struct listing *list, off_t position)
{
	if (is_judged(list->fs) || is_strange(list->fs, list->dir))
		return false;
	if (position != 0)
		listing_habit_goes_on(list->fs->habit, list->dir, list->plus);
	else if (list->plus)
		return listing_habit_begin(list->fs->habit, list->dir);
	return list->plus;
}

static void readdir_common(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, const struct fuse_file_info *fi,
			   bool plus)
{
	struct filesystem *fs = filesystem_of(req);
	struct dir_stream *dir = handle_dir(fs->handles, fi->fh);
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	_cleanup_free_ char *buffer = malloc(size > 0 ? size : 1);
	struct listing list = {
		.req = req,
		.fs = fs,
		.began = records_moment(fs->records.cache),
		.dir = &node,
		.plus = plus,
		.buffer = buffer,
		.size = size,
	};
	int r = 0;

	if (dir == NULL)
		r = -EBADF;
	else if (buffer == NULL)
		r = -ENOMEM;
	else
		r = node_acquire(fs->nodes, ino, &node);
	if (r == 0)
		r = caller_of(fs, req, &list.caller);
	if (r == 0)
		list.attributes = wants_attributes(&list, off);
	if (r == 0) {
		dir_stream_lock(dir);
		r = fill_listing(&list, dir, (uint64_t)off);
		dir_stream_unlock(dir);
	}
	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_buf(req, buffer, list.used);
	free(list.notes);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	readdir_common(req, ino, size, off, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	readdir_common(req, ino, size, off, fi, true);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_remove(filesystem_of(req)->handles, fi->fh);
	reply_result(req, 0);
}
