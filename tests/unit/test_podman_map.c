/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * podman's maps: known results of podman itself, refusals, and random specs
 * against a reference that keeps one pair of ids after the other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "extents_text.h"
#include "idshift/podman_map.h"

/* Rootless, uid and gid 1000, one range: the usual machine. */
#define USUAL "0:1000:1 1:100000:65536"
/* Root: host ids are meant. */
#define ROOT "0:0:4294967295"
#define SPECS_MAX 6

struct map_case {
	const char *name;
	const char *uidmap[SPECS_MAX]; /* to the first NULL */
	const char *gidmap[SPECS_MAX];
	const char *parent_uid; /* NULL: USUAL; ROOT is not rootless */
	const char *parent_gid; /* NULL: as parent_uid */
	const char *uid;
	const char *gid; /* NULL: as uid */
	const char *error;
};

static const struct map_case map_cases[] = {
	/* The known results of podman 5. */
	{ .name = "a shared group, the rest as always",
	  .gidmap = { "+g100000:@2000" },
	  .parent_gid = "0:1000:1 1:2000:1 2:100000:65536",
	  .uid = "0:0:1 1:1:65536",
	  .gid = "0:0:1 1:2:65536 100000:1:1" },
	{ .name = "breaks and inserts",
	  .uidmap = { "0:0:65000", "+100000:1:1" },
	  .uid = "0:0:1 2:2:64998 100000:1:1" },
	{ .name = "both specs in one value",
	  .uidmap = { "0:0:65000,+100000:1:1" },
	  .uid = "0:0:1 2:2:64998 100000:1:1" },
	{ .name = "both triples in one spec",
	  .uidmap = { "0:0:65000:+100000:1:1" },
	  .uid = "0:0:1 2:2:64998 100000:1:1" },
	{ .name = "two ranges",
	  .uidmap = { "0:0:16" },
	  .parent_uid = "0:1000:1 1:200000:5 6:300000:10",
	  .uid = "0:0:1 1:1:5 6:6:10" },
	{ .name = "an id of the parent",
	  .uidmap = { "+100000:@1002:1" },
	  .parent_uid = "20:1002:1",
	  .uid = "100000:20:1" },
	{ .name = "an id of the parent, no count",
	  .uidmap = { "+100000:@1002" },
	  .parent_uid = "20:1002:1",
	  .uid = "100000:20:1" },
	{ .name = "one out of many, root",
	  .uidmap = { "0:2000:100000", "+1:100:1" },
	  .parent_uid = ROOT,
	  .uid = "0:2000:1 1:100:1 2:2002:99998" },
	{ .name = "several breaks, root",
	  .uidmap = { "0:0:20", "24:24:6", "+7:1000:2", "+12:2000:3",
		      "+18:3000:7" },
	  .parent_uid = ROOT,
	  .uid = "0:0:7 7:1000:2 9:9:3 12:2000:3 15:15:3 18:3000:7 25:25:5" },
	{ .name = "breaks on both sides, root",
	  .uidmap = { "0:0:20", "+10:1:1" },
	  .parent_uid = ROOT,
	  .uid = "0:0:1 2:2:8 10:1:1 11:11:9" },
	{ .name = "breaks several at once, root",
	  .uidmap = { "0:20:10", "15:35:10", "+8:23:16" },
	  .parent_uid = ROOT,
	  .uid = "0:20:3 8:23:16 24:44:1" },
	{ .name = "u and g apart, root",
	  .uidmap = { "u1:3:1", "g2:4:2" },
	  .parent_uid = ROOT,
	  .uid = "1:3:1",
	  .gid = "2:4:2" },
	{ .name = "the user's own id elsewhere",
	  .uidmap = { "1000:0:1" },
	  .uid = "1000:0:1" },
	{ .name = "the guide's keep-id by hand",
	  .uidmap = { "0:1:1000", "1000:0:1", "1001:1001:64536" },
	  .uid = "0:1:1000 1000:0:1 1001:1001:64536" },

	/* Flags. */
	{ .name = "only uids: gids in order",
	  .uidmap = { "u0:5:1" },
	  .uid = "0:5:1",
	  .gid = "0:0:1 1:1:65536" },
	{ .name = "only gids: uids in order",
	  .uidmap = { "g0:5:1" },
	  .uid = "0:0:1 1:1:65536",
	  .gid = "0:5:1" },
	{ .name = "only gids, root: uids as they are",
	  .gidmap = { "g0:5:1" },
	  .parent_uid = ROOT,
	  .uid = "0:0:4294967295",
	  .gid = "0:5:1" },
	{ .name = "u, g in any order and twice",
	  .uidmap = { "gu+u0:5:1" },
	  .uid = "0:5:1 1:0:1 2:1:4 6:6:65531" },
	{ .name = "each its own",
	  .uidmap = { "0:1:2" },
	  .gidmap = { "0:3:4" },
	  .uid = "0:1:2",
	  .gid = "0:3:4" },
	{ .name = "u in gidmap is for none",
	  .uidmap = { "0:1:2" },
	  .gidmap = { "u0:3:4" },
	  .uid = "0:1:2",
	  .gid = "0:0:1 1:1:65536" },

	/* Gaps. */
	{ .name = "+ first fills, + later doesn't",
	  .uidmap = { "+5:0:1" },
	  .uid = "0:1:5 5:0:1 6:6:65531" },
	{ .name = "+ not first doesn't fill",
	  .uidmap = { "0:10:1", "+5:0:1" },
	  .uid = "0:10:1 5:0:1" },
	{ .name = "root: + first doesn't fill",
	  .uidmap = { "+5:0:1" },
	  .parent_uid = ROOT,
	  .uid = "5:0:1" },
	{ .name = "nothing is left to fill with",
	  .uidmap = { "+100:0:2" },
	  .parent_uid = "0:7:2",
	  .uid = "100:0:2" },
	{ .name = "the gap is larger than what is left",
	  .uidmap = { "+4294967294:0:1" },
	  .uid = "0:1:65536 4294967294:0:1" },
	{ .name = "a gap between two",
	  .uidmap = { "+2:0:1", "4:1:1" },
	  .parent_uid = "0:1000:1 1:100000:9",
	  .uid = "0:2:2 2:0:1 3:4:1 4:1:1 5:5:5" },

	/* Host ids. */
	{ .name = "@ over a border of the parent",
	  .uidmap = { "0:@2000:4" },
	  .parent_uid = "0:1000:1 1:2000:2 3:9000:5 8:2002:2",
	  .uid = "0:1:2 2:8:2" },
	{ .name = "@ over adjacent ranges",
	  .uidmap = { "0:@100000:20" },
	  .parent_uid = "0:1000:1 1:100000:10 11:100010:10",
	  .uid = "0:1:10 10:11:10" },
	{ .name = "@ is the same for root",
	  .uidmap = { "0:@100000:20" },
	  .parent_uid = ROOT,
	  .uid = "0:100000:20" },
	{ .name = "@ for the other kind need not be there",
	  .uidmap = { "0:0:1" },
	  .gidmap = { "u0:@77:1", "0:0:1" },
	  .uid = "0:0:1" },

	/* What podman ignores. */
	{ .name = "an empty spec",
	  .uidmap = { "", ",0:0:1,," },
	  .uid = "0:0:1" },
	{ .name = "a count of 0",
	  .uidmap = { "0:0:1", "5:9:0" },
	  .uid = "0:0:1" },
	{ .name = "leading zeros", .uidmap = { "00:01:02" }, .uid = "0:1:2" },
	{ .name = "neighbours are joined, in any order",
	  .uidmap = { "10:10:5", "5:5:5" },
	  .uid = "5:5:10" },
	{ .name = "overlap that a later + mends",
	  .uidmap = { "0:0:10", "5:100:10", "+5:200:10" },
	  .uid = "0:0:1 1:1:4 5:200:10" },

	/* Refusals. */
	{ .uidmap = { "0:x:1" },
	  .error = "uidmap '0:x:1': host id must be 0..4294967294" },
	{ .gidmap = { "0:0:1,0:x:1" },
	  .error = "gidmap '0:x:1': host id must be 0..4294967294" },
	{ .uidmap = { "0:@:1" },
	  .error = "uidmap '0:@:1': host id must be 0..4294967294" },
	{ .uidmap = { "0:4294967295:1" },
	  .error = "uidmap '0:4294967295:1': host id must be 0..4294967294" },
	{ .uidmap = { ":0:1" },
	  .error = "uidmap ':0:1': container id must be 0..4294967294" },
	{ .uidmap = { "+:0:1" },
	  .error = "uidmap '+:0:1': container id must be 0..4294967294" },
	{ .uidmap = { "0x1:0:1" },
	  .error = "uidmap '0x1:0:1': container id must be 0..4294967294" },
	{ .uidmap = { "-1:0:1" },
	  .error = "uidmap '-1:0:1': unknown flag '-': the flags are +, u and "
		   "g" },
	{ .uidmap = { "+v1:0:1" },
	  .error = "uidmap '+v1:0:1': unknown flag 'v': the flags are +, u and "
		   "g" },
	{ .uidmap = { "0:0:-1" },
	  .error = "uidmap '0:0:-1': count must be 0..4294967295" },
	{ .uidmap = { "0:0:" },
	  .error = "uidmap '0:0:': count must be 0..4294967295" },
	{ .uidmap = { "0" },
	  .error = "uidmap '0': must be [+ug]CONTAINER:[@]HOST[:COUNT]" },
	{ .uidmap = { "0:0:1:2" },
	  .error = "uidmap '0:0:1:2': must be [+ug]CONTAINER:[@]HOST[:COUNT]" },
	{ .uidmap = { "0:0:1:2:3" },
	  .error = "uidmap '0:0:1:2:3': must be "
		   "[+ug]CONTAINER:[@]HOST[:COUNT]" },
	{ .uidmap = { "1:0:4294967295" },
	  .error = "uidmap '1:0:4294967295': the container ids reach beyond "
		   "4294967294" },
	{ .uidmap = { "0:1:4294967295" },
	  .error = "uidmap '0:1:4294967295': the host ids reach beyond "
		   "4294967294" },
	{ .uidmap = { "0:0:10", "5:100:10" },
	  .error = "uidmap '0:0:10,5:100:10': container uid 5 is mapped twice; "
		   "'+' before the later one makes the earlier give way" },
	{ .uidmap = { "0:0:10", "50:9:10" },
	  .error = "uidmap '0:0:10,50:9:10': intermediate uid 9 is mapped "
		   "twice; '+' before the later one makes the earlier give "
		   "way" },
	{ .gidmap = { "g0:0:10", "g50:9:10" },
	  .parent_uid = ROOT,
	  .error = "gidmap 'g0:0:10,g50:9:10': host gid 9 is mapped twice; '+' "
		   "before the later one makes the earlier give way" },
	{ .uidmap = { "0:@2000" },
	  .error = "uidmap '0:@2000': host uid 2000 is not delegated to you: "
		   "add it to /etc/subuid" },
	{ .uidmap = { "u0:0:1", "g0:@2000" },
	  .error = "uidmap 'g0:@2000': host gid 2000 is not delegated to you: "
		   "add it to /etc/subgid" },
	{ .uidmap = { "0:@165535:2" },
	  .error = "uidmap '0:@165535:2': host uid 165536 is not delegated to "
		   "you: add it to /etc/subuid" },
	{ .uidmap = { "0:0:65538" },
	  .error = "uidmap '0:0:65538': there is no intermediate uid 65537 (0 "
		   "is you, the others your subordinate ids): map fewer ids, "
		   "or add to /etc/subuid" },
	{ .gidmap = { "u0:0:1", "g0:65537:1" },
	  .error = "gidmap 'u0:0:1,g0:65537:1': there is no intermediate gid "
		   "65537 (0 is you, the others your subordinate ids): map "
		   "fewer ids, or add to /etc/subgid" },
};

