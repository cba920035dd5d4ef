/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and a made-up situation to a policy; the real situation once. */
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
#include "idshift/print_map.h"
#include "idshift/resolve.h"

#define ARGS_MAX 8

static int look_up(void *context, const char *name, bool group, uint32_t *ret)
{
	(void)context;
	if (!group && strcmp(name, "sergio") == 0)
		*ret = 1000;
	else if (group && strcmp(name, "shared") == 0)
		*ret = 2000;
	else
		return -ENOENT;
	return 0;
}

static const struct name_resolver names = { look_up, NULL };

enum place { HOST, HOST_NO_SUBIDS, HOST_ROOT, HOST_ROOT_SUBIDS, CHILD };

static gid_t groups[] = { 2000, 1000, 27, 2000 };

/* sergio (1000, subuids 100000..165535, groups 27 and 2000), or root. */
static struct situation situate(enum place place)
{
	bool root = place != HOST && place != HOST_NO_SUBIDS;
	bool subids = place == HOST || place == HOST_ROOT_SUBIDS;
	struct situation s = {
		.uid = root ? 0 : 1000,
		.gid = root ? 0 : 1000,
		.groups = groups,
		.group_count = root ? 0 : 4,
		.user = (char *)(root ? "root" : "sergio"),
		.has_subuids = subids,
		.free_subids = 100000,
		.has_subgids = subids,
	};

	if (place == CHILD) {
		s.child_userns = true;
		s.ns_uid = extents_read("0:1000:1 1:100000:65536");
		s.ns_gid = extents_read("0:1001:1 1:100000:65536");
		return s;
	}
	s.ns_uid = extents_read("0:0:4294967295");
	s.ns_gid = extents_read("0:0:4294967295");
	s.rootless_uid = extents_read(root ? "0:0:1" : "0:1000:1");
	s.rootless_gid = extents_read(root ? "0:0:1" : "0:1000:1");
	if (subids) {
		assert_int_equal(
			extent_list_append(&s.rootless_uid, 1, 100000, 65536),
			0);
		assert_int_equal(
			extent_list_append(&s.rootless_gid, 1, 100000, 65536),
			0);
	}
	s.process_uid = extents_read("0:1000:1 1:100000:999");
	s.process_gid = extents_read("0:1000:1");
	return s;
}

static void leave(struct situation *s)
{
	s->groups = NULL;
	s->user = NULL;
	situation_destroy(s);
}

static int resolve(const char *const *args, const struct situation *s,
		   struct view_policy *ret, struct error *error)
{
	char *argv[ARGS_MAX + 2] = { (char *)"idshift-mount" };
	struct options options;
	int argc = 1;
	int r;

	for (; argc <= ARGS_MAX && args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)args[argc - 1];
	argv[argc++] = (char *)"--print-map";
	r = options_parse(argc, argv, &options, error);
	if (r < 0)
		return r;
	r = resolve_policy(&options, s, &names, ret, error);
	options_destroy(&options);
	return r;
}

struct resolution {
	const char *args[ARGS_MAX];
	const char *error;     /* NULL: it resolves to these */
	const char *uid;       /* container to wire */
	const char *gid;       /* NULL: as uid */
	const char *owner_uid; /* disk to container */
	const char *owner_gid; /* NULL: not looked at */
	enum place place;
	int exit_code; /* 0 with an error: 3 */
};

#define ROOTLESS "0:1000:1 1:100000:65536"
#define ROOTLESS_OWNER "1000:0:1 100000:1:65536"
#define ALL "0:0:4294967295"
#define INSIDE "0:0:65537"
#define USERMOD                                                       \
	"add them as root with 'usermod --add-subuids 100000-165535 " \
	"--add-subgids 100000-165535 sergio', or do without them by " \
	"--userns=host"

