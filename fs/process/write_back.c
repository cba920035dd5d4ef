/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "write_back.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "idshift/clock.h"

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
