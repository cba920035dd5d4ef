/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel was told of a file, and how old its pages may be. */
#include "idshift/node_table.h"

#include "node_fixture.h"

static struct world world;
static struct node_ref file;

static int setup(void **state)
{
	uint64_t id;

	(void)state;
	world_make(&world, 10);
	touch_at(&world, "f");
	id = looked_up(&world, ROOT, "f");
	file = (struct node_ref)NODE_REF_NONE;
	return node_acquire(world.table, id, &file);
}

static int teardown(void **state)
{
	(void)state;
	node_release(&file);
	world_destroy(&world);
	return 0;
}

static struct statx content(uint64_t size, int64_t mtime, int64_t ctime)
{
	return (struct statx){ .stx_size = size,
			       .stx_mtime = { .tv_sec = mtime },
			       .stx_ctime = { .tv_sec = ctime } };
}

static void tell(uint64_t size, int64_t mtime, int64_t ctime)
{
	struct statx stx = content(size, mtime, ctime);

	node_tell(&file, &stx);
	assert_true(node_is_told(&file, &stx));
}

static void test_is_told(void **state)
{
	struct statx stx = content(5, 10, 10);

	(void)state;
	assert_false(node_is_told(&file, &stx));
	tell(5, 10, 10);
	assert_true(node_is_told_size(world.table, file.id, 5));
	assert_false(node_is_told_size(world.table, file.id, 6));
	stx = content(5, 10, 11);
	assert_false(node_is_told(&file, &stx));
	stx = content(6, 10, 10);
	assert_false(node_is_told(&file, &stx));
	node_tell(&file, NULL);
	stx = content(5, 10, 10);
	assert_false(node_is_told(&file, &stx));
	assert_false(node_is_told_size(world.table, file.id, 5));
}

/* Only another size or mtime makes the kernel drop pages. */
static void test_pages_are_unsure(void **state)
{
	(void)state;
	assert_false(node_pages_are_unsure(&file));
	tell(5, 10, 10);
	assert_false(node_pages_are_unsure(&file));
	tell(5, 11, 11);
	assert_false(node_pages_are_unsure(&file));
	/* Written to, and its mtime set back. */
	tell(5, 11, 12);
	assert_true(node_pages_are_unsure(&file));
	tell(5, 11, 12);
	assert_true(node_pages_are_unsure(&file));
	tell(6, 11, 13);
	assert_false(node_pages_are_unsure(&file));
	/* What nobody can tell counts, too, until they are dropped. */
	node_tell(&file, NULL);
	tell(6, 11, 13);
	assert_true(node_pages_are_unsure(&file));
	node_pages_dropped(&file);
	assert_false(node_pages_are_unsure(&file));
	tell(6, 11, 14);
	assert_false(node_pages_are_unsure(&file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_are_unsure, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
