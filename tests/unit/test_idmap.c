/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/idmap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LAST (UINT32_MAX - 1)

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 20) % below;
}

static void test_extent_check(void **state)
{
	static const struct {
		struct id_extent extent;
		int want;
	} cases[] = {
		{ { 0, 0, 0 }, -EINVAL },
		{ { 0, 0, 1 }, 0 },
		{ { 5, 9, 0 }, -EINVAL },
		{ { 0, 0, UINT32_MAX - 1 }, 0 },
		{ { 0, 0, UINT32_MAX }, 0 },
		{ { 1, 0, UINT32_MAX }, -EINVAL },
		{ { 0, 1, UINT32_MAX }, -EINVAL },
		{ { 1, 1, UINT32_MAX - 1 }, 0 },
		{ { 2, 1, UINT32_MAX - 1 }, -EINVAL },
		{ { LAST, 0, 1 }, 0 },
		{ { 0, LAST, 1 }, 0 },
		{ { LAST, 0, 2 }, -EINVAL },
		{ { 0, LAST, 2 }, -EINVAL },
		{ { UINT32_MAX, 0, 1 }, -EINVAL },
		{ { 0, UINT32_MAX, 1 }, -EINVAL },
		{ { UINT32_MAX, UINT32_MAX, UINT32_MAX }, -EINVAL },
		{ { 4000000000, 0, 294967295 }, 0 },
		{ { 4000000000, 0, 294967296 }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(id_extent_check(&cases[i].extent),
				 cases[i].want);
}

/* One look-up in each direction; ID_NONE: it must not be found. */
static void expect_wire(const struct userns_map *map, uint32_t id,
			uint32_t want)
{
	struct wire_id wire = WIRE_ID(4242);
	bool found = userns_to_wire(map, CONTAINER_ID(id), &wire);

	assert_int_equal(found, want != ID_NONE);
	assert_int_equal(wire.value, found ? want : 4242);
}

static void expect_userns(const struct userns_map *map, uint32_t id,
			  uint32_t want)
{
	struct container_id container = CONTAINER_ID(4242);
	bool found = userns_to_container(map, WIRE_ID(id), &container);

	assert_int_equal(found, want != ID_NONE);
	assert_int_equal(container.value, found ? want : 4242);
}

static void expect_container(const struct owner_map *map, uint32_t id,
			     uint32_t want)
{
	struct container_id container = CONTAINER_ID(4242);
	bool found = owner_map_to_container(map, DISK_ID(id), &container);

	assert_int_equal(found, want != ID_NONE);
	assert_int_equal(container.value, found ? want : 4242);
}

static void expect_disk(const struct owner_map *map, uint32_t id, uint32_t want)
{
	struct disk_id disk = DISK_ID(4242);
	bool found = owner_map_to_disk(map, CONTAINER_ID(id), &disk);

	assert_int_equal(found, want != ID_NONE);
	assert_int_equal(disk.value, found ? want : 4242);
}

static void test_userns_rootless(void **state)
{
	/* Out of order, and two that merge into one. */
	static const struct id_extent extents[] = {
		{ 1001, 101000, 64536 },
		{ 0, 1000, 1 },
		{ 1, 100000, 1000 },
	};
	struct userns_map map;

	(void)state;
	assert_int_equal(userns_map_init(&map, extents, 3), 0);
	assert_int_equal(map.to_wire.count, 2);
	assert_int_equal(map.to_container.count, 2);
	expect_wire(&map, 0, 1000);
	expect_wire(&map, 1, 100000);
	expect_wire(&map, 1000, 100999);
	expect_wire(&map, 1001, 101000);
	expect_wire(&map, 65535, 165534);
	expect_wire(&map, 65536, 165535);
	expect_wire(&map, 65537, ID_NONE);
	expect_wire(&map, LAST, ID_NONE);
	expect_wire(&map, UINT32_MAX, ID_NONE);
	expect_userns(&map, 0, ID_NONE);
	expect_userns(&map, 999, ID_NONE);
	expect_userns(&map, 1000, 0);
	expect_userns(&map, 1001, ID_NONE);
	expect_userns(&map, 99999, ID_NONE);
	expect_userns(&map, 100000, 1);
	expect_userns(&map, 165535, 65536);
	expect_userns(&map, 165536, ID_NONE);
	expect_userns(&map, UINT32_MAX, ID_NONE);
	userns_map_destroy(&map);
	assert_null(map.to_wire.extents);
	userns_map_destroy(&map);
	userns_map_destroy(NULL);
}

static void test_userns_identity(void **state)
{
	static const struct id_extent whole = { 0, 0, UINT32_MAX };
	static const struct id_extent parts[] = {
		{ 2147483648, 2147483648, 2147483647 },
		{ 0, 0, 2147483648 },
	};
	struct userns_map map;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(i == 0 ? userns_map_init(&map, &whole, 1) :
					  userns_map_init(&map, parts, 2),
				 0);
		assert_int_equal(map.to_wire.count, 1);
		expect_wire(&map, 0, 0);
		expect_wire(&map, LAST, LAST);
		expect_wire(&map, UINT32_MAX, ID_NONE);
		expect_userns(&map, 0, 0);
		expect_userns(&map, LAST, LAST);
		expect_userns(&map, UINT32_MAX, ID_NONE);
		userns_map_destroy(&map);
	}
}

static void test_userns_empty(void **state)
{
	struct userns_map map;

	(void)state;
	assert_int_equal(userns_map_init(&map, NULL, 0), 0);
	expect_wire(&map, 0, ID_NONE);
	expect_userns(&map, 0, ID_NONE);
	expect_userns(&map, UINT32_MAX, ID_NONE);
	userns_map_destroy(&map);
}

static void test_userns_refused(void **state)
{
	static const struct {
		struct id_extent extents[3];
		size_t count;
		int want;
	} cases[] = {
		{ { { 0, 0, 0 } }, 1, -EINVAL },
		{ { { 0, 0, 1 }, { UINT32_MAX, 5, 1 } }, 2, -EINVAL },
		/* Overlaps: same, by one id, contained, on the other side. */
		{ { { 5, 50, 1 }, { 5, 60, 1 } }, 2, -EINVAL },
		{ { { 0, 50, 10 }, { 9, 100, 10 } }, 2, -EINVAL },
		{ { { 0, 50, 10 }, { 10, 100, 10 } }, 2, 0 },
		{ { { 9, 100, 10 }, { 0, 50, 10 } }, 2, -EINVAL },
		{ { { 0, 0, 100 }, { 10, 500, 1 } }, 2, -EINVAL },
		{ { { 0, 50, 10 }, { 100, 59, 10 } }, 2, -EINVAL },
		{ { { 0, 50, 10 }, { 100, 60, 10 } }, 2, 0 },
		{ { { 0, 50, 10 }, { 100, 41, 10 } }, 2, -EINVAL },
		{ { { 0, 50, 10 }, { 100, 40, 10 } }, 2, 0 },
		{ { { 0, 0, UINT32_MAX }, { LAST, 0, 1 } }, 2, -EINVAL },
		{ { { 0, 0, LAST }, { LAST, LAST, 1 } }, 2, 0 },
		{ { { 0, 5, 1 }, { 1, 5, 1 } }, 2, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct userns_map map;
		struct userns_map before;
		int r;

		memset(&map, 0x5a, sizeof(map));
		before = map;
		r = userns_map_init(&map, cases[i].extents, cases[i].count);
		assert_int_equal(r, cases[i].want);
		if (r == 0)
			userns_map_destroy(&map);
		else
			assert_memory_equal(&map, &before, sizeof(map));
	}
}

static void test_userns_limit(void **state)
{
	struct id_extent extents[USERNS_MAP_MAX_EXTENTS + 1];
	struct userns_map map;

	(void)state;
	for (uint32_t i = 0; i <= USERNS_MAP_MAX_EXTENTS; i++)
		extents[i] = (struct id_extent){ i * 2, i * 3, 1 };
	assert_int_equal(userns_map_init(&map, extents, USERNS_MAP_MAX_EXTENTS),
			 0);
	expect_wire(&map, 678, 1017);
	expect_wire(&map, 679, ID_NONE);
	userns_map_destroy(&map);
	assert_int_equal(
		userns_map_init(&map, extents, USERNS_MAP_MAX_EXTENTS + 1),
		-E2BIG);
	/* It is the extents after merging that count. */
	for (uint32_t i = 0; i <= USERNS_MAP_MAX_EXTENTS; i++)
		extents[i] = (struct id_extent){ i, 1000 + i, 1 };
	assert_int_equal(
		userns_map_init(&map, extents, USERNS_MAP_MAX_EXTENTS + 1), 0);
	assert_int_equal(map.to_wire.count, 1);
	expect_wire(&map, 340, 1340);
	userns_map_destroy(&map);
}

/* Random maps: both directions agree with a linear scan, and with each other */
static void test_userns_round_trip(void **state)
{
	(void)state;
	rng_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 3000; round++) {
		uint32_t base = rng(2) ? UINT32_MAX - 64 : 0;
		struct id_extent extents[6];
		struct userns_map map;
		size_t count = rng(7);
		bool overlap = false;

		for (size_t i = 0; i < count; i++)
			extents[i] = (struct id_extent){ base + rng(56),
							 base + rng(56),
							 1 + rng(8) };
		for (size_t i = 0; i < count; i++) {
			for (size_t j = 0; j < i; j++) {
				const struct id_extent *a = &extents[i];
				const struct id_extent *b = &extents[j];

				overlap |= a->from - b->from < b->count ||
					   b->from - a->from < a->count ||
					   a->to - b->to < b->count ||
					   b->to - a->to < a->count;
			}
		}
		assert_int_equal(userns_map_init(&map, extents, count),
				 overlap ? -EINVAL : 0);
		if (overlap)
			continue;
		for (uint32_t n = 0; n <= 64; n++) {
			uint32_t id = base + n;
			uint32_t wire = ID_NONE;
			uint32_t container = ID_NONE;

			for (size_t i = 0; i < count; i++) {
				const struct id_extent *e = &extents[i];

				if (id - e->from < e->count)
					wire = e->to + (id - e->from);
				if (id - e->to < e->count)
					container = e->from + (id - e->to);
			}
			expect_wire(&map, id, wire);
			expect_userns(&map, id, container);
			if (wire != ID_NONE)
				expect_userns(&map, wire, id);
		}
		userns_map_destroy(&map);
	}
}

static void test_owner_example(void **state)
{
	/* map=u:1000:1000 before what a plain bind mount shows. */
	static const struct id_extent extents[] = {
		{ 1000, 1000, 1 },
		{ 1000, 0, 1 },
		{ 100000, 1, 65536 },
	};
	struct owner_map map;

	(void)state;
	assert_int_equal(owner_map_init(&map, extents, 3), 0);
	expect_container(&map, 999, ID_NONE);
	expect_container(&map, 1000, 1000);
	expect_container(&map, 1001, ID_NONE);
	expect_container(&map, 99999, ID_NONE);
	expect_container(&map, 100000, 1);
	expect_container(&map, 100999, 1000);
	expect_container(&map, 165535, 65536);
	expect_container(&map, 165536, ID_NONE);
	expect_container(&map, UINT32_MAX, ID_NONE);
	/* 1000 shows as 1000 and no longer as 0: nothing on disk is 0. */
	expect_disk(&map, 0, ID_NONE);
	expect_disk(&map, 1, 100000);
	expect_disk(&map, 999, 100998);
	expect_disk(&map, 1000, 1000);
	expect_disk(&map, 1001, 101000);
	expect_disk(&map, 65536, 165535);
	expect_disk(&map, 65537, ID_NONE);
	expect_disk(&map, UINT32_MAX, ID_NONE);
	owner_map_destroy(&map);
	assert_null(map.to_disk.extents);
	owner_map_destroy(&map);
	owner_map_destroy(NULL);
}

static void test_owner_many_to_one(void **state)
{
	static const struct id_extent extents[] = {
		{ 30, 7, 1 },
		{ 10, 7, 1 },
		{ 20, 7, 1 },
	};
	struct owner_map map;

	(void)state;
	assert_int_equal(owner_map_init(&map, extents, 3), 0);
	expect_container(&map, 10, 7);
	expect_container(&map, 20, 7);
	expect_container(&map, 30, 7);
	expect_disk(&map, 7, 30);
	expect_disk(&map, 6, ID_NONE);
	expect_disk(&map, 8, ID_NONE);
	owner_map_destroy(&map);
}

static void test_owner_whole_range(void **state)
{
	static const struct id_extent extents[] = {
		{ 5, LAST, 1 },
		{ 0, 0, UINT32_MAX },
	};
	struct owner_map map;

	(void)state;
	assert_int_equal(owner_map_init(&map, extents, 2), 0);
	expect_container(&map, 0, 0);
	expect_container(&map, 4, 4);
	expect_container(&map, 5, LAST);
	expect_container(&map, 6, 6);
	expect_container(&map, LAST, LAST);
	expect_container(&map, UINT32_MAX, ID_NONE);
	expect_disk(&map, 4, 4);
	expect_disk(&map, 5, ID_NONE);
	expect_disk(&map, 6, 6);
	expect_disk(&map, LAST - 1, LAST - 1);
	expect_disk(&map, LAST, 5);
	expect_disk(&map, UINT32_MAX, ID_NONE);
	owner_map_destroy(&map);
	/* Alone it stays a single extent each way. */
	assert_int_equal(owner_map_init(&map, &extents[1], 1), 0);
	assert_int_equal(map.to_container.count, 1);
	assert_int_equal(map.to_disk.count, 1);
	owner_map_destroy(&map);
}

static void test_owner_refused(void **state)
{
	static const struct id_extent bad[] = {
		{ 0, 0, 1 },
		{ LAST, 0, 2 },
	};
	struct owner_map map;
	struct owner_map before;

	(void)state;
	memset(&map, 0x5a, sizeof(map));
	before = map;
	assert_int_equal(owner_map_init(&map, bad, 2), -EINVAL);
	assert_memory_equal(&map, &before, sizeof(map));
	assert_int_equal(owner_map_init(&map, NULL, 0), 0);
	expect_container(&map, 0, ID_NONE);
	expect_disk(&map, 0, ID_NONE);
	owner_map_destroy(&map);
}

/* The header's words, literally. */
static uint32_t slow_to_container(const struct id_extent *extents, size_t count,
				  uint32_t disk)
{
	for (size_t i = 0; i < count; i++) {
		if (disk - extents[i].from < extents[i].count)
			return extents[i].to + (disk - extents[i].from);
	}
	return ID_NONE;
}

static uint32_t slow_to_disk(const struct id_extent *extents, size_t count,
			     uint32_t container)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t offset = container - extents[i].to;

		if (offset < extents[i].count &&
		    slow_to_container(extents, count,
				      extents[i].from + offset) == container)
			return extents[i].from + offset;
	}
	return ID_NONE;
}