static const struct resolution resolutions[] = {
	{ .args = { NULL },
	  .uid = ROOTLESS,
	  .owner_uid = ROOTLESS_OWNER,
	  .owner_gid = ROOTLESS_OWNER },
	{ .args = { "--userns=host" },
	  .uid = ALL,
	  .owner_uid = ALL,
	  .owner_gid = ALL },
	{ .args = { NULL }, .place = HOST_ROOT, .uid = ALL, .owner_uid = ALL },
	{ .args = { NULL },
	  .place = HOST_ROOT_SUBIDS,
	  .uid = "0:0:1 1:100000:65536",
	  .owner_uid = "0:0:1 100000:1:65536" },
	{ .args = { NULL },
	  .place = CHILD,
	  .uid = INSIDE,
	  .owner_uid = INSIDE },
	{ .args = { "--userns=host" },
	  .place = CHILD,
	  .uid = INSIDE,
	  .owner_uid = INSIDE },
	{ .args = { NULL },
	  .place = HOST_NO_SUBIDS,
	  .error = "user 'sergio' has no subordinate ids in /etc/subuid and "
		   "/etc/subgid: " USERMOD },
	{ .args = { "--userns=host" },
	  .place = HOST_NO_SUBIDS,
	  .uid = ALL,
	  .owner_uid = ALL },

	/* podman's. */
	{ .args = { "--userns=keep-id" },
	  .uid = "0:100000:1000 1000:1000:1 1001:101000:64536",
	  .owner_uid = "1000:1000:1 100000:0:1000 101000:1001:64536" },
	{ .args = { "--userns=keep-id:uid=0,gid=5" },
	  .uid = ROOTLESS,
	  .gid = "0:100000:5 5:1000:1 6:100005:65531",
	  .owner_uid = ROOTLESS_OWNER },
	{ .args = { "--userns=keep-id" },
	  .place = HOST_NO_SUBIDS,
	  .uid = "1000:1000:1",
	  .owner_uid = "1000:1000:1" },
	/* Kept is the id outside: uid 1000 and gid 1001. */
	{ .args = { "--userns=keep-id" },
	  .place = CHILD,
	  .uid = "0:1:1000 1000:0:1 1001:1001:64536",
	  .gid = "0:1:1001 1001:0:1 1002:1002:64535",
	  .owner_uid = "0:1000:1 1:0:1000 1001:1001:64536" },
	{ .args = { "--userns=keep-id" },
	  .place = HOST_ROOT,
	  .uid = ALL,
	  .owner_uid = ALL },
	{ .args = { "--userns=nomap" },
	  .uid = "0:100000:65536",
	  .owner_uid = "100000:0:65536" },
	{ .args = { "--userns=nomap" },
	  .place = HOST_NO_SUBIDS,
	  .error = "userns 'nomap': needs subordinate ids in /etc/subuid and "
		   "/etc/subgid" },
	{ .args = { "--uidmap=0:1:1000", "--uidmap", "1000:0:1" },
	  .uid = "0:100000:1000 1000:1000:1",
	  .owner_uid = "1000:1000:1 100000:0:1000" },
	{ .args = { "--gidmap=+g7:@1000" },
	  .uid = ROOTLESS,
	  .gid = "0:100000:7 7:1000:1 8:100007:65529",
	  .owner_uid = ROOTLESS_OWNER },
	{ .args = { "--uidmap=0:5:10" },
	  .place = HOST_ROOT,
	  .uid = "0:5:10",
	  .owner_uid = "5:0:10" },
	{ .args = { "--uidmap=0:5:10" },
	  .place = CHILD,
	  .uid = "0:5:10",
	  .owner_uid = "5:0:10" },
	{ .args = { "--uidmap=0:@100004:2" },
	  .place = CHILD,
	  .uid = "0:5:2",
	  .owner_uid = "5:0:2" },
	{ .args = { "--uidmap=0:1:1000000" },
	  .error = "uidmap '0:1:1000000': there is no intermediate uid 65537 "
		   "(0 is you, the others your subordinate ids): map fewer "
		   "ids, or add to /etc/subuid" },
	{ .args = { "--userns=pid:1" },
	  .uid = "0:1000:1 1:100000:999",
	  .gid = "0:1000:1",
	  .owner_uid = "1000:0:1 100000:1:999",
	  .owner_gid = "1000:0:1" },

	/* The owner map. */
	{ .args = { "-omap=u:sergio:1000,map=g:shared:2000" },
	  .uid = ROOTLESS,
	  .owner_uid = "1000:1000:1 100000:1:65536",
	  .owner_gid = "1000:0:1 2000:2000:1 100000:1:65536" },
	{ .args = { "-oowner=1000:1001" },
	  .uid = ROOTLESS,
	  .owner_uid = "1000:1000:1 100000:1:65536",
	  .owner_gid = "1000:1001:1 100000:1:65536" },
	/* map= comes before owner=. */
	{ .args = { "-oowner=5:5,map=u:sergio:6" },
	  .uid = ROOTLESS,
	  .owner_uid = "1000:6:1 100000:1:65536",
	  .owner_gid = "1000:5:1 100000:1:65536" },
	{ .args = { "-omap=b:0:65536,unmapped=65536" },
	  .uid = ROOTLESS,
	  .owner_uid = "0:65536:1 1000:0:1 100000:1:65536",
	  .owner_gid = "0:65536:1 1000:0:1 100000:1:65536" },
	{ .args = { "-omap=u:0:1000" },
	  .place = CHILD,
	  .uid = INSIDE,
	  .owner_uid = "0:1000:1 1:1:65536" },
	{ .args = { "-oowner=1000:1000" },
	  .place = CHILD,
	  .uid = INSIDE,
	  .owner_uid = "0:1000:1 1:1:65536",
	  .owner_gid = "0:1000:1 1:1:65536" },
	{ .args = { "-omap=u:0:65537" },
	  .error = "map 'u:0:65537': the container has no uid 65537; see what "
		   "it has with --print-map" },
	{ .args = { "-omap=g:0:65530:100" },
	  .error = "map 'g:0:65530:100': the container has no gid 65537; see "
		   "what it has with --print-map" },
	{ .args = { "-oowner=0:70000" },
	  .error = "owner '0:70000': the container has no gid 70000; see what "
		   "it has with --print-map" },
	{ .args = { "-ounmapped=65537" },
	  .error = "unmapped '65537': the container has no uid 65537; see what "
		   "it has with --print-map" },
	{ .args = { "-omap=u:solly:5" },
	  .error = "map 'u:solly:5': there is no user 'solly'" },
	{ .args = { "-omap=g:70000:5" },
	  .place = CHILD,
	  .error = "map 'g:70000:5': disk gid 70000 has no number in this user "
		   "namespace; mount on the host instead" },

	/* Who may. */
	{ .args = { "-ochown=disk" },
	  .error = "chown 'disk': only for root, or root of a user namespace: "
		   "run it in 'podman unshare'",
	  .exit_code = 2 },
	{ .args = { "-ochown=disk" },
	  .place = CHILD,
	  .uid = INSIDE,
	  .owner_uid = INSIDE },
};

