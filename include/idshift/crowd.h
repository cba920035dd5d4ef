/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many callers there are at once.  For one, a single reader is the best:
 * it stays awake for the next request, on a CPU of its own.  More callers than
 * there are CPUs would all wait for that reader, and leave no CPU the time to
 * go idle: there the best is a reader for each caller, asleep in the kernel,
 * which wakes one at a time, and near the caller.
 */
#ifndef IDSHIFT_CROWD_H
#define IDSHIFT_CROWD_H

#include <stdatomic.h>
#include <stdint.h>

struct crowd {
	unsigned int least; /* callers */
	/* Since the last tick. */
	_Atomic unsigned long calls;
	_Atomic unsigned long changes; /* not by who had called before */
	_Atomic uint64_t callers;      /* a bit each */
	_Atomic uint32_t last;
	/* Whose it is to call crowd_tick(). */
	unsigned int callers_then; /* the most of the ticks of this crowd */
	unsigned int sure;
};

void crowd_init(struct crowd *crowd, unsigned int cpus);

/* A request; `caller` is its thread's id, 0 if it is nobody's. */
void crowd_note(struct crowd *crowd, uint32_t caller);

/*
 * To be called every 2 ms or so while there are requests, by one thread: the
 * callers of the crowd, 0 if there is none.
 */
unsigned int crowd_tick(struct crowd *crowd);

#endif
