/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "idshift/mapspec.h"
#include "idshift/number.h"

static int look_up(void *context, const char *name, bool group, uint32_t *ret)
{
	assert_string_equal(context, "context");
	if (strcmp(name, "broken") == 0)
		return -EIO;
	if (!group && strcmp(name, "sergio") == 0)
		*ret = 1000;
	else if (group && strcmp(name, "sergio") == 0)
		*ret = 1001;
	else if (group && strcmp(name, "shared") == 0)
		*ret = 2000;
	else if (strcmp(name, "nobody-at-all") == 0)
		*ret = UINT32_MAX;
	else
		return -ENOENT;
	return 0;
}

static char context[] = "context";
static const struct name_resolver names = { look_up, context };

struct map_case {
	const char *text;
	const char *error; /* NULL: it is well-formed */
	/* Both, or -1 where not had. */
	int64_t uid;
	int64_t gid;
	uint32_t container;
	uint32_t count;
};

static const struct map_case map_cases[] = {
	{ "u:sergio:1000", NULL, 1000, -1, 1000, 1 },
	{ "g:shared:2000", NULL, -1, 2000, 2000, 1 },
	{ "b:sergio:5", NULL, 1000, 1001, 5, 1 },
	{ "u:0:0", NULL, 0, -1, 0, 1 },
	{ "b:100:200:300", NULL, 100, 100, 200, 300 },
	{ "u:0:0:4294967295", NULL, 0, -1, 0, UINT32_MAX },
	{ "u:4294967294:4294967294", NULL, 4294967294, -1, 4294967294, 1 },
	{ "u:007:08", NULL, 7, -1, 8, 1 },

	{ "", "map '': must begin with u:, g: or b: (uids, gids, both)", 0, 0,
	  0, 0 },
	{ "1000:1000",
	  "map '1000:1000': must begin with u:, g: or b: (uids, gids, both)", 0,
	  0, 0, 0 },
	{ "x:1:2",
	  "map 'x:1:2': must begin with u:, g: or b: (uids, gids, both)", 0, 0,
	  0, 0 },
	{ ":1:2", "map ':1:2': must begin with u:, g: or b: (uids, gids, both)",
	  0, 0, 0, 0 },
	{ "u", "map 'u': must be u:DISK:CONTAINER[:COUNT]", 0, 0, 0, 0 },
	{ "g:1", "map 'g:1': must be g:DISK:CONTAINER[:COUNT]", 0, 0, 0, 0 },
	{ "u:1:2:3:4", "map 'u:1:2:3:4': must be u:DISK:CONTAINER[:COUNT]", 0,
	  0, 0, 0 },
	{ "u::5", "map 'u::5': the disk id is missing", 0, 0, 0, 0 },
	{ "u:solly:5", "map 'u:solly:5': there is no user 'solly'", 0, 0, 0,
	  0 },
	{ "g:solly:5", "map 'g:solly:5': there is no group 'solly'", 0, 0, 0,
	  0 },
	{ "b:shared:5", "map 'b:shared:5': there is no user 'shared'", 0, 0, 0,
	  0 },
	{ "u:-1:5", "map 'u:-1:5': there is no user '-1'", 0, 0, 0, 0 },
	{ "u:broken:5", "map 'u:broken:5': looking up the user 'broken' failed",
	  0, 0, 0, 0 },
	{ "u:nobody-at-all:5",
	  "map 'u:nobody-at-all:5': disk id must be 0..4294967294", 0, 0, 0,
	  0 },
	{ "u:4294967295:0",
	  "map 'u:4294967295:0': disk id must be 0..4294967294", 0, 0, 0, 0 },
	{ "u:0:x", "map 'u:0:x': container id must be 0..4294967294", 0, 0, 0,
	  0 },
	{ "u:0:", "map 'u:0:': container id must be 0..4294967294", 0, 0, 0,
	  0 },
	{ "u:0:4294967295",
	  "map 'u:0:4294967295': container id must be 0..4294967294", 0, 0, 0,
	  0 },
	{ "u:0:18446744073709551616",
	  "map 'u:0:18446744073709551616': container id must be 0..4294967294",
	  0, 0, 0, 0 },
	{ "u:0:+1", "map 'u:0:+1': container id must be 0..4294967294", 0, 0, 0,
	  0 },
	{ "u:0:0:0", "map 'u:0:0:0': count must be 1..4294967295", 0, 0, 0, 0 },
	{ "u:0:0:4294967296",
	  "map 'u:0:0:4294967296': count must be 1..4294967295", 0, 0, 0, 0 },
	{ "u:1:0:4294967295",
	  "map 'u:1:0:4294967295': the disk ids reach beyond 4294967294", 0, 0,
	  0, 0 },
	{ "g:0:1:4294967295",
	  "map 'g:0:1:4294967295': the container ids reach beyond 4294967294",
	  0, 0, 0, 0 },
	{ "u:a\nb:1", "map 'u:a?b:1': there is no user 'a?b'", 0, 0, 0, 0 },
};