static void check_table(const struct id_table *table, const char *expected)
{
	if (expected != NULL)
		assert_string_equal(extents_text(table->extents, table->count),
				    expected);
}

static void test_resolutions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(resolutions) / sizeof(resolutions[0]);
	     i++) {
		const struct resolution *c = &resolutions[i];
		struct situation s = situate(c->place);
		struct view_policy policy = { .unmapped = { 77 } };
		struct error error = { 0 };
		int r = resolve(c->args, &s, &policy, &error);

		print_message("%zu: %s (%s)\n", i,
			      c->args[0] == NULL ? "" : c->args[0], error.text);
		if (c->error != NULL) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(error.text, c->error);
			assert_int_equal(error.exit_code,
					 c->exit_code == 0 ? 3 : c->exit_code);
			assert_int_equal(policy.unmapped.value, 77);
		} else {
			assert_int_equal(r, 0);
			check_table(&policy.userns_uid.to_wire, c->uid);
			check_table(&policy.userns_gid.to_wire,
				    c->gid == NULL ? c->uid : c->gid);
			check_table(&policy.owner_uid.to_container,
				    c->owner_uid);
			check_table(&policy.owner_gid.to_container,
				    c->owner_gid);
			view_policy_destroy(&policy);
		}
		leave(&s);
	}
}

