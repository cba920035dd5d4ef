/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define TRUST_MS 200

/* A file as statx(2) shows it; its birth is before 1970. */
static struct statx file(uint64_t ino, int64_t ctime)
{
	return (struct statx){
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME,
		.stx_dev_major = 8,
		.stx_dev_minor = 1,
		.stx_ino = ino,
		.stx_mode = S_IFREG | 0640,
		.stx_ctime = { .tv_sec = ctime, .tv_nsec = 999999999 },
		.stx_btime = { .tv_sec = -1, .tv_nsec = 1 },
	};
}

static const struct records_seen some = {
	.view = { .uid = CONTAINER_ID(5),
		  .gid = CONTAINER_ID(4294967295),
		  .mode = S_IFREG | 06711 },
	.absent = 0x2a,
};

static void put(struct records_cache *cache, const struct statx *stx,
		bool settled, uint64_t epoch)
{
	struct records_cache_entry entry =
		records_cache_entry(cache, stx, settled, &some);

	records_cache_put(cache, epoch, &entry);
}

static void expect(struct records_cache *cache, const struct statx *stx,
		   bool known)
{
	struct records_seen seen = { .absent = 77 };

	assert_int_equal(records_cache_get(cache, stx, &seen), known);
	if (!known) {
		assert_int_equal(seen.absent, 77);
		return;
	}
	assert_int_equal(seen.view.uid.value, 5);
	assert_int_equal(seen.view.gid.value, 4294967295);
	assert_int_equal(seen.view.mode, S_IFREG | 06711);
	assert_null(seen.view.acl);
	assert_int_equal(seen.absent, 0x2a);
}

static int setup(void **state)
{
	return records_cache_new(TRUST_MS, (struct records_cache **)state);
}

static int teardown(void **state)
{
	*state = records_cache_free(*state);
	return *state != NULL;
}

static void test_none(void **state)
{
	struct statx stx = file(1, 1);

	(void)state;
	put(NULL, &stx, true, records_cache_epoch(NULL));
	expect(NULL, &stx, false);
	records_cache_drop(NULL, &stx);
	assert_null(records_cache_free(NULL));
}

static void test_same_object_and_ctime(void **state)
{
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), other;

	expect(cache, &stx, false);
	put(cache, &stx, true, 0);
	expect(cache, &stx, true);
	other = file(7, 101);
	expect(cache, &other, false);
	other = stx;
	other.stx_ctime.tv_nsec--;
	expect(cache, &other, false);
	other = file(8, 100);
	expect(cache, &other, false);
	other = stx;
	other.stx_dev_minor++;
	expect(cache, &other, false);
	/* A recycled inode, or one of a file system that tells no birth. */
	other = stx;
	other.stx_btime.tv_nsec++;
	expect(cache, &other, false);
	other = stx;
	other.stx_mask &= ~(uint32_t)STATX_BTIME;
	expect(cache, &other, false);
	/* What is later put counts; what the first ctime said is gone. */
	other = file(7, 101);
	put(cache, &other, true, 0);
	expect(cache, &other, true);
	expect(cache, &stx, false);
}

static void test_drop(void **state)
{
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), other = file(8, 100);

	put(cache, &stx, true, 0);
	put(cache, &other, true, 0);
	records_cache_drop(cache, &stx);
	expect(cache, &stx, false);
	expect(cache, &other, true);
}

/* Read at a fresh ctime: for a while, and not across a change of ours. */
static void test_fresh(void **state)
{
	const struct timespec wait = { .tv_nsec = (TRUST_MS + 50) * 1000000L };
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), other = file(8, 100);
	uint64_t epoch = records_cache_epoch(cache);

	put(cache, &stx, false, epoch);
	expect(cache, &stx, true);
	(void)nanosleep(&wait, NULL);
	expect(cache, &stx, false);

	records_cache_drop(cache, &other);
	put(cache, &stx, false, epoch);
	expect(cache, &stx, false);
	put(cache, &stx, true, epoch);
	expect(cache, &stx, true);
	epoch = records_cache_epoch(cache);
	put(cache, &other, false, epoch);
	expect(cache, &other, true);
}

/* What a directory lacks it lacks for a while, whatever happens in it. */
static void test_absent(void **state)
{
	const struct timespec wait = { .tv_nsec = (TRUST_MS + 50) * 1000000L };
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), later = file(7, 101), other;

	assert_int_equal(records_cache_absent(cache, &stx), 0);
	put(cache, &stx, true, 0);
	assert_int_equal(records_cache_absent(cache, &later), 0x2a);
	other = later;
	other.stx_btime.tv_nsec++;
	assert_int_equal(records_cache_absent(cache, &other), 0);
	records_cache_drop(cache, &later);
	assert_int_equal(records_cache_absent(cache, &later), 0);
	put(cache, &stx, true, 0);
	(void)nanosleep(&wait, NULL);
	assert_int_equal(records_cache_absent(cache, &later), 0);
	expect(cache, &stx, true);
}

static void test_no_trust(void **state)
{
	struct statx stx = file(7, 100);
	struct records_cache *cache = NULL;

	(void)state;
	assert_int_equal(records_cache_new(0, &cache), 0);
	assert_int_equal(records_cache_absent(NULL, &stx), 0);
	put(cache, &stx, false, records_cache_epoch(cache));
	expect(cache, &stx, false);
	put(cache, &stx, true, 0);
	expect(cache, &stx, true);
	assert_int_equal(records_cache_absent(cache, &stx), 0);
	assert_null(records_cache_free(cache));
}

/* It is bounded: what was put last stays. */
static void test_bounded(void **state)
{
	enum { MANY = 300000, LAST = 1000 };
	struct records_cache *cache = *state;
	struct statx stx;
	unsigned int kept = 0;

	for (uint64_t ino = 2; ino < MANY; ino++) {
		stx = file(ino, 1);
		put(cache, &stx, true, 0);
	}
	for (uint64_t ino = 2; ino < MANY; ino++) {
		struct records_seen seen;

		stx = file(ino, 1);
		kept += records_cache_get(cache, &stx, &seen);
	}
	assert_in_range(kept, 50000, 65536);
	for (uint64_t ino = MANY - LAST; ino < MANY; ino++) {
		stx = file(ino, 1);
		expect(cache, &stx, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test_setup_teardown(test_same_object_and_ctime,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test(test_no_trust),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
