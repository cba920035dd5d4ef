/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/override_stat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define UNKNOWN (-1)

struct parse_case {
	const char *text;
	int64_t uid; /* UNKNOWN: `x` */
	int64_t gid;
	int64_t mode;
};

static const struct parse_case good[] = {
	{ "0:0:0755:file", 0, 0, 0755 },
	{ "1000:100:0644:file", 1000, 100, 0644 },
	{ "1:2:04755:file", 1, 2, 04755 },
	{ "1:2:7777:dir", 1, 2, 07777 },
	{ "1:2:0:dir", 1, 2, 0 },
	/* Three fields, more than four. */
	{ "1:2:0644", 1, 2, 0644 },
	{ "1:2:0644:file:more", 1, 2, 0644 },
	{ "1:2:0644:a:b:c:d", 1, 2, 0644 },
	/* S_IFMT in the mode, as libkrun writes it; the limits. */
	{ "1:2:0100644", 1, 2, 0644 },
	{ "1:2:040755:dir", 1, 2, 0755 },
	{ "1:2:0177777", 1, 2, 07777 },
	{ "1:2:177777", 1, 2, 07777 },
	/* The type is not believed. */
	{ "1:2:0644:block-8-1", 1, 2, 0644 },
	{ "1:2:0644:nonsense", 1, 2, 0644 },
	{ "1:2:0644:x", 1, 2, 0644 },
	{ "1:2:0644:-1", 1, 2, 0644 },
	/* Fields not known. */
	{ "x:2:0644:file", UNKNOWN, 2, 0644 },
	{ "1:x:0644:file", 1, UNKNOWN, 0644 },
	{ "1:2:x:file", 1, 2, UNKNOWN },
	{ "x:x:x", UNKNOWN, UNKNOWN, UNKNOWN },
	/* One trailing newline. */
	{ "1:2:0644\n", 1, 2, 0644 },
	{ "1:2:x\n", 1, 2, UNKNOWN },
	{ "1:2:0644:file\n", 1, 2, 0644 },
	/* Ids at the limits, leading zeros. */
	{ "4294967294:4294967294:0", 4294967294, 4294967294, 0 },
	{ "00000000000000001:002:000000000000644", 1, 2, 0644 },
	{ "65534:65535:0", 65534, 65535, 0 },
};

static const char *const bad[] = {
	"",
	"\n",
	":",
	"::",
	":::",
	"1",
	"1:2",
	"1:2:",
	"1::0644:file",
	":2:0644:file",
	"1:2::file",
	"1:2:0644:",
	"1:2:0644:file:",
	"1:2:0644::file",
	"1:2:0644\n\n",
	"\n1:2:0644",
	"4294967295:2:0644",
	"1:4294967295:0644",
	"4294967296:2:0644",
	"4294967297:2:0644",
	"42949672950:2:0644",
	"18446744073709551616:2:0644",
	"1:2:0200000",
	"1:2:177778",
	"1:2:37777777777",
	"1:2:100000000000644",
	"-1:2:0644",
	"+1:2:0644",
	"1:-2:0644",
	"1:2:-644",
	"1:2:+644",
	" 1:2:0644",
	"1 :2:0644",
	"1:2: 644",
	"1:2:0644 ",
	"1:2:0o644",
	"1:2:0x1a4",
	"0x1:2:0644",
	"1:2:0648",
	"1:2:0649",
	"1:2:a",
	"X:2:0644",
	"xx:2:0644",
	"1:x2:0644",
	"1:2:x4",
	"1,2,0644",
	"1.0:2:0644",
	"1:2\n:0644",
};

static void expect_parse(const char *text, size_t len,
			 const struct parse_case *want)
{
	struct override_stat got;

	/* A copy of the exact size: the sanitizer sees a read beyond it. */
	char *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(&got, 0x5a, sizeof(got));
	assert_int_equal(override_stat_parse(copy, len, &got), 0);
	free(copy);
	assert_int_equal(got.has_uid, want->uid != UNKNOWN);
	assert_int_equal(got.has_gid, want->gid != UNKNOWN);
	assert_int_equal(got.has_mode, want->mode != UNKNOWN);
	if (got.has_uid)
		assert_int_equal(got.uid.value, want->uid);
	if (got.has_gid)
		assert_int_equal(got.gid.value, want->gid);
	if (got.has_mode)
		assert_int_equal(got.mode, want->mode);
}

static void expect_bad(const char *text, size_t len)
{
	struct override_stat got;
	struct override_stat before;

	memset(&got, 0x5a, sizeof(got));
	memcpy(&before, &got, sizeof(before));
	assert_int_equal(override_stat_parse(text, len, &got), -EINVAL);
	assert_memory_equal(&got, &before, sizeof(got));
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		expect_parse(good[i].text, strlen(good[i].text), &good[i]);
}

static void test_parse_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad(bad[i], strlen(bad[i]));
}

static void test_parse_nul(void **state)
{
	static const struct parse_case want = { "", 1, 2, 0644 };

	(void)state;
	expect_parse("1:2:0644\0", 9, &want);
	expect_parse("1:2:0644:file\0", 14, &want);
	expect_bad("1:2:0644\0\0", 10);
	expect_bad("1:2:0644\n\0", 10);
	expect_bad("1:2:0644\0\n", 10);
	expect_bad("1\0:2:0644", 9);
	expect_bad("\0", 1);
	expect_bad("", 0);
}

