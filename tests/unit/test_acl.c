/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/acl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define U ID_NONE
#define MAX_CASE 8

/* Short forms of entries; a tag of 0 ends a list. */
#define UO(p)                      \
	{                          \
		ACL_USER_OBJ, p, U \
	}
#define US(i, p)               \
	{                      \
		ACL_USER, p, i \
	}
#define GO(p)                       \
	{                           \
		ACL_GROUP_OBJ, p, U \
	}
#define GR(i, p)                \
	{                       \
		ACL_GROUP, p, i \
	}
#define MA(p)                  \
	{                      \
		ACL_MASK, p, U \
	}
#define OT(p)                   \
	{                       \
		ACL_OTHER, p, U \
	}

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 20) % below;
}

static struct acl *make(const struct acl_entry entries[MAX_CASE])
{
	struct acl *acl;
	size_t count = 0;

	while (count < MAX_CASE && entries[count].tag != 0)
		count++;
	acl = malloc(sizeof(*acl) + count * sizeof(*entries) + 1);
	assert_non_null(acl);
	acl->count = count;
	memcpy(acl->entries, entries, count * sizeof(*entries));
	return acl;
}

/* All entries but those for one id. */
static void expect_without(const struct acl *got, const struct acl_entry *want,
			   uint32_t id)
{
	struct acl *wanted = make(want);
	size_t count = 0;

	assert_non_null(got);
	for (size_t i = 0; i < wanted->count; i++) {
		const struct acl_entry *entry = &wanted->entries[i];

		if (entry->id != id)
			assert_memory_equal(&got->entries[count++], entry,
					    sizeof(*entry));
	}
	assert_int_equal(got->count, count);
	acl_free(wanted);
}

static void expect_acl(const struct acl *got, const struct acl_entry *want)
{
	expect_without(got, want, UINT32_MAX - 1); /* in none of the cases */
}

/* Owner rw, user 1000 r, group r, mask r, other none: as setfacl writes it. */
static const unsigned char sample_blob[] = {
	2,    0, 0, 0,			       /* version */
	1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff, /* u::rw- */
	2,    0, 4, 0, 0xe8, 0x03, 0,	 0,    /* u:1000:r-- */
	4,    0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* g::r-- */
	0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* m::r-- */
	0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* o::--- */
};

static const struct acl_entry sample[MAX_CASE] = { UO(6), US(1000, 4), GO(4),
						   MA(4), OT(0) };

static void test_parse_sample(void **state)
{
	unsigned char shifted[sizeof(sample_blob) + 1];
	unsigned char out[sizeof(sample_blob)];
	struct acl *acl;

	(void)state;
	/* Odd addresses are fine. */
	memcpy(shifted + 1, sample_blob, sizeof(sample_blob));
	assert_int_equal(acl_parse(shifted + 1, sizeof(sample_blob), &acl), 0);
	expect_acl(acl, sample);
	assert_int_equal(acl_validate(acl), 0);
	assert_int_equal(acl_blob_size(acl), sizeof(sample_blob));
	assert_int_equal(acl_format(acl, out, sizeof(out) - 1), -ERANGE);
	assert_int_equal(acl_format(acl, out, sizeof(out)), 0);
	assert_memory_equal(out, sample_blob, sizeof(out));
	assert_int_equal(acl_format(acl, shifted + 1, sizeof(out)), 0);
	assert_memory_equal(shifted + 1, sample_blob, sizeof(out));
	acl_free(acl);
	acl_free(NULL);
}

