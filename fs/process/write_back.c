/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "write_back.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/clock.h"
#include "idshift/node_table.h"
#include "idshift/thread.h"

#define ASK_SECONDS 4

#define TICK_NS 2000000L
#define TICKS_QUIET 10
/* Without one that is done: somebody is stuck. */
#define STUCK_NS INT64_C(1000000000)
/* A slow source takes its time, but not all of that of who ends us. */
#define WAIT_NS INT64_C(20000000000)

struct request {
	struct fuse_in_header header;
	struct fuse_write_in write;
};

bool write_back_begin(struct write_back *writes, const void *request,
		      size_t size)
{
	struct request head;

	if (size < sizeof(head))
		return false;
	memcpy(&head, request, sizeof(head));
	if (head.header.opcode != FUSE_WRITE ||
	    !(head.write.write_flags & FUSE_WRITE_CACHE))
		return false;
	atomic_fetch_add(&writes->begun, 1);
	return true;
}

void write_back_done(struct write_back *writes)
{
	atomic_fetch_add(&writes->done, 1);
}

/* Left behind if it gets stuck. */
struct asking {
	int fd; /* its own, as the session may end meanwhile */
	uint64_t *ids;
	size_t count;
	sem_t done;
};

/* What is dropped from the page cache is written before. */
static void *drop_all(void *data)
{
	struct asking *asking = data;
	struct {
		struct fuse_out_header header;
		struct fuse_notify_inval_inode_out body;
	} notice = { .header = { .len = sizeof(notice),
				 .error = FUSE_NOTIFY_INVAL_INODE } };

	for (size_t i = 0; i < asking->count; i++) {
		notice.body.ino = asking->ids[i];
		(void)!write(asking->fd, &notice, sizeof(notice));
	}
	(void)sem_post(&asking->done);
	return NULL;
}

void write_back_ask(struct fuse_session *session, struct node_table *nodes)
{
	static struct asking asking;
	struct timespec end;
	int r;

	if (node_writers(nodes, &asking.ids, &asking.count) < 0)
		return;
	asking.fd = fcntl(fuse_session_fd(session), F_DUPFD_CLOEXEC, 0);
	if (asking.fd < 0 || sem_init(&asking.done, 0, 0) < 0 ||
	    thread_start(drop_all, &asking, 0) < 0) {
		close_fd(asking.fd);
		free(asking.ids);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ASK_SECONDS;
	while ((r = sem_timedwait(&asking.done, &end)) < 0 && errno == EINTR)
		;
	if (r == 0) {
		close_fd(asking.fd);
		free(asking.ids);
	}
}

void write_back_wait(struct write_back *writes)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	int64_t now = clock_ns(CLOCK_MONOTONIC), end = now + WAIT_NS;
	int64_t stuck = now + STUCK_NS;
	unsigned long seen = atomic_load(&writes->begun);
	unsigned long seen_done = atomic_load(&writes->done);
	int quiet = 0;

	while (quiet < TICKS_QUIET && now < end && now < stuck) {
		unsigned long begun, done;

		(void)nanosleep(&tick, NULL);
		now = clock_ns(CLOCK_MONOTONIC);
		begun = atomic_load(&writes->begun);
		done = atomic_load(&writes->done);
		if (done != seen_done)
			stuck = now + STUCK_NS;
		seen_done = done;
		if (begun == seen && done == begun)
			quiet++;
		else
			quiet = 0;
		seen = begun;
	}
}