static void test_one_kind_missing(void **state)
{
	static const char *const args[] = { NULL };
	struct situation s = situate(HOST);
	struct view_policy policy = { 0 };
	struct error error;

	(void)state;
	s.has_subgids = false;
	assert_int_equal(resolve(args, &s, &policy, &error), -EINVAL);
	assert_string_equal(error.text, "user 'sergio' has no subordinate gids "
					"in /etc/subgid: " USERMOD);
	s.has_subgids = true;
	s.has_subuids = false;
	s.user = NULL;
	assert_int_equal(resolve(args, &s, &policy, &error), -EINVAL);
	assert_string_equal(
		error.text,
		"user '1000' has no subordinate uids in /etc/subuid: add them "
		"as root with 'usermod --add-subuids 100000-165535 "
		"--add-subgids 100000-165535 1000', or do without them by "
		"--userns=host");
	leave(&s);
}

static void test_acting(void **state)
{
	static const char *const args[] = { NULL };
	struct situation s = situate(HOST);
	struct view_policy policy = { 0 };
	struct error error;

	(void)state;
	if (resolve(args, &s, &policy, &error) < 0) {
		fail();
		return;
	}
	assert_int_equal(policy.acting.uid.value, 1000);
	assert_false(policy.acting.userns_root);
	assert_int_equal(policy.acting.group_count, 3);
	assert_int_equal(policy.acting.groups[0].value, 27);
	assert_int_equal(policy.acting.groups[1].value, 1000);
	assert_int_equal(policy.acting.groups[2].value, 2000);
	assert_int_equal(policy.unmapped.value, ID_NONE);
	view_policy_destroy(&policy);
	leave(&s);
	s = situate(CHILD);
	if (resolve(args, &s, &policy, &error) < 0) {
		fail();
		return;
	}
	assert_true(policy.acting.userns_root);
	assert_int_equal(policy.acting.uid.value, 0);
	assert_int_equal(policy.acting.group_count, 1);
	view_policy_destroy(&policy);
	leave(&s);
}

static void check_print(const char *const *args, enum place place, bool json,
			const char *expected)
{
	struct situation s = situate(place);
	struct view_policy policy = { 0 };
	struct error error;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(resolve(args, &s, &policy, &error), 0);
	assert_int_equal(print_map(out, &policy, &s, json, &error), 0);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	view_policy_destroy(&policy);
	leave(&s);
}

