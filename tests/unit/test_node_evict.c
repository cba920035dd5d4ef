/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Few descriptors for many nodes, and the way back to a node without one. */
#include "idshift/node_table.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "node_fixture.h"

#define DIRS 40
#define FILES 50
#define DEPTH 500
#define NOFILE 64

static struct world world;
static struct rlimit nofile;

static int few_descriptors(void **state)
{
	struct rlimit few = { .rlim_cur = NOFILE };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
	few.rlim_max = nofile.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	/* A way that goes round in circles must not hang the tests. */
	(void)alarm(100);
	return 0;
}

static int many_descriptors(void **state)
{
	(void)state;
	(void)alarm(0);
	return setrlimit(RLIMIT_NOFILE, &nofile);
}

static void expect_few(size_t cached)
{
	struct node_table_stats stats;

	node_table_stats(world.table, &stats);
	/* The root's is not to be had again. */
	assert_true(stats.fds <= cached + 1);
	assert_int_equal(count_fds(), world.fds_before + 1 + stats.fds);
}

static void many_nodes(size_t max_fds)
{
	static uint64_t dirs[DIRS], ids[DIRS][FILES];
	char name[32];

	world_make(&world, max_fds);
	for (int d = 0; d < DIRS; d++) {
		(void)snprintf(name, sizeof(name), "%d", d);
		mkdir_at(&world, name);
		dirs[d] = looked_up(&world, ROOT, name);
		for (int f = 0; f < FILES; f++) {
			(void)snprintf(name, sizeof(name), "%d/%d", d, f);
			touch_at(&world, name);
			(void)snprintf(name, sizeof(name), "%d", f);
			ids[d][f] = looked_up(&world, dirs[d], name);
		}
		expect_few(max_fds);
	}
	expect_stats(&world, 1 + DIRS + DIRS * FILES, DIRS + DIRS * FILES);
	for (int i = 0; i < 3000; i++) {
		uint32_t d = fixture_random(DIRS), f = fixture_random(FILES);

		(void)snprintf(name, sizeof(name), "%u/%u", d, f);
		assert_int_equal(inode_of(&world, ids[d][f]),
				 inode_at(&world, name));
		expect_few(max_fds);
	}
	for (int d = 0; d < DIRS; d++) {
		node_forget(world.table, dirs[d], 1);
		for (int f = 0; f < FILES; f++)
			node_forget(world.table, ids[d][f], 1);
	}
	expect_stats(&world, 1, 0);
	assert_int_equal(world.orphans, 0);
	world_destroy(&world);
}

static void test_many_nodes(void **state)
{
	(void)state;
	for (size_t max_fds = 0; max_fds < 3; max_fds++)
		many_nodes(max_fds);
}

/* A directory in each other, and a file in the last. */
static void make_deep(uint64_t ids[DEPTH + 1])
{
	uint64_t parent = ROOT;
	int fd = openat(world.root, ".", O_PATH);

	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_PATH);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
		ids[i] = parent = looked_up(&world, parent, "d");
	}
	assert_int_equal(mknodat(fd, "file", S_IFREG | 0600, 0), 0);
	(void)close(fd);
	ids[DEPTH] = looked_up(&world, parent, "file");
}

/* Removed and forgotten: what has no name keeps its descriptor till then. */
static void remove_deep(const uint64_t ids[DEPTH + 1])
{
	for (int i = DEPTH; i >= 0; i--) {
		assert_int_equal(remove_name(&world, i > 0 ? ids[i - 1] : ROOT,
					     i < DEPTH ? "d" : "file",
					     i < DEPTH ? AT_REMOVEDIR : 0),
				 0);
		assert_int_equal(world.orphans, DEPTH - i);
		node_forget(world.table, ids[i], 1);
	}
}

