/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "idshift/cleanup.h"

/* A second in all, the first of them short. */
#define TRIES 110
#define SHORT_TRIES 10
#define SHORT_NS 1000000L
#define LONG_NS 9000000L

struct turns {
	int fd;
};

int turns_open(const char *dir, struct turns **ret)
{
	_cleanup_free_ char *path = NULL;
	struct turns *turns;

	if (asprintf(&path, "%s/turns", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	turns = malloc(sizeof(*turns));
	if (turns == NULL)
		return -ENOMEM;
	turns->fd = open(path,
			 O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			 0600);
	if (turns->fd < 0) {
		int r = -errno;

		free(turns);
		return r;
	}
	*ret = turns;
	return 0;
}

struct turns *turns_close(struct turns *turns)
{
	if (turns == NULL)
		return NULL;
	close_fd(turns->fd);
	free(turns);
	return NULL;
}

uint64_t turns_key(uint64_t dev, uint64_t ino)
{
	uint64_t hash =
		(ino ^ dev << 32 ^ dev >> 32) * UINT64_C(0x9e3779b97f4a7c15);

	return hash ^ hash >> 32;
}

static int lock_byte(const struct turns *turns, short type, uint64_t key)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		/* The last one has no byte after it. */
		.l_start = (off_t)(key & (INT64_MAX >> 1)),
		.l_len = 1,
	};

	return fcntl(turns->fd, F_OFD_SETLK, &lock);
}

void turn_begin(struct turns *turns, uint64_t key)
{
	struct timespec pause = { .tv_nsec = SHORT_NS };

	if (turns == NULL)
		return;
	for (int i = 0; i < TRIES && lock_byte(turns, F_WRLCK, key) < 0; i++) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return;
		(void)nanosleep(&pause, NULL);
		if (i >= SHORT_TRIES)
			pause.tv_nsec = LONG_NS;
	}
}

void turn_end(struct turns *turns, uint64_t key)
{
	if (turns != NULL)
		(void)lock_byte(turns, F_UNLCK, key);
}
