/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../fs/fuse/absent.h"

#include "node_fixture.h"

struct bed {
	struct world world;
	struct absent_names *absent;
	struct node_ref a;
	struct node_ref b;
	struct node_ref file; /* a/file */
};

static void acquire(struct bed *bed, uint64_t parent, const char *name,
		    struct node_ref *ret)
{
	uint64_t id = looked_up(&bed->world, parent, name);

	assert_int_equal(node_acquire(bed->world.table, id, ret), 0);
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	world_make(&bed->world, 16);
	assert_int_equal(absent_new(&bed->absent), 0);
	mkdir_at(&bed->world, "a");
	mkdir_at(&bed->world, "b");
	touch_at(&bed->world, "a/file");
	acquire(bed, ROOT, "a", &bed->a);
	acquire(bed, ROOT, "b", &bed->b);
	acquire(bed, bed->a.id, "file", &bed->file);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	node_release(&bed->file);
	node_release(&bed->a);
	node_release(&bed->b);
	assert_null(absent_free(bed->absent));
	world_destroy(&bed->world);
	free(bed);
	return 0;
}

static void test_third_time(void **state)
{
	struct bed *bed = *state;

	assert_false(absent_again(bed->absent, &bed->a, "x"));
	assert_false(absent_again(bed->absent, &bed->a, "y"));
	assert_false(absent_again(bed->absent, &bed->b, "x"));
	assert_false(absent_again(bed->absent, &bed->a, "x"));
	assert_true(absent_again(bed->absent, &bed->a, "x"));
	assert_true(absent_again(bed->absent, &bed->a, "x"));
	assert_false(absent_again(bed->absent, &bed->a, "y"));
	assert_false(absent_again(bed->absent, &bed->b, "x"));
	assert_true(absent_again(bed->absent, &bed->b, "x"));
}

/* Names that are asked for once each leave room, and are never kept. */
static void test_many(void **state)
{
	struct bed *bed = *state;
	char name[32];

	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", i);
		assert_false(absent_again(bed->absent, &bed->a, name));
	}
	assert_null(absent_free(NULL));
}

static void test_locked(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < 3; i++) {
		(void)absent_again(bed->absent, &bed->a, "file-journal");
		(void)absent_again(bed->absent, &bed->b, "file-journal");
	}
	node_was_locked(&bed->file);
	assert_false(absent_again(bed->absent, &bed->a, "file-journal"));
	assert_true(absent_again(bed->absent, &bed->b, "file-journal"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_third_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
