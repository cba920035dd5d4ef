/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../fs/fuse/listing_habit.h"

#include "node_fixture.h"

/* More than it takes to try, but not after many disappointments. */
#define MANY 40

struct bed {
	struct world world;
	struct listing_habit *habit;
	struct node_ref a;
	struct node_ref b;
};

static void open_dir(struct bed *bed, const char *name, struct node_ref *ret)
{
	mkdir_at(&bed->world, name);
	assert_int_equal(node_acquire(bed->world.table,
				      looked_up(&bed->world, ROOT, name), ret),
			 0);
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	world_make(&bed->world, 16);
	assert_int_equal(listing_habit_new(&bed->habit), 0);
	open_dir(bed, "a", &bed->a);
	open_dir(bed, "b", &bed->b);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	node_release(&bed->a);
	node_release(&bed->b);
	bed->habit = listing_habit_free(bed->habit);
	world_destroy(&bed->world);
	free(bed);
	return 0;
}

/* One listing of a directory; used: the kernel says so at its end. */
static bool list(struct bed *bed, const struct node_ref *dir, bool used)
{
	bool given = listing_habit_begin(bed->habit, dir);

	listing_habit_goes_on(bed->habit, dir, used);
	return given;
}

/* How many of so many get attributes; looked: each is then looked into. */
static unsigned int list_many(struct bed *bed, const struct node_ref *dir,
			      unsigned int count, bool used, bool looked)
{
	unsigned int given = 0;

	for (unsigned int i = 0; i < count; i++) {
		given += list(bed, dir, used);
		if (looked)
			listing_habit_looked_up(bed->habit, dir);
	}
	return given;
}

static void test_used(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(list_many(bed, &bed->a, 1000, true, false), 1000);
}

static void test_unused(void **state)
{
	struct bed *bed = *state;
	unsigned int given = list_many(bed, &bed->a, MANY, false, false);

	assert_true(given >= 4 && given <= 12);
	/* Now it's the guess. */
	assert_int_equal(list_many(bed, &bed->a, MANY, false, false), 0);
	/* Until somebody looks into a directory that had none given. */
	listing_habit_looked_up(bed->habit, &bed->b);
	assert_false(list(bed, &bed->a, false));
	listing_habit_looked_up(bed->habit, &bed->a);
	assert_true(list(bed, &bed->a, false));
}

/* Used later than the listing's end: tries become few. */
static void test_used_later(void **state)
{
	struct bed *bed = *state;
	unsigned int given = list_many(bed, &bed->a, 10000, false, true);

	assert_true(10000 - given >= 5 && 10000 - given <= 15);
	given = list_many(bed, &bed->b, 1000, false, true);
	assert_true(1000 - given <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_used, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_used_later, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
