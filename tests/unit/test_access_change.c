/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the permission engine says of changes to an object or its names. */
#include "idshift/access.h"

#include "access_fixture.h"

static const struct {
	uint32_t uid;
	unsigned int caps;
	uint32_t owner;
	uint32_t group;
	mode_t to;
	int want;
	mode_t mode;
	enum access_rule rule;
} chmods[] = {
	{ 1, 0, 1, 10, 0644, 0, 0644, RULE(OWNER) },
	{ 1, 0, 1, 10, 07777, 0, 07777, RULE(OWNER) },
	{ 1, 0, 1, 71, 02755, 0, 02755, RULE(OWNER) },
	/* setgid is lost silently outside the file's group. */
	{ 1, 0, 1, 20, 07777, 0, 05777, RULE(OWNER) },
	{ 1, ACCESS_CAP_FSETID, 1, 20, 07777, 0, 07777, RULE(OWNER) },
	{ 1, ACCESS_CAP_FSETID, 1, ID_NONE, 07777, 0, 05777, RULE(OWNER) },
	{ 1, 0, 2, 10, 0777, -EPERM, 0, RULE(NOT_OWNER) },
	{ 1, ACCESS_CAP_ALL & ~ACCESS_CAP_FOWNER, 2, 10, 0777, -EPERM, 0,
	  RULE(NOT_OWNER) },
	{ 1, ACCESS_CAP_FOWNER, 2, 20, 07777, 0, 05777, RULE(CAP_FOWNER) },
	{ 0, ACCESS_CAP_ALL, 2, 20, 07777, 0, 07777, RULE(CAP_FOWNER) },
	/* Only the user needs to be mapped; FSETID needs both. */
	{ 0, ACCESS_CAP_ALL, 2, ID_NONE, 0777, 0, 0777, RULE(CAP_FOWNER) },
	{ 0, ACCESS_CAP_ALL, 2, ID_NONE, 07777, 0, 05777, RULE(CAP_FOWNER) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, 20, 0777, -EPERM, 0, RULE(UNMAPPED) },
	{ ID_NONE, 0, ID_NONE, 20, 0777, -EPERM, 0, RULE(NOT_OWNER) },
};

static void test_chmod(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(chmods); i++) {
		struct access_caller caller =
			caller_of(chmods[i].uid, 10, chmods[i].caps);
		struct access_object object =
			object_of(chmods[i].owner, chmods[i].group, REG | 0600);
		enum access_rule rule = ACCESS_RULE_COUNT;
		mode_t mode = 012345;

		assert_int_equal(access_chmod(&caller, &object, chmods[i].to,
					      &mode, &rule),
				 chmods[i].want);
		assert_int_equal(rule, chmods[i].rule);
		assert_int_equal(mode,
				 chmods[i].want == 0 ? chmods[i].mode : 012345);
		assert_int_equal(access_chmod(&caller, &object, chmods[i].to,
					      NULL, NULL),
				 chmods[i].want);
		/* access_owner() is the same question. */
		assert_int_equal(access_owner(&caller, &object, &rule),
				 chmods[i].want);
		assert_int_equal(rule, chmods[i].rule);
	}
}

