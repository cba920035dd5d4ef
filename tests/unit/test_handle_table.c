/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/handle_table.h"

#include <pthread.h>

#include "node_fixture.h"

#define MANY 300

static int open_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct dir_stream *open_dir(void)
{
	struct dir_stream *dir;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(dir_stream_new(fd, &dir), 0);
	return dir;
}

static void test_files(void **state)
{
	struct handle_table *table;
	static uint64_t handles[MANY];
	size_t before = count_fds();
	uint64_t again;

	(void)state;
	assert_int_equal(handle_table_new(&table), 0);
	for (int i = 0; i < MANY; i++) {
		int fd = open_null();

		assert_int_equal(
			handle_add_file(table, (uint64_t)i, fd, &handles[i]),
			0);
		assert_int_equal(handle_fd(table, handles[i]), fd);
		assert_null(handle_dir(table, handles[i]));
		for (int j = 0; j < i; j++)
			assert_true(handles[j] != handles[i]);
	}
	assert_int_equal(count_fds(), before + MANY);
	handle_remove(table, handles[7]);
	assert_int_equal(count_fds(), before + MANY - 1);
	assert_int_equal(handle_fd(table, handles[7]), -EBADF);
	/* Twice is harmless, also once the slot has another. */
	handle_remove(table, handles[7]);
	assert_int_equal(handle_add_file(table, 7, open_null(), &again), 0);
	assert_true(again != handles[7]);
	handle_remove(table, handles[7]);
	assert_int_equal(handle_fd(table, handles[7]), -EBADF);
	assert_true(handle_fd(table, again) >= 0);
	/* Closes all that are left. */
	assert_null(handle_table_free(table));
	assert_int_equal(count_fds(), before);
	assert_null(handle_table_free(NULL));
}

static void test_directories(void **state)
{
	struct handle_table *table;
	struct dir_stream *dir = open_dir();
	size_t before = count_fds() - 1;
	uint64_t handle, left;

	(void)state;
	assert_int_equal(handle_table_new(&table), 0);
	assert_int_equal(handle_add_dir(table, dir, &handle), 0);
	assert_ptr_equal(handle_dir(table, handle), dir);
	assert_int_equal(handle_fd(table, handle), dir_stream_fd(dir));
	handle_remove(table, handle);
	assert_null(handle_dir(table, handle));
	assert_int_equal(handle_fd(table, handle), -EBADF);
	assert_int_equal(count_fds(), before);
	assert_int_equal(handle_add_dir(table, open_dir(), &left), 0);
	assert_null(handle_table_free(table));
	assert_int_equal(count_fds(), before);
}

static void test_strange_handles(void **state)
{
	static const uint64_t strange[] = {
		0, 1, 63, 64, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX,
	};
	struct handle_table *table;

	(void)state;
	assert_int_equal(handle_table_new(&table), 0);
	for (size_t i = 0; i < LENGTH(strange); i++) {
		assert_int_equal(handle_fd(table, strange[i]), -EBADF);
		assert_null(handle_dir(table, strange[i]));
		handle_remove(table, strange[i]);
	}
	assert_null(handle_table_free(table));
}

static void *churn(void *context)
{
	struct handle_table *table = context;
	uint64_t handles[10];
	intptr_t bad = 0;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 10; i++) {
			int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

			bad += handle_add_file(table, (uint64_t)i, fd,
					       &handles[i]) < 0;
			bad += handle_fd(table, handles[i]) != fd;
		}
		for (int i = 0; i < 10; i++) {
			handle_remove(table, handles[i]);
			bad += handle_fd(table, handles[i]) != -EBADF;
		}
	}
	return (void *)bad;
}

static void test_threads(void **state)
{
	struct handle_table *table;
	pthread_t threads[4];
	size_t before = count_fds();

	(void)state;
	assert_int_equal(handle_table_new(&table), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, churn, table), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		assert_int_equal(pthread_join(threads[i], &bad), 0);
		assert_null(bad);
	}
	assert_int_equal(count_fds(), before);
	assert_null(handle_table_free(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_strange_handles),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
