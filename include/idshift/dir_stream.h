/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory being read.  Positions are those of getdents64(2) (d_off), so
 * that they stay valid as long as the file system's own would, whatever is
 * created or removed meanwhile.
 *
 * The stream's mutex is held by the caller from dir_stream_seek() to the last
 * dir_stream_next() of a batch.
 */
#ifndef IDSHIFT_DIR_STREAM_H
#define IDSHIFT_DIR_STREAM_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

struct dir_stream;

struct dir_item {
	const char *name; /* valid until the next call on the stream */
	uint64_t ino;
	uint64_t next; /* position after this entry */
	mode_t type;   /* S_IFMT bits, 0 when not known */
};

/* Takes ownership of fd (readable directory) on success. */
int dir_stream_new(int fd, struct dir_stream **ret);
/* NULL is fine; returns NULL. */
struct dir_stream *dir_stream_free(struct dir_stream *dir);

int dir_stream_fd(const struct dir_stream *dir);
void dir_stream_lock(struct dir_stream *dir);
void dir_stream_unlock(struct dir_stream *dir);

/* Go to a position: 0, or the `next` of an entry seen before. */
int dir_stream_seek(struct dir_stream *dir, uint64_t position);
/*
 * 1 and the entry, 0 at the end, or -errno.  A reader that came to the end
 * after entries is told so once more, without asking again: the kernel reads on
 * until an answer has none.
 */
int dir_stream_next(struct dir_stream *dir, struct dir_item *ret);
/* The entry just got was not consumed: the next call gives it again. */
void dir_stream_unread(struct dir_stream *dir);

#endif
