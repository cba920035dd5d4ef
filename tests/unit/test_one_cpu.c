/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/one_cpu.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "idshift/clock.h"

#define FAST_NS 10000
#define TICK_NS INT64_C(2000000)
/* Ticks in which it has to come about: a busy machine has its say. */
#define PATIENCE 5000

/* A caller whose requests come fast, as long as `calls`. */
struct caller {
	pthread_t thread;
	const struct one_cpu *one;
	int64_t every_ns;    /* a request, ... */
	unsigned long gains; /* and so many while it is on */
	_Atomic pid_t tid;
	_Atomic unsigned long requests;
	_Atomic bool calls;
	_Atomic bool ends;
};

/* By the clock, whatever the machine makes of its sleep. */
static void *call(void *data)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	struct caller *caller = data;
	int64_t last = clock_ns(CLOCK_MONOTONIC);

	atomic_store(&caller->tid, gettid());
	while (!atomic_load(&caller->ends)) {
		unsigned long due;

		(void)nanosleep(&pause, NULL);
		due = (unsigned long)((clock_ns(CLOCK_MONOTONIC) - last) /
				      caller->every_ns);
		last += (int64_t)due * caller->every_ns;
		if (atomic_load(&caller->calls))
			atomic_fetch_add(&caller->requests,
					 one_cpu_is_on(caller->one) ?
						 due * caller->gains :
						 due);
	}
	return NULL;
}

/* Never more in a tick than the sleeps that fit in it. */
static void *call_seldom(void *data)
{
	struct caller *caller = data;
	const struct timespec pause = { .tv_nsec = caller->every_ns };

	atomic_store(&caller->tid, gettid());
	while (!atomic_load(&caller->ends)) {
		(void)nanosleep(&pause, NULL);
		if (atomic_load(&caller->calls))
			atomic_fetch_add(&caller->requests, 1);
	}
	return NULL;
}

/* Where this thread may run. */
static cpu_set_t own_cpus(void)
{
	cpu_set_t all;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	return all;
}

/* This thread's CPUs are to be the first of these, so many. */
static void have_cpus(const cpu_set_t *all, int count)
{
	cpu_set_t some;

	CPU_ZERO(&some);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, all) && CPU_COUNT(&some) < count)
			CPU_SET(cpu, &some);
	}
	assert_int_equal(CPU_COUNT(&some), count);
	assert_int_equal(sched_setaffinity(0, sizeof(some), &some), 0);
}

static int cpus_now(void)
{
	const cpu_set_t now = own_cpus();

	return CPU_COUNT(&now);
}

struct bed {
	struct one_cpu one;
	struct caller caller;
	cpu_set_t all; /* before */
	bool began;
};

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	bed->all = own_cpus();
	*state = bed;
	return 0;
}

static void end(struct bed *bed)
{
	if (bed->began) {
		atomic_store(&bed->caller.ends, true);
		assert_int_equal(pthread_join(bed->caller.thread, NULL), 0);
	}
	bed->began = false;
	assert_int_equal(sched_setaffinity(0, sizeof(bed->all), &bed->all), 0);
}

static int teardown(void **state)
{
	end(*state);
	free(*state);
	return 0;
}

/* With so many CPUs, and such a caller: he may run on all. */
static void begin_with(struct bed *bed, int cpus, void *(*calls)(void *data),
		       int64_t every_ns, unsigned long gains)
{
	struct caller *caller = &bed->caller;

	if (CPU_COUNT(&bed->all) < cpus)
		skip();
	have_cpus(&bed->all, cpus);
	bed->caller = (struct caller){ .one = &bed->one,
				       .every_ns = every_ns,
				       .gains = gains };
	assert_int_equal(pthread_create(&caller->thread, NULL, calls, caller),
			 0);
	bed->began = true;
	while (atomic_load(&caller->tid) == 0)
		(void)sched_yield();
	one_cpu_init(&bed->one, atomic_load(&caller->tid));
	atomic_store(&caller->calls, true);
}

static void begin(struct bed *bed, int cpus, int64_t every_ns,
		  unsigned long gains)
{
	begin_with(bed, cpus, call, every_ns, gains);
}

/* In how many of so many ticks it was on. */
static int ticks_on(struct bed *bed, int ticks)
{
	int on = 0;

	for (int i = 0; i < ticks; i++) {
		one_cpu_tick(&bed->one, &bed->caller.requests, TICK_NS);
		on += one_cpu_is_on(&bed->one);
	}
	return on;
}

static bool becomes(struct bed *bed, bool on)
{
	for (int i = 0; i < PATIENCE && one_cpu_is_on(&bed->one) != on; i++)
		(void)ticks_on(bed, 1);
	return one_cpu_is_on(&bed->one) == on;
}

static void test_fast_and_quiet(void **state)
{
	struct bed *bed = *state;
	struct one_cpu *one = &bed->one;
	int follows = ONE_CPU_UNKNOWN;

	begin(bed, 2, FAST_NS, 3);
	assert_false(one_cpu_follow(one, &follows));
	assert_true(becomes(bed, true));
	assert_int_equal(cpus_now(), 1);
	assert_int_not_equal(sched_getcpu(), atomic_load(&one->shared));
	assert_true(one_cpu_follow(one, &follows));
	assert_int_equal(follows, atomic_load(&one->shared));
	assert_int_equal(sched_getcpu(), follows);

	atomic_store(&bed->caller.calls, false);
	assert_true(becomes(bed, false));
	assert_int_equal(cpus_now(), 2);
	assert_false(one_cpu_follow(one, &follows));
	/* Somebody's taskset(1) while it is off is none of its business. */
	have_cpus(&bed->all, 1);
	assert_false(one_cpu_follow(one, &follows));
	assert_int_equal(cpus_now(), 1);
}

/* Who isn't any faster by it is left alone more and more. */
static void test_no_gain(void **state)
{
	static const int64_t every_ns[] = { FAST_NS, TICK_NS / 15 };
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(every_ns) / sizeof(*every_ns); i++) {
		begin(bed, 2, every_ns[i], 1);
		(void)ticks_on(bed, 200);
		assert_true(ticks_on(bed, 60) < 20);
		end(bed);
	}
}

/* Neither where there is one alone nor where a third is idle. */
static void test_other_numbers(void **state)
{
	struct bed *bed = *state;

	for (int count = 1; count <= CPU_COUNT(&bed->all); count++) {
		int follows = ONE_CPU_UNKNOWN;

		if (count == 2)
			continue;
		begin(bed, count, FAST_NS, 3);
		assert_int_equal(ticks_on(bed, 20), 0);
		assert_false(one_cpu_follow(&bed->one, &follows));
		assert_int_equal(cpus_now(), count);
		end(bed);
	}
}

/* Requests that come one by one are none of its business. */
static void test_slow(void **state)
{
	struct bed *bed = *state;

	begin_with(bed, 2, call_seldom, TICK_NS / 4, 1);
	assert_int_equal(ticks_on(bed, 60), 0);
	/* Nor was it tried: it would have kept the rate to beat. */
	assert_int_equal(bed->one.without, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fast_and_quiet),
		TEST(test_no_gain),
		TEST(test_other_numbers),
		TEST(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
