/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/lock_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "node_fixture.h"

#define BYTES 24
#define ROOM 1000
#define NO_HANDLE UINT64_MAX

static struct lock_range range(short type, uint64_t start, uint64_t end,
			       pid_t pid)
{
	return (struct lock_range){
		.start = start, .end = end, .pid = pid, .type = type
	};
}

static void set(struct lock_ranges *ranges, short type, uint64_t start,
		uint64_t end, size_t room)
{
	const struct lock_range change = range(type, start, end, 1);

	lock_ranges_set(ranges, &change, room);
}

static void expect(const struct lock_ranges *ranges, const char *wanted)
{
	char text[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < ranges->count; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%c%llu-%llu",
			i > 0 ? " " : "",
			ranges->items[i].type == F_RDLCK ? 'r' : 'w',
			(unsigned long long)ranges->items[i].start,
			(unsigned long long)ranges->items[i].end);
	assert_string_equal(text, wanted);
}

static void test_split_and_merge(void **state)
{
	struct lock_ranges ranges = { 0 };

	(void)state;
	set(&ranges, F_UNLCK, 0, INT64_MAX, ROOM);
	expect(&ranges, "");
	set(&ranges, F_WRLCK, 10, 19, ROOM);
	set(&ranges, F_WRLCK, 30, 39, ROOM);
	expect(&ranges, "w10-19 w30-39");
	set(&ranges, F_WRLCK, 20, 29, ROOM);
	expect(&ranges, "w10-39");
	set(&ranges, F_UNLCK, 15, 15, ROOM);
	expect(&ranges, "w10-14 w16-39");
	set(&ranges, F_RDLCK, 14, 16, ROOM);
	expect(&ranges, "w10-13 r14-16 w17-39");
	set(&ranges, F_RDLCK, 0, 13, ROOM);
	expect(&ranges, "r0-16 w17-39");
	set(&ranges, F_RDLCK, 20, 25, ROOM);
	expect(&ranges, "r0-16 w17-19 r20-25 w26-39");
	set(&ranges, F_WRLCK, 5, INT64_MAX, ROOM);
	expect(&ranges, "r0-4 w5-9223372036854775807");
	set(&ranges, F_UNLCK, 100, INT64_MAX, ROOM);
	expect(&ranges, "r0-4 w5-99");
	set(&ranges, F_UNLCK, 0, 0, ROOM);
	set(&ranges, F_UNLCK, 99, 99, ROOM);
	expect(&ranges, "r1-4 w5-98");
	/* Next to it is not in it. */
	set(&ranges, F_UNLCK, 99, 200, ROOM);
	set(&ranges, F_UNLCK, 0, 0, ROOM);
	expect(&ranges, "r1-4 w5-98");
	set(&ranges, F_UNLCK, 0, INT64_MAX, ROOM);
	assert_int_equal(ranges.capacity, 0);
}

/* Without room nothing is known that isn't held. */
static void test_no_room(void **state)
{
	struct lock_ranges ranges = { 0 };

	(void)state;
	set(&ranges, F_WRLCK, 10, 19, 0);
	expect(&ranges, "");
	set(&ranges, F_WRLCK, 10, 19, 1);
	set(&ranges, F_UNLCK, 12, 13, 0);
	expect(&ranges, "w10-11");
	set(&ranges, F_RDLCK, 11, 11, 0);
	expect(&ranges, "w10-10");
	set(&ranges, F_WRLCK, 11, 30, 0);
	expect(&ranges, "w10-30");
	lock_ranges_clear(&ranges);
}

/* Against a byte at a time. */
static void test_random(void **state)
{
	struct lock_ranges ranges = { 0 };
	short bytes[BYTES];

	(void)state;
	srandom(1);
	for (int i = 0; i < BYTES; i++)
		bytes[i] = F_UNLCK;
	for (int round = 0; round < 20000; round++) {
		uint64_t start = (uint64_t)random() % BYTES;
		uint64_t end = start + (uint64_t)random() % (BYTES - start);
		short type = (short)(random() % 3);
		short seen[BYTES];

		set(&ranges, type, start, end, ROOM);
		for (uint64_t i = start; i <= end; i++)
			bytes[i] = type;
		for (int i = 0; i < BYTES; i++)
			seen[i] = F_UNLCK;
		for (size_t i = 0; i < ranges.count; i++) {
			const struct lock_range *item = &ranges.items[i];

			if (i > 0 && item[-1].end + 1 == item->start)
				assert_int_not_equal(item[-1].type, item->type);
			for (uint64_t j = item->start; j <= item->end; j++) {
				assert_int_equal(seen[j], F_UNLCK);
				seen[j] = item->type;
			}
		}
		assert_memory_equal(seen, bytes, sizeof(bytes));
	}
	lock_ranges_clear(&ranges);
}