static size_t spec_count(const char *const *specs)
{
	size_t count = 0;

	while (count < SPECS_MAX && specs[count] != NULL)
		count++;
	return count;
}

static struct podman_parent read_parent(const char *uid, const char *gid)
{
	if (uid == NULL)
		uid = USUAL;
	return (struct podman_parent){
		.uid = extents_read(uid),
		.gid = extents_read(gid == NULL ? uid : gid),
		.rootless = strcmp(uid, ROOT) != 0,
	};
}

static void destroy_parent(struct podman_parent *parent)
{
	extent_list_destroy(&parent->uid);
	extent_list_destroy(&parent->gid);
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(map_cases) / sizeof(map_cases[0]); i++) {
		const struct map_case *c = &map_cases[i];
		struct podman_parent parent =
			read_parent(c->parent_uid, c->parent_gid);
		struct podman_map map = { 0 };
		struct error error = { 0 };
		int r = podman_map_parse(c->uidmap, spec_count(c->uidmap),
					 c->gidmap, spec_count(c->gidmap),
					 &parent, &map, &error);

		print_message("%s %s\n", c->name == NULL ? "" : c->name,
			      error.text);
		if (c->error == NULL) {
			assert_int_equal(r, 0);
			assert_string_equal(extent_list_text(&map.uid), c->uid);
			assert_string_equal(extent_list_text(&map.gid),
					    c->gid == NULL ? c->uid : c->gid);
		} else {
			assert_string_equal(error.text, c->error);
			assert_int_equal(r, -EINVAL);
			assert_int_equal(error.exit_code, 3);
			assert_null(map.uid.items);
		}
		podman_map_destroy(&map);
		destroy_parent(&parent);
	}
}