#define KEEP ID_NONE
static const struct {
	uint32_t uid;
	unsigned int caps;
	uint32_t owner;
	uint32_t group;
	mode_t mode;
	uint32_t to_uid;
	uint32_t to_gid;
	int want;
	mode_t after;
	enum access_rule rule;
} chowns[] = {
	/* The owner: to himself, and to his groups. */
	{ 1, 0, 1, 20, REG | 0644, 1, KEEP, 0, 0644, RULE(OWNER) },
	{ 1, 0, 1, 20, REG | 0644, 1, 20, 0, 0644, RULE(OWNER) },
	{ 1, 0, 1, 20, REG | 0644, KEEP, 10, 0, 0644, RULE(OWNER) },
	{ 1, 0, 1, 20, REG | 0644, KEEP, 71, 0, 0644, RULE(OWNER) },
	{ 1, 0, 1, 20, REG | 0644, KEEP, 72, -EPERM, 0, RULE(NOT_IN_GROUP) },
	{ 1, 0, 1, 20, REG | 0644, 2, KEEP, -EPERM, 0, RULE(GIVE_AWAY) },
	{ 1, 0, 1, ID_NONE, REG | 0644, KEEP, 10, 0, 0644, RULE(OWNER) },
	{ 1, 0, 2, 10, REG | 0644, KEEP, 10, -EPERM, 0, RULE(NOT_OWNER) },
	{ 1, 0, 2, 10, REG | 0644, 1, KEEP, -EPERM, 0, RULE(NOT_OWNER) },
	{ 1, 0, 2, 10, REG | 0644, KEEP, KEEP, 0, 0644, RULE(NOTHING) },
	/* CAP_CHOWN, where both owners are mapped. */
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 0644, 5, 6, 0, 0644,
	  RULE(CAP_CHOWN) },
	{ 1, ACCESS_CAP_CHOWN, 2, 20, REG | 0644, 5, 6, 0, 0644,
	  RULE(CAP_CHOWN) },
	{ 0, ACCESS_CAP_ALL & ~ACCESS_CAP_CHOWN, 2, 20, REG | 0644, 5, KEEP,
	  -EPERM, 0, RULE(NOT_OWNER) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, 20, REG | 0644, 5, KEEP, -EPERM, 0,
	  RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, 5, ID_NONE, REG | 0644, 5, KEEP, -EPERM, 0,
	  RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, ID_NONE, REG | 0644, KEEP, KEEP, 0, 0644,
	  RULE(NOTHING) },
	{ 0, ACCESS_CAP_ALL, 0, ID_NONE, REG | 0644, KEEP, 10, 0, 0644,
	  RULE(OWNER) },
	/* setuid falls always, but not on directories. */
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 04755, 5, KEEP, 0, 0755,
	  RULE(CAP_CHOWN) },
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 04755, KEEP, KEEP, 0, 0755,
	  RULE(NOTHING) },
	{ 0, ACCESS_CAP_ALL, 2, 20, DIR | 07755, 5, 6, 0, 07755,
	  RULE(CAP_CHOWN) },
	{ 0, ACCESS_CAP_ALL, 2, 20, S_IFIFO | 04755, 5, KEEP, 0, 0755,
	  RULE(CAP_CHOWN) },
	/* setgid falls with g+x, and without it for non-members. */
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 02755, 5, KEEP, 0, 0755,
	  RULE(CAP_CHOWN) },
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 02745, 5, KEEP, 0, 02745,
	  RULE(CAP_CHOWN) },
	{ 1, 0, 1, 10, REG | 03745, KEEP, 71, 0, 03745, RULE(OWNER) },
	{ 1, 0, 1, 20, REG | 02745, KEEP, 71, 0, 0745, RULE(OWNER) },
	{ 1, ACCESS_CAP_CHOWN | ACCESS_CAP_FOWNER, 1, 10, REG | 02745, KEEP, 72,
	  0, 02745, RULE(CAP_CHOWN) },
	{ 1, ACCESS_CAP_CHOWN | ACCESS_CAP_FOWNER, 1, 10, REG | 06745, KEEP, 72,
	  0, 0745, RULE(CAP_CHOWN) },
	/* To clear a bit is a chmod, which needs its own permission. */
	{ 1, ACCESS_CAP_CHOWN, 2, 20, REG | 04755, 5, KEEP, -EPERM, 0,
	  RULE(NOT_OWNER) },
	{ 1, 0, 2, 20, REG | 04755, KEEP, KEEP, -EPERM, 0, RULE(NOT_OWNER) },
	{ 1, 0, 2, 20, REG | 02755, KEEP, KEEP, -EPERM, 0, RULE(NOT_OWNER) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, 20, REG | 04755, KEEP, KEEP, -EPERM, 0,
	  RULE(UNMAPPED) },
};

static void test_chown(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(chowns); i++) {
		struct access_caller caller =
			caller_of(chowns[i].uid, 10, chowns[i].caps);
		struct access_object object = object_of(
			chowns[i].owner, chowns[i].group, chowns[i].mode);
		struct container_id uid = CONTAINER_ID(chowns[i].to_uid);
		struct container_id gid = CONTAINER_ID(chowns[i].to_gid);
		enum access_rule rule = ACCESS_RULE_COUNT;
		mode_t mode = 012345;

		assert_int_equal(
			access_chown(&caller, &object, uid, gid, &mode, &rule),
			chowns[i].want);
		assert_int_equal(rule, chowns[i].rule);
		assert_int_equal(mode, chowns[i].want == 0 ? chowns[i].after :
							     012345);
		assert_int_equal(
			access_chown(&caller, &object, uid, gid, NULL, NULL),
			chowns[i].want);
	}
}