/* --- the table: process N is owner N, its pid is 100 N ------------------- */

static struct lock_table *table;

static int setup(void **state)
{
	(void)state;
	return lock_table_new(&table);
}

static int teardown(void **state)
{
	(void)state;
	table = lock_table_free(table);
	return 0;
}

static void begin(uint64_t node, uint64_t owner, short type, uint64_t start,
		  uint64_t end, struct lock_op *op)
{
	struct lock_range wanted = range(type, start, end, 100 * (pid_t)owner);
	struct lock_owner *entry = lock_owner_find(table, node, owner);

	if (entry == NULL)
		entry = lock_owner_add(table, node, owner, NO_HANDLE, -1);
	assert_non_null(entry);
	lock_op_begin(table, entry, wanted, op);
	lock_owner_put(table, entry);
}

static void take(uint64_t node, uint64_t owner, short type, uint64_t start,
		 uint64_t end)
{
	struct lock_op op;

	begin(node, owner, type, start, end, &op);
	lock_op_end(table, &op, true);
}

static pid_t holder(uint64_t node, uint64_t owner, short type, uint64_t start,
		    uint64_t end)
{
	struct lock_range wanted = range(type, start, end, 0);

	return lock_conflict(table, node, owner, &wanted);
}

static int wait_for(uint64_t node, uint64_t owner, short type, uint64_t start,
		    uint64_t end, struct lock_op *op)
{
	int r;

	begin(node, owner, type, start, end, op);
	r = lock_op_wait(table, op);
	if (r < 0)
		lock_op_end(table, op, false);
	return r;
}

static void test_conflicts(void **state)
{
	(void)state;
	take(7, 1, F_WRLCK, 0, 9);
	take(7, 2, F_RDLCK, 10, 19);
	take(7, 3, F_RDLCK, 10, 29);
	take(8, 4, F_WRLCK, 0, INT64_MAX);
	assert_int_equal(holder(7, 4, F_RDLCK, 9, 9), 100);
	assert_int_equal(holder(7, 4, F_RDLCK, 10, 99), 0);
	assert_int_equal(holder(7, 4, F_WRLCK, 10, 19), 200);
	assert_int_equal(holder(7, 4, F_WRLCK, 10, 29), 300);
	assert_int_equal(holder(7, 4, F_WRLCK, 20, 20), 300);
	assert_int_equal(holder(7, 4, F_WRLCK, 30, INT64_MAX), 0);
	assert_int_equal(holder(7, 1, F_WRLCK, 0, 9), 0);
	take(7, 1, F_UNLCK, 5, 5);
	assert_int_equal(holder(7, 4, F_WRLCK, 5, 5), 0);
	lock_drop_owner(table, 7, 2);
	assert_int_equal(holder(7, 4, F_WRLCK, 10, 19), 300);
}

static void test_cycles(void **state)
{
	struct lock_op one, two, three;

	(void)state;
	take(7, 1, F_WRLCK, 0, 0);
	take(8, 2, F_WRLCK, 0, 0);
	take(8, 3, F_RDLCK, 5, 5);
	take(8, 1, F_RDLCK, 5, 5);
	assert_int_equal(wait_for(8, 1, F_RDLCK, 0, 3, &one), 0);
	assert_int_equal(wait_for(7, 2, F_WRLCK, 0, 9, &two), -EDEADLK);
	assert_int_equal(wait_for(8, 2, F_WRLCK, 5, 5, &two), -EDEADLK);
	/* Other bytes, another who holds nothing that is waited for. */
	assert_int_equal(wait_for(7, 2, F_WRLCK, 1, 9, &two), 0);
	assert_int_equal(wait_for(7, 3, F_WRLCK, 0, 0, &three), 0);
	lock_op_end(table, &two, false);
	/* 2 waits for 3, which waits for 1, which waits for 2. */
	take(7, 3, F_WRLCK, 20, 20);
	assert_int_equal(wait_for(7, 2, F_RDLCK, 20, 20, &two), -EDEADLK);
	/* No longer when one of them has given up. */
	lock_op_end(table, &one, false);
	assert_int_equal(wait_for(7, 2, F_RDLCK, 20, 20, &two), 0);
	assert_int_equal(wait_for(8, 1, F_RDLCK, 0, 3, &one), -EDEADLK);
	lock_op_end(table, &two, false);
	lock_op_end(table, &three, true);
	assert_int_equal(holder(7, 2, F_RDLCK, 20, 20), 300);
}

