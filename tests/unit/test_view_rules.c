/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The promises that hold for all files, views and policies. */
#include "idshift/view.h"

#include "view_fixture.h"

#define ROUNDS 200000

static struct view_policy policies[POLICY_COUNT];

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < POLICY_COUNT; i++)
		make_policy((enum fixture_policy)i, &policies[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < POLICY_COUNT; i++)
		view_policy_destroy(&policies[i]);
	return 0;
}

/* A file that is ours, a view that the container wants, and what we plan. */
struct scene {
	const struct view_policy *policy;
	struct disk_owner disk;
	struct view want;
	struct view_plan plan;
	struct disk_owner after;
};

static uint32_t random_disk_gid(void)
{
	static const uint32_t gids[] = { 0,    5,    1000,   2000, 3000,
					 3001, 9999, 100033, 65534 };

	return gids[fixture_random(LENGTH(gids))];
}

static struct container_id random_container(void)
{
	static const uint32_t ids[] = { 0,    5,    7,	   34,	   1000,
					2000, 3001, 65534, ID_NONE };

	return CONTAINER_ID(ids[fixture_random(LENGTH(ids))]);
}

static mode_t random_type(void)
{
	static const mode_t types[] = { S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,
					S_IFLNK, S_IFIFO, S_IFSOCK };

	return types[fixture_random(LENGTH(types))];
}

/* What stat(2) shows after the plan was carried out. */
static struct disk_owner carried_out(const struct disk_owner *disk,
				     const struct view_plan *plan)
{
	struct disk_owner after = *disk;

	after.gid = plan->gid;
	after.mode = (disk->mode & S_IFMT) | plan->mode;
	return after;
}

static struct scene random_scene(void)
{
	struct scene scene;
	mode_t type = random_type();
	bool link = S_ISLNK(type);

	scene.policy = &policies[fixture_random(POLICY_COUNT)];
	scene.disk = (struct disk_owner){
		.uid = scene.policy->acting.uid,
		.gid = DISK_ID(random_disk_gid()),
		.mode = type | (link ? 0777 : fixture_random(010000)),
	};
	if (scene.policy->acting.userns_root && fixture_random(2) > 0)
		scene.disk.uid = DISK_ID(fixture_random(100));
	assert_true(view_is_ours(scene.policy, &scene.disk));
	scene.want = (struct view){
		.uid = random_container(),
		.gid = random_container(),
		.mode = type | (link ? 0777 : fixture_random(010000)),
	};
	view_plan(scene.policy, &scene.disk, &scene.want, &scene.plan);
	scene.after = carried_out(&scene.disk, &scene.plan);
	return scene;
}

static void see(const struct scene *scene, const struct disk_owner *disk,
		struct view *ret)
{
	view_of(scene->policy, disk,
		scene->plan.recorded ? &scene->plan.record : NULL, ret);
}

/* The wish with its blanks filled in by what the disk says. */
static struct view filled(const struct scene *scene)
{
	struct view full = scene->want, base;

	view_of(scene->policy, &scene->disk, NULL, &base);
	if (!container_id_is_mapped(full.uid))
		full.uid = base.uid;
	if (!container_id_is_mapped(full.gid))
		full.gid = base.gid;
	return full;
}

static void assert_view_equal(const struct view *a, const struct view *b)
{
	assert_int_equal(a->uid.value, b->uid.value);
	assert_int_equal(a->gid.value, b->gid.value);
	assert_int_equal(a->mode, b->mode);
}

static bool same_view(const struct view *a, const struct view *b)
{
	return a->uid.value == b->uid.value && a->gid.value == b->gid.value &&
	       a->mode == b->mode;
}

static void test_seen_as_wanted(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct view full = filled(&scene), seen;

		see(&scene, &scene.after, &seen);
		assert_view_equal(&seen, &full);
	}
}

/* Asking for what is seen changes nothing that is seen, and is stable. */
static void test_idempotent(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct view seen, again;
		struct view_plan plan;
		struct disk_owner after;

		see(&scene, &scene.after, &seen);
		view_plan(scene.policy, &scene.after, &seen, &plan);
		after = carried_out(&scene.after, &plan);
		assert_int_equal(plan.gid.value, scene.plan.gid.value);
		assert_int_equal(plan.mode, scene.plan.mode);
		assert_int_equal(plan.recorded, scene.plan.recorded);
		view_of(scene.policy, &after,
			plan.recorded ? &plan.record : NULL, &again);
		assert_view_equal(&again, &seen);
	}
}

