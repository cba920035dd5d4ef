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

/* The same, changed just now. */
static struct statx fresh(uint64_t ino)
{
	struct statx stx = file(ino, 0);
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	stx.stx_ctime.tv_sec = now.tv_sec;
	stx.stx_ctime.tv_nsec = now.tv_nsec != 0 ? (uint32_t)now.tv_nsec : 1;
	return stx;
}

static const struct records_seen some = {
	.view = { .uid = CONTAINER_ID(5),
		  .gid = CONTAINER_ID(4294967295),
		  .mode = S_IFREG | 06711 },
	.absent = 0x2a,
};

static bool put_as_of(struct records_cache *cache, const struct statx *stx,
		      const struct records_moment *moment)
{
	struct records_cache_entry entry =
		records_cache_entry(cache, moment, stx, &some);

	return records_cache_put(cache, moment, &entry);
}

static bool put(struct records_cache *cache, const struct statx *stx)
{
	const struct records_moment moment = records_moment(cache);

	return put_as_of(cache, stx, &moment);
}

static void expect_some(const struct records_seen *seen)
{
	assert_int_equal(seen->view.uid.value, 5);
	assert_int_equal(seen->view.gid.value, 4294967295);
	assert_int_equal(seen->view.mode, S_IFREG | 06711);
	assert_null(seen->view.acl);
	assert_int_equal(seen->absent, 0x2a);
}

enum known { UNKNOWN, KNOWN, FOR_A_MOMENT };

static void expect(struct records_cache *cache, const struct statx *stx,
		   enum known known)
{
	struct records_seen seen = { .absent = 77 };

	assert_int_equal(records_cache_get(cache, stx, true, &seen),
			 known == KNOWN);
	if (known != KNOWN)
		assert_int_equal(seen.absent, 77);
	else
		expect_some(&seen);
	assert_int_equal(records_cache_get(cache, stx, false, &seen),
			 known != UNKNOWN);
	if (known != UNKNOWN)
		expect_some(&seen);
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
	assert_false(put(NULL, &stx));
	expect(NULL, &stx, UNKNOWN);
	records_cache_drop(NULL, &stx);
	assert_null(records_cache_free(NULL));
}

static void test_same_object_and_ctime(void **state)
{
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), other;

	expect(cache, &stx, UNKNOWN);
	assert_true(put(cache, &stx));
	expect(cache, &stx, KNOWN);
	other = file(7, 101);
	expect(cache, &other, UNKNOWN);
	other = stx;
	other.stx_ctime.tv_nsec--;
	expect(cache, &other, UNKNOWN);
	other = file(8, 100);
	expect(cache, &other, UNKNOWN);
	other = stx;
	other.stx_dev_minor++;
	expect(cache, &other, UNKNOWN);
	/* A recycled inode, or one of a file system that tells no birth. */
	other = stx;
	other.stx_btime.tv_nsec++;
	expect(cache, &other, UNKNOWN);
	other = stx;
	other.stx_mask &= ~(uint32_t)STATX_BTIME;
	expect(cache, &other, UNKNOWN);
	/* What is later put counts; what the first ctime said is gone. */
	other = file(7, 101);
	assert_true(put(cache, &other));
	expect(cache, &other, KNOWN);
	expect(cache, &stx, UNKNOWN);
}

static void test_drop(void **state)
{
	struct records_cache *cache = *state;
	struct statx stx = file(7, 100), other = file(8, 100);

	assert_true(put(cache, &stx) && put(cache, &other));
	records_cache_drop(cache, &stx);
	expect(cache, &stx, UNKNOWN);
	expect(cache, &other, KNOWN);
}

/* Read at a fresh ctime: for a while, and not across a change of ours. */
static void test_fresh(void **state)
{
	const struct timespec wait = { .tv_nsec = (TRUST_MS + 50) * 1000000L };
	struct records_cache *cache = *state;
	struct records_moment before;
	struct statx stx = fresh(7), other = file(8, 100);

	assert_true(put(cache, &stx));
	expect(cache, &stx, FOR_A_MOMENT);
	(void)nanosleep(&wait, NULL);
	expect(cache, &stx, UNKNOWN);

	stx = fresh(7);
	before = records_moment(cache);
	records_cache_drop(cache, &other);
	assert_false(put_as_of(cache, &stx, &before));
	expect(cache, &stx, UNKNOWN);
	/* An old ctime would have moved with the change. */
	assert_true(put_as_of(cache, &other, &before));
	expect(cache, &other, KNOWN);
	assert_true(put(cache, &stx));
	expect(cache, &stx, FOR_A_MOMENT);
}

/* A fifo's record changes before its ctime does: not across that. */
static void test_in_db(void **state)
{
	struct records_cache *cache = *state;
	const struct records_moment before = records_moment(cache);
	struct statx stx = file(7, 100), other = file(8, 100);

	stx.stx_mode = S_IFIFO | 0600;
	records_cache_drop(cache, &other);
	assert_false(put_as_of(cache, &stx, &before));
	expect(cache, &stx, UNKNOWN);
	assert_true(put(cache, &stx));
	expect(cache, &stx, KNOWN);
}

/* The moment is what counts, not when it is put. */
static void test_moment(void **state)
{
	const struct timespec wait = { .tv_nsec = 50000000 };
	struct records_cache *cache = *state;
	struct statx stx = fresh(7);
	const struct records_moment moment = records_moment(cache);

	(void)nanosleep(&wait, NULL);
	assert_true(put_as_of(cache, &stx, &moment));
	expect(cache, &stx, FOR_A_MOMENT);
	assert_true(put(cache, &stx));
	expect(cache, &stx, KNOWN);
}

/* ext4 with small inodes: another change in the same second looks alike. */
static void test_whole_seconds(void **state)
{
	struct records_cache *cache = *state;
	struct records_moment moment = records_moment(cache);
	struct statx stx = fresh(7);

	stx.stx_ctime.tv_nsec = 0;
	moment.clock = (struct timespec){ .tv_sec = stx.stx_ctime.tv_sec,
					  .tv_nsec = 900000000 };
	assert_false(put_as_of(cache, &stx, &moment));
	moment.clock.tv_sec++;
	assert_false(put_as_of(cache, &stx, &moment));
	expect(cache, &stx, UNKNOWN);
	moment.clock = (struct timespec){ .tv_sec = stx.stx_ctime.tv_sec + 2 };
	assert_true(put_as_of(cache, &stx, &moment));
	expect(cache, &stx, KNOWN);
}

static void test_no_trust(void **state)
{
	struct records_cache *cache = NULL;
	struct statx stx = fresh(7);

	(void)state;
	assert_int_equal(records_cache_new(0, &cache), 0);
	assert_false(put(cache, &stx));
	expect(cache, &stx, UNKNOWN);
	stx = file(7, 100);
	assert_true(put(cache, &stx));
	expect(cache, &stx, KNOWN);
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
		assert_true(put(cache, &stx));
	}
	for (uint64_t ino = 2; ino < MANY; ino++) {
		struct records_seen seen;

		stx = file(ino, 1);
		kept += records_cache_get(cache, &stx, true, &seen);
	}
	assert_true(kept >= 50000 && kept <= 65536);
	for (uint64_t ino = MANY - LAST; ino < MANY; ino++) {
		stx = file(ino, 1);
		expect(cache, &stx, KNOWN);
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
		cmocka_unit_test_setup_teardown(test_in_db, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_seconds, setup,
						teardown),
		cmocka_unit_test(test_no_trust),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