static void test_print(void **state)
{
	static const char *const args[] = { "-omap=g:shared:2000", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	check_print(args, HOST, false,
		    "userns uid: container, host, count\n"
		    "         0       1000          1\n"
		    "         1     100000      65536\n"
		    "userns gid: container, host, count\n"
		    "         0       1000          1\n"
		    "         1     100000      65536\n"
		    "owner uid: container, disk, count\n"
		    "         0       1000          1\n"
		    "         1     100000      65536\n"
		    "owner gid: container, disk, count\n"
		    "         0       1000          1\n"
		    "         1     100000      65536\n"
		    "      2000       2000          1\n");
	/* Host ids, though the wire ids are the namespace's own. */
	check_print(none, CHILD, false,
		    "userns uid: container, host, count\n"
		    "         0       1000          1\n"
		    "         1     100000      65536\n"
		    "userns gid: container, host, count\n"
		    "         0       1001          1\n"
		    "         1     100000      65536\n"
		    "owner uid: container, disk, count\n"
		    "         0          0      65537\n"
		    "owner gid: container, disk, count\n"
		    "         0          0      65537\n");
}

static void test_print_json(void **state)
{
	static const char *const args[] = { "--userns=host", "-omap=u:5:6",
					    NULL };

	(void)state;
	check_print(args, HOST, true,
		    "{\n"
		    "  \"userns\": {\n"
		    "    \"uid\": [\n"
		    "      {\n"
		    "        \"container\": 0,\n"
		    "        \"host\": 0,\n"
		    "        \"count\": 4294967295\n"
		    "      }\n"
		    "    ],\n"
		    "    \"gid\": [\n"
		    "      {\n"
		    "        \"container\": 0,\n"
		    "        \"host\": 0,\n"
		    "        \"count\": 4294967295\n"
		    "      }\n"
		    "    ]\n"
		    "  },\n"
		    "  \"owner\": {\n"
		    "    \"uid\": [\n"
		    "      {\n"
		    "        \"disk\": 0,\n"
		    "        \"container\": 0,\n"
		    "        \"count\": 5\n"
		    "      },\n"
		    "      {\n"
		    "        \"disk\": 5,\n"
		    "        \"container\": 6,\n"
		    "        \"count\": 1\n"
		    "      },\n"
		    "      {\n"
		    "        \"disk\": 6,\n"
		    "        \"container\": 6,\n"
		    "        \"count\": 4294967289\n"
		    "      }\n"
		    "    ],\n"
		    "    \"gid\": [\n"
		    "      {\n"
		    "        \"disk\": 0,\n"
		    "        \"container\": 0,\n"
		    "        \"count\": 4294967295\n"
		    "      }\n"
		    "    ]\n"
		    "  }\n"
		    "}\n");
}

/* This process, as it is. */
static void test_situation(void **state)
{
	struct options options = { .userns = USERNS_HOST };
	struct situation s;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(situation_read(&options, &s, &error), 0);
	assert_int_equal(s.uid, geteuid());
	assert_int_equal(s.gid, getegid());
	assert_true(s.ns_uid.count > 0 && s.ns_gid.count > 0);
	situation_destroy(&s);

	/* Our own process: in a child namespace it is that namespace. */
	options.userns = USERNS_PID;
	options.userns_text = (char *)"pid:self";
	options.pid = getpid();
	assert_int_equal(situation_read(&options, &s, &error), 0);
	assert_true(s.process_uid.count > 0 && s.process_gid.count > 0);
	for (size_t i = 0; i < s.process_uid.count; i++)
		assert_int_equal(s.process_uid.items[i].from,
				 s.process_uid.items[i].to);
	situation_destroy(&s);

	/* Beyond what pid_max can be (proc(5)). */
	options.pid = 2147483647;
	assert_int_equal(situation_read(&options, &s, &error), -EINVAL);
	assert_string_equal(
		error.text,
		"userns 'pid:self': there is no process 2147483647");
	assert_int_equal(error.exit_code, 3);

	options.userns = USERNS_HOST;
	options.run_as = (char *)"no-such-user-here";
	assert_int_equal(situation_read(&options, &s, &error), -EINVAL);
	assert_string_equal(error.text, "run-as 'no-such-user-here': there is "
					"no such user");
	assert_int_equal(error.exit_code, 2);
}

static void test_parse_proc(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *extents;
	} cases[] = {
		{ "         0          0 4294967295\n", 0, "0:0:4294967295" },
		{ "0 1000 1\n1 100000 65536\n", 0, "0:1000:1 1:100000:65536" },
		{ "0 1000 1", 0, "0:1000:1" },
		{ "0 4294967295 1\n1 5 2\n", 0, "1:5:2" },
		{ "", 0, "" },
		{ "0 1000\n", -EINVAL, NULL },
		{ "0 1000 1 1\n", -EINVAL, NULL },
		{ "0 1000 x\n", -EINVAL, NULL },
		{ "0 1000 0\n", -EINVAL, NULL },
		{ "0 1 4294967295\n", -EINVAL, NULL },
		{ "\n", -EINVAL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct extent_list list = { 0 };

		assert_int_equal(extent_list_parse_proc(cases[i].text,
							strlen(cases[i].text),
							&list),
				 cases[i].result);
		if (cases[i].extents != NULL)
			assert_string_equal(extent_list_text(&list),
					    cases[i].extents);
		extent_list_destroy(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolutions),
		cmocka_unit_test(test_one_kind_missing),
		cmocka_unit_test(test_acting),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_json),
		cmocka_unit_test(test_situation),
		cmocka_unit_test(test_parse_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