/* Deeper than there may be descriptors. */
static void test_deep(void **state)
{
	static uint64_t ids[DEPTH + 1];
	int64_t inode, file;

	(void)state;
	for (size_t max_fds = 0; max_fds < 3; max_fds++) {
		world_make(&world, max_fds);
		make_deep(ids);
		/* None but the last is known to the kernel any more. */
		for (int i = 0; i < DEPTH; i += 2)
			node_forget(world.table, ids[i], 1);
		expect_stats(&world, DEPTH + 2, DEPTH / 2 + 1);
		inode = inode_of(&world, ids[DEPTH]);
		assert_true(inode > 0);
		expect_few(max_fds);
		assert_true(inode_of(&world, ids[DEPTH / 2]) > 0);
		assert_true(inode_of(&world, ids[DEPTH - 1]) > 0);
		expect_few(max_fds);
		for (int i = 0; i < DEPTH; i += 2)
			assert_int_equal(looked_up(&world,
						   i > 0 ? ids[i - 1] : ROOT,
						   "d"),
					 ids[i]);
		/* The host takes the whole tree elsewhere and back. */
		assert_int_equal(renameat(world.root, "d", world.root, "e"), 0);
		file = inode_of(&world, ids[DEPTH]);
		assert_true(file == 0 || (max_fds > 0 && file == inode));
		assert_int_equal(looked_up(&world, ROOT, "e"), ids[0]);
		assert_true(inode_of(&world, ids[DEPTH]) > 0);
		assert_int_equal(renameat(world.root, "e", world.root, "d"), 0);
		node_forget(world.table, ids[0], 2);
		assert_int_equal(looked_up(&world, ROOT, "d"), ids[0]);
		remove_deep(ids);
		assert_int_equal(world.orphans, DEPTH + 1);
		expect_stats(&world, 1, 0);
		world_destroy(&world);
	}
}

/* Nothing but its descriptor leads to an object without a name. */
static void test_unlinked_stays(void **state)
{
	uint64_t ids[20];
	int64_t inodes[20];
	char name[16];

	(void)state;
	world_make(&world, 0);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		touch_at(&world, name);
		ids[i] = looked_up(&world, ROOT, name);
		inodes[i] = inode_at(&world, name);
		assert_int_equal(remove_name(&world, ROOT, name, 0), 0);
	}
	for (int i = 0; i < 20; i++)
		assert_int_equal(inode_of(&world, ids[i]), inodes[i]);
	expect_few(20);
	for (int i = 0; i < 20; i++)
		node_forget(world.table, ids[i], 1);
	assert_int_equal(world.orphans, 20);
	expect_few(0);
	world_destroy(&world);
}

/*
 * The host turns a tree upside down while the kernel still walks the old
 * one: what was above is found below.
 */
static void test_upside_down(void **state)
{
	(void)state;
	for (size_t max_fds = 0; max_fds < 5; max_fds++) {
		uint64_t a, b, c, id, others[5];

		world_make(&world, max_fds);
		for (int i = 0; i < 5; i++) {
			char name[] = { (char)('v' + i), '\0' };

			touch_at(&world, name);
			others[i] = looked_up(&world, ROOT, name);
		}
		mkdir_at(&world, "a");
		mkdir_at(&world, "a/b");
		mkdir_at(&world, "a/b/c");
		a = looked_up(&world, ROOT, "a");
		b = looked_up(&world, a, "b");
		c = looked_up(&world, b, "c");
		assert_int_equal(renameat(world.root, "a/b/c", world.root, "c"),
				 0);
		assert_int_equal(renameat(world.root, "a", world.root, "c/a"),
				 0);
		if (lookup(&world, c, "a", &id) == 0)
			assert_int_equal(id, a);
		else
			id = 0;
		/* Found or stale, but no other and not for ever. */
		for (int i = 0; i < 3; i++) {
			int64_t inode;

			/* Take the descriptors of all in the circle. */
			for (int j = 0; j < 5; j++)
				assert_true(inode_of(&world, others[j]) > 0);
			inode = inode_of(&world, c);
			assert_true(inode == 0 ||
				    inode == inode_at(&world, "c"));
			inode = inode_of(&world, a);
			assert_true(inode == 0 ||
				    inode == inode_at(&world, "c/a"));
			inode = inode_of(&world, b);
			assert_true(inode == 0 ||
				    inode == inode_at(&world, "c/a/b"));
		}
		/* Looked up from the top all is well again. */
		assert_int_equal(looked_up(&world, ROOT, "c"), c);
		assert_int_equal(looked_up(&world, c, "a"), a);
		assert_int_equal(looked_up(&world, a, "b"), b);
		assert_int_equal(inode_of(&world, b),
				 inode_at(&world, "c/a/b"));
		for (int i = 0; i < 5; i++)
			node_forget(world.table, others[i], 1);
		node_forget(world.table, a, 10);
		node_forget(world.table, b, 10);
		node_forget(world.table, c, 10);
		expect_stats(&world, 1, 0);
		world_destroy(&world);
	}
}