/* 340 lines are taken, 341 are not; nor are 4,096 bytes. */
static void test_kernel_limits(void **state)
{
	static const struct {
		uint32_t first;
		uint32_t lines;
		const char *error;
	} cases[] = {
		{ 0, 340, NULL },
		{ 0, 341, "341 lines of uid map; the kernel takes 340" },
		/* "1000000002 2 1\n" and so on: up to 18 bytes. */
		{ 1000000000, 232, NULL },
		{ 1000000000, 340, "bytes of uid map; the kernel takes 4095" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct podman_parent parent = read_parent(NULL, NULL);
		struct podman_map map = { 0 };
		struct error error = { 0 };
		char specs[341][40];
		const char *values[341];
		int r;

		for (uint32_t n = 0; n < cases[i].lines; n++) {
			snprintf(specs[n], sizeof(specs[n]), "%u:%u:1",
				 cases[i].first + n * 2, n * 2);
			values[n] = specs[n];
		}
		r = podman_map_parse(values, cases[i].lines, NULL, 0, &parent,
				     &map, &error);
		assert_int_equal(r, cases[i].error == NULL ? 0 : -EINVAL);
		if (cases[i].error != NULL)
			assert_non_null(strstr(error.text, cases[i].error));
		podman_map_destroy(&map);
		destroy_parent(&parent);
	}
}

struct keep_case {
	const char *text;
	const char *parent; /* NULL: USUAL */
	const char *uid;
	const char *gid; /* NULL: as uid */
	const char *error;
};

/* For uid and gid 1000, but where the options say another. */
static const struct keep_case keep_cases[] = {
	{ .text = "keep-id", .uid = "0:1:1000 1000:0:1 1001:1001:64536" },
	{ .text = "keep-id:uid=11,gid=12",
	  .uid = "0:1:11 11:0:1 12:12:65525",
	  .gid = "0:1:12 12:0:1 13:13:65524" },
	{ .text = "keep-id:uid=0,gid=0", .uid = "0:0:1 1:1:65536" },
	{ .text = "keep-id", .parent = "0:1000:1", .uid = "1000:0:1" },
	{ .text = "keep-id:size=1000000",
	  .parent = "0:1000:1",
	  .uid = "1000:0:1" },
	{ .text = "keep-id:uid=0,gid=0,size=1024", .uid = "0:0:1 1:1:1023" },
	{ .text = "keep-id:uid=0,gid=0,size=1", .uid = "0:0:1" },
	{ .text = "keep-id:size=1", .uid = "1000:0:1" },
	{ .text = "keep-id:uid=0,gid=0,size=2", .uid = "0:0:1 1:1:1" },
	{ .text = "keep-id:size=0",
	  .uid = "0:1:1000 1000:0:1 1001:1001:64536" },
	{ .text = "keep-id:uid=70000,gid=65536",
	  .uid = "0:1:65536 70000:0:1",
	  .gid = "0:1:65536 65536:0:1" },
	{ .text = "keep-id:uid=7,gid=7",
	  .parent = "0:1000:1 1:200000:5 6:300000:10",
	  .uid = "0:1:5 5:6:2 7:0:1 8:8:8" },
	{ .text = "keep-id:uid=5", .parent = ROOT, .uid = "0:0:4294967295" },
	{ .text = "keep-id:",
	  .error = "userns 'keep-id:': must be keep-id[:uid=U,gid=G,size=S]" },
	{ .text = "keep-id:uid",
	  .error = "userns 'keep-id:uid': must be "
		   "keep-id[:uid=U,gid=G,size=S]" },
	{ .text = "keep-id:gids=1",
	  .error = "userns 'keep-id:gids=1': must be "
		   "keep-id[:uid=U,gid=G,size=S]" },
	{ .text = "keep-id:uid=1,",
	  .error = "userns 'keep-id:uid=1,': must be "
		   "keep-id[:uid=U,gid=G,size=S]" },
	{ .text = "keep-id:uid=x",
	  .error = "userns 'keep-id:uid=x': uid must be 0..4294967294" },
	{ .text = "keep-id:uid=1,gid=4294967295",
	  .error = "userns 'keep-id:uid=1,gid=4294967295': gid must be "
		   "0..4294967294" },
};

static void test_keep_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keep_cases) / sizeof(keep_cases[0]);
	     i++) {
		const struct keep_case *c = &keep_cases[i];
		struct podman_parent parent = read_parent(c->parent, NULL);
		struct podman_keep_id options;
		struct podman_map map = { 0 };
		struct error error = { 0 };
		int r = podman_keep_id_parse(c->text, &options, &error);

		print_message("%s\n", c->text);
		if (c->error != NULL) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(error.text, c->error);
			destroy_parent(&parent);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(podman_map_keep_id(&options, 1000, 1000,
						    &parent, &map, &error),
				 0);
		assert_string_equal(extent_list_text(&map.uid), c->uid);
		assert_string_equal(extent_list_text(&map.gid),
				    c->gid == NULL ? c->uid : c->gid);
		podman_map_destroy(&map);
		destroy_parent(&parent);
	}
}