static void test_recorded_only_if_needed(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct view full = filled(&scene), bare;

		view_of(scene.policy, &scene.after, NULL, &bare);
		assert_int_equal(scene.plan.recorded, !same_view(&bare, &full));
	}
}

/*
 * A host user other than the acting one is in the file's group on disk or in
 * neither.  In it: the view grants the group's bits if the disk's group is
 * the one that it shows, else, as to any outsider, other's, of which we give
 * no more than the group has too.  Outside: other's bits.
 */
static void test_no_host_user_gains(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		mode_t view = filled(&scene).mode;
		mode_t group = (view & S_IRWXG) >> 3, other = view & S_IRWXO;
		mode_t disk_group = (scene.plan.mode & S_IRWXG) >> 3;
		mode_t disk_other = scene.plan.mode & S_IRWXO;
		struct container_id shown = scene.policy->unmapped;

		(void)owner_map_to_container(&scene.policy->owner_gid,
					     scene.plan.gid, &shown);
		assert_int_equal(disk_other & ~other, 0);
		assert_int_equal(disk_group & ~group, 0);
		if (container_id_is_mapped(scene.want.gid) &&
		    !container_id_equal(shown, scene.want.gid) &&
		    !S_ISLNK(view))
			assert_int_equal(disk_group & ~other, 0);
		/* Nor may the group that the file had, unless it's backed. */
		if (scene.plan.gid.value != scene.disk.gid.value)
			assert_true(acting_user_in_group(&scene.policy->acting,
							 scene.plan.gid));
	}
}

static void test_special_bits(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		mode_t mode = scene.plan.mode;
		bool dir = S_ISDIR(scene.disk.mode);

		if (S_ISLNK(scene.disk.mode)) {
			assert_int_equal(mode, 0777);
			continue;
		}
		assert_int_equal(mode & S_ISUID, 0);
		if (!dir || !acting_user_in_group(&scene.policy->acting,
						  scene.plan.gid)) {
			/* But what a host's directory had stays untouched. */
			if (!dir || mode != (scene.disk.mode & MODE_BITS))
				assert_int_equal(mode & S_ISGID, 0);
		}
		/* Only as the view has them. */
		assert_int_equal(mode & S_ISVTX, scene.want.mode & S_ISVTX);
		assert_int_equal(mode & S_ISGID & ~scene.want.mode, 0);
		assert_int_equal(mode & (dir ? 0700U : 0600U),
				 dir ? 0700U : 0600U);
	}
}

/*
 * A setgid bit that the disk has is never taken from there while the view has
 * it and no other bit is to change, nor is one ever set anew for a group that
 * isn't ours.
 */
static void test_host_setgid_stays(void **state)
{
	int kept = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct disk_owner disk = scene.after;
		struct view seen, again;
		struct view_plan plan;

		if (!S_ISDIR(disk.mode) || (scene.want.mode & S_ISGID) == 0)
			continue;
		disk.mode |= S_ISGID;
		see(&scene, &scene.after, &seen);
		see(&scene, &disk, &again);
		assert_view_equal(&again, &seen);
		/* Another owner, as by a container's chown. */
		seen.uid = CONTAINER_ID(34);
		view_plan(scene.policy, &disk, &seen, &plan);
		assert_int_equal(plan.mode, disk.mode & MODE_BITS);
		kept += (scene.plan.mode & S_ISGID) == 0;
		/* What the container takes away goes. */
		seen.mode &= ~(mode_t)S_ISGID;
		view_plan(scene.policy, &disk, &seen, &plan);
		assert_int_equal(plan.mode, scene.plan.mode & ~(mode_t)S_ISGID);
	}
	assert_true(kept > 1000);
}

static void test_host_chmod_wins(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct disk_owner touched = scene.after;
		struct view before, seen;
		mode_t mode = fixture_random(010000);

		if (S_ISLNK(scene.disk.mode))
			continue;
		/* setgid alone may have been there all along. */
		if ((mode | S_ISGID) == (scene.plan.mode | S_ISGID))
			mode ^= 0001;
		touched.mode = (touched.mode & S_IFMT) | mode;
		see(&scene, &scene.after, &before);
		see(&scene, &touched, &seen);
		assert_int_equal(seen.mode & MODE_BITS, mode);
		assert_int_equal(seen.uid.value, before.uid.value);
		assert_int_equal(seen.gid.value, before.gid.value);
	}
}

