/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of ownership, case by case. */
#include "idshift/view.h"

#include "view_fixture.h"

#define REG S_IFREG
#define DIR S_IFDIR
#define LNK S_IFLNK
#define NO ID_NONE

static struct view_policy policies[POLICY_COUNT];

/* A view without an ACL. */
struct owner {
	struct container_id uid;
	struct container_id gid;
	mode_t mode;
};

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

static void test_disk_mode(void **state)
{
	static const struct {
		mode_t view;
		mode_t type;
		mode_t recorded;
		mode_t foreign;
		mode_t backed;
	} cases[] = {
		{ 0644, REG, 0644, 0644, 0644 },
		{ 0664, REG, 0644, 0664, 0664 },
		{ 0660, REG, 0600, 0660, 0660 },
		{ 0640, REG, 0600, 0640, 0640 },
		{ 0000, REG, 0600, 0600, 0600 },
		{ 0444, REG, 0644, 0644, 0644 },
		{ 0100, REG, 0700, 0700, 0700 },
		/* Group bits that other has not, and the other way round. */
		{ 0607, REG, 0607, 0607, 0607 },
		{ 0672, REG, 0622, 0672, 0672 },
		{ 0635, REG, 0615, 0635, 0635 },
		{ 0777, REG, 0777, 0777, 0777 },
		{ 04755, REG, 0755, 0755, 0755 },
		{ 02755, REG, 0755, 0755, 0755 },
		{ 06770, REG, 0700, 0770, 0770 },
		{ 01666, REG, 01666, 01666, 01666 },
		{ 07777, REG, 01777, 01777, 01777 },
		{ 0755, DIR, 0755, 0755, 0755 },
		{ 0000, DIR, 0700, 0700, 0700 },
		{ 0444, DIR, 0744, 0744, 0744 },
		{ 0770, DIR, 0700, 0770, 0770 },
		{ 02770, DIR, 0700, 0770, 02770 },
		{ 02775, DIR, 0755, 0775, 02775 },
		{ 04755, DIR, 0755, 0755, 0755 },
		{ 01777, DIR, 01777, 01777, 01777 },
		{ 07777, DIR, 01777, 01777, 03777 },
		{ 06000, DIR, 0700, 0700, 02700 },
		{ 06666, S_IFIFO, 0666, 0666, 0666 },
		{ 02060, S_IFSOCK, 0600, 0660, 0660 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(
			disk_mode(cases[i].view, cases[i].type, GROUP_RECORDED),
			cases[i].recorded);
		assert_int_equal(
			disk_mode(cases[i].view, cases[i].type, GROUP_FOREIGN),
			cases[i].foreign);
		assert_int_equal(
			disk_mode(cases[i].view, cases[i].type, GROUP_BACKED),
			cases[i].backed);
	}
}

static void test_ours(void **state)
{
	static const struct {
		enum fixture_policy policy;
		uint32_t uid;
		bool want;
	} cases[] = {
		{ POLICY_MAPPED, 1000, true },
		{ POLICY_MAPPED, 0, false },
		{ POLICY_MAPPED, 1001, false },
		{ POLICY_MAPPED, 100000, false },
		{ POLICY_NAMESPACE, 0, true },
		{ POLICY_NAMESPACE, 1, true },
		{ POLICY_NAMESPACE, 65535, true },
		/* Can't be told from all the owners that are not mapped. */
		{ POLICY_NAMESPACE, 65534, false },
		{ POLICY_ROOT, 0, true },
		{ POLICY_ROOT, 1000, false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct disk_owner disk = { .uid = DISK_ID(cases[i].uid),
					   .mode = REG | 0644 };

		assert_int_equal(
			view_is_ours(&policies[cases[i].policy], &disk),
			cases[i].want);
	}
}

static void test_backed(void **state)
{
	static const struct {
		enum fixture_policy policy;
		uint32_t gid;
		uint32_t want; /* NO: not backed */
	} cases[] = {
		{ POLICY_PLAIN, 0, 1000 },
		{ POLICY_PLAIN, 2000, NO },
		/* A counterpart, but sergio is no member of it. */
		{ POLICY_PLAIN, 1, NO },
		{ POLICY_PLAIN, 70000, NO },
		{ POLICY_MAPPED, 0, 1000 },
		{ POLICY_MAPPED, 2000, 2000 },
		{ POLICY_ALIASED, 2000, 2000 },
		{ POLICY_ALIASED, 3001, NO },
		{ POLICY_UNMAPPED, 7, NO },
		{ POLICY_NAMESPACE, 0, 0 },
		{ POLICY_NAMESPACE, 1000, NO },
		{ POLICY_ROOT, 0, 0 },
		{ POLICY_ROOT, 5, 5 },
		{ POLICY_ROOT, 6, NO },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct disk_id disk = DISK_ID(4242);
		bool backed =
			view_gid_backed(&policies[cases[i].policy],
					CONTAINER_ID(cases[i].gid), &disk);

		assert_int_equal(backed, cases[i].want != NO);
		assert_int_equal(disk.value, backed ? cases[i].want : 4242);
	}
}

static const struct {
	enum fixture_policy policy;
	struct disk_owner disk;
	const char *record; /* NULL: none */
	struct owner want;
} views[] = {
	/* The owner map alone. */
	{ POLICY_PLAIN,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  NULL,
	  { { 0 }, { 0 }, REG | 0644 } },
	{ POLICY_PLAIN,
	  { { 100999 }, { 2000 }, REG | 0664 },
	  NULL,
	  { { 1000 }, { NO }, REG | 0664 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, DIR | 02775 },
	  NULL,
	  { { 1000 }, { 2000 }, DIR | 02775 } },
	{ POLICY_MAPPED,
	  { { 0 }, { 0 }, REG | 0644 },
	  NULL,
	  { { NO }, { NO }, REG | 0644 } },
	{ POLICY_UNMAPPED,
	  { { 0 }, { 3000 }, REG | 0644 },
	  NULL,
	  { { 7 }, { 7 }, REG | 0644 } },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, REG | 0644 },
	  NULL,
	  { { 0 }, { 2000 }, REG | 0644 } },
	/* The host's own setuid bit shows. */
	{ POLICY_PLAIN,
	  { { 1000 }, { 1000 }, REG | 06755 },
	  NULL,
	  { { 0 }, { 0 }, REG | 06755 } },
	/* A record, whole and in part. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "33:34:0644:file",
	  { { 33 }, { 34 }, REG | 0644 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "x:34:x",
	  { { 1000 }, { 34 }, REG | 0644 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "33:x:x",
	  { { 33 }, { 0 }, REG | 0644 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "x:x:x",
	  { { 1000 }, { 0 }, REG | 0644 } },
	/* The mode counts while the disk has what it leads to. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "33:34:0444",
	  { { 33 }, { 34 }, REG | 0444 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "33:34:0464",
	  { { 33 }, { 34 }, REG | 0464 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0600 },
	  "33:34:0464",
	  { { 33 }, { 34 }, REG | 0600 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0755 },
	  "33:34:04755",
	  { { 33 }, { 34 }, REG | 04755 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0750 },
	  "33:34:04755",
	  { { 33 }, { 34 }, REG | 0750 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0600 },
	  "x:x:0000",
	  { { 1000 }, { 0 }, REG | 0000 } },
	/* S_IFMT of a record is not believed. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  "1:1:0040644:dir",
	  { { 1 }, { 1 }, REG | 0644 } },
	/* A backed gid yields to the disk, another does not. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0640 },
	  "33:2000:0640",
	  { { 33 }, { 0 }, REG | 0640 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, REG | 0640 },
	  "33:2000:0640",
	  { { 33 }, { 2000 }, REG | 0640 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, REG | 0640 },
	  "33:0:0640",
	  { { 33 }, { 2000 }, REG | 0640 } },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, REG | 0600 },
	  "33:34:0640",
	  { { 33 }, { 34 }, REG | 0640 } },
	{ POLICY_PLAIN,
	  { { 1000 }, { 1000 }, REG | 0600 },
	  "33:2000:0660",
	  { { 33 }, { 2000 }, REG | 0660 } },
	/* A counterpart that sergio can't give is as none. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 1000 }, REG | 0600 },
	  "33:3001:0660",
	  { { 33 }, { 3001 }, REG | 0660 } },
	/* Not ours: a record of a stranger's making. */
	{ POLICY_MAPPED,
	  { { 1001 }, { 2000 }, REG | 0644 },
	  "0:0:04755",
	  { { NO }, { 2000 }, REG | 0644 } },
	{ POLICY_MAPPED,
	  { { 100004 }, { 1000 }, REG | 0644 },
	  "0:0:0644",
	  { { 5 }, { 0 }, REG | 0644 } },
	{ POLICY_NAMESPACE,
	  { { 65534 }, { 65534 }, REG | 0644 },
	  "0:0:0644",
	  { { ID_NONE }, { ID_NONE }, REG | 0644 } },
	{ POLICY_NAMESPACE,
	  { { 5 }, { 0 }, REG | 0644 },
	  "33:34:0644",
	  { { 33 }, { 34 }, REG | 0644 } },
	/* Symbolic links have owners, but no mode of their own. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, LNK | 0777 },
	  "33:34:0700",
	  { { 33 }, { 34 }, LNK | 0777 } },
};

static void test_view_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(views); i++) {
		struct override_stat record;
		struct view view;

		if (views[i].record != NULL)
			assert_int_equal(
				override_stat_parse(views[i].record,
						    strlen(views[i].record),
						    &record),
				0);
		view_of(&policies[views[i].policy], &views[i].disk,
			views[i].record != NULL ? &record : NULL, &view);
		assert_int_equal(view.uid.value, views[i].want.uid.value);
		assert_int_equal(view.gid.value, views[i].want.gid.value);
		assert_int_equal(view.mode, views[i].want.mode);
	}
}

static const struct {
	enum fixture_policy policy;
	struct disk_owner disk;
	struct owner want;
	uint32_t gid;
	mode_t mode;
	const char *record; /* NULL: none needed */
} plans[] = {
	/* What the disk can say is done there. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  { { 1000 }, { 0 }, REG | 0644 },
	  1000,
	  0644,
	  NULL },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  { { 1000 }, { 0 }, REG | 0600 },
	  1000,
	  0600,
	  NULL },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  { { 1000 }, { 2000 }, REG | 0664 },
	  2000,
	  0664,
	  NULL },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, DIR | 0755 },
	  { { 1000 }, { 2000 }, DIR | 02775 },
	  2000,
	  02775,
	  NULL },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, DIR | 02775 },
	  { { NO }, { NO }, DIR | 01777 },
	  2000,
	  01777,
	  NULL },
	/* Owners that it can't. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  { { 0 }, { 0 }, REG | 0644 },
	  1000,
	  0644,
	  "0:0:0644:file" },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, REG | 0664 },
	  { { 33 }, { 34 }, REG | 0664 },
	  2000,
	  0644,
	  "33:34:0664:file" },
	{ POLICY_PLAIN,
	  { { 1000 }, { 1000 }, REG | 0660 },
	  { { 0 }, { 2000 }, REG | 0660 },
	  1000,
	  0600,
	  "0:2000:0660:file" },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, DIR | 0755 },
	  { { 33 }, { 2000 }, DIR | 02770 },
	  2000,
	  02770,
	  "33:2000:2770:dir" },
	/* A host member of no use to sergio: recorded, never chowned. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 1000 }, REG | 0660 },
	  { { 0 }, { 3001 }, REG | 0660 },
	  1000,
	  0600,
	  "0:3001:0660:file" },
	/* A group that shows as wanted already stays. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, REG | 0660 },
	  { { 0 }, { 2000 }, REG | 0660 },
	  3000,
	  0660,
	  NULL },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 0770 },
	  { { 0 }, { 2000 }, DIR | 02770 },
	  3000,
	  0770,
	  "0:2000:2770:dir" },
	/* A host's setgid for a group of others, while no chmod is needed. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02770 },
	  { { 0 }, { 2000 }, DIR | 02770 },
	  3000,
	  02770,
	  NULL },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02770 },
	  { { 33 }, { 2000 }, DIR | 02770 },
	  3000,
	  02770,
	  "33:2000:2770:dir" },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02770 },
	  { { 33 }, { 2000 }, DIR | 02750 },
	  3000,
	  0750,
	  "33:2000:2750:dir" },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02770 },
	  { { 33 }, { 2000 }, DIR | 0770 },
	  3000,
	  0770,
	  "33:2000:0770:dir" },
	/* The container's group has nothing of it, nor the disk's then. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02770 },
	  { { 33 }, { 34 }, DIR | 02770 },
	  3000,
	  0700,
	  "33:34:2770:dir" },
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, DIR | 02755 },
	  { { 33 }, { 34 }, DIR | 02755 },
	  3000,
	  02755,
	  "33:34:2755:dir" },
	/* A file's goes in any case. */
	{ POLICY_ALIASED,
	  { { 1000 }, { 3000 }, REG | 02755 },
	  { { 33 }, { 2000 }, REG | 02755 },
	  3000,
	  0755,
	  "33:2000:2755:file" },
	{ POLICY_UNMAPPED,
	  { { 1000 }, { 3000 }, REG | 0660 },
	  { { 1000 }, { 7 }, REG | 0640 },
	  3000,
	  0640,
	  NULL },
	{ POLICY_UNMAPPED,
	  { { 1000 }, { 1000 }, REG | 0660 },
	  { { 1000 }, { 7 }, REG | 0640 },
	  1000,
	  0600,
	  "1000:7:0640:file" },
	/* Modes that must not reach the disk, or that it needs wider. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0755 },
	  { { 1000 }, { 0 }, REG | 04755 },
	  1000,
	  0755,
	  "1000:0:4755:file" },
	{ POLICY_MAPPED,
	  { { 1000 }, { 2000 }, REG | 0755 },
	  { { 1000 }, { 2000 }, REG | 02755 },
	  2000,
	  0755,
	  "1000:2000:2755:file" },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, REG | 0644 },
	  { { 1000 }, { 0 }, REG | 0444 },
	  1000,
	  0644,
	  "1000:0:0444:file" },
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, DIR | 0755 },
	  { { 1000 }, { 0 }, DIR | 0000 },
	  1000,
	  0700,
	  "1000:0:0000:dir" },
	/* An owner without a container id stays unsaid. */
	{ POLICY_PLAIN,
	  { { 1000 }, { 2000 }, REG | 0664 },
	  { { 33 }, { NO }, REG | 0664 },
	  2000,
	  0664,
	  "33:x:0664:file" },
	/* Symbolic links keep their mode. */
	{ POLICY_MAPPED,
	  { { 1000 }, { 1000 }, LNK | 0777 },
	  { { 33 }, { 2000 }, LNK | 0777 },
	  2000,
	  0777,
	  "33:2000:0777:symlink" },
	/* Root of a namespace: other owners' files too, never chowned. */
	{ POLICY_NAMESPACE,
	  { { 5 }, { 6 }, REG | 0644 },
	  { { 7 }, { 0 }, REG | 0644 },
	  0,
	  0644,
	  "7:0:0644:file" },
};

