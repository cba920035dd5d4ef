/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "idshift/cleanup.h"

/* A second in all, the first of them short. */
#define TRIES 110
#define SHORT_TRIES 10
#define SHORT_NS 1000000L
#define LONG_NS 9000000L

/* Keys are below. */
#define PRESENCE ((off_t)(INT64_MAX - 1))

/*
 * The file begins with how many have it open, so that who is alone need not
 * lock, and how many changes are under way without one, for who comes then.
 * One that was killed is counted until somebody finds that nobody has it open:
 * whoever does has a lock for reading on PRESENCE.
 */
struct shared {
	atomic_uint users;
	atomic_uint unlocked;
};

struct turns {
	int fd;
	struct shared *shared;
	bool counted;
};

static int lock_byte(const struct turns *turns, short type, off_t byte)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return fcntl(turns->fd, F_OFD_SETLK, &lock);
}

static bool is_held_by_other(int error)
{
	return error == EAGAIN || error == EACCES || error == EINTR;
}

static void pause_before_try(int i)
{
	const struct timespec pause = {
		.tv_nsec = i < SHORT_TRIES ? SHORT_NS : LONG_NS,
	};

	(void)nanosleep(&pause, NULL);
}

/* 0: had, after some patience. */
static int lock_patiently(const struct turns *turns, short type, off_t byte)
{
	for (int i = 0; i < TRIES; i++) {
		if (lock_byte(turns, type, byte) == 0)
			return 0;
		if (!is_held_by_other(errno))
			return -errno;
		pause_before_try(i);
	}
	return -EAGAIN;
}

/* The lock for writing shuts all others out until what is counted is so. */
static int count_in(struct turns *turns)
{
	int r;

	if (lock_byte(turns, F_WRLCK, PRESENCE) == 0) {
		atomic_store(&turns->shared->unlocked, 0);
		atomic_store(&turns->shared->users, 1);
		turns->counted = true;
		return lock_byte(turns, F_RDLCK, PRESENCE) < 0 ? -errno : 0;
	}
	if (!is_held_by_other(errno))
		return -errno;
	r = lock_patiently(turns, F_RDLCK, PRESENCE);
	if (r < 0)
		return r;
	atomic_fetch_add(&turns->shared->users, 1);
	turns->counted = true;
	/* What was begun without a lock is to be through. */
	for (int i = 0; i < TRIES && atomic_load(&turns->shared->unlocked) > 0;
	     i++)
		pause_before_try(i);
	return 0;
}

static int open_shared(struct turns *turns, const char *dir)
{
	_cleanup_free_ char *path = NULL;
	void *map;
	int r;

	if (asprintf(&path, "%s/turns", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	turns->fd = open(path,
			 O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			 0600);
	if (turns->fd < 0)
		return -errno;
	/* Where the disk is full the map would end us. */
	r = posix_fallocate(turns->fd, 0, (off_t)sizeof(struct shared));
	if (r != 0)
		return -r;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		   MAP_SHARED, turns->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	turns->shared = map;
	return count_in(turns);
}

int turns_open(const char *dir, struct turns **ret)
{
	struct turns *turns = malloc(sizeof(*turns));
	int r;

	if (turns == NULL)
		return -ENOMEM;
	*turns = (struct turns){ .fd = -1 };
	r = open_shared(turns, dir);
	if (r < 0) {
		(void)turns_close(turns);
		return r;
	}
	*ret = turns;
	return 0;
}

struct turns *turns_close(struct turns *turns)
{
	if (turns == NULL)
		return NULL;
	if (turns->shared != NULL) {
		if (turns->counted)
			atomic_fetch_sub(&turns->shared->users, 1);
		(void)munmap(turns->shared, sizeof(*turns->shared));
	}
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

static off_t byte_of(uint64_t key)
{
	return (off_t)(key & (INT64_MAX >> 1));
}

enum turn turn_begin(struct turns *turns, uint64_t key)
{
	struct shared *shared = turns != NULL ? turns->shared : NULL;

	if (shared == NULL)
		return TURN_NONE;
	/* In this order: who counts itself in sees it, or is seen. */
	atomic_fetch_add(&shared->unlocked, 1);
	if (atomic_load(&shared->users) <= 1)
		return TURN_UNLOCKED;
	atomic_fetch_sub(&shared->unlocked, 1);
	return lock_patiently(turns, F_WRLCK, byte_of(key)) == 0 ? TURN_LOCKED :
								   TURN_NONE;
}

void turn_end(struct turns *turns, uint64_t key, enum turn turn)
{
	if (turn == TURN_UNLOCKED)
		atomic_fetch_sub(&turns->shared->unlocked, 1);
	else if (turn == TURN_LOCKED)
		(void)lock_byte(turns, F_UNLCK, byte_of(key));
}