static void test_utimes(void **state)
{
	static const struct {
		uint32_t uid;
		unsigned int caps;
		uint32_t owner;
		mode_t mode;
		int want_set;
		enum access_rule rule_set;
		int want_now;
		enum access_rule rule_now;
	} cases[] = {
		{ 1, 0, 1, 0000, 0, RULE(OWNER), 0, RULE(OWNER) },
		{ 1, 0, 2, 0666, -EPERM, RULE(NOT_OWNER), 0, RULE(OTHER) },
		{ 1, 0, 2, 0644, -EPERM, RULE(NOT_OWNER), -EACCES,
		  RULE(OTHER) },
		{ 0, ACCESS_CAP_ALL, 2, 0, 0, RULE(CAP_FOWNER), 0,
		  RULE(CAP_FOWNER) },
		{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 0, -EPERM, RULE(NOT_OWNER), 0,
		  RULE(CAP_DAC_OVERRIDE) },
		{ 0, ACCESS_CAP_ALL, ID_NONE, 0644, -EPERM, RULE(UNMAPPED),
		  -EACCES, RULE(UNMAPPED) },
		{ 0, ACCESS_CAP_ALL, ID_NONE, 0666, -EPERM, RULE(UNMAPPED), 0,
		  RULE(OTHER) },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct access_caller caller =
			caller_of(cases[i].uid, 10, cases[i].caps);
		struct access_object object =
			object_of(cases[i].owner, 20, REG | cases[i].mode);
		enum access_rule rule;

		assert_int_equal(access_utimes(&caller, &object, false, &rule),
				 cases[i].want_set);
		assert_int_equal(rule, cases[i].rule_set);
		assert_int_equal(access_utimes(&caller, &object, true, &rule),
				 cases[i].want_now);
		assert_int_equal(rule, cases[i].rule_now);
	}
}

static const struct {
	uint32_t uid;
	unsigned int caps;
	uint32_t dir_owner;
	mode_t dir_mode;
	uint32_t victim_owner;
	uint32_t victim_group;
	int want;
	enum access_rule rule;
} deletes[] = {
	/* What counts is the directory, not the object. */
	{ 1, 0, 1, 0700, 2, 20, 0, RULE(OWNER) },
	{ 1, 0, 1, 0500, 1, 10, -EACCES, RULE(OWNER) },
	{ 1, 0, 1, 0600, 1, 10, -EACCES, RULE(OWNER) },
	{ 1, 0, 2, 0773, 2, 20, 0, RULE(OTHER) },
	{ 1, 0, 2, 0775, 1, 10, -EACCES, RULE(OTHER) },
	{ 1, 0, 2, 0777, ID_NONE, ID_NONE, 0, RULE(OTHER) },
	/* Sticky: the object's owner, the directory's, or CAP_FOWNER. */
	{ 1, 0, 2, 01777, 1, 20, 0, RULE(OWNER) },
	{ 1, 0, 1, 01777, 2, 20, 0, RULE(OWNER) },
	{ 1, 0, 2, 01777, 2, 10, -EPERM, RULE(STICKY) },
	{ 1, 0, 2, 01777, 3, 70, -EPERM, RULE(STICKY) },
	{ 1, 0, 2, 01775, 3, 70, -EACCES, RULE(OTHER) },
	{ 1, ACCESS_CAP_DAC_OVERRIDE, 2, 01700, 3, 20, -EPERM, RULE(STICKY) },
	{ 1, ACCESS_CAP_FOWNER, 2, 01777, 3, 20, 0, RULE(CAP_FOWNER) },
	{ 0, ACCESS_CAP_ALL, 2, 01700, 3, 20, 0, RULE(CAP_FOWNER) },
	/* Here CAP_FOWNER needs both owners mapped. */
	{ 0, ACCESS_CAP_ALL, 2, 01777, ID_NONE, 20, -EPERM, RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, 2, 01777, 3, ID_NONE, -EPERM, RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, 0, 01777, ID_NONE, ID_NONE, 0, RULE(OWNER) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, 01755, 0, 0, -EACCES, RULE(UNMAPPED) },
	{ ID_NONE, 0, ID_NONE, 01777, ID_NONE, 20, -EPERM, RULE(STICKY) },
};