static void bind(const char *from, const char *to)
{
	char source[PATH_MAX], target[PATH_MAX];

	assert_true(snprintf(source, PATH_MAX, "%s/%s", world.dir, from) <
		    PATH_MAX);
	assert_true(snprintf(target, PATH_MAX, "%s/%s", world.dir, to) <
		    PATH_MAX);
	if (from[0] != '\0')
		assert_int_equal(
			mount(source, target, NULL, MS_BIND | MS_REC, NULL), 0);
	else
		assert_int_equal(umount2(target, MNT_DETACH), 0);
}

/* The host may bind a directory below itself: a circle, without a link. */
static void test_bound_into_itself(void **state)
{
	(void)state;
	/* The last test: this one's mounts are nobody else's. */
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("# skipped: may not mount\n");
		skip();
	}
	for (size_t max_fds = 0; max_fds < 3; max_fds++) {
		uint64_t a, b, self, top;

		world_make(&world, max_fds);
		mkdir_at(&world, "a");
		mkdir_at(&world, "a/top");
		mkdir_at(&world, "a/b");
		mkdir_at(&world, "a/b/self");
		bind(".", "a/top");
		bind("a", "a/b/self");
		a = looked_up(&world, ROOT, "a");
		b = looked_up(&world, a, "b");
		/* The same directories by another mount. */
		self = looked_up(&world, b, "self");
		top = looked_up(&world, a, "top");
		assert_int_not_equal(self, a);
		assert_int_not_equal(top, ROOT);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(looked_up(&world, b, "self"), self);
			assert_int_equal(looked_up(&world, a, "top"), top);
			assert_int_equal(inode_of(&world, self),
					 inode_at(&world, "a"));
			assert_int_equal(inode_of(&world, top),
					 inode_at(&world, "."));
			assert_int_equal(inode_of(&world, ROOT),
					 inode_at(&world, "."));
			/* From the top, as the kernel would. */
			assert_int_equal(looked_up(&world, ROOT, "a"), a);
			assert_int_equal(looked_up(&world, a, "b"), b);
			assert_int_equal(inode_of(&world, b),
					 inode_at(&world, "a/b"));
		}
		node_forget(world.table, a, 100);
		node_forget(world.table, b, 100);
		node_forget(world.table, self, 100);
		node_forget(world.table, top, 100);
		expect_stats(&world, 1, 0);
		bind("", "a/b/self");
		bind("", "a/top");
		world_destroy(&world);
	}
}

#define FEW(f) \
	cmocka_unit_test_setup_teardown(f, few_descriptors, many_descriptors)

/* Its state is that of now, whoever opened it and when. */
static void expect_acquired(uint64_t id, const char *path, uint64_t size)
{
	struct node_ref ref = NODE_REF_NONE;
	struct statx stx = { 0 };

	assert_int_equal(node_acquire_stat(world.table, id, &ref, &stx), 0);
	assert_true(ref.fd >= 0);
	assert_int_equal(stx.stx_ino, inode_at(&world, path));
	assert_int_equal(stx.stx_size, size);
	node_release(&ref);
}

