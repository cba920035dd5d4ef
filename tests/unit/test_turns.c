/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/turns.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>

#include "store_fixture.h"

static char dir[PATH_MAX];

static int setup(void **state)
{
	(void)state;
	temp_dir_make(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temp_dir_remove(dir);
	return 0;
}

static struct turns *join(void)
{
	struct turns *turns = NULL;

	assert_int_equal(turns_open(dir, &turns), 0);
	return turns;
}

/* Does it lock what it takes a turn on? */
static bool locks(struct turns *turns)
{
	enum turn turn = turn_begin(turns, 5);

	turn_end(turns, 5, turn);
	assert_true(turn != TURN_NONE);
	return turn == TURN_LOCKED;
}

static void test_alone(void **state)
{
	struct turns *one = join(), *two;

	(void)state;
	assert_false(locks(one));
	two = join();
	assert_true(locks(one));
	assert_true(locks(two));
	assert_null(turns_close(two));
	assert_false(locks(one));
	assert_null(turns_close(one));
	assert_int_equal(turn_begin(NULL, 5), TURN_NONE);
	turn_end(NULL, 5, TURN_NONE);
}

static void test_killed(void **state)
{
	struct turns *one, *two;
	pid_t child = fork();
	int status;

	(void)state;
	/* Two of them, which nobody closes. */
	if (child == 0) {
		bool well = turns_open(dir, &one) == 0 &&
			    turns_open(dir, &two) == 0;

		_exit(well ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	one = join();
	assert_false(locks(one));
	assert_null(turns_close(one));
}

/* Another's turn is waited for, of the same object alone. */
static void test_turns(void **state)
{
	struct turns *one = join(), *two = join();
	enum turn turn = turn_begin(one, 5);
	struct flock lock = { .l_type = F_WRLCK };
	char path[PATH_MAX + 8];
	int fd;

	(void)state;
	assert_int_equal(turn, TURN_LOCKED);
	assert_int_equal(turn_begin(two, 6), TURN_LOCKED);
	turn_end(two, 6, TURN_LOCKED);
	(void)snprintf(path, sizeof(path), "%s/turns", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	lock.l_start = 5;
	lock.l_len = 1;
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_WRLCK);
	/* After a second all the same. */
	assert_int_equal(turn_begin(two, 5), TURN_NONE);
	turn_end(two, 5, TURN_NONE);
	turn_end(one, 5, turn);
	assert_int_equal(turn_begin(two, 5), TURN_LOCKED);
	turn_end(two, 5, TURN_LOCKED);
	(void)close(fd);
	assert_null(turns_close(one));
	assert_null(turns_close(two));
}

static void *join_late(void *context)
{
	*(struct turns **)context = join();
	return NULL;
}

/* Who comes waits for what was begun without a lock. */
static void test_begun_alone(void **state)
{
	struct turns *one = join(), *two = NULL;
	enum turn turn = turn_begin(one, 5);
	pthread_t thread;

	(void)state;
	assert_int_equal(turn, TURN_UNLOCKED);
	assert_int_equal(pthread_create(&thread, NULL, join_late, &two), 0);
	/* Once it has come it counts, and is still not there. */
	while (!locks(one))
		(void)usleep(100);
	assert_int_equal(pthread_tryjoin_np(thread, NULL), EBUSY);
	turn_end(one, 5, turn);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(locks(two));
	assert_null(turns_close(one));
	assert_null(turns_close(two));
}

struct start {
	pthread_barrier_t *barrier;
	struct turns *turns;
};

static void *join_together(void *context)
{
	struct start *start = context;

	(void)pthread_barrier_wait(start->barrier);
	start->turns = join();
	return NULL;
}

/* Of those that start at the same time none takes itself to be alone. */
static void test_start_together(void **state)
{
	(void)state;
	for (int round = 0; round < 1000; round++) {
		pthread_barrier_t barrier;
		struct start starts[2];
		pthread_t threads[2];

		(void)pthread_barrier_init(&barrier, NULL, 2);
		for (int i = 0; i < 2; i++) {
			starts[i].barrier = &barrier;
			assert_int_equal(pthread_create(&threads[i], NULL,
							join_together,
							&starts[i]),
					 0);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		for (int i = 0; i < 2; i++)
			assert_true(locks(starts[i].turns));
		for (int i = 0; i < 2; i++)
			assert_null(turns_close(starts[i].turns));
		(void)pthread_barrier_destroy(&barrier);
	}
}

static void test_full_disk(void **state)
{
	struct turns *turns = NULL;
	int r;

	(void)state;
	if (!full_disk_mount(dir))
		skip();
	r = turns_open(dir, &turns);
	full_disk_unmount(dir);
	assert_int_equal(r, -ENOSPC);
	assert_null(turns);
}

static void test_no_directory(void **state)
{
	struct turns *turns = NULL;

	(void)state;
	assert_int_equal(turns_open("/none", &turns), -ENOENT);
	assert_null(turns);
	assert_null(turns_close(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begun_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_start_together, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup,
						teardown),
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