static void test_parse_results(void **state)
{
	static const struct {
		size_t cut; /* bytes of the sample */
		int version;
		int want;
		bool none;
	} cases[] = {
		{ 0, 2, 0, true },
		{ 1, 2, -EINVAL, false },
		{ 3, 2, -EINVAL, false },
		{ 3, 1, -EINVAL, false },
		{ 4, 2, 0, true },
		{ 4, 1, -EOPNOTSUPP, false },
		{ 4, 0, -EOPNOTSUPP, false },
		{ 5, 2, -EINVAL, false },
		{ 5, 3, -EOPNOTSUPP, false },
		{ 11, 2, -EINVAL, false },
		{ 12, 2, 0, false },
		{ 13, 2, -EINVAL, false },
		{ 43, 2, -EINVAL, false },
		{ 44, 2, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char *blob = malloc(cases[i].cut + 1);
		struct acl *untouched = (struct acl *)(void *)&untouched;
		struct acl *acl = untouched;

		assert_non_null(blob);
		memcpy(blob, sample_blob, cases[i].cut);
		if (cases[i].cut > 0)
			blob[0] = (unsigned char)cases[i].version;
		/* The exact size, so that the sanitizer sees a read beyond. */
		blob = realloc(blob, cases[i].cut + (cases[i].cut == 0));
		assert_non_null(blob);
		assert_int_equal(acl_parse(blob, cases[i].cut, &acl),
				 cases[i].want);
		free(blob);
		if (cases[i].want < 0) {
			assert_ptr_equal(acl, untouched);
			continue;
		}
		assert_int_equal(acl == NULL, cases[i].none);
		if (acl != NULL)
			assert_int_equal(acl->count, (cases[i].cut - 4) / 8);
		acl_free(acl);
	}
}

static void test_parse_tags(void **state)
{
	(void)state;
	for (unsigned int tag = 0; tag < 0x10000;
	     tag += tag < 0x100 ? 1 : 255) {
		unsigned char blob[12] = { 2 };
		struct acl *acl = NULL;
		bool known = tag == 1 || tag == 2 || tag == 4 || tag == 8 ||
			     tag == 0x10 || tag == 0x20;

		blob[4] = (unsigned char)(tag & 0xff);
		blob[5] = (unsigned char)(tag >> 8);
		blob[6] = 0xfe;
		blob[7] = 0xca;
		blob[8] = 7;
		assert_int_equal(acl_parse(blob, sizeof(blob), &acl),
				 known ? 0 : -EINVAL);
		if (!known)
			continue;
		assert_int_equal(acl->entries[0].tag, tag);
		assert_int_equal(acl->entries[0].perm, 0xcafe);
		/* Ids of unnamed entries are not looked at. */
		assert_int_equal(acl->entries[0].id,
				 tag == 2 || tag == 8 ? 7 : ID_NONE);
		acl_free(acl);
	}
}

static void test_parse_limit(void **state)
{
	const size_t entries = 8191; /* (65536 - 4) / 8 */
	size_t size = 4 + entries * 8;
	unsigned char *blob = calloc(1, size + 16);
	struct acl *acl = NULL;

	(void)state;
	assert_non_null(blob);
	blob[0] = 2;
	for (size_t at = 4; at < size + 8; at += 8)
		blob[at] = ACL_USER;
	assert_true(size <= ACL_MAX_SIZE && size + 8 > ACL_MAX_SIZE);
	assert_int_equal(acl_parse(blob, size, &acl), 0);
	assert_int_equal(acl->count, entries);
	acl_free(acl);
	assert_int_equal(acl_parse(blob, size + 8, &acl), -E2BIG);
	assert_int_equal(acl_parse(blob, ACL_MAX_SIZE + 1, &acl), -E2BIG);
	assert_int_equal(acl_parse(blob, ACL_MAX_SIZE, &acl), -EINVAL);
	free(blob);
}

static void test_validate(void **state)
{
	static const struct {
		struct acl_entry entries[MAX_CASE];
		int want;
	} cases[] = {
		{ { UO(7), GO(5), OT(0) }, 0 },
		{ { UO(7), GO(5), MA(1), OT(0) }, 0 },
		{ { UO(7), US(0, 7), GO(5), MA(7), OT(0) }, 0 },
		{ { UO(7), GO(5), GR(0, 7), MA(7), OT(0) }, 0 },
		{ { UO(7), US(1, 7), GO(5), GR(1, 7), MA(7), OT(0) }, 0 },
		/* Unsorted and repeated ids are fine, as the kernel has it. */
		{ { UO(7), US(9, 7), US(2, 1), US(9, 0), GO(5), MA(7), OT(0) },
		  0 },
		{ { UO(7), US(ID_NONE - 1, 7), GO(5), MA(7), OT(0) }, 0 },
		{ { UO(7), US(ID_NONE, 7), GO(5), MA(7), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), GR(ID_NONE, 7), MA(7), OT(0) }, -EINVAL },
		/* One missing. */
		{ { { 0, 0, 0 } }, -EINVAL },
		{ { GO(5), OT(0) }, -EINVAL },
		{ { UO(7), OT(0) }, -EINVAL },
		{ { UO(7), GO(5) }, -EINVAL },
		{ { UO(7), GO(5), MA(7) }, -EINVAL },
		{ { UO(7), US(1, 7), GO(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), GR(1, 7), OT(0) }, -EINVAL },
		/* One twice. */
		{ { UO(7), UO(7), GO(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), GO(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), MA(5), MA(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), OT(0), OT(0) }, -EINVAL },
		/* Out of order. */
		{ { GO(5), UO(7), OT(0) }, -EINVAL },
		{ { UO(7), OT(0), GO(5) }, -EINVAL },
		{ { US(1, 7), UO(7), GO(5), MA(7), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), US(1, 7), MA(7), OT(0) }, -EINVAL },
		{ { UO(7), GR(1, 7), GO(5), MA(7), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), MA(7), GR(1, 7), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), OT(0), MA(7) }, -EINVAL },
		/* Bits and tags. */
		{ { UO(8), GO(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), OT(0x8000) }, -EINVAL },
		{ { UO(7), { 3, 0, U }, GO(5), OT(0) }, -EINVAL },
		{ { UO(7), GO(5), OT(0), { 0x40, 0, U } }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl *acl = make(cases[i].entries);

		assert_int_equal(acl_validate(acl), cases[i].want);
		acl_free(acl);
	}
}

