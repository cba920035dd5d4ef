/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "extents_text.h"
#include "idshift/subid.h"

#define SPANS_MAX 4

struct conversion {
	const char *name;
	const char *extents;
	struct subid_span spans[SPANS_MAX];
	size_t count;
	uint32_t own;
	uint32_t twice;
	int result;
};

static const struct conversion conversions[] = {
	{ .name = "solly",
	  .own = 1000,
	  .spans = { { 120000, 65536 } },
	  .count = 1,
	  .extents = "0:1000:1 1:120000:65536" },
	{ .name = "maria",
	  .own = 1600,
	  .spans = { { 10001, 65536 } },
	  .count = 1,
	  .extents = "0:1600:1 1:10001:65536" },
	{ .name = "two ranges, the later line first",
	  .own = 1000,
	  .spans = { { 300000, 10 }, { 200000, 5 } },
	  .count = 2,
	  .extents = "0:1000:1 1:200000:5 6:300000:10" },
	{ .name = "none", .own = 7, .count = 0, .extents = "0:7:1" },
	{ .name = "the same line twice, and an empty one",
	  .own = 1000,
	  .spans = { { 100000, 10 }, { 5, 0 }, { 100000, 10 } },
	  .count = 3,
	  .extents = "0:1000:1 1:100000:10" },
	{ .name = "adjacent ranges stay apart",
	  .own = 1000,
	  .spans = { { 100010, 10 }, { 100000, 10 } },
	  .count = 2,
	  .extents = "0:1000:1 1:100000:10 11:100010:10" },
	{ .name = "up to the last id",
	  .own = 1000,
	  .spans = { { 4294967290, 5 } },
	  .count = 1,
	  .extents = "0:1000:1 1:4294967290:5" },
	{ .name = "beyond the last id",
	  .own = 1000,
	  .spans = { { 4294967290, 6 } },
	  .count = 1,
	  .result = -ERANGE },
	{ .name = "a start that is no id",
	  .own = 1000,
	  .spans = { { 4294967295, 1 } },
	  .count = 1,
	  .result = -ERANGE },
	{ .name = "wider than 32 bits",
	  .own = 1000,
	  .spans = { { 100000, UINT64_MAX } },
	  .count = 1,
	  .result = -ERANGE },
	{ .name = "a start wider than 32 bits",
	  .own = 1000,
	  .spans = { { UINT64_C(1) << 32, 1 } },
	  .count = 1,
	  .result = -ERANGE },
	{ .name = "all the ids that fit",
	  .own = 0,
	  .spans = { { 1, 4294967294 } },
	  .count = 1,
	  .extents = "0:0:1 1:1:4294967294" },
	{ .name = "overlap by one",
	  .own = 1000,
	  .spans = { { 100000, 10 }, { 100009, 10 } },
	  .count = 2,
	  .result = -EEXIST,
	  .twice = 100009 },
	{ .name = "the user's own id in a range",
	  .own = 1000,
	  .spans = { { 1000, 10 } },
	  .count = 1,
	  .result = -EEXIST,
	  .twice = 1000 },
	{ .name = "the user's own id right before and after",
	  .own = 1000,
	  .spans = { { 990, 10 }, { 1001, 10 } },
	  .count = 2,
	  .extents = "0:1000:1 1:990:10 11:1001:10" },
};

static void test_conversion(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conversions) / sizeof(conversions[0]);
	     i++) {
		const struct conversion *c = &conversions[i];
		struct extent_list list = { 0 };
		uint32_t twice = 0;

		print_message("%s\n", c->name);
		assert_int_equal(subid_to_extents(c->own, c->spans, c->count,
						  &list, &twice),
				 c->result);
		if (c->result == 0)
			assert_string_equal(extent_list_text(&list),
					    c->extents);
		else
			assert_null(list.items);
		assert_int_equal(twice, c->twice);
		extent_list_destroy(&list);
	}
}

static void test_maria(void **state)
{
	const struct subid_span span = { 10001, 65536 };
	struct extent_list list = { 0 };
	const struct id_extent *e;
	uint32_t twice;

	(void)state;
	assert_int_equal(subid_to_extents(1600, &span, 1, &list, &twice), 0);
	e = extent_list_find(&list, 1000);
	assert_non_null(e);
	assert_int_equal(e->to + (1000 - e->from), 11000);
	extent_list_destroy(&list);
}

static void test_normalize(void **state)
{
	struct subid_span spans[] = { { 9, 1 }, { 3, 0 }, { 1, 5 },
				      { 9, 1 }, { 1, 4 }, { 9, 1 } };

	(void)state;
	assert_int_equal(subid_normalize(spans, 6), 3);
	assert_int_equal(spans[0].start, 1);
	assert_int_equal(spans[0].count, 4);
	assert_int_equal(spans[1].start, 1);
	assert_int_equal(spans[1].count, 5);
	assert_int_equal(spans[2].start, 9);
	assert_int_equal(subid_normalize(NULL, 0), 0);
}

/* Nobody has this name; nothing is printed, and no range comes of it. */
static void test_unknown_user(void **state)
{
	struct subid_span *spans = NULL;
	size_t count = 0;
	char text[256];
	int capture = fileno(tmpfile());
	int saved = dup(STDERR_FILENO);
	int uid_result;
	int gid_result;

	(void)state;
	assert_true(capture >= 0 && saved >= 0);
	assert_true(dup2(capture, STDERR_FILENO) >= 0);
	uid_result = subid_lookup(SUBID_UID, "no-such-user-here", 4294967290,
				  &spans, &count);
	gid_result = subid_lookup(SUBID_GID, NULL, 4294967290, &spans, &count);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(pread(capture, text, sizeof(text), 0), 0);
	/* -EIO where a plug-in or a broken file answers. */
	assert_true(uid_result == -ENOENT || uid_result == -EIO);
	assert_true(gid_result == -ENOENT || gid_result == -EIO);
	assert_null(spans);
}

static void expect_free(const char *uids, const char *gids, uint64_t wanted)
{
	char paths[2][64] = { "/tmp/idshift-test.XXXXXX",
			      "/tmp/idshift-test.XXXXXX" };
	const char *texts[2] = { uids, gids };

	for (int i = 0; i < 2; i++) {
		int fd = mkstemp(paths[i]);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])),
				 strlen(texts[i]));
		(void)close(fd);
	}
	assert_int_equal(subid_first_free(paths[0], paths[1]), wanted);
	(void)unlink(paths[0]);
	(void)unlink(paths[1]);
}

static void test_first_free(void **state)
{
	(void)state;
	assert_int_equal(subid_first_free("/none", "/none"), 100000);
	expect_free("", "", 100000);
	expect_free("a:100000:65536\n", "a:100000:65536\n", 165536);
	expect_free("a:100000:65536\nb:165536:65536", "", 231072);
	/* In either file, in any order; a gap that is too small is none. */
	expect_free("b:200000:10\na:100000:65536\n", "c:265545:1\n", 265546);
	expect_free("b:200000:10\na:100000:65536\n", "c:265546:1\n", 200010);
	expect_free("a:99000:1000\n", "b:165536:1\n", 100000);
	expect_free("a:99000:1001\n", "", 100001);
	expect_free("a:165535:1\n", "", 165536);
	/* What else is there. */
	expect_free("#\n\na\na:b:c\na:100000\na:-1:5\nb:100000:0\n", "",
		    100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversion),
		cmocka_unit_test(test_maria),
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_first_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