static void test_map(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(map_cases) / sizeof(map_cases[0]); i++) {
		const struct map_case *c = &map_cases[i];
		struct error error = { 0 };
		struct mapspec spec = { .count = 77 };
		int r = mapspec_parse_map(c->text, &names, &spec, &error);

		print_message("%s\n", c->text);
		if (c->error != NULL) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(error.text, c->error);
			assert_int_equal(error.exit_code, 3);
			assert_int_equal(spec.count, 77);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(spec.has_uid, c->uid >= 0);
		assert_int_equal(spec.has_gid, c->gid >= 0);
		if (c->uid >= 0)
			assert_int_equal(spec.uid.value, c->uid);
		if (c->gid >= 0)
			assert_int_equal(spec.gid.value, c->gid);
		assert_int_equal(spec.container.value, c->container);
		assert_int_equal(spec.count, c->count);
	}
}

static void test_map_form_only(void **state)
{
	struct mapspec spec;
	struct error error;

	(void)state;
	assert_int_equal(mapspec_parse_map("u:who:5", NULL, &spec, &error), 0);
	assert_int_equal(mapspec_parse_map("u:who:y", NULL, &spec, NULL),
			 -EINVAL);
}

static void test_long_name(void **state)
{
	char text[400] = "u:";
	struct mapspec spec;
	struct error error;

	(void)state;
	memset(text + 2, 'a', 300);
	memcpy(text + 302, ":1", 3);
	assert_int_equal(mapspec_parse_map(text, NULL, &spec, &error), -EINVAL);
	assert_int_equal(error.exit_code, 3);
}

static void test_owner(void **state)
{
	struct container_id uid = { 7 };
	struct container_id gid = { 8 };
	struct error error;

	(void)state;
	assert_int_equal(mapspec_parse_owner("1000:2000", &uid, &gid, &error),
			 0);
	assert_int_equal(uid.value, 1000);
	assert_int_equal(gid.value, 2000);
	assert_int_equal(mapspec_parse_owner("1000", &uid, &gid, &error),
			 -EINVAL);
	assert_string_equal(error.text,
			    "owner '1000': must be U:G, two container ids");
	assert_int_equal(mapspec_parse_owner("1:2:3", &uid, &gid, &error),
			 -EINVAL);
	assert_int_equal(mapspec_parse_owner("1:", &uid, &gid, &error),
			 -EINVAL);
	assert_string_equal(error.text,
			    "owner '1:': container gid must be 0..4294967294");
	assert_int_equal(mapspec_parse_owner("me:1", &uid, &gid, &error),
			 -EINVAL);
	assert_string_equal(
		error.text,
		"owner 'me:1': container uid must be 0..4294967294");
	assert_int_equal(uid.value, 1000);
	assert_int_equal(gid.value, 2000);
}

static void test_unmapped(void **state)
{
	struct container_id id = { 7 };
	struct error error;

	(void)state;
	assert_int_equal(mapspec_parse_unmapped("4294967295", &id, &error),
			 -EINVAL);
	assert_string_equal(
		error.text,
		"unmapped '4294967295': container id must be 0..4294967294");
	assert_int_equal(id.value, 7);
	assert_int_equal(mapspec_parse_unmapped("4294967294", &id, &error), 0);
	assert_int_equal(id.value, 4294967294);
}

static void test_caller(void **state)
{
	struct mapspec_caller caller;
	struct error error;

	(void)state;
	assert_int_equal(mapspec_parse_caller("1:2", &caller, &error), 0);
	assert_int_equal(caller.uid.value, 1);
	assert_int_equal(caller.gid.value, 2);
	assert_int_equal(caller.group_count, 0);
	mapspec_caller_destroy(&caller);
	assert_int_equal(mapspec_parse_caller("1:2:9:3:9", &caller, &error), 0);
	assert_int_equal(caller.group_count, 2);
	assert_int_equal(caller.groups[0].value, 3);
	assert_int_equal(caller.groups[1].value, 9);
	mapspec_caller_destroy(&caller);
	assert_int_equal(mapspec_parse_caller("1", &caller, &error), -EINVAL);
	assert_string_equal(
		error.text,
		"caller '1': must be UID:GID[:GROUP...], container ids");
	assert_int_equal(mapspec_parse_caller("1:2:", &caller, &error),
			 -EINVAL);
	assert_string_equal(error.text,
			    "caller '1:2:': group must be 0..4294967294");
	assert_int_equal(mapspec_parse_caller("1:2:3:x", &caller, &error),
			 -EINVAL);
}

static void test_number(void **state)
{
	uint64_t value = 5;
	uint32_t id = 5;

	(void)state;
	assert_int_equal(
		number_parse("18446744073709551615", 20, UINT64_MAX, &value),
		0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(
		number_parse("18446744073709551616", 20, UINT64_MAX, &value),
		-ERANGE);
	assert_int_equal(number_parse("", 0, 9, &value), -EINVAL);
	assert_int_equal(number_parse("12x", 2, 12, &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(number_parse("12x", 3, 12, &value), -EINVAL);
	assert_int_equal(number_parse("13", 2, 12, &value), -ERANGE);
	assert_int_equal(number_parse(" 1", 2, 12, &value), -EINVAL);
	assert_int_equal(number_parse_id("4294967294", 10, &id), 0);
	assert_int_equal(number_parse_id("4294967295", 10, &id), -ERANGE);
	assert_int_equal(id, 4294967294);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_form_only),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_caller),
		cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
