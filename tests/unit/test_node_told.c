/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept with a node: what the kernel was told, its path. */
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

/* Of any size of the caller's, nothing before it or after it is written. */
static void test_path_fits(void **state)
{
	char name[NAME_MAX + 1], buf[64], wanted[2 * NAME_MAX];
	struct node_ref deep = NODE_REF_NONE;

	(void)state;
	mkdir_at(&world, "d");
	for (size_t len = 1; len < sizeof(buf); len++) {
		uint64_t dir = looked_up(&world, ROOT, "d"), id;

		memset(name, 'x', len);
		name[len] = '\0';
		(void)snprintf(wanted, sizeof(wanted), "d/%s", name);
		touch_at(&world, wanted);
		id = looked_up(&world, dir, name);
		assert_int_equal(node_acquire(world.table, id, &deep), 0);
		memset(buf, '#', sizeof(buf));
		node_path(&deep, buf + 8, 32);
		for (size_t i = 0; i < sizeof(buf); i++) {
			if (i < 8 || i >= 40)
				assert_int_equal(buf[i], '#');
		}
		if (len + 4 <= 32) /* and all four: "/d/" and the end */
			assert_string_equal(buf + 9, wanted);
		else
			assert_int_equal(buf[8], '?');
		node_release(&deep);
		deep = NODE_REF_NONE;
		node_forget(world.table, id, 1);
		node_forget(world.table, dir, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_are_unsure, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_path_fits, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
