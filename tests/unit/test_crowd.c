/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS 100

/* A tick in which each of them makes so many requests, in rows of so many. */
static unsigned int tick(struct crowd *crowd, unsigned int callers,
			 unsigned int row)
{
	for (unsigned int i = 0; i < CALLS; i++)
		crowd_note(crowd, 1000 + i / row % callers);
	return crowd_tick(crowd);
}

static void come(struct crowd *crowd, unsigned int callers)
{
	for (int i = 0; i < 3; i++)
		(void)tick(crowd, callers, 1);
}

static void test_more_than_cpus(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_init(&crowd, 2);
	come(&crowd, 2);
	assert_int_equal(tick(&crowd, 2, 1), 0);
	come(&crowd, 3);
	assert_int_equal(tick(&crowd, 3, 1), 3);
	crowd_init(&crowd, 8);
	come(&crowd, 8);
	assert_int_equal(tick(&crowd, 8, 1), 0);
	come(&crowd, 9);
	assert_int_equal(tick(&crowd, 9, 1), 9);
}

static void test_one_cpu(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_init(&crowd, 1);
	come(&crowd, 64);
	assert_int_equal(tick(&crowd, 64, 1), 0);
}

/* A script's commands, each of which asks several times. */
static void test_one_after_another(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_init(&crowd, 2);
	for (int i = 0; i < 20; i++)
		assert_int_equal(tick(&crowd, 8, 3), 0);
}

static void test_few_calls(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_init(&crowd, 2);
	for (int i = 0; i < 20; i++) {
		for (uint32_t caller = 1; caller < 10; caller++)
			crowd_note(&crowd, caller);
		assert_int_equal(crowd_tick(&crowd), 0);
	}
}

/* RELEASE and FORGET. */
static void test_nobodys(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_init(&crowd, 2);
	for (int i = 0; i < 20; i++) {
		for (unsigned int j = 0; j < CALLS; j++) {
			crowd_note(&crowd, 1000 + j % 2);
			crowd_note(&crowd, 0);
		}
		assert_int_equal(crowd_tick(&crowd), 0);
	}
}

/* It takes some ticks to come and to go. */
static void test_not_at_once(void **state)
{
	struct crowd crowd;
	int ticks;

	(void)state;
	crowd_init(&crowd, 2);
	assert_int_equal(tick(&crowd, 4, 1), 0);
	assert_int_equal(tick(&crowd, 1, 1), 0);
	for (ticks = 1; tick(&crowd, 4, 1) == 0; ticks++)
		assert_in_range(ticks, 1, 5);
	assert_in_range(ticks, 2, 5);
	assert_int_equal(tick(&crowd, 1, 1), 4);
	assert_int_equal(tick(&crowd, 6, 1), 6);
	assert_int_equal(tick(&crowd, 4, 1), 6);
	for (ticks = 1; tick(&crowd, 1, 1) != 0; ticks++)
		assert_in_range(ticks, 1, 10);
	/* The next is a new one. */
	come(&crowd, 4);
	assert_int_equal(tick(&crowd, 4, 1), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_than_cpus),
		cmocka_unit_test(test_one_cpu),
		cmocka_unit_test(test_one_after_another),
		cmocka_unit_test(test_few_calls),
		cmocka_unit_test(test_nobodys),
		cmocka_unit_test(test_not_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