static void test_view_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(plans); i++) {
		char text[OVERRIDE_STAT_MAX];
		struct view want = {
			.uid = plans[i].want.uid,
			.gid = plans[i].want.gid,
			.mode = plans[i].want.mode,
		};
		struct view_plan plan;

		view_plan(&policies[plans[i].policy], &plans[i].disk, &want,
			  &plan);
		assert_int_equal(plan.gid.value, plans[i].gid);
		assert_int_equal(plan.mode, plans[i].mode);
		assert_int_equal(plan.recorded, plans[i].record != NULL);
		(void)override_stat_format(&plan.record,
					   plans[i].disk.mode & S_IFMT, text);
		if (plan.recorded)
			assert_string_equal(text, plans[i].record);
	}
}

static void test_wire(void **state)
{
	static const struct {
		enum fixture_policy policy;
		uint32_t id;
		uint32_t disk;
		uint32_t want;
	} cases[] = {
		{ POLICY_MAPPED, 0, 4242, 1000 },
		{ POLICY_MAPPED, 1, 4242, 100000 },
		{ POLICY_MAPPED, 1000, 4242, 100999 },
		{ POLICY_MAPPED, 65536, 4242, 165535 },
		/* Recorded under a larger map than this one. */
		{ POLICY_MAPPED, 65537, 4242, 65534 },
		{ POLICY_MAPPED, UINT32_MAX - 1, 4242, 65534 },
		/* Without a container id: as on a bind mount. */
		{ POLICY_MAPPED, NO, 0, 0 },
		{ POLICY_MAPPED, NO, 3000, 3000 },
		{ POLICY_NAMESPACE, 33, 4242, 33 },
		{ POLICY_NAMESPACE, 65536, 4242, 65534 },
		{ POLICY_ROOT, UINT32_MAX - 1, 4242, UINT32_MAX - 1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const struct view_policy *policy = &policies[cases[i].policy];
		struct container_id id = CONTAINER_ID(cases[i].id);
		struct disk_id disk = DISK_ID(cases[i].disk);

		assert_int_equal(view_uid_to_wire(policy, id, disk).value,
				 cases[i].want);
		assert_int_equal(view_gid_to_wire(policy, id, disk).value,
				 cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_mode),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_backed),
		cmocka_unit_test(test_view_of),
		cmocka_unit_test(test_view_plan),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
