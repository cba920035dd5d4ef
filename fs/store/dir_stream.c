/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/dir_stream.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "idshift/cleanup.h"

#define BUFFER_SIZE ((size_t)32768)

/* getdents64(2) */
struct raw_dirent {
	uint64_t ino;
	int64_t next;
	uint16_t length;
	uint8_t type;
	char name[];
};

struct dir_stream {
	pthread_mutex_t lock;
	int fd;
	uint64_t position; /* of the next entry to give */
	uint64_t before;   /* of the one given last */
	size_t at;	   /* in the buffer */
	size_t at_before;
	size_t filled;
	bool given; /* entries, since the last seek */
	bool ended; /* seen together with entries, to be said next time */
	_Alignas(struct raw_dirent) char buffer[BUFFER_SIZE];
};

int dir_stream_new(int fd, struct dir_stream **ret)
{
	struct dir_stream *dir = malloc(sizeof(*dir));

	if (dir == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&dir->lock, NULL);
	dir->fd = fd;
	dir->position = dir->before = 0;
	dir->at = dir->at_before = dir->filled = 0;
	dir->given = dir->ended = false;
	*ret = dir;
	return 0;
}

struct dir_stream *dir_stream_free(struct dir_stream *dir)
{
	if (dir == NULL)
		return NULL;
	close_fd(dir->fd);
	(void)pthread_mutex_destroy(&dir->lock);
	free(dir);
	return NULL;
}

int dir_stream_fd(const struct dir_stream *dir)
{
	return dir->fd;
}

void dir_stream_lock(struct dir_stream *dir)
{
	(void)pthread_mutex_lock(&dir->lock);
}

void dir_stream_unlock(struct dir_stream *dir)
{
	(void)pthread_mutex_unlock(&dir->lock);
}

int dir_stream_seek(struct dir_stream *dir, uint64_t position)
{
	dir->given = false;
	/* Rewinding reads afresh, as rewinddir(3) promises. */
	if (position == dir->position && (position != 0 || dir->filled == 0))
		return 0;
	if (lseek(dir->fd, (off_t)position, SEEK_SET) < 0)
		return -errno;
	dir->position = position;
	dir->at = dir->filled = 0;
	dir->ended = false;
	return 0;
}

static int fill(struct dir_stream *dir)
{
	long got = syscall(SYS_getdents64, dir->fd, dir->buffer, BUFFER_SIZE);

	if (got < 0)
		return -errno;
	dir->at = 0;
	dir->filled = (size_t)got;
	return got > 0;
}

int dir_stream_next(struct dir_stream *dir, struct dir_item *ret)
{
	const struct raw_dirent *entry;

	if (dir->at >= dir->filled) {
		int r = dir->ended ? 0 : fill(dir);

		dir->ended = r == 0 && dir->given;
		if (r <= 0)
			return r;
	}
	dir->given = true;
	entry = (const struct raw_dirent *)(dir->buffer + dir->at);
	dir->before = dir->position;
	dir->at_before = dir->at;
	dir->at += entry->length;
	dir->position = (uint64_t)entry->next;
	*ret = (struct dir_item){
		.name = entry->name,
		.ino = entry->ino,
		.next = (uint64_t)entry->next,
		.type = DTTOIF((mode_t)entry->type),
	};
	return 1;
}

void dir_stream_unread(struct dir_stream *dir)
{
	dir->position = dir->before;
	dir->at = dir->at_before;
}
