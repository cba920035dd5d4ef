/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/one_cpu.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TICK_NS INT64_C(2000000)
/* Ticks in which it has to come about: a busy machine has its say. */
#define PATIENCE 5000

/* A caller whose requests come fast, as long as `calls`: one in 10 us. */
struct caller {
	pthread_t thread;
	const struct one_cpu *one;
	unsigned long gains; /* so many times as fast while it is on */
	_Atomic pid_t tid;
	_Atomic unsigned long requests;
	_Atomic bool calls;
	_Atomic bool ends;
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* By the clock, whatever the machine makes of its sleep. */
static void *call(void *data)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	struct caller *caller = data;
	int64_t last = now_us();

	atomic_store(&caller->tid, gettid());
	while (!atomic_load(&caller->ends)) {
		unsigned long due;

		(void)nanosleep(&pause, NULL);
		due = (unsigned long)(now_us() - last) / 10;
		last += (int64_t)due * 10;
		if (atomic_load(&caller->calls))
			atomic_fetch_add(&caller->requests,
					 atomic_load(&caller->one->on) ?
						 due * caller->gains :
						 due);
	}
	return NULL;
}

/* It may run where this thread may now, and stays so. */
static void caller_start(struct caller *caller)
{
	assert_int_equal(pthread_create(&caller->thread, NULL, call, caller),
			 0);
	while (atomic_load(&caller->tid) == 0)
		(void)sched_yield();
}

static void caller_end(struct caller *caller)
{
	atomic_store(&caller->ends, true);
	assert_int_equal(pthread_join(caller->thread, NULL), 0);
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

static bool becomes(struct one_cpu *one, const struct caller *caller, bool on)
{
	for (int i = 0; i < PATIENCE && atomic_load(&one->on) != on; i++)
		one_cpu_tick(one, &caller->requests, TICK_NS);
	return atomic_load(&one->on) == on;
}

static void test_fast_and_quiet(void **state)
{
	struct one_cpu one = { 0 };
	struct caller caller = { .one = &one, .gains = 3, .calls = true };
	const cpu_set_t all = own_cpus();
	int follows = ONE_CPU_UNKNOWN;

	(void)state;
	if (CPU_COUNT(&all) < 2)
		skip();
	have_cpus(&all, 2);
	caller_start(&caller);
	one_cpu_init(&one, atomic_load(&caller.tid));

	assert_false(one_cpu_follow(&one, &follows));
	assert_true(becomes(&one, &caller, true));
	assert_int_equal(cpus_now(), 1);
	assert_int_not_equal(sched_getcpu(), atomic_load(&one.shared));
	assert_true(one_cpu_follow(&one, &follows));
	assert_int_equal(follows, atomic_load(&one.shared));
	assert_int_equal(sched_getcpu(), follows);

	atomic_store(&caller.calls, false);
	assert_true(becomes(&one, &caller, false));
	assert_int_equal(cpus_now(), 2);
	assert_false(one_cpu_follow(&one, &follows));
	/* Somebody's taskset(1) while it is off is none of its business. */
	have_cpus(&all, 1);
	assert_false(one_cpu_follow(&one, &follows));
	assert_int_equal(cpus_now(), 1);

	caller_end(&caller);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* Neither where there is one alone nor where a third is idle. */
static void test_other_numbers(void **state)
{
	struct one_cpu one = { 0 };
	struct caller caller = { .one = &one, .gains = 3, .calls = true };
	const cpu_set_t all = own_cpus();
	int follows = ONE_CPU_UNKNOWN;

	(void)state;
	for (int count = 1; count <= CPU_COUNT(&all); count++) {
		if (count == 2)
			continue;
		have_cpus(&all, count);
		atomic_store(&caller.ends, false);
		atomic_store(&caller.tid, 0);
		caller_start(&caller);
		one_cpu_init(&one, atomic_load(&caller.tid));
		for (int i = 0; i < 20; i++)
			one_cpu_tick(&one, &caller.requests, TICK_NS);
		assert_false(atomic_load(&one.on));
		assert_false(one_cpu_follow(&one, &follows));
		assert_int_equal(cpus_now(), count);
		caller_end(&caller);
		assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	}
}

/* Whether it was on, of so many ticks. */
static int ticks_on(struct one_cpu *one, const struct caller *caller, int ticks)
{
	int on = 0;

	for (int i = 0; i < ticks; i++) {
		one_cpu_tick(one, &caller->requests, TICK_NS);
		on += atomic_load(&one->on);
	}
	return on;
}

/* Who isn't any faster by it is left alone more and more. */
static void test_no_gain(void **state)
{
	struct one_cpu one = { 0 };
	struct caller caller = { .one = &one, .gains = 1, .calls = true };
	const cpu_set_t all = own_cpus();

	(void)state;
	if (CPU_COUNT(&all) < 2)
		skip();
	have_cpus(&all, 2);
	caller_start(&caller);
	one_cpu_init(&one, atomic_load(&caller.tid));
	(void)ticks_on(&one, &caller, 200);
	assert_true(ticks_on(&one, &caller, 60) < 20);
	caller_end(&caller);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* Requests that come one by one are none of its business. */
static void test_slow(void **state)
{
	_Atomic unsigned long requests = 0;
	struct one_cpu one;

	(void)state;
	one_cpu_init(&one, getpid());
	for (int i = 0; i < 20; i++) {
		atomic_fetch_add(&requests, 3);
		one_cpu_tick(&one, &requests, TICK_NS);
		assert_false(atomic_load(&one.on));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fast_and_quiet),
		cmocka_unit_test(test_no_gain),
		cmocka_unit_test(test_other_numbers),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