static void test_delete(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(deletes); i++) {
		struct access_caller caller =
			caller_of(deletes[i].uid, 10, deletes[i].caps);
		struct access_object dir = object_of(deletes[i].dir_owner, 20,
						     DIR | deletes[i].dir_mode);
		struct access_object victim =
			object_of(deletes[i].victim_owner,
				  deletes[i].victim_group, REG | 0000);
		enum access_rule rule = ACCESS_RULE_COUNT;
		/* Without a target, a rename within the directory is alike. */
		struct access_rename move = { .old_dir = &dir,
					      .source = &victim,
					      .new_dir = &dir,
					      .same_dir = true };
		const struct access_object *object = NULL;
		bool sticky;

		assert_int_equal(access_delete(&caller, &dir, &victim, &rule),
				 deletes[i].want);
		assert_int_equal(rule, deletes[i].rule);
		assert_int_equal(access_rename(&caller, &move, &object, &rule),
				 deletes[i].want);
		sticky =
			(dir.mode & S_ISVTX) != 0 && deletes[i].want != -EACCES;
		assert_ptr_equal(object, sticky ? &victim : &dir);
	}
}

static void test_create(void **state)
{
	static const struct {
		uint32_t uid;
		unsigned int caps;
		mode_t dir_mode; /* of 1:20 */
		int want;
		enum access_rule rule;
	} cases[] = {
		{ 1, 0, 0300, 0, RULE(OWNER) },
		{ 1, 0, 0277, -EACCES, RULE(OWNER) },
		{ 1, 0, 0577, -EACCES, RULE(OWNER) },
		{ 2, 0, 0773, 0, RULE(OTHER) },
		{ 2, 0, 01777, 0, RULE(OTHER) },
		{ 2, 0, 0770, -EACCES, RULE(OTHER) },
		{ 2, ACCESS_CAP_DAC_OVERRIDE, 0, 0, RULE(CAP_DAC_OVERRIDE) },
		{ 2, ACCESS_CAP_DAC_READ_SEARCH, 0, -EACCES, RULE(OTHER) },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct access_caller caller =
			caller_of(cases[i].uid, 10, cases[i].caps);
		struct access_object dir =
			object_of(1, 20, DIR | cases[i].dir_mode);
		enum access_rule rule;

		assert_int_equal(access_create(&caller, &dir, &rule),
				 cases[i].want);
		assert_int_equal(rule, cases[i].rule);
	}
}

