/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request loop.  One thread, the leader, reads requests and answers them
 * itself: most take microseconds, and handing each to another thread would
 * cost a wake-up, often on another processor, which is dearer than the
 * request.  A watchdog makes another thread the reader when the leader has
 * been with one request for too long, and lets several read where those that
 * do are never idle, and wait for the disk or have CPUs to spare.
 */
#ifndef IDSHIFT_LOOP_H
#define IDSHIFT_LOOP_H

/* Fewer can't serve: see loop_run(). */
#define LOOP_THREADS_MIN 3

struct fuse_session;

/*
 * Serve until the session is unmounted or a signal tells to end, by at most
 * max_threads threads, or LOOP_THREADS_MIN.  before_end() is called while
 * requests are still answered, for what waits for one.  0 or -errno.
 */
int loop_run(struct fuse_session *session, unsigned int max_threads,
	     void (*before_end)(void *data), void *data);

#endif