static void check_sorted(const struct id_table *table)
{
	for (size_t i = 1; i < table->count; i++)
		assert_true(table->extents[i].from -
				    table->extents[i - 1].from >=
			    table->extents[i - 1].count);
}

static void test_owner_reference(void **state)
{
	(void)state;
	rng_state = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 5000; round++) {
		uint32_t base = rng(2) ? UINT32_MAX - 64 : 0;
		struct id_extent extents[10];
		struct owner_map map;
		size_t count = rng(11);

		for (size_t i = 0; i < count; i++)
			extents[i] = (struct id_extent){ base + rng(40),
							 base + rng(40),
							 1 + rng(24) };
		assert_int_equal(owner_map_init(&map, extents, count), 0);
		check_sorted(&map.to_container);
		check_sorted(&map.to_disk);
		for (uint32_t n = 0; n <= 64; n++) {
			uint32_t id = base + n;
			uint32_t disk = slow_to_disk(extents, count, id);

			expect_container(&map, id,
					 slow_to_container(extents, count, id));
			expect_disk(&map, id, disk);
			if (disk != ID_NONE)
				expect_container(&map, disk, id);
		}
		owner_map_destroy(&map);
	}
}

/* Long input stays fast: this would not end with a cubic algorithm. */
static void test_owner_many_extents(void **state)
{
	const uint32_t count = 20000;
	struct id_extent *extents = calloc(count, sizeof(*extents));
	struct owner_map map;

	(void)state;
	assert_non_null(extents);
	for (uint32_t i = 0; i < count; i++)
		extents[i] = (struct id_extent){ i, 5 * i, 100000 };
	assert_int_equal(owner_map_init(&map, extents, count), 0);
	expect_container(&map, 0, 0);
	expect_container(&map, 99999, 99999);
	expect_container(&map, 100000, 100004);
	expect_container(&map, 119998, 199994);
	expect_container(&map, 119999, ID_NONE);
	expect_disk(&map, 99999, 99999);
	expect_disk(&map, 100000, ID_NONE);
	expect_disk(&map, 199994, 119998);
	owner_map_destroy(&map);
	free(extents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extent_check),
		cmocka_unit_test(test_userns_rootless),
		cmocka_unit_test(test_userns_identity),
		cmocka_unit_test(test_userns_empty),
		cmocka_unit_test(test_userns_refused),
		cmocka_unit_test(test_userns_limit),
		cmocka_unit_test(test_userns_round_trip),
		cmocka_unit_test(test_owner_example),
		cmocka_unit_test(test_owner_many_to_one),
		cmocka_unit_test(test_owner_whole_range),
		cmocka_unit_test(test_owner_refused),
		cmocka_unit_test(test_owner_reference),
		cmocka_unit_test(test_owner_many_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