static void test_format(void **state)
{
	static const struct {
		struct override_stat record;
		mode_t type;
		const char *want;
	} cases[] = {
		{ { true, true, true, { 0 }, { 0 }, 0755 },
		  S_IFREG,
		  "0:0:0755:file" },
		{ { true, true, true, { 1000 }, { 100 }, 0 },
		  S_IFDIR,
		  "1000:100:0000:dir" },
		{ { true, true, true, { 1 }, { 2 }, 04755 },
		  S_IFREG,
		  "1:2:4755:file" },
		{ { true, true, true, { 1 }, { 2 }, 0777 },
		  S_IFLNK,
		  "1:2:0777:symlink" },
		{ { true, true, true, { 1 }, { 2 }, 0600 },
		  S_IFIFO,
		  "1:2:0600:pipe" },
		{ { true, true, true, { 1 }, { 2 }, 0600 },
		  S_IFSOCK,
		  "1:2:0600:socket" },
		{ { true, true, true, { 1 }, { 2 }, 0600 },
		  S_IFCHR,
		  "1:2:0600:char-0-0" },
		{ { true, true, true, { 4294967294 }, { 4294967294 }, 07777 },
		  S_IFBLK,
		  "4294967294:4294967294:7777:block-0-0" },
		{ { false, true, true, { 9 }, { 2 }, 0600 },
		  S_IFREG,
		  "x:2:0600:file" },
		{ { true, false, true, { 1 }, { 9 }, 0600 },
		  S_IFREG,
		  "1:x:0600:file" },
		{ { true, true, false, { 1 }, { 2 }, 0600 },
		  S_IFREG,
		  "1:2:x:file" },
		{ { false, false, false, { 1 }, { 2 }, 0600 },
		  S_IFDIR | 0755,
		  "x:x:x:dir" },
		/* S_IFMT in the record's mode is not written. */
		{ { true, true, true, { 1 }, { 2 }, S_IFREG | 0600 },
		  S_IFREG,
		  "1:2:0600:file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[OVERRIDE_STAT_MAX];
		size_t len = override_stat_format(&cases[i].record,
						  cases[i].type, buf);

		assert_string_equal(buf, cases[i].want);
		assert_int_equal(len, strlen(cases[i].want));
	}
}

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 20) % below;
}

static const mode_t types[] = { S_IFREG,  S_IFDIR, S_IFLNK, S_IFIFO,
				S_IFSOCK, S_IFCHR, S_IFBLK };

static struct override_stat random_record(void)
{
	return (struct override_stat){
		.has_uid = rng(4) != 0,
		.has_gid = rng(4) != 0,
		.has_mode = rng(4) != 0,
		.uid = CONTAINER_ID((uint32_t)rng_state % UINT32_MAX),
		.gid = CONTAINER_ID(rng(100000)),
		.mode = rng(010000),
	};
}

static void test_round_trip(void **state)
{
	(void)state;
	rng_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 20000; round++) {
		struct override_stat record = random_record();
		struct parse_case want = {
			.uid = record.has_uid ? (int64_t)record.uid.value :
						UNKNOWN,
			.gid = record.has_gid ? (int64_t)record.gid.value :
						UNKNOWN,
			.mode = record.has_mode ? (int64_t)record.mode :
						  UNKNOWN,
		};
		char buf[OVERRIDE_STAT_MAX];
		size_t len = override_stat_format(&record, types[rng(7)], buf);

		assert_true(len < OVERRIDE_STAT_MAX);
		expect_parse(buf, len, &want);
	}
}

/* What is accepted reads the same once it is written again. */
static void check_any(const char *text, size_t len)
{
	struct override_stat first = { 0 };
	struct override_stat again = { 0 };
	char buf[OVERRIDE_STAT_MAX];
	int r = override_stat_parse(text, len, &first);

	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		return;
	}
	if (first.has_uid)
		assert_true(first.uid.value != ID_NONE);
	if (first.has_gid)
		assert_true(first.gid.value != ID_NONE);
	if (first.has_mode)
		assert_true(first.mode <= 07777);
	len = override_stat_format(&first, S_IFREG, buf);
	assert_int_equal(override_stat_parse(buf, len, &again), 0);
	assert_int_equal(first.has_uid, again.has_uid);
	assert_int_equal(first.has_gid, again.has_gid);
	assert_int_equal(first.has_mode, again.has_mode);
	assert_int_equal(first.uid.value, again.uid.value);
	assert_int_equal(first.gid.value, again.gid.value);
	assert_int_equal(first.mode, again.mode);
}

static void test_mutated(void **state)
{
	static const char alphabet[] = "0123456789:x-+ \n/;axfile";

	(void)state;
	rng_state = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 100000; round++) {
		struct override_stat record = random_record();
		char buf[OVERRIDE_STAT_MAX];
		size_t len = override_stat_format(&record, types[rng(7)], buf);
		char *exact;

		for (uint32_t i = 0; i <= rng(3); i++) {
			size_t at = rng((uint32_t)len);

			switch (rng(4)) {
			case 0:
				buf[at] = (char)rng(256);
				break;
			case 1:
				buf[at] = alphabet[rng(sizeof(alphabet))];
				break;
			case 2:
				len = at + 1;
				break;
			default:
				memmove(&buf[at], &buf[at + 1], len - at - 1);
				len = len > 1 ? len - 1 : 1;
				break;
			}
		}
		exact = malloc(len);
		assert_non_null(exact);
		memcpy(exact, buf, len);
		check_any(exact, len);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refused),
		cmocka_unit_test(test_parse_nul),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
