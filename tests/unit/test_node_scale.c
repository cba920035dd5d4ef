/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many nodes: what they take, and that it is given back. */
#include "idshift/node_table.h"

#include <malloc.h>
#include <stdlib.h>

#include "node_fixture.h"

enum { NODES = 100000, NAME_LENGTH = 10 };

static struct world world;

static int make_world(void **state)
{
	(void)state;
	world_make(&world, 100);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_destroy(&world);
	return 0;
}

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Objects that are on no disk: the table asks for none of them. */
static uint64_t found(const struct node_ref *root, uint32_t i)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct statx stx = { .stx_mode = S_IFREG | 0644,
			     .stx_ino = 1000000 + i };
	char name[NAME_LENGTH + 1];

	(void)snprintf(name, sizeof(name), "file%06u", i);
	assert_int_equal(node_found(world.table, root, name, -1, &stx, &node),
			 0);
	return node.id;
}

static uint64_t *find_all(const struct node_ref *root)
{
	uint64_t *ids = calloc(NODES, sizeof(*ids));

	assert_non_null(ids);
	for (uint32_t i = 0; i < NODES; i++)
		ids[i] = found(root, i);
	return ids;
}

static void forget_some(const uint64_t *ids, uint32_t first, uint32_t step)
{
	enum { AT_ONCE = 100 };
	struct node_lookups some[AT_ONCE];
	size_t n = 0;

	for (uint32_t i = first; i < NODES; i += step) {
		some[n++] = (struct node_lookups){ .id = ids[i], .count = 1 };
		if (n == AT_ONCE || NODES - i <= step) {
			node_forget_all(world.table, some, n);
			n = 0;
		}
	}
}

static void test_memory(void **state)
{
	_cleanup_node_ struct node_ref root = NODE_REF_NONE;
	size_t before, full, after, each, ids_size = NODES * sizeof(uint64_t);
	uint64_t *ids;

	(void)state;
	assert_int_equal(node_acquire(world.table, ROOT, &root), 0);
	before = memory_in_use();
	ids = find_all(&root);
	full = memory_in_use() - before;
	expect_stats(&world, NODES + 1, NODES);
	/* Sanitizers have an allocator of their own. */
	each = full > ids_size ? (full - ids_size) / NODES : 1;
	assert_true(each >= 1 && each <= 200 + NAME_LENGTH + 1);
	/* All but one of each thousand: those are in every other block. */
	for (uint32_t first = 1; first < 1000; first++)
		forget_some(ids, first, 1000);
	expect_stats(&world, NODES / 1000 + 1, NODES / 1000);
	forget_some(ids, 0, 1000);
	expect_stats(&world, 1, 0);
	free(ids);
	after = memory_in_use() - before;
	if (full > ids_size)
		assert_true(after <= 100000);
}

static void test_no_id_returns(void **state)
{
	_cleanup_node_ struct node_ref root = NODE_REF_NONE;
	struct node_ref gone = NODE_REF_NONE;
	uint64_t *ids, *again;

	(void)state;
	assert_int_equal(node_acquire(world.table, ROOT, &root), 0);
	ids = find_all(&root);
	forget_some(ids, 0, 1);
	expect_stats(&world, 1, 0);
	again = find_all(&root);
	expect_stats(&world, NODES + 1, NODES);
	for (uint32_t i = 0; i < NODES; i++) {
		assert_int_equal(node_acquire(world.table, ids[i], &gone),
				 -ESTALE);
		/* Known by the same name and identity. */
		assert_int_equal(found(&root, i), again[i]);
	}
	forget_some(again, 0, 1);
	expect_stats(&world, NODES + 1, NODES);
	forget_some(again, 0, 1);
	expect_stats(&world, 1, 0);
	free(ids);
	free(again);
}

/* Where a node without a descriptor is, and whether it still is there. */
static void test_locate(void **state)
{
	_cleanup_node_ struct node_ref root = NODE_REF_NONE;
	struct node_ref node = NODE_REF_NONE, dir = NODE_REF_NONE;
	char name[NODE_NAME_MAX + 1] = "";
	struct statx stx;
	uint64_t id;

	(void)state;
	touch_at(&world, "here");
	assert_int_equal(node_acquire(world.table, ROOT, &root), 0);
	assert_int_equal(backing_stat_child(root.fd, "here", &stx), 0);
	assert_int_equal(
		node_found(world.table, &root, "here", -1, &stx, &node), 0);
	id = node.id;
	node_release(&node);

	assert_int_equal(node_locate(world.table, id, &node, &dir, name), 0);
	assert_string_equal(name, "here");
	assert_int_equal(node.id, id);
	assert_int_equal(node.fd, -1);
	assert_int_equal(dir.id, ROOT);
	assert_int_equal(dir.fd, root.fd);
	assert_true(node_is(&node, &stx));
	stx.stx_ino++;
	assert_false(node_is(&node, &stx));
	node_release(&node);
	node_release(&dir);

	/* One with a descriptor needs no name, the root has none. */
	assert_int_equal(node_acquire(world.table, id, &node), 0);
	node_release(&node);
	assert_int_equal(node_locate(world.table, id, &node, &dir, name),
			 -ENOENT);
	assert_int_equal(node_locate(world.table, ROOT, &node, &dir, name),
			 -ENOENT);
	assert_null(node.table);
	assert_null(dir.table);
	node_forget(world.table, id, 1);
	assert_int_equal(node_locate(world.table, id, &node, &dir, name),
			 -ENOENT);
	expect_stats(&world, 1, 0);
}

#define WORLD_TEST(test) \
	cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_memory),
		WORLD_TEST(test_no_id_returns),
		WORLD_TEST(test_locate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