static void test_nomap(void **state)
{
	struct podman_parent usual = read_parent(NULL, NULL);
	struct podman_parent two =
		read_parent("0:1000:1 1:200000:5 6:300000:10", NULL);
	struct podman_parent alone = read_parent("0:1000:1", USUAL);
	struct podman_parent root = read_parent(ROOT, NULL);
	struct podman_map map = { 0 };
	struct error error = { 0 };

	(void)state;
	assert_int_equal(podman_map_nomap(&usual, &map, &error), 0);
	assert_string_equal(extent_list_text(&map.uid), "0:1:65536");
	podman_map_destroy(&map);
	assert_int_equal(podman_map_nomap(&two, &map, &error), 0);
	assert_string_equal(extent_list_text(&map.gid), "0:1:5 5:6:10");
	podman_map_destroy(&map);
	assert_int_equal(podman_map_nomap(&alone, &map, &error), -EINVAL);
	assert_string_equal(error.text,
			    "userns 'nomap': needs subordinate ids in "
			    "/etc/subuid and /etc/subgid");
	assert_int_equal(podman_map_nomap(&root, &map, &error), -EINVAL);
	assert_string_equal(error.text,
			    "userns 'nomap': not for root, as in podman; run "
			    "it as an ordinary user");
	assert_null(map.uid.items);
	destroy_parent(&usual);
	destroy_parent(&two);
	destroy_parent(&alone);
	destroy_parent(&root);
}

