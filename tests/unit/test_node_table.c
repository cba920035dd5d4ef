/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes by id and by name, as the kernel and the host change things. */
#include "idshift/node_table.h"

#include "node_fixture.h"

static struct world world;

static int setup(void **state)
{
	(void)state;
	world_make(&world, 100);
	return 0;
}

/* Every descriptor is given up as soon as nobody uses it. */
static int setup_no_cache(void **state)
{
	(void)state;
	world_make(&world, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_destroy(&world);
	return 0;
}

static void expect_stale(uint64_t id)
{
	struct node_ref ref = NODE_REF_NONE;

	assert_int_equal(node_acquire(world.table, id, &ref), -ESTALE);
	assert_null(ref.table);
	node_release(&ref);
}

static void test_root(void **state)
{
	(void)state;
	assert_int_equal(inode_of(&world, ROOT), inode_at(&world, "."));
	expect_stats(&world, 1, 0);
	node_forget(world.table, ROOT, 1);
	node_forget(world.table, ROOT, UINT64_MAX);
	assert_int_equal(inode_of(&world, ROOT), inode_at(&world, "."));
}

static void test_strange_ids(void **state)
{
	static const uint64_t ids[] = {
		0,
		2,
		3,
		1000,
		1024,
		1025,
		1026,
		UINT32_MAX,
		UINT64_C(1) << 32,
		(UINT64_C(1) << 32) + 1,
		UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(ids); i++) {
		expect_stale(ids[i]);
		node_forget(world.table, ids[i], 1);
		assert_false(node_is_privileged(world.table, ids[i]));
	}
	expect_stats(&world, 1, 0);
}

static void test_lookup_count(void **state)
{
	uint64_t id, again;

	(void)state;
	touch_at(&world, "a");
	id = looked_up(&world, ROOT, "a");
	assert_int_equal(looked_up(&world, ROOT, "a"), id);
	assert_int_equal(looked_up(&world, ROOT, "a"), id);
	expect_stats(&world, 2, 3);
	node_forget(world.table, id, 2);
	assert_int_equal(inode_of(&world, id), inode_at(&world, "a"));
	node_forget(world.table, id, 0);
	expect_stats(&world, 2, 1);
	node_forget(world.table, id, 1);
	expect_stats(&world, 1, 0);
	expect_stale(id);
	node_forget(world.table, id, 1);
	/* The slot comes back, the id does not. */
	again = looked_up(&world, ROOT, "a");
	assert_true(again != id);
	expect_stale(id);
	/* More than there were. */
	node_forget(world.table, again, 1000);
	expect_stats(&world, 1, 0);
	assert_int_equal(lookup(&world, ROOT, "none", &id), -ENOENT);
	assert_int_equal(world.orphans, 0);
}

static void test_in_use(void **state)
{
	struct node_ref ref = NODE_REF_NONE;
	struct statx stx;
	uint64_t id;

	(void)state;
	touch_at(&world, "a");
	id = looked_up(&world, ROOT, "a");
	assert_int_equal(node_acquire(world.table, id, &ref), 0);
	node_forget(world.table, id, 1);
	/* Forgotten, but a request still runs. */
	assert_int_equal(backing_stat(ref.fd, &stx), 0);
	expect_stats(&world, 2, 0);
	assert_int_equal(looked_up(&world, ROOT, "a"), id);
	node_release(&ref);
	expect_stats(&world, 2, 1);
	node_forget(world.table, id, 1);
	expect_stats(&world, 1, 0);
	node_release(&ref);
}

static void test_parents_stay(void **state)
{
	uint64_t a, b, c;

	(void)state;
	mkdir_at(&world, "a");
	mkdir_at(&world, "a/b");
	touch_at(&world, "a/b/c");
	a = looked_up(&world, ROOT, "a");
	b = looked_up(&world, a, "b");
	c = looked_up(&world, b, "c");
	node_forget(world.table, a, 1);
	node_forget(world.table, b, 1);
	expect_stats(&world, 4, 1);
	assert_int_equal(inode_of(&world, c), inode_at(&world, "a/b/c"));
	/* The last one takes all with it. */
	node_forget(world.table, c, 1);
	expect_stats(&world, 1, 0);
	expect_stale(a);
	expect_stale(b);
}

static void test_hard_links(void **state)
{
	uint64_t id;

	(void)state;
	mkdir_at(&world, "d");
	touch_at(&world, "a");
	assert_int_equal(linkat(world.root, "a", world.root, "d/b", 0), 0);
	id = looked_up(&world, ROOT, "a");
	assert_int_equal(looked_up(&world, looked_up(&world, ROOT, "d"), "b"),
			 id);
	expect_stats(&world, 3, 3);
	/* Either name leads there while the other is gone. */
	assert_int_equal(remove_name(&world, ROOT, "a", 0), 0);
	assert_int_equal(inode_of(&world, id), inode_at(&world, "d/b"));
	assert_int_equal(linkat(world.root, "d/b", world.root, "c", 0), 0);
	assert_int_equal(looked_up(&world, ROOT, "c"), id);
	assert_int_equal(unlinkat(world.root, "c", 0), 0);
	assert_int_equal(inode_of(&world, id), inode_at(&world, "d/b"));
	node_forget(world.table, id, 3);
	assert_int_equal(world.orphans, 0);
}

static void test_rename(void **state)
{
	uint64_t d, e, a, b;

	(void)state;
	mkdir_at(&world, "d");
	mkdir_at(&world, "e");
	touch_at(&world, "d/a");
	touch_at(&world, "e/b");
	d = looked_up(&world, ROOT, "d");
	e = looked_up(&world, ROOT, "e");
	a = looked_up(&world, d, "a");
	b = looked_up(&world, e, "b");
	assert_int_equal(rename_name(&world, d, "a", e, "c", 0), 0);
	assert_int_equal(inode_of(&world, a), inode_at(&world, "e/c"));
	assert_int_equal(looked_up(&world, e, "c"), a);
	/* A whole directory; what is below goes along. */
	assert_int_equal(rename_name(&world, ROOT, "e", d, "f", 0), 0);
	assert_int_equal(inode_of(&world, e), inode_at(&world, "d/f"));
	assert_int_equal(inode_of(&world, a), inode_at(&world, "d/f/c"));
	assert_int_equal(inode_of(&world, b), inode_at(&world, "d/f/b"));
	assert_int_equal(rename_name(&world, e, "b", e, "c", RENAME_EXCHANGE),
			 0);
	assert_int_equal(inode_of(&world, b), inode_at(&world, "d/f/c"));
	assert_int_equal(inode_of(&world, a), inode_at(&world, "d/f/b"));
	/* Over another, which lives on while it is referred to. */
	assert_int_equal(rename_name(&world, e, "b", e, "c", 0), 0);
	assert_int_equal(inode_of(&world, a), inode_at(&world, "d/f/c"));
	assert_true(inode_of(&world, b) > 0);
	assert_int_equal(world.orphans, 0);
	node_forget(world.table, b, 1);
	assert_int_equal(world.orphans, 1);
	expect_stale(b);
}

/* Who came by the old name after the rename on disk has forgotten it. */
static void test_rename_forgotten(void **state)
{
	struct node_ref root = NODE_REF_NONE, ref = NODE_REF_NONE;
	uint64_t a;

	(void)state;
	touch_at(&world, "a");
	a = looked_up(&world, ROOT, "a");
	assert_int_equal(node_acquire(world.table, ROOT, &root), 0);
	assert_int_equal(node_pin_name(world.table, &root, "a", &ref), 0);
	assert_int_equal(renameat(world.root, "a", world.root, "b"), 0);
	node_name_removed(world.table, &root, "a");
	node_renamed(world.table, &root, "a", &root, "b", &ref, NULL);
	node_release(&ref);
	assert_int_equal(node_pin_name(world.table, &root, "b", &ref), 0);
	assert_int_equal(ref.id, a);
	assert_int_equal(inode_of(&world, a), inode_at(&world, "b"));
	node_release(&ref);
	node_release(&root);
}

static void test_exchange_unknown(void **state)
{
	uint64_t a;

	(void)state;
	touch_at(&world, "a");
	touch_at(&world, "b");
	/* The kernel knows but one of the two. */
	a = looked_up(&world, ROOT, "a");
	assert_int_equal(
		rename_name(&world, ROOT, "b", ROOT, "a", RENAME_EXCHANGE), 0);
	assert_int_equal(inode_of(&world, a), inode_at(&world, "b"));
	assert_int_equal(
		rename_name(&world, ROOT, "b", ROOT, "a", RENAME_EXCHANGE), 0);
	assert_int_equal(inode_of(&world, a), inode_at(&world, "a"));
	assert_int_equal(world.orphans, 0);
}

static void test_unlinked(void **state)
{
	struct node_ref ref = NODE_REF_NONE;
	int64_t inode;
	uint64_t a, d;
	int fd;

	(void)state;
	touch_at(&world, "a");
	mkdir_at(&world, "d");
	inode = inode_at(&world, "a");
	a = looked_up(&world, ROOT, "a");
	d = looked_up(&world, ROOT, "d");
	assert_int_equal(remove_name(&world, ROOT, "a", 0), 0);
	assert_int_equal(remove_name(&world, ROOT, "d", AT_REMOVEDIR), 0);
	touch_at(&world, "a");
	for (int i = 0; i < 3; i++)
		assert_int_equal(inode_of(&world, a), inode);
	assert_int_equal(node_acquire(world.table, a, &ref), 0);
	fd = backing_reopen(ref.fd, O_RDWR);
	assert_true(fd >= 0);
	(void)close(fd);
	node_release(&ref);
	assert_true(inode_of(&world, d) > 0);
	assert_true(looked_up(&world, ROOT, "a") != a);
	assert_int_equal(world.orphans, 0);
	node_forget(world.table, a, 1);
	assert_int_equal(world.orphans, 1);
	node_forget(world.table, a, 1);
	node_forget(world.table, d, 1);
	assert_int_equal(world.orphans, 2);
	expect_stats(&world, 2, 1);
}

static void test_pin_name(void **state)
{
	struct node_ref root = NODE_REF_NONE, ref = NODE_REF_NONE;
	uint64_t a;

	(void)state;
	touch_at(&world, "a");
	assert_int_equal(node_acquire(world.table, ROOT, &root), 0);
	assert_int_equal(node_pin_name(world.table, &root, "a", &ref), -ENOENT);
	assert_null(ref.table);
	a = looked_up(&world, ROOT, "a");
	assert_int_equal(node_pin_name(world.table, &root, "a", &ref), 0);
	assert_int_equal(ref.id, a);
	assert_ptr_equal(node_change_lock(&ref), node_change_lock(&ref));
	node_set_privileged(&ref, true);
	assert_true(node_is_privileged(world.table, a));
	node_set_privileged(&ref, false);
	assert_false(node_is_privileged(world.table, a));
	node_set_privileged(&ref, true);
	node_release(&ref);
	node_forget(world.table, a, 1);
	/* The next in its slot starts afresh. */
	assert_false(node_is_privileged(world.table, a));
	a = looked_up(&world, ROOT, "a");
	assert_false(node_is_privileged(world.table, a));
	node_release(&root);
}

/* The host put something else there: that is another object. */
static void test_host_replaces(void **state)
{
	uint64_t a, d, below, again;

	(void)state;
	touch_at(&world, "a");
	mkdir_at(&world, "d");
	touch_at(&world, "d/b");
	touch_at(&world, "new");
	a = looked_up(&world, ROOT, "a");
	d = looked_up(&world, ROOT, "d");
	below = looked_up(&world, d, "b");
	assert_int_equal(renameat(world.root, "new", world.root, "a"), 0);
	assert_int_equal(inode_of(&world, a), 0);
	again = looked_up(&world, ROOT, "a");
	assert_true(again != a);
	assert_int_equal(inode_of(&world, again), inode_at(&world, "a"));
	assert_int_equal(inode_of(&world, a), 0);
	/* A directory, with another of its name and like content. */
	assert_int_equal(renameat(world.root, "d", world.root, "old"), 0);
	mkdir_at(&world, "d");
	touch_at(&world, "d/b");
	assert_int_equal(inode_of(&world, below), 0);
	assert_int_equal(inode_of(&world, d), 0);
	/* Found again where it went. */
	assert_int_equal(looked_up(&world, ROOT, "old"), d);
	assert_int_equal(inode_of(&world, d), inode_at(&world, "old"));
	assert_int_equal(looked_up(&world, d, "b"), below);
	/* A dangling name of a file that is no directory any more. */
	assert_int_equal(unlinkat(world.root, "old/b", 0), 0);
	assert_int_equal(unlinkat(world.root, "old", AT_REMOVEDIR), 0);
	touch_at(&world, "old");
	assert_int_equal(inode_of(&world, below), 0);
	node_forget(world.table, a, 1);
	node_forget(world.table, again, 1);
	node_forget(world.table, below, 2);
	node_forget(world.table, d, 2);
	expect_stats(&world, 1, 0);
	assert_int_equal(world.orphans, 0);
}

/* Same name, maybe the same inode number, another birth. */
static void test_recycled_inode(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		uint64_t old, new;

		touch_at(&world, "a");
		old = looked_up(&world, ROOT, "a");
		assert_int_equal(unlinkat(world.root, "a", 0), 0);
		touch_at(&world, "a");
		assert_int_equal(inode_of(&world, old), 0);
		new = looked_up(&world, ROOT, "a");
		assert_true(new != old);
		assert_int_equal(unlinkat(world.root, "a", 0), 0);
		node_forget(world.table, old, 1);
		node_forget(world.table, new, 1);
	}
	expect_stats(&world, 1, 0);
}

#define CACHED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define UNCACHED(f)                                                 \
	{                                                           \
#f " (no cache)", f, setup_no_cache, teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHED(test_root),
		UNCACHED(test_root),
		CACHED(test_strange_ids),
		CACHED(test_lookup_count),
		UNCACHED(test_lookup_count),
		CACHED(test_in_use),
		UNCACHED(test_in_use),
		CACHED(test_parents_stay),
		UNCACHED(test_parents_stay),
		CACHED(test_hard_links),
		UNCACHED(test_hard_links),
		CACHED(test_rename),
		CACHED(test_rename_forgotten),
		UNCACHED(test_rename),
		CACHED(test_exchange_unknown),
		UNCACHED(test_exchange_unknown),
		CACHED(test_unlinked),
		UNCACHED(test_unlinked),
		CACHED(test_pin_name),
		UNCACHED(test_pin_name),
		UNCACHED(test_host_replaces),
		UNCACHED(test_recycled_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
