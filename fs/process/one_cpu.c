/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/one_cpu.h"

#include <sched.h>
#include <time.h>

#include "idshift/clock.h"

/*
 * In a tick of 2 ms.  Fewer wait for other things than to be woken: twice for
 * each request, 50 us where that takes long.
 */
#define FAST_REQUESTS 10
/* Without a request for so long, there are no callers any more. */
#define QUIET_NS INT64_C(250000)
/* It has to bring one request more in so many, and some in any case, ... */
#define WORTH_PART 8
#define WORTH_MIN 3
/* ... but the scheduler takes some ticks to see where there is room, ... */
#define MOVE_TICKS 2
#define PATIENCE_TICKS 4
/* ... or rests, for more of them each time: a fourth of that. */
#define RESTS_MAX 2047u
/*
 * After so many ticks the scheduler has got used to it, and often goes on so
 * alone, for as many at least.
 */
#define USED_TICKS 16

static void sleep_until(int64_t ns)
{
	const struct timespec until = { .tv_sec = ns / 1000000000,
					.tv_nsec = ns % 1000000000 };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* ONE_CPU_NONE: wherever the process may.  What fails only costs time. */
static void run_on(const struct one_cpu *one, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu != ONE_CPU_NONE)
		CPU_SET((size_t)cpu, &set);
	else if (sched_getaffinity(one->free_thread, sizeof(set), &set) < 0)
		return;
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* The two that the process may run on; false if there are more, or one. */
static bool find_two(const struct one_cpu *one, int *ret_first, int *ret_second)
{
	cpu_set_t set;
	int cpu = 0;

	if (sched_getaffinity(one->free_thread, sizeof(set), &set) < 0 ||
	    CPU_COUNT(&set) != 2)
		return false;
	while (!CPU_ISSET((size_t)cpu, &set))
		cpu++;
	*ret_first = cpu++;
	while (!CPU_ISSET((size_t)cpu, &set))
		cpu++;
	*ret_second = cpu;
	return true;
}

void one_cpu_init(struct one_cpu *one, pid_t free_thread)
{
	*one = (struct one_cpu){ .free_thread = free_thread };
	/* Under another policy a thread that yields keeps others away. */
	one->possible = sched_getscheduler(0) == SCHED_OTHER &&
			find_two(one, &one->first, &one->second);
	atomic_init(&one->reader, one->first);
	atomic_init(&one->shared, ONE_CPU_NONE);
}

bool one_cpu_is_on(const struct one_cpu *one)
{
	return atomic_load(&one->shared) != ONE_CPU_NONE;
}

/* Somebody may have used taskset(1) since. */
static bool is_still_possible(const struct one_cpu *one)
{
	int first, second;

	return one->possible && find_two(one, &first, &second) &&
	       first == one->first && second == one->second;
}

/* This thread keeps one awake, callers and readers get the other. */
static void keep_awake(struct one_cpu *one, bool second)
{
	run_on(one, second ? one->second : one->first);
	atomic_store(&one->shared, second ? one->first : one->second);
}

/* Awake for the rest of a tick; false if the requests end before it does. */
static bool stay_until(const _Atomic unsigned long *requests, int64_t until)
{
	unsigned long seen = atomic_load(requests);
	int64_t now = clock_ns(CLOCK_MONOTONIC), last = now;

	while (now < until && now - last < QUIET_NS) {
		unsigned long count;

		(void)sched_yield();
		now = clock_ns(CLOCK_MONOTONIC);
		count = atomic_load_explicit(requests, memory_order_relaxed);
		if (count != seen)
			last = now;
		seen = count;
	}
	return now >= until;
}

static void begin(struct one_cpu *one)
{
	one->without = one->slept;
	one->slept = 0; /* the next is after one that is slept */
	one->with = 0;
	one->good = 0;
	one->bad = 0;
	/* A reader that polls leaves the other CPU to the callers. */
	keep_awake(one, atomic_load(&one->reader) == one->second);
}

static void end(struct one_cpu *one)
{
	atomic_store(&one->shared, ONE_CPU_NONE);
	run_on(one, ONE_CPU_NONE);
	if (one->with > 0)
		one->rests = 0;
	else if (one->rests < RESTS_MAX)
		one->rests = 2 * one->rests + 1;
	one->rest = one->with > 0 ? USED_TICKS : one->rests / 4;
}

static unsigned long in_a_tick(unsigned long count, int64_t passed,
			       int64_t tick_ns)
{
	return (unsigned long)((int64_t)count * tick_ns /
			       (passed > tick_ns ? passed : tick_ns));
}

static bool is_worth(const struct one_cpu *one, unsigned long count)
{
	unsigned long more = one->without / WORTH_PART;

	return count >= one->without + (more > WORTH_MIN ? more : WORTH_MIN);
}

/* A tick awake, and whether more of them are worth it. */
static void keep_on(struct one_cpu *one, const _Atomic unsigned long *requests,
		    int64_t tick_ns)
{
	int64_t from = clock_ns(CLOCK_MONOTONIC), passed;
	int64_t used = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	unsigned long count = atomic_load(requests);
	bool quiet = !stay_until(requests, from + tick_ns);

	passed = clock_ns(CLOCK_MONOTONIC) - from;
	used = clock_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	count = in_a_tick(atomic_load(requests) - count, passed, tick_ns);
	if (quiet) {
		end(one);
		sleep_until(from + tick_ns);
	} else if (is_worth(one, count) && used > passed / 8) {
		one->with = count;
		if (++one->good == USED_TICKS)
			end(one);
	} else if (++one->bad == PATIENCE_TICKS) {
		one->with = 0;
		end(one);
	} else if (one->bad == MOVE_TICKS) {
		/* It may have put the callers here: so to the other. */
		keep_awake(one, atomic_load(&one->shared) == one->second);
	}
}

static bool is_worth_trying(const struct one_cpu *one)
{
	return one->slept >= FAST_REQUESTS &&
	       (one->rest == 0 ||
		one->slept < one->with - one->with / WORTH_PART) &&
	       is_still_possible(one);
}

void one_cpu_tick(struct one_cpu *one, const _Atomic unsigned long *requests,
		  int64_t tick_ns)
{
	int64_t from = clock_ns(CLOCK_MONOTONIC);
	unsigned long count = atomic_load(requests);

	if (!one_cpu_is_on(one) && is_worth_trying(one))
		begin(one);
	if (one_cpu_is_on(one)) {
		keep_on(one, requests, tick_ns);
		return;
	}
	if (one->rest > 0)
		one->rest--;
	sleep_until(from + tick_ns);
	one->slept = in_a_tick(atomic_load(requests) - count,
			       clock_ns(CLOCK_MONOTONIC) - from, tick_ns);
}

bool one_cpu_follow(struct one_cpu *one, int *follows)
{
	int cpu;

	if (!one->possible)
		return false;
	cpu = atomic_load(&one->shared);
	if (cpu == ONE_CPU_NONE)
		atomic_store_explicit(&one->reader, sched_getcpu(),
				      memory_order_relaxed);
	if (cpu != *follows)
		run_on(one, cpu);
	*follows = cpu;
	return cpu != ONE_CPU_NONE;
}