static void test_host_chgrp_wins(void **state)
{
	int yielded = 0, stayed = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct disk_owner touched = scene.after;
		struct view bare, seen, full = filled(&scene);
		struct disk_id counterpart;

		touched.gid = DISK_ID(random_disk_gid());
		view_of(scene.policy, &touched, NULL, &bare);
		see(&scene, &touched, &seen);
		if (!scene.plan.recorded || !container_id_is_mapped(full.gid)) {
			assert_int_equal(seen.gid.value, bare.gid.value);
		} else if (!view_gid_backed(scene.policy, full.gid,
					    &counterpart)) {
			assert_int_equal(seen.gid.value, full.gid.value);
			stayed++;
		} else if (touched.gid.value != counterpart.value) {
			assert_int_equal(seen.gid.value, bare.gid.value);
			yielded++;
		}
	}
	assert_true(yielded > 1000 && stayed > 1000);
}

/* Whatever is recorded, a file of somebody else shows as the disk says. */
static void test_strangers_files(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct scene scene = random_scene();
		struct disk_owner disk = scene.after;
		struct view bare, seen;

		disk.uid = scene.policy->acting.userns_root ?
				   DISK_ID(ID_OVERFLOW) :
				   DISK_ID(disk.uid.value + 1 +
					   fixture_random(200000));
		assert_false(view_is_ours(scene.policy, &disk));
		view_of(scene.policy, &disk, NULL, &bare);
		view_of(scene.policy, &disk, &scene.plan.record, &seen);
		assert_view_equal(&seen, &bare);
	}
}

/* In a user namespace the overflow id is anybody's. */
static void test_anybody(void **state)
{
	const struct disk_owner stranger = { DISK_ID(65534), DISK_ID(65534),
					     S_IFREG | 0640 };
	const struct disk_owner ours = { DISK_ID(5), DISK_ID(65534),
					 S_IFREG | 0640 };
	const struct override_stat record = { .has_gid = true,
					      .gid = CONTAINER_ID(65534) };
	struct view_policy policy;
	struct view view;

	(void)state;
	make_policy(POLICY_NAMESPACE, &policy);
	view_of(&policy, &stranger, NULL, &view);
	assert_int_equal(view.uid.value, ID_NONE);
	assert_int_equal(view.gid.value, ID_NONE);
	assert_true(view_is_strange(&policy, &view));
	assert_int_equal(
		view_uid_to_wire(&policy, view.uid, stranger.uid).value, 65534);
	view_of(&policy, &ours, NULL, &view);
	assert_int_equal(view.uid.value, 5);
	assert_int_equal(view.gid.value, ID_NONE);
	assert_true(view_is_strange(&policy, &view));
	/* The container's own nogroup. */
	view_of(&policy, &ours, &record, &view);
	assert_int_equal(view.gid.value, 65534);
	assert_false(view_is_strange(&policy, &view));
	policy.unmapped = CONTAINER_ID(7);
	view_of(&policy, &stranger, NULL, &view);
	assert_int_equal(view.uid.value, 7);
	assert_false(view_is_strange(&policy, &view));
	policy.unmapped = CONTAINER_ID(ID_NONE);
	policy.real_owners = true;
	view_of(&policy, &stranger, NULL, &view);
	assert_int_equal(view.uid.value, 65534);
	assert_false(view_is_strange(&policy, &view));
	view_policy_destroy(&policy);
	/* On the host it is the number of one. */
	make_policy(POLICY_ROOT, &policy);
	view_of(&policy, &stranger, NULL, &view);
	assert_int_equal(view.uid.value, 65534);
	assert_false(view_is_strange(&policy, &view));
	view_policy_destroy(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_as_wanted),
		cmocka_unit_test(test_anybody),
		cmocka_unit_test(test_idempotent),
		cmocka_unit_test(test_recorded_only_if_needed),
		cmocka_unit_test(test_no_host_user_gains),
		cmocka_unit_test(test_special_bits),
		cmocka_unit_test(test_host_setgid_stays),
		cmocka_unit_test(test_host_chmod_wins),
		cmocka_unit_test(test_host_chgrp_wins),
		cmocka_unit_test(test_strangers_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
