/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/turns.h"

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
	bool begun = turn_begin(turns, 5);

	turn_end(turns, 5, begun);
	return begun;
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
	assert_false(turn_begin(NULL, 5));
	turn_end(NULL, 5, false);
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
	bool begun = turn_begin(one, 5);
	struct flock lock = { .l_type = F_WRLCK };
	char path[PATH_MAX + 8];
	int fd;

	(void)state;
	assert_true(begun);
	assert_true(turn_begin(two, 6));
	turn_end(two, 6, true);
	(void)snprintf(path, sizeof(path), "%s/turns", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	lock.l_start = 5;
	lock.l_len = 1;
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_WRLCK);
	/* After a second all the same. */
	assert_false(turn_begin(two, 5));
	turn_end(two, 5, false);
	turn_end(one, 5, begun);
	assert_true(turn_begin(two, 5));
	turn_end(two, 5, true);
	(void)close(fd);
	assert_null(turns_close(one));
	assert_null(turns_close(two));
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
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
