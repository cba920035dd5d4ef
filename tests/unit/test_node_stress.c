/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that do all at once what a mount does; for the sanitizers, too. */
#include "idshift/node_table.h"

#include <pthread.h>
#include <time.h>

#include "node_fixture.h"

#define THREADS 4
#define SECONDS 2
#define DIRS 3
#define NAMES 8
#define HELD 32

static struct world world;
static uint64_t dirs[DIRS];
static struct timespec end;

/* A reference that the kernel would hold. */
struct held {
	uint64_t id;
	int64_t inode;
};

struct worker {
	pthread_t thread;
	uint64_t random;
	struct held held[HELD];
	long done;
	long made;
	long linked;
	const char *wrong; /* NULL: all went well */
};

static uint32_t draw(struct worker *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 20) % below;
}

static const char *draw_name(struct worker *w)
{
	static const char *const names[NAMES] = { "a", "b", "c", "d",
						  "e", "f", "g", "h" };

	return names[draw(w, NAMES)];
}

/* No assert may leave a thread: what is wrong is said at the end. */
static void expect(struct worker *w, bool right, const char *what)
{
	if (!right && w->wrong == NULL)
		w->wrong = what;
}

static void put(struct worker *w, struct held held)
{
	struct held *slot = &w->held[draw(w, HELD)];

	if (slot->id != 0)
		node_forget(world.table, slot->id, 1);
	*slot = held;
}

static void do_lookup(struct worker *w)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref child = NODE_REF_NONE;
	const char *name = draw_name(w);
	struct statx stx;
	int fd;

	if (node_acquire(world.table, dirs[draw(w, DIRS)], &dir) < 0) {
		expect(w, false, "a directory is gone");
		return;
	}
	fd = backing_open_child(dir.fd, name);
	if (fd < 0)
		return;
	(void)backing_stat(fd, &stx);
	if (node_found(world.table, &dir, name, fd, &stx, &child) == 0)
		put(w, (struct held){ child.id, (int64_t)stx.stx_ino });
	else
		expect(w, false, "node_found failed");
}

static void do_use(struct worker *w)
{
	const struct held *held = &w->held[draw(w, HELD)];
	int64_t inode;

	if (held->id == 0)
		return;
	inode = inode_of(&world, held->id);
	/* Stale where a name and the descriptor went at one time. */
	expect(w, inode == 0 || inode == held->inode, "another object");
}

static void do_create(struct worker *w)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;

	if (node_acquire(world.table, dirs[draw(w, DIRS)], &dir) == 0)
		w->made +=
			mknodat(dir.fd, draw_name(w), S_IFREG | 0600, 0) == 0;
}

static void do_link(struct worker *w)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref to = NODE_REF_NONE;
	const char *name = draw_name(w);

	if (node_acquire(world.table, dirs[draw(w, DIRS)], &dir) == 0 &&
	    node_acquire(world.table, dirs[draw(w, DIRS)], &to) == 0)
		w->linked += linkat(dir.fd, name, to.fd, draw_name(w), 0) == 0;
}

static void do_rename(struct worker *w)
{
	unsigned int flags = draw(w, 4) == 0 ? RENAME_EXCHANGE : 0;
	uint64_t from = dirs[draw(w, DIRS)], to = dirs[draw(w, DIRS)];
	const char *name = draw_name(w);

	(void)rename_name(&world, from, name, to, draw_name(w), flags);
}

static void step(struct worker *w)
{
	switch (draw(w, 10)) {
	case 0:
		do_create(w);
		break;
	case 1:
		(void)remove_name(&world, dirs[draw(w, DIRS)], draw_name(w), 0);
		break;
	case 2:
		do_rename(w);
		break;
	case 3:
		do_link(w);
		break;
	case 4:
		put(w, (struct held){ 0, 0 });
		break;
	case 5:
	case 6:
		do_use(w);
		break;
	default:
		do_lookup(w);
		break;
	}
}

static bool time_left(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < end.tv_sec ||
	       (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec);
}

static void *work(void *context)
{
	struct worker *w = context;

	for (; time_left(); w->done++)
		step(w);
	for (int i = 0; i < HELD; i++) {
		if (w->held[i].id != 0)
			node_forget(world.table, w->held[i].id, 1);
	}
	return NULL;
}

static void stress(size_t max_fds)
{
	static struct worker workers[THREADS];
	static const char *const names[DIRS] = { "1", "1/2", "1/2/3" };
	struct node_table_stats stats;

	world_make(&world, max_fds);
	for (int i = 0; i < DIRS; i++) {
		mkdir_at(&world, names[i]);
		dirs[i] = looked_up(&world, i > 0 ? dirs[i - 1] : ROOT,
				    strrchr(names[i], '/') != NULL ?
					    strrchr(names[i], '/') + 1 :
					    names[i]);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SECONDS;
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1),
		};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		if (workers[i].wrong != NULL)
			fail_msg("%s", workers[i].wrong);
		assert_true(workers[i].done > 100 && workers[i].made > 0 &&
			    workers[i].linked > 0);
	}
	expect_stats(&world, 1 + DIRS, DIRS);
	node_table_stats(world.table, &stats);
	assert_true(stats.fds <= 1 + max_fds);
	for (int i = 0; i < DIRS; i++)
		node_forget(world.table, dirs[i], 1);
	expect_stats(&world, 1, 0);
	world_destroy(&world);
}

static void test_no_cache(void **state)
{
	(void)state;
	stress(0);
}

static void test_small_cache(void **state)
{
	(void)state;
	stress(3);
}

static void test_large_cache(void **state)
{
	(void)state;
	stress(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_cache),
		cmocka_unit_test(test_small_cache),
		cmocka_unit_test(test_large_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
