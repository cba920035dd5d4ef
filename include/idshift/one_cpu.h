/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Callers and readers on one CPU.  A caller, which waits for an answer, and a
 * reader, which waits for a request, take turns, yet the scheduler gives each
 * an idle CPU when it wakes, and on a virtual machine waking one costs 25 us
 * where the request takes 5. Where there are two CPUs and requests come fast, a
 * thread keeps the second from idling, by sched_yield(2), so that all else
 * stays on the first.  It burns what a reader that polls would have burnt.  It
 * goes on for as long as requests come faster by it than they did without, and
 * looks again and again how they do: where others compute, or waking costs
 * little, they don't.
 *
 * With more CPUs one more thread wouldn't help: another is idle.
 */
#ifndef IDSHIFT_ONE_CPU_H
#define IDSHIFT_ONE_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a thread follows that is tied to none, or may be by whoever made it. */
#define ONE_CPU_NONE (-1)
#define ONE_CPU_UNKNOWN (-2)

struct one_cpu {
	pid_t free_thread;
	bool possible; /* there are two, and no more: */
	int first;
	int second;
	_Atomic int reader; /* where one has read last */
	_Atomic int
		shared; /* by callers and readers; ONE_CPU_NONE: it is off */
	/* Whose it is to call one_cpu_tick(): requests in a tick, ... */
	unsigned long slept;   /* the last that was slept; 0: none was */
	unsigned long without; /* that before it stayed awake */
	unsigned long with;    /* the last that was worth it; 0: none was */
	/* ... and ticks. */
	unsigned int good; /* awake, and worth it */
	unsigned int bad;
	unsigned int rests; /* more each time it wasn't worth it */
	unsigned int rest;  /* to go, unless requests come slower */
};

/*
 * `free_thread` never calls the functions below: all may run where it may,
 * also when somebody has changed that.
 */
void one_cpu_init(struct one_cpu *one, pid_t free_thread);

bool one_cpu_is_on(const struct one_cpu *one);

/*
 * Take a tick of so long, asleep, or awake where that helps.  One thread does
 * so while there are requests; others count them.
 */
void one_cpu_tick(struct one_cpu *one, const _Atomic unsigned long *requests,
		  int64_t tick_ns);

/*
 * A reader, before it reads: true if it is to wait in the kernel.  And after,
 * if it was, so as not to be tied while it has long to do.  `follows` is the
 * thread's own, at first ONE_CPU_UNKNOWN if made while it is on.
 */
bool one_cpu_follow(struct one_cpu *one, int *follows);

#endif