static void test_mode(void **state)
{
	static const struct {
		struct acl_entry entries[MAX_CASE];
		mode_t bits;
		bool is_mode;
	} cases[] = {
		{ { UO(7), GO(5), OT(4) }, 0754, true },
		{ { UO(0), GO(0), OT(0) }, 0, true },
		/* A mask stands in for the group, also on its own. */
		{ { UO(7), GO(5), MA(2), OT(4) }, 0724, false },
		{ { UO(6), US(1, 7), GO(0), MA(7), OT(1) }, 0671, false },
		{ { UO(6), GO(7), GR(1, 7), MA(0), OT(1) }, 0601, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl *acl = make(cases[i].entries);

		assert_int_equal(acl_mode_bits(acl), cases[i].bits);
		assert_int_equal(acl_is_mode(acl), cases[i].is_mode);
		acl_free(acl);
	}
	for (mode_t mode = 0; mode <= 0777; mode++) {
		const struct acl_entry entries[MAX_CASE] = {
			UO((uint16_t)(mode >> 6)),
			GO((uint16_t)(mode >> 3 & 7)),
			OT((uint16_t)(mode & 7)),
		};
		struct acl *acl = make(entries);

		assert_int_equal(acl_validate(acl), 0);
		assert_true(acl_is_mode(acl));
		assert_int_equal(acl_mode_bits(acl), mode);
		acl_free(acl);
	}
}

static void test_chmod(void **state)
{
	static const struct {
		struct acl_entry before[MAX_CASE];
		mode_t mode;
		struct acl_entry after[MAX_CASE];
	} cases[] = {
		{ { UO(7), GO(5), OT(4) }, 0640, { UO(6), GO(4), OT(0) } },
		{ { UO(0), GO(0), OT(0) }, 0107777, { UO(7), GO(7), OT(7) } },
		/* With a mask the group's own permissions stay. */
		{ { UO(7), GO(5), MA(7), OT(4) },
		  0620,
		  { UO(6), GO(5), MA(2), OT(0) } },
		{ { UO(7), US(1, 7), GO(1), GR(2, 3), MA(7), OT(4) },
		  0,
		  { UO(0), US(1, 7), GO(1), GR(2, 3), MA(0), OT(0) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl *acl = make(cases[i].before);

		acl_chmod(acl, cases[i].mode);
		expect_acl(acl, cases[i].after);
		assert_int_equal(acl_mode_bits(acl), cases[i].mode & 0777);
		acl_free(acl);
	}
}

static void test_inherit(void **state)
{
	static const struct {
		struct acl_entry parent[MAX_CASE];
		mode_t mode;
		struct acl_entry access[MAX_CASE]; /* empty: none */
		mode_t want;
	} cases[] = {
		{ { UO(7), GO(5), OT(0) }, 0666, { { 0, 0, 0 } }, 0640 },
		{ { UO(7), GO(7), OT(7) },
		  S_IFREG | 04751,
		  { { 0, 0, 0 } },
		  S_IFREG | 04751 },
		{ { UO(7), US(1, 7), GO(5), MA(7), OT(1) },
		  S_IFREG | 0666,
		  { UO(6), US(1, 7), GO(5), MA(6), OT(0) },
		  S_IFREG | 0660 },
		{ { UO(7), US(1, 7), GO(5), MA(7), OT(1) },
		  S_IFDIR | 0777,
		  { UO(7), US(1, 7), GO(5), MA(7), OT(1) },
		  S_IFDIR | 0771 },
		/* The mask alone makes it more than a mode. */
		{ { UO(6), GO(7), MA(3), OT(4) },
		  0755,
		  { UO(6), GO(7), MA(1), OT(4) },
		  0614 },
		{ { UO(7), GO(5), GR(9, 4), MA(7), OT(7) },
		  0,
		  { UO(0), GO(5), GR(9, 4), MA(0), OT(0) },
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl *parent = make(cases[i].parent);
		struct acl *access = NULL;
		mode_t mode = 0;

		assert_int_equal(
			acl_inherit(parent, cases[i].mode, &access, &mode), 0);
		assert_int_equal(mode, cases[i].want);
		if (cases[i].access[0].tag == 0)
			assert_null(access);
		else
			expect_acl(access, cases[i].access);
		expect_acl(parent, cases[i].parent);
		acl_free(access);
		acl_free(parent);
	}
}

/* Users go up by *ctx, groups by twice that; ids of 900 and more by none. */
static bool up(void *ctx, bool group, uint32_t from, uint32_t *ret_to)
{
	if (from >= 900)
		return false;
	*ret_to = from + (group ? 2 : 1) * *(uint32_t *)ctx;
	return true;
}

static void test_translate(void **state)
{
	static const struct {
		struct acl_entry before[MAX_CASE];
		struct acl_entry fail[MAX_CASE]; /* empty: -EINVAL */
		struct acl_entry replace[MAX_CASE];
	} cases[] = {
		{ { UO(7), GO(5), OT(4) },
		  { UO(7), GO(5), OT(4) },
		  { UO(7), GO(5), OT(4) } },
		{ { UO(7), US(5, 7), GO(5), GR(6, 1), MA(7), OT(4) },
		  { UO(7), US(1005, 7), GO(5), GR(2006, 1), MA(7), OT(4) },
		  { UO(7), US(1005, 7), GO(5), GR(2006, 1), MA(7), OT(4) } },
		{ { UO(7), US(899, 7), US(900, 6), GO(5), MA(7), OT(4) },
		  { { 0, 0, 0 } },
		  { UO(7), US(1899, 7), US(77, 6), GO(5), MA(7), OT(4) } },
		{ { UO(7), GO(5), GR(900, 6), GR(899, 1), MA(7), OT(4) },
		  { { 0, 0, 0 } },
		  { UO(7), GO(5), GR(77, 6), GR(2899, 1), MA(7), OT(4) } },
		{ { UO(7), US(ID_NONE, 7), GO(5), MA(7), OT(4) },
		  { { 0, 0, 0 } },
		  { UO(7), US(77, 7), GO(5), MA(7), OT(4) } },
	};
	uint32_t offset = 1000;
	struct acl_translation how = { up, &offset, ACL_UNMAPPED_FAIL, 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool fails = cases[i].fail[0].tag == 0;
		struct acl *acl = make(cases[i].before);
		struct acl *got = NULL;

		how.unmapped = ACL_UNMAPPED_FAIL;
		assert_int_equal(acl_translate(acl, &how, &got),
				 fails ? -EINVAL : 0);
		if (fails)
			assert_null(got);
		else
			expect_acl(got, cases[i].fail);
		acl_free(got);
		how.unmapped = ACL_UNMAPPED_REPLACE;
		assert_int_equal(acl_translate(acl, &how, &got), 0);
		expect_acl(got, cases[i].replace);
		acl_free(got);
		how.unmapped = ACL_UNMAPPED_DROP;
		assert_int_equal(acl_translate(acl, &how, &got), 0);
		expect_without(got, cases[i].replace, how.replacement);
		acl_free(got);
		expect_acl(acl, cases[i].before);
		acl_free(acl);
	}
}

/* The states that the kernel's check goes through, as a regular grammar. */
static bool slow_valid(const struct acl *acl)
{
	const struct acl_entry *e = acl->entries;
	size_t at = 0;
	bool named = false;

	for (size_t i = 0; i < acl->count; i++) {
		if (e[i].perm > 7)
			return false;
		if ((e[i].tag == ACL_USER || e[i].tag == ACL_GROUP) &&
		    e[i].id == ID_NONE)
			return false;
	}
	if (at == acl->count || e[at++].tag != ACL_USER_OBJ)
		return false;
	for (; at < acl->count && e[at].tag == ACL_USER; at++)
		named = true;
	if (at == acl->count || e[at++].tag != ACL_GROUP_OBJ)
		return false;
	for (; at < acl->count && e[at].tag == ACL_GROUP; at++)
		named = true;
	if (at < acl->count && e[at].tag == ACL_MASK)
		at++;
	else if (named)
		return false;
	return at + 1 == acl->count && e[at].tag == ACL_OTHER;
}

static void check_random(const struct acl *acl)
{
	unsigned char blob[4 + MAX_CASE * 8];
	struct acl *again = NULL;
	size_t size = acl_blob_size(acl);

	assert_int_equal(acl_validate(acl), slow_valid(acl) ? 0 : -EINVAL);
	assert_int_equal(acl_format(acl, blob, sizeof(blob)), 0);
	assert_int_equal(acl_parse(blob, size, &again), 0);
	if (acl->count == 0) {
		assert_null(again);
		return;
	}
	assert_int_equal(again->count, acl->count);
	assert_memory_equal(again->entries, acl->entries,
			    acl->count * sizeof(acl->entries[0]));
	acl_free(again);
}

static void test_random(void **state)
{
	static const uint16_t tags[] = { 1, 2, 4, 8, 16, 32 };
	unsigned int valid = 0;

	(void)state;
	rng_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 200000; round++) {
		struct acl_entry entries[MAX_CASE] = { 0 };
		struct acl *acl;
		size_t count = 0;

		/* Mostly in order, so that many are nearly or wholly valid. */
		for (unsigned int tag = 0; tag < 6 && count < 6; tag++) {
			uint32_t times = tag == 1 || tag == 3 ? rng(2) : 1;

			if (rng(16) == 0)
				times = rng(3);
			while (times-- > 0 && count < 7)
				entries[count++].tag = tags[tag];
		}
		if (count > 1 && rng(8) == 0)
			entries[rng((uint32_t)count)].tag = tags[rng(6)];
		for (size_t i = 0; i < count; i++) {
			bool named = entries[i].tag == ACL_USER ||
				     entries[i].tag == ACL_GROUP;

			entries[i].perm = (uint16_t)rng(rng(50) ? 8 : 9);
			entries[i].id = named && rng(20) ? rng(5) : ID_NONE;
		}
		acl = make(entries);
		check_random(acl);
		valid += acl_validate(acl) == 0;
		acl_free(acl);
	}
	assert_true(valid > 20000 && valid < 180000);
}

/* Bytes from anywhere are refused or survive the round trip. */
static void test_mutated(void **state)
{
	(void)state;
	rng_state = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 50000; round++) {
		size_t size = rng(sizeof(sample_blob) + 1);
		unsigned char *blob = malloc(size + (size == 0));
		unsigned char out[sizeof(sample_blob)];
		struct acl *acl = NULL;

		assert_non_null(blob);
		memcpy(blob, sample_blob, size);
		for (uint32_t i = rng(4); size > 0 && i > 0; i--)
			blob[rng((uint32_t)size)] = (unsigned char)rng(256);
		if (acl_parse(blob, size, &acl) == 0 && acl != NULL) {
			struct acl *again = NULL;

			assert_int_equal(acl_blob_size(acl), size);
			assert_int_equal(acl_format(acl, out, size), 0);
			assert_int_equal(acl_parse(out, size, &again), 0);
			assert_memory_equal(acl->entries, again->entries,
					    size - 4);
			(void)acl_validate(acl);
			assert_true(acl_mode_bits(acl) <= 0777);
			acl_free(again);
		}
		acl_free(acl);
		free(blob);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_sample),
		cmocka_unit_test(test_parse_results),
		cmocka_unit_test(test_parse_tags),
		cmocka_unit_test(test_parse_limit),
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_chmod),
		cmocka_unit_test(test_inherit),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