static void test_create_result(void **state)
{
	static const struct {
		unsigned int caps;
		uint32_t dir_group; /* the caller is 1:10 */
		mode_t dir_mode;
		mode_t mode;
		uint32_t gid;
		mode_t want;
	} cases[] = {
		{ 0, 20, 0777, REG | 0666, 10, REG | 0666 },
		{ 0, 20, 0777, REG | 06777, 10, REG | 06777 },
		{ 0, 20, 0777, DIR | 07777, 10, DIR | 01777 },
		{ 0, 20, 02777, REG | 0666, 20, REG | 0666 },
		{ 0, 20, 02777, DIR | 0755, 20, DIR | 02755 },
		{ 0, 20, 02777, DIR | 06755, 20, DIR | 02755 },
		/* setgid with g+x is lost to non-members of that group. */
		{ 0, 20, 02777, REG | 06777, 20, REG | 04777 },
		{ 0, 20, 02777, REG | 02767, 20, REG | 02767 },
		{ 0, 71, 02777, REG | 06777, 71, REG | 06777 },
		{ ACCESS_CAP_FSETID, 20, 02777, REG | 02777, 20, REG | 02777 },
		{ ACCESS_CAP_ALL, ID_NONE, 02777, REG | 02777, ID_NONE,
		  REG | 0777 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct access_caller caller = caller_of(1, 10, cases[i].caps);
		struct access_object dir = object_of(2, cases[i].dir_group,
						     DIR | cases[i].dir_mode);
		struct container_id gid;
		mode_t mode;

		access_create_result(&caller, &dir, cases[i].mode, &gid, &mode);
		assert_int_equal(gid.value, cases[i].gid);
		assert_int_equal(mode, cases[i].want);
		access_create_result(&caller, &dir, cases[i].mode, NULL, NULL);
	}
}

enum part { OLD_DIR, SOURCE, NEW_DIR, TARGET, NO_TARGET };

static const struct {
	mode_t old_dir; /* modes; all is user 2's, the caller is 1 */
	mode_t source;
	mode_t new_dir; /* 0: the same directory */
	mode_t target;	/* 0: none */
	bool exchange;
	int want;
	enum access_rule rule;
	enum part part;
} renames[] = {
	{ 0777, REG | 0, 0777, 0, false, 0, RULE(OTHER), OLD_DIR },
	{ 0775, REG | 0, 0777, 0, false, -EACCES, RULE(OTHER), OLD_DIR },
	{ 0777, REG | 0, 0775, 0, false, -EACCES, RULE(OTHER), NEW_DIR },
	{ 0777, REG | 0, 0775, REG | 0, false, -EACCES, RULE(OTHER), NEW_DIR },
	{ 0777, REG | 0, 0777, REG | 0, false, 0, RULE(OTHER), OLD_DIR },
	/* Sticky on either side. */
	{ 01777, REG | 0, 0777, 0, false, -EPERM, RULE(STICKY), SOURCE },
	{ 0777, REG | 0, 01777, 0, false, 0, RULE(OTHER), OLD_DIR },
	{ 0777, REG | 0, 01777, REG | 0, false, -EPERM, RULE(STICKY), TARGET },
	{ 0777, REG | 0, 01777, REG | 0, true, -EPERM, RULE(STICKY), TARGET },
	/* The new directory must be searched before. */
	{ 01777, REG | 0, 0776, 0, false, -EACCES, RULE(OTHER), NEW_DIR },
	{ 01777, REG | 0, 0775, 0, false, -EPERM, RULE(STICKY), SOURCE },
	/* A directory that changes its parent is written to. */
	{ 0777, DIR | 0777, 0777, 0, false, 0, RULE(OTHER), OLD_DIR },
	{ 0777, DIR | 0775, 0777, 0, false, -EACCES, RULE(OTHER), SOURCE },
	{ 0777, DIR | 0775, 0, 0, false, 0, RULE(OTHER), OLD_DIR },
	{ 0777, DIR | 0777, 0777, DIR | 0, false, 0, RULE(OTHER), OLD_DIR },
	{ 0777, REG | 0, 0777, DIR | 0775, true, -EACCES, RULE(OTHER), TARGET },
	{ 0777, DIR | 0777, 0777, DIR | 0775, true, -EACCES, RULE(OTHER),
	  TARGET },
	{ 0777, DIR | 0775, 0, DIR | 0775, true, 0, RULE(OTHER), OLD_DIR },
};

static void test_rename(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(renames); i++) {
		struct access_caller caller = caller_of(1, 10, 0);
		struct access_object parts[] = {
			[OLD_DIR] = object_of(2, 20, DIR | renames[i].old_dir),
			[SOURCE] = object_of(2, 20, renames[i].source),
			[NEW_DIR] = object_of(2, 20, DIR | renames[i].new_dir),
			[TARGET] = object_of(2, 20, renames[i].target),
		};
		bool same = renames[i].new_dir == 0;
		struct access_rename move = {
			.old_dir = &parts[OLD_DIR],
			.source = &parts[SOURCE],
			.new_dir = &parts[same ? OLD_DIR : NEW_DIR],
			.target =
				renames[i].target == 0 ? NULL : &parts[TARGET],
			.same_dir = same,
			.exchange = renames[i].exchange,
		};
		const struct access_object *object = NULL;
		enum access_rule rule = ACCESS_RULE_COUNT;

		assert_int_equal(access_rename(&caller, &move, &object, &rule),
				 renames[i].want);
		assert_int_equal(rule, renames[i].rule);
		assert_ptr_equal(object, &parts[renames[i].part]);
		assert_int_equal(access_rename(&caller, &move, NULL, NULL),
				 renames[i].want);
	}
}

static void test_link(void **state)
{
	static const struct {
		uint32_t uid;
		unsigned int caps;
		mode_t mode; /* of 1:20 */
		int want;
		enum access_rule rule;
	} cases[] = {
		{ 1, 0, REG | 06000, 0, RULE(OWNER) },
		{ 2, 0, REG | 0666, 0, RULE(OTHER) },
		{ 2, 0, REG | 0644, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, 0, REG | 0622, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, 0, REG | 04666, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, 0, REG | 02676, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, 0, REG | 02666, 0, RULE(OTHER) },
		{ 2, 0, S_IFIFO | 0666, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, 0, S_IFLNK | 0777, -EPERM, RULE(UNSAFE_LINK) },
		{ 2, ACCESS_CAP_FOWNER, S_IFLNK | 0777, 0, RULE(CAP_FOWNER) },
		{ 2, ACCESS_CAP_DAC_OVERRIDE, REG | 0, 0,
		  RULE(CAP_DAC_OVERRIDE) },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct access_caller caller =
			caller_of(cases[i].uid, 10, cases[i].caps);
		struct access_object object = object_of(1, 20, cases[i].mode);
		enum access_rule rule;

		assert_int_equal(access_link(&caller, &object, &rule),
				 cases[i].want);
		assert_int_equal(rule, cases[i].rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chmod),
		cmocka_unit_test(test_chown),
		cmocka_unit_test(test_utimes),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_create_result),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
