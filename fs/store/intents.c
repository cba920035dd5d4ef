/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/intents.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "intents_internal.h"

/* Changes at once; more of them wait. */
#define SLOTS 32U
/* Daemons at once. */
#define FILES_MAX 10000

struct intents {
	int fd;
	struct intent_root root;
	pthread_mutex_t lock;
	pthread_cond_t released;
	uint32_t taken; /* a bit for each slot */
};

static off_t slot_offset(unsigned int slot)
{
	return (off_t)slot * (off_t)INTENT_SIZE_MAX;
}

/*
 * A dead daemon's.
 */

/* false: there still is something to be done. */
static bool finish_slot(const struct records *records,
			const struct intent_root *root, int fd,
			unsigned int slot, char *buf)
{
	struct intent_place place = {
		.fd = fd,
		.offset = slot_offset(slot),
		.buf = buf,
	};
	ssize_t size = pread(fd, buf, INTENT_SIZE_MAX, place.offset);
	int r;

	if (size <= 0)
		return size == 0;
	switch (intent_judge(records, root, buf, (size_t)size)) {
	case INTENT_DONE:
		return true;
	case INTENT_FOREIGN:
		return false;
	case INTENT_TRY:
		break;
	}
	place.size = (size_t)size;
	r = intent_redo(records, root, &place);
	if (r < 0) {
		syslog(LOG_WARNING,
		       "a change that was cut short stays so for now: %s",
		       strerror(-r));
		return false;
	}
	(void)memset(buf, 0, INTENT_HEAD_SIZE);
	return pwrite(fd, buf, INTENT_HEAD_SIZE, place.offset) ==
	       (ssize_t)INTENT_HEAD_SIZE;
}

/* true: all is done, the file is free. */
static bool finish_file(const struct records *records,
			const struct intent_root *root, int fd)
{
	_cleanup_free_ char *buf = NULL;
	struct stat st;
	bool finished = true;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid())
		return false;
	if (st.st_size == 0)
		return true;
	buf = malloc(INTENT_SIZE_MAX);
	if (buf == NULL)
		return false;
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		finished =
			finish_slot(records, root, fd, slot, buf) && finished;
	return finished && ftruncate(fd, 0) == 0;
}

/*
 * Files are numbered without a gap and never removed: whoever holds the lock
 * of one knows that it is the one that others find.
 */
static int claim_file(const char *dir, const struct intent_root *root,
		      const struct records *records)
{
	_cleanup_fd_ int own = -1;

	for (int n = 0; n < FILES_MAX; n++) {
		int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
		_cleanup_fd_ int fd = -1;
		char *path;

		if (asprintf(&path, "%s/intents.%d", dir, n) < 0)
			return -ENOMEM;
		/* The first that isn't there is the last. */
		fd = open(path, flags | (own < 0 ? O_CREAT : 0), 0600);
		free(path);
		if (fd < 0 && errno == ENOENT)
			break;
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return -errno;
			continue;
		}
		if (finish_file(records, root, fd) && own < 0)
			own = take_fd(&fd);
	}
	return own < 0 ? -EMFILE : take_fd(&own);
}

static int open_root(int root_fd, struct intent_root *ret)
{
	struct statx stx;
	int r = backing_stat(root_fd, &stx);

	if (r == 0)
		r = backing_key(root_fd, &stx, &ret->key);
	if (r < 0)
		return r;
	ret->dev = backing_dev(&stx);
	ret->fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	return ret->fd < 0 ? -errno : 0;
}

int intents_open(const char *dir, int root_fd, const struct records *records,
		 struct intents **ret)
{
	struct intents *intents = calloc(1, sizeof(*intents));
	int r;

	if (intents == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&intents->lock, NULL);
	(void)pthread_cond_init(&intents->released, NULL);
	intents->fd = -1;
	intents->root.fd = -1;
	r = open_root(root_fd, &intents->root);
	if (r == 0) {
		r = claim_file(dir, &intents->root, records);
		intents->fd = r;
	}
	if (r < 0) {
		(void)intents_close(intents);
		return r;
	}
	*ret = intents;
	return 0;
}

struct intents *intents_close(struct intents *intents)
{
	if (intents == NULL)
		return NULL;
	/* The next one needn't look. */
	if (intents->fd >= 0 && ftruncate(intents->fd, 0) < 0)
		errno = 0;
	close_fd(intents->fd);
	close_fd(intents->root.fd);
	(void)pthread_cond_destroy(&intents->released);
	(void)pthread_mutex_destroy(&intents->lock);
	free(intents);
	return NULL;
}

/*
 * Our own.
 */

static unsigned int take_slot(struct intents *intents)
{
	unsigned int slot = 0;

	(void)pthread_mutex_lock(&intents->lock);
	while (intents->taken == UINT32_MAX)
		(void)pthread_cond_wait(&intents->released, &intents->lock);
	while ((intents->taken & UINT32_C(1) << slot) != 0)
		slot++;
	intents->taken |= UINT32_C(1) << slot;
	(void)pthread_mutex_unlock(&intents->lock);
	return slot;
}

static void release_slot(struct intents *intents, unsigned int slot)
{
	(void)pthread_mutex_lock(&intents->lock);
	intents->taken &= ~(UINT32_C(1) << slot);
	(void)pthread_cond_signal(&intents->released);
	(void)pthread_mutex_unlock(&intents->lock);
}

static void log_unwritten(int error)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&logged))
		syslog(LOG_WARNING,
		       "intents of changes can't be written: %s (said once)",
		       strerror(error));
}

int intent_begin(const struct records *records, int path_fd,
		 const struct statx *stx, const struct intent *intent)
{
	struct intents *intents = records->intents;
	_cleanup_free_ char *buf = NULL;
	unsigned int slot;
	ssize_t size, n;

	/* What has no name can't be found again. */
	if (intents == NULL || stx->stx_nlink == 0)
		return INTENT_NONE;
	buf = malloc(INTENT_SIZE_MAX);
	if (buf == NULL)
		return INTENT_NONE;
	size = intent_encode(records, &intents->root, path_fd, stx, intent,
			     buf);
	if (size < 0)
		return INTENT_NONE;
	slot = take_slot(intents);
	n = pwrite(intents->fd, buf, (size_t)size, slot_offset(slot));
	if (n == size)
		return (int)slot;
	/* Half of one has no valid sum, and counts as none. */
	log_unwritten(n < 0 ? errno : ENOSPC);
	release_slot(intents, slot);
	return INTENT_NONE;
}

void intent_end(const struct records *records, int handle)
{
	static const char nothing[INTENT_HEAD_SIZE];
	int saved = errno;

	if (handle == INTENT_NONE)
		return;
	if (pwrite(records->intents->fd, nothing, sizeof(nothing),
		   slot_offset((unsigned int)handle)) < 0)
		log_unwritten(errno);
	release_slot(records->intents, (unsigned int)handle);
	errno = saved;
}