static int64_t fstat_ino(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (int64_t)st.st_ino;
}

static void test_acquire_stat(void **state)
{
	struct node_ref ref = NODE_REF_NONE;
	struct statx stx = { 0 };
	uint64_t dir, id;
	int fd;

	(void)state;
	world_make(&world, 10);
	mkdir_at(&world, "d");
	dir = looked_up(&world, ROOT, "d");
	touch_at(&world, "d/f");
	id = looked_up(&world, dir, "f");
	expect_acquired(id, "d/f", 0);
	fd = openat(world.root, "d/f", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "ab", 2), 2);
	expect_acquired(id, "d/f", 2);
	node_table_drop_idle(world.table);
	assert_int_equal(write(fd, "ab", 2), 2);
	expect_acquired(id, "d/f", 4);
	(void)close(fd);
	node_table_drop_idle(world.table);
	touch_at(&world, "other");
	assert_int_equal(renameat(world.root, "other", world.root, "d/f"), 0);
	assert_int_equal(node_acquire_stat(world.table, id, &ref, &stx),
			 -ESTALE);
	assert_null(ref.table);
	assert_int_equal(stx.stx_mask, 0);
	world_destroy(&world);
}

/* 0: there is none. */
static void expect_writer(uint64_t id)
{
	uint64_t *ids;
	size_t count;

	assert_int_equal(node_writers(world.table, &ids, &count), 0);
	assert_int_equal(count, id != 0);
	if (id != 0)
		assert_int_equal(ids[0], id);
	free(ids);
}

/* What no name leads to any more is found by who has it open. */
static void test_open_without_name(void **state)
{
	struct node_ref ref = NODE_REF_NONE;
	uint64_t id, other;
	struct statx stx;

	(void)state;
	world_make(&world, 10);
	touch_at(&world, "f");
	touch_at(&world, "other");
	id = looked_up(&world, ROOT, "f");
	other = looked_up(&world, ROOT, "other");
	assert_true(node_opened(world.table, id, true));
	assert_true(node_opened(world.table, other, false));
	expect_writer(id);
	world.held = openat(world.root, "f", O_RDWR | O_CLOEXEC);
	assert_true(world.held >= 0);
	assert_int_equal(fstat_ino(world.held), inode_of(&world, id));
	node_table_drop_idle(world.table);
	assert_int_equal(unlinkat(world.root, "f", 0), 0);
	assert_int_equal(unlinkat(world.root, "other", 0), 0);

	assert_int_equal(node_acquire_stat(world.table, id, &ref, &stx), 0);
	assert_int_equal(world.asked_for, id);
	assert_int_equal(stx.stx_ino, fstat_ino(world.held));
	assert_int_equal(stx.stx_nlink, 0);
	node_release(&ref);
	/* That was its only descriptor: it stays until the file is closed. */
	world.asked_for = 0;
	node_table_drop_idle(world.table);
	assert_int_equal(inode_of(&world, id), fstat_ino(world.held));
	assert_int_equal(world.asked_for, 0);
	/* The hook has nothing of this one, or another's. */
	assert_int_equal(inode_of(&world, other), 0);
	assert_int_equal(world.asked_for, other);
	node_closed(world.table, other, false);
	/* Once opened, the kernel may have pages of it for good. */
	assert_false(node_opened(world.table, other, false));
	node_closed(world.table, other, false);
	world.asked_for = 0;
	assert_int_equal(inode_of(&world, other), 0);
	assert_int_equal(world.asked_for, 0);
	(void)close(world.held);
	node_closed(world.table, id, true);
	expect_writer(0);
	node_forget(world.table, id, 1);
	node_forget(world.table, other, 1);
	expect_stats(&world, 1, 0);
	world_destroy(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acquire_stat),
		FEW(test_many_nodes),
		FEW(test_deep),
		FEW(test_unlinked_stays),
		cmocka_unit_test(test_open_without_name),
		FEW(test_upside_down),
		FEW(test_bound_into_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
