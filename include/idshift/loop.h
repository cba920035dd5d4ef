/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request loop.  One thread, the leader, reads requests and answers them
 * itself: most take microseconds, and handing each to another thread would
 * cost a wake-up, often on another processor, which is dearer than the
 * request.  A watchdog makes another thread the reader when the leader has
 * been with one request for too long, and lets several read where those that
 * do are never idle, and wait for the disk or have CPUs to spare.  While
 * requests come fast, it also sees to what one_cpu.h is for.
 */
#ifndef IDSHIFT_LOOP_H
#define IDSHIFT_LOOP_H

struct fuse_session;

/*
 * How many threads there may be where so many are asked for.  Fewer than 3
 * can't serve: a notification may wait for pages that another request has
 * locked, or for them to be written, by a lock and by lseek(2) at a time.
 */
unsigned int loop_threads(unsigned int asked_for);

/* Called before the end, in this order, while requests are still answered. */
struct loop_ending {
	/* Have the kernel write what it holds; not when the mount is gone. */
	void (*flush)(void *data);
	/* For what waits for a request. */
	void (*end_waiting)(void *data);
	void *data;
};

/*
 * Serve until the session is unmounted or a signal tells to end, by at most
 * loop_threads(max_threads) threads.  0 or -errno.
 */
int loop_run(struct fuse_session *session, unsigned int max_threads,
	     const struct loop_ending *ending);

#endif
