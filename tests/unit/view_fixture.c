/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view_fixture.h"

static uint64_t random_state = UINT64_C(0x1d5f1f7);

uint32_t fixture_random(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % below;
}

struct maps {
	struct id_extent userns[2];    /* container to wire */
	struct id_extent owner_uid[4]; /* disk to container */
	struct id_extent owner_gid[5];
	uint32_t groups[2];
	uint32_t uid;
	uint32_t unmapped;
	bool userns_root;
};

#define ROOTLESS                 \
	{ 0, 1000, 1 },          \
	{                        \
		1, 100000, 65536 \
	}
#define BIND                     \
	{ 1000, 0, 1 },          \
	{                        \
		100000, 1, 65536 \
	}

static const struct maps policies[] = {
	[POLICY_PLAIN] = {
		.userns = { ROOTLESS },
		.owner_uid = { BIND },
		.owner_gid = { BIND },
		.groups = { 1000, 2000 },
		.uid = 1000,
		.unmapped = ID_NONE,
	},
	[POLICY_MAPPED] = {
		.userns = { ROOTLESS },
		.owner_uid = { { 1000, 1000, 1 }, BIND },
		.owner_gid = { { 2000, 2000, 1 }, BIND },
		.groups = { 1000, 2000 },
		.uid = 1000,
		.unmapped = ID_NONE,
	},
	[POLICY_UNMAPPED] = {
		.userns = { ROOTLESS },
		.owner_uid = { { 1000, 1000, 1 }, BIND },
		.owner_gid = { { 2000, 2000, 1 }, BIND },
		.groups = { 1000, 2000 },
		.uid = 1000,
		.unmapped = 7,
	},
	[POLICY_ALIASED] = {
		.userns = { ROOTLESS },
		.owner_uid = { BIND },
		.owner_gid = { { 2000, 2000, 1 }, { 3000, 2000, 1 },
			       { 3001, 3001, 1 }, BIND },
		.groups = { 1000, 2000 },
		.uid = 1000,
		.unmapped = ID_NONE,
	},
	[POLICY_NAMESPACE] = {
		.userns = { { 0, 0, 65536 } },
		.owner_uid = { { 0, 0, 65536 } },
		.owner_gid = { { 0, 0, 65536 } },
		.groups = { 0, 65534 },
		.unmapped = ID_NONE,
		.userns_root = true,
	},
	[POLICY_ROOT] = {
		.userns = { { 0, 0, UINT32_MAX } },
		.owner_uid = { { 0, 0, UINT32_MAX } },
		.owner_gid = { { 0, 0, UINT32_MAX } },
		.groups = { 0, 5 },
		.unmapped = ID_NONE,
	},
};

static size_t used(const struct id_extent *extents, size_t room)
{
	size_t count = 0;

	while (count < room && extents[count].count > 0)
		count++;
	return count;
}

void make_policy(enum fixture_policy which, struct view_policy *ret)
{
	const struct maps *maps = &policies[which];
	struct disk_id *groups = malloc(2 * sizeof(*groups));

	assert_non_null(groups);
	groups[0] = DISK_ID(maps->groups[0]);
	groups[1] = DISK_ID(maps->groups[1]);
	*ret = (struct view_policy){
		.unmapped = CONTAINER_ID(maps->unmapped),
		.acting = {
			.uid = DISK_ID(maps->uid),
			.gid = groups[0],
			.in_userns = maps->userns_root,
			.userns_root = maps->userns_root,
			.groups = groups,
			.group_count = 2,
		},
	};
	assert_int_equal(userns_map_init(&ret->userns_uid, maps->userns,
					 used(maps->userns, 2)),
			 0);
	assert_int_equal(userns_map_init(&ret->userns_gid, maps->userns,
					 used(maps->userns, 2)),
			 0);
	assert_int_equal(owner_map_init(&ret->owner_uid, maps->owner_uid,
					used(maps->owner_uid, 4)),
			 0);
	assert_int_equal(owner_map_init(&ret->owner_gid, maps->owner_gid,
					used(maps->owner_gid, 5)),
			 0);
}