/* The reference: pairs of ids, one after the other. */
#define PAIRS_MAX 4096
#define IDS 40

struct pairs {
	struct {
		uint32_t container;
		uint32_t host;
	} items[PAIRS_MAX];
	size_t count;
	bool fill;
};

static void pairs_add(struct pairs *pairs, bool extends, uint32_t container,
		      uint32_t host, uint32_t count)
{
	size_t kept = 0;

	if (extends && pairs->count == 0 && count > 0)
		pairs->fill = true;
	for (size_t i = 0; extends && i < pairs->count; i++)
		if (pairs->items[i].container - container >= count &&
		    pairs->items[i].host - host >= count)
			pairs->items[kept++] = pairs->items[i];
	if (extends)
		pairs->count = kept;
	for (uint32_t i = 0; i < count; i++) {
		pairs->items[pairs->count].container = container + i;
		pairs->items[pairs->count++].host = host + i;
	}
}

static bool pairs_clash(const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		for (size_t j = 0; j < i; j++)
			if (pairs->items[i].container ==
				    pairs->items[j].container ||
			    pairs->items[i].host == pairs->items[j].host)
				return true;
	return false;
}

static bool pairs_have(const struct pairs *pairs, uint32_t id, bool host)
{
	for (size_t i = 0; i < pairs->count; i++)
		if ((host ? pairs->items[i].host : pairs->items[i].container) ==
		    id)
			return true;
	return false;
}