/* Others' cycle must not be gone around for ever. */
static void test_cycle_of_others(void **state)
{
	struct lock_op one, two, three;

	(void)state;
	assert_int_equal(wait_for(7, 1, F_WRLCK, 1, 1, &one), 0);
	assert_int_equal(wait_for(7, 2, F_WRLCK, 0, 0, &two), 0);
	take(7, 1, F_WRLCK, 0, 0);
	take(7, 2, F_WRLCK, 1, 1);
	assert_int_equal(wait_for(7, 3, F_WRLCK, 0, 0, &three), 0);
	lock_op_end(table, &one, false);
	lock_op_end(table, &two, false);
	lock_op_end(table, &three, false);
}

/* Two threads of an owner: what the order was isn't known. */
static void test_at_the_same_time(void **state)
{
	struct lock_op lock, other, unlock;

	(void)state;
	begin(7, 1, F_WRLCK, 0, 9, &lock);
	begin(7, 1, F_WRLCK, 10, 19, &other);
	begin(7, 1, F_UNLCK, 5, 5, &unlock);
	lock_op_end(table, &unlock, true);
	lock_op_end(table, &lock, true);
	lock_op_end(table, &other, true);
	assert_int_equal(holder(7, 2, F_WRLCK, 0, 9), 0);
	assert_int_equal(holder(7, 2, F_WRLCK, 0, 19), 100);
}

static void test_too_many(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < LOCK_RANGES_MAX; i++)
		take(7, 1 + i % 2, F_WRLCK, 2 * i, 2 * i);
	take(8, 3, F_WRLCK, 0, 0);
	assert_int_equal(holder(8, 4, F_WRLCK, 0, 0), 0);
	assert_int_equal(holder(7, 4, F_WRLCK, 2, 2), 200);
	/* The room of those that are dropped is there again. */
	lock_drop_owner(table, 7, 1);
	take(8, 3, F_WRLCK, 0, 0);
	assert_int_equal(holder(8, 4, F_WRLCK, 0, 0), 300);
}

static int memory_file(void)
{
	int fd = memfd_create("locks", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int lock_byte(int fd, short type, off_t byte)
{
	struct flock lock = { .l_type = type, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* Of a process with threads one may wait while another closes the file. */
static void check_close_meanwhile(uint64_t handle)
{
	char path[32];
	int fd = memory_file(), other;
	struct lock_owner *entry = lock_owner_add(table, 7, 1, handle, fd);
	struct lock_op op;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(other >= 0);
	assert_non_null(entry);
	assert_int_equal(lock_byte(fd, F_WRLCK, 1), 0);
	take(7, 1, F_WRLCK, 1, 1);
	lock_op_begin(table, entry, range(F_WRLCK, 0, 0, 100), &op);
	assert_int_equal(lock_op_wait(table, &op), 0);
	if (handle != NO_HANDLE)
		lock_drop_handle(table, 7, handle);
	else
		lock_drop_owner(table, 7, 1);
	/* What it had is gone, what it gets it keeps; of that nothing is known.
	 */
	assert_int_equal(lock_byte(other, F_WRLCK, 1), 0);
	assert_int_equal(holder(7, 2, F_WRLCK, 1, 1), 0);
	assert_int_equal(lock_byte(fd, F_WRLCK, 0), 0);
	lock_op_end(table, &op, true);
	lock_owner_put(table, entry);
	assert_int_equal(holder(7, 2, F_WRLCK, 0, 0), 0);
	assert_int_equal(lock_byte(other, F_WRLCK, 0), -1);
	/* Until it closes again. */
	lock_drop_owner(table, 7, 1);
	assert_int_equal(lock_byte(other, F_WRLCK, 0), 0);
	assert_null(lock_owner_find(table, 7, 1));
	(void)close(other);
}

static void test_dropped_meanwhile(void **state)
{
	(void)state;
	check_close_meanwhile(NO_HANDLE);
	check_close_meanwhile(0);
	check_close_meanwhile(5);
}

/* Of handle 0, the first of a mount, nothing of another's is meant. */
static void test_first_handle(void **state)
{
	struct lock_owner *entry = lock_owner_add(table, 7, 1, 3, -1);

	(void)state;
	lock_drop_handle(table, 7, 0);
	assert_ptr_equal(lock_owner_find(table, 7, 1), entry);
	lock_owner_put(table, entry);
	lock_owner_note(table, entry, 4);
	lock_drop_handle(table, 7, 3);
	assert_ptr_equal(lock_owner_find(table, 7, 1), entry);
	lock_owner_put(table, entry);
	lock_drop_handle(table, 7, 4);
	assert_null(lock_owner_find(table, 7, 1));
	lock_owner_put(table, entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_and_merge),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_random),
		cmocka_unit_test_setup_teardown(test_conflicts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_cycles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cycle_of_others, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_at_the_same_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_meanwhile, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_first_handle, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