static void pairs_fill(struct pairs *pairs, uint32_t hosts)
{
	uint32_t container = 0;

	for (uint32_t host = 0; host < hosts; host++) {
		if (pairs_have(pairs, host, true))
			continue;
		while (pairs_have(pairs, container, false))
			container++;
		pairs->items[pairs->count].container = container;
		pairs->items[pairs->count++].host = host;
	}
}

static void check_against(const struct extent_list *list,
			  const struct pairs *pairs)
{
	size_t total = 0;

	for (size_t i = 0; i < list->count; i++)
		total += list->items[i].count;
	assert_int_equal(total, pairs->count);
	for (size_t i = 0; i < pairs->count; i++) {
		const struct id_extent *e =
			extent_list_find(list, pairs->items[i].container);

		assert_non_null(e);
		assert_int_equal(e->to + (pairs->items[i].container - e->from),
				 pairs->items[i].host);
	}
}

static void test_random(void **state)
{
	unsigned int seed = 7;
	int taken = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct podman_parent parent = read_parent(
			"0:1000:1 1:200:5 6:300:10 16:400:24", NULL);
		static struct pairs pairs;
		struct podman_map map = { 0 };
		struct error error = { 0 };
		char specs[4][40];
		const char *values[4];
		size_t count = 1 + (size_t)rand_r(&seed) % 4;
		int r;

		pairs = (struct pairs){ 0 };
		for (size_t i = 0; i < count; i++) {
			bool extends = rand_r(&seed) % 4 != 0;
			uint32_t c = (uint32_t)rand_r(&seed) % 50;
			uint32_t h = (uint32_t)rand_r(&seed) % IDS;
			uint32_t n = (uint32_t)rand_r(&seed) % (IDS - h + 1);

			if (rand_r(&seed) % 2 == 0)
				n = n % 4;
			snprintf(specs[i], sizeof(specs[i]), "%s%u:%u:%u",
				 extends ? "+" : "", c, h, n);
			values[i] = specs[i];
			pairs_add(&pairs, extends, c, h, n);
		}
		r = podman_map_parse(values, count, NULL, 0, &parent, &map,
				     &error);
		assert_int_equal(r, pairs_clash(&pairs) ? -EINVAL : 0);
		if (r == 0) {
			if (pairs.fill || pairs.count == 0)
				pairs_fill(&pairs, IDS);
			check_against(&map.uid, &pairs);
			check_against(&map.gid, &pairs);
			taken++;
		}
		podman_map_destroy(&map);
		destroy_parent(&parent);
	}
	assert_true(taken > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_kernel_limits),
		cmocka_unit_test(test_keep_id),
		cmocka_unit_test(test_nomap),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
