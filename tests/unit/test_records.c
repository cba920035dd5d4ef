/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners and modes as the container changes them, on a real directory. */
#include "idshift/records.h"

#include <time.h>

#include "idshift/records_side.h"

#include "store_fixture.h"

static void test_chown(void **state)
{
	struct store *s = store_of(state);

	host_file(s, "file", 0644);
	host_dir(s, "dir", 0755);
	expect_view(s, "file", 1000, 0, 0644);
	assert_int_equal(apply(s, "file", 33, 34, 0644), 0);
	assert_int_equal(apply(s, "dir", 65536, 0, 0755), 0);
	expect_record(s, "file", "33:34:0644:file");
	expect_record(s, "dir", "65536:0:0755:dir");
	expect_disk(s, "file", 1000, 1000, 0644);
	expect_disk(s, "dir", 1000, 1000, 0755);
	expect_view(s, "file", 33, 34, 0644);
	expect_view(s, "dir", 65536, 0, 0755);
	/* One id changed leaves the other as it was recorded. */
	assert_int_equal(apply(s, "file", NO, 35, 0644), 0);
	expect_record(s, "file", "33:35:0644:file");
	assert_int_equal(apply(s, "file", 36, NO, 0644), 0);
	expect_record(s, "file", "36:35:0644:file");
	assert_int_equal(apply(s, "file", NO, NO, 0640), 0);
	expect_record(s, "file", "36:35:0640:file");
	expect_disk(s, "file", 1000, 1000, 0600);
	expect_view(s, "file", 36, 35, 0640);
}

static void test_removed_when_not_needed(void **state)
{
	struct store *s = store_of(state);

	host_file(s, "file", 0644);
	host_dir(s, "dir", 0700);
	assert_int_equal(apply(s, "file", 33, 34, 0400), 0);
	assert_int_equal(apply(s, "file", 1000, 0, 0644), 0);
	expect_record(s, "file", NULL);
	expect_view(s, "file", 1000, 0, 0644);
	assert_int_equal(apply(s, "dir", NO, NO, 0000), 0);
	expect_record(s, "dir", "1000:0:0000:dir");
	assert_int_equal(apply(s, "dir", NO, NO, 0700), 0);
	expect_record(s, "dir", NULL);
	/* Nor is one made. */
	assert_int_equal(apply(s, "dir", 1000, 0, 01777), 0);
	expect_record(s, "dir", NULL);
	expect_disk(s, "dir", 1000, 1000, 01777);
	/* One that says what the disk says anyhow goes with the next change. */
	host_set_record(s, "file", "1000:0:0644:file");
	assert_int_equal(apply(s, "file", NO, NO, 0644), 0);
	expect_record(s, "file", NULL);
}

static void test_chgrp_backed(void **state)
{
	struct store *s = store_of(state);

	host_file(s, "file", 0660);
	host_dir(s, "dir", 0750);
	assert_int_equal(apply(s, "file", NO, 2000, 0660), 0);
	expect_disk(s, "file", 1000, 2000, 0660);
	expect_record(s, "file", NULL);
	assert_int_equal(apply(s, "dir", 33, 2000, 02770), 0);
	expect_disk(s, "dir", 1000, 2000, 02770);
	expect_record(s, "dir", "33:2000:2770:dir");
	/* A group that only the container has: the disk keeps the last one. */
	assert_int_equal(apply(s, "dir", NO, 34, 02770), 0);
	expect_disk(s, "dir", 1000, 2000, 0700);
	expect_view(s, "dir", 33, 34, 02770);
	assert_int_equal(apply(s, "dir", 1000, 0, 02770), 0);
	expect_disk(s, "dir", 1000, 1000, 02770);
	expect_record(s, "dir", NULL);
}

static void test_modes(void **state)
{
	static const struct {
		mode_t mode;
		mode_t file;
		const char *file_record;
		mode_t dir;
		const char *dir_record;
	} cases[] = {
		{ 0644, 0644, NULL, 0744, "1000:0:0644:dir" },
		{ 0755, 0755, NULL, 0755, NULL },
		{ 0400, 0600, "1000:0:0400:file", 0700, "1000:0:0400:dir" },
		{ 0070, 0670, "1000:0:0070:file", 0770, "1000:0:0070:dir" },
		{ 04755, 0755, "1000:0:4755:file", 0755, "1000:0:4755:dir" },
		{ 02755, 0755, "1000:0:2755:file", 02755, NULL },
		{ 01777, 01777, NULL, 01777, NULL },
		{ 07777, 01777, "1000:0:7777:file", 03777, "1000:0:7777:dir" },
	};
	struct store *s = store_of(state);

	host_file(s, "file", 0600);
	host_dir(s, "dir", 0700);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(apply(s, "file", NO, NO, cases[i].mode), 0);
		expect_disk(s, "file", 1000, 1000, cases[i].file);
		expect_record(s, "file", cases[i].file_record);
		expect_view(s, "file", 1000, 0, cases[i].mode);
		assert_int_equal(apply(s, "dir", NO, NO, cases[i].mode), 0);
		expect_disk(s, "dir", 1000, 1000, cases[i].dir);
		expect_record(s, "dir", cases[i].dir_record);
		expect_view(s, "dir", 1000, 0, cases[i].mode);
	}
}

/* user.* attributes want the owner's w to set and r to read (xattr(7)). */
static void test_unwritable(void **state)
{
	static const mode_t modes[] = { 0444, 0400, 0000, 0200, 0040, 0111 };
	struct store *s = store_of(state);

	for (size_t i = 0; i < LENGTH(modes); i++) {
		char name[16], text[48];

		(void)snprintf(name, sizeof(name), "file%zu", i);
		(void)snprintf(text, sizeof(text), "33:0:%04o:file", modes[i]);
		host_file(s, name, modes[i]);
		expect_view(s, name, 1000, 0, modes[i]);
		assert_int_equal(apply(s, name, 33, NO, modes[i]), 0);
		expect_record(s, name, text);
		expect_disk(s, name, 1000, 1000, modes[i] | 0600);
		expect_view(s, name, 33, 0, modes[i]);
	}
	/* The host took away what we need to read the record: as if none. */
	host_chmod(s, "file0", 0000);
	expect_view(s, "file0", 1000, 0, 0000);
	host_chmod(s, "file0", 0400);
	expect_view(s, "file0", 33, 0, 0400);
	host_chmod(s, "file0", 0000);
	assert_int_equal(apply(s, "file0", NO, 34, 0000), 0);
	expect_view(s, "file0", 33, 34, 0000);
}

static void test_host_wins(void **state)
{
	struct store *s = store_of(state);

	host_file(s, "file", 0644);
	assert_int_equal(apply(s, "file", 33, 2000, 04440), 0);
	expect_disk(s, "file", 1000, 2000, 0640);
	expect_view(s, "file", 33, 2000, 04440);
	host_chmod(s, "file", 0664);
	expect_view(s, "file", 33, 2000, 0664);
	host_chown(s, "file", NO, 1000);
	expect_view(s, "file", 33, 0, 0664);
	/* What the container changes next starts from there. */
	assert_int_equal(apply(s, "file", 40, NO, 0664), 0);
	expect_record(s, "file", "40:0:0664:file");
	/* The owner changed: no longer ours. */
	become_root();
	host_chown(s, "file", 1001, 2000);
	become_sergio();
	expect_view(s, "file", NO, 2000, 0664);
	expect_record(s, "file", "40:0:0664:file");
	assert_int_equal(apply(s, "file", NO, NO, 0600), -EPERM);
	assert_int_equal(apply(s, "file", 33, NO, 0664), -EPERM);
	expect_disk(s, "file", 1001, 2000, 0664);
	expect_record(s, "file", "40:0:0664:file");
}

static void test_foreign_records(void **state)
{
	static const struct {
		const char *text;
		uint32_t uid;
		uint32_t gid;
		mode_t mode;
	} cases[] = {
		/* Other writers' ways. */
		{ "0:0:0100444", 0, 0, 0444 },
		{ "5:6:0444:dir", 5, 6, 0444 },
		{ "5:x:x:file", 5, 0, 0644 },
		{ "x:6:0444", 1000, 6, 0444 },
		/* A mode that the disk does not bear out. */
		{ "5:6:0777:file", 5, 6, 0644 },
		/* Malformed. */
		{ "", 1000, 0, 0644 },
		{ ":", 1000, 0, 0644 },
		{ "5:6", 1000, 0, 0644 },
		{ "-5:6:0644", 1000, 0, 0644 },
		{ "4294967295:6:0644", 1000, 0, 0644 },
		{ "5:6:9", 1000, 0, 0644 },
		{ "root:root:0644:file", 1000, 0, 0644 },
	};
	struct store *s = store_of(state);
	char longest[400];

	for (size_t i = 0; i < LENGTH(cases); i++) {
		host_file(s, "file", 0644);
		host_set_record(s, "file", cases[i].text);
		expect_view(s, "file", cases[i].uid, cases[i].gid,
			    cases[i].mode);
		expect_record(s, "file", cases[i].text);
		assert_int_equal(apply(s, "file", 33, NO, 0644), 0);
		expect_view(s, "file", 33, cases[i].gid, 0644);
		assert_int_equal(apply(s, "file", 1000, 0, 0644), 0);
		expect_record(s, "file", NULL);
		assert_int_equal(unlinkat(s->src, "file", 0), 0);
	}
	memset(longest, '1', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	host_file(s, "file", 0644);
	host_set_record(s, "file", longest);
	expect_view(s, "file", 1000, 0, 0644);
	assert_int_equal(apply(s, "file", 33, NO, 0644), 0);
	expect_record(s, "file", "33:0:0644:file");
}

static int64_t ctime_of(const struct store *s, const char *name)
{
	struct statx stx;

	stat_entry(s, name, &stx);
	return stx.stx_ctime.tv_sec * INT64_C(1000000000) +
	       stx.stx_ctime.tv_nsec;
}

/* chmod(2) by one who is not in the group takes setgid away. */
static void test_foreign_setgid(void **state)
{
	/* Longer than a tick of the coarse clock. */
	static const struct timespec tick = { .tv_nsec = 11000000 };
	struct store *s = store_of(state);
	int64_t before;

	host_dir(s, "dir", 0755);
	become_root();
	host_chown(s, "dir", 1000, 100004);
	host_chmod(s, "dir", 02775);
	become_sergio();
	expect_view(s, "dir", 1000, 5, 02775);
	assert_int_equal(apply(s, "dir", 33, NO, 02775), 0);
	expect_disk(s, "dir", 1000, 100004, 02775);
	expect_view(s, "dir", 33, 5, 02775);
	/* One that changes nothing moves the time alone. */
	before = ctime_of(s, "dir");
	(void)nanosleep(&tick, NULL);
	assert_int_equal(apply(s, "dir", NO, NO, 02775), 0);
	assert_true(ctime_of(s, "dir") > before);
	expect_disk(s, "dir", 1000, 100004, 02775);
	expect_record(s, "dir", "33:5:2775:dir");
	assert_int_equal(apply(s, "dir", 1000, NO, 02775), 0);
	expect_record(s, "dir", NULL);
	expect_disk(s, "dir", 1000, 100004, 02775);
	/* What needs a chmod loses it there, and no view of it. */
	assert_int_equal(apply(s, "dir", NO, NO, 02770), 0);
	expect_disk(s, "dir", 1000, 100004, 0770);
	expect_view(s, "dir", 1000, 5, 02770);
	/* Given back by the host it stays again. */
	become_root();
	host_chmod(s, "dir", 02770);
	become_sergio();
	assert_int_equal(apply(s, "dir", 33, NO, 02770), 0);
	expect_disk(s, "dir", 1000, 100004, 02770);
	expect_view(s, "dir", 33, 5, 02770);
	assert_int_equal(apply(s, "dir", NO, NO, 0770), 0);
	expect_disk(s, "dir", 1000, 100004, 0770);
	expect_view(s, "dir", 33, 5, 0770);
}

/* The container sees that its chown came through, even if it is a no-op. */
static void test_ctime_moves(void **state)
{
	static const char *const names[] = { "file", "dir", "link", "fifo" };
	/* Longer than a tick of the coarse clock. */
	static const struct timespec tick = { .tv_nsec = 11000000 };
	struct store *s = store_of(state);

	host_file(s, "file", 0777);
	host_dir(s, "dir", 0777);
	host_node(s, "link", S_IFLNK | 0777);
	host_node(s, "fifo", S_IFIFO | 0777);
	for (size_t i = 0; i < LENGTH(names); i++) {
		for (uint32_t step = 0; step < 6; step++) {
			int64_t before = ctime_of(s, names[i]);

			(void)nanosleep(&tick, NULL);
			/* Recorded, again, another, back, again, again. */
			assert_int_equal(apply(s, names[i],
					       step < 2	 ? 33 :
					       step == 2 ? 34 :
							   1000,
					       0, 0777),
					 0);
			assert_true(ctime_of(s, names[i]) > before);
		}
	}
}

/* A root daemon on the host: its own files' owners are recorded too. */
static void test_as_root(void **state)
{
	struct store *s = store_of(state);

	host_file(s, "file", 0444);
	expect_view(s, "file", 0, 0, 0444);
	assert_int_equal(apply(s, "file", 1000, 1000, 04440), 0);
	expect_record(s, "file", "1000:1000:4440:file");
	expect_disk(s, "file", 0, 0, 0600);
	expect_view(s, "file", 1000, 1000, 04440);
	assert_int_equal(apply(s, "file", 1000, 5, 0640), 0);
	expect_disk(s, "file", 0, 5, 0640);
	expect_record(s, "file", "1000:5:0640:file");
	host_chown(s, "file", 1000, 1000);
	expect_view(s, "file", 1000, 1000, 0640);
	assert_int_equal(apply(s, "file", 0, 0, 0640), -EPERM);
}

/* Regular files take theirs along where they hold attributes. */
static void test_outlive(void **state)
{
	struct records records = store_of(state)->records;

	records.xattr_dev = 7;
	assert_false(records_may_outlive(&records, S_IFREG, 7));
	assert_true(records_may_outlive(&records, S_IFREG, 8));
	assert_true(records_may_outlive(&records, S_IFLNK, 7));
	assert_true(records_may_outlive(&records, S_IFDIR, 7));
	records.xattr_dev = 0; /* files hold none */
	assert_true(records_may_outlive(&records, S_IFREG, 7));
}

static void test_hidden_names(void **state)
{
	(void)state;
	assert_true(side_is_hidden("user.containers.override_stat"));
	assert_true(side_is_hidden("user.idshift."));
	assert_true(side_is_hidden("user.idshift.acl"));
	assert_false(side_is_hidden("user.idshift"));
	assert_false(side_is_hidden("user.containers.override_stat2"));
	assert_false(side_is_hidden("user.containers.override_sta"));
	assert_false(side_is_hidden("trusted.idshift.acl"));
	assert_false(side_is_hidden(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERGIO_TEST(test_chown),
		SERGIO_TEST(test_removed_when_not_needed),
		SERGIO_TEST(test_chgrp_backed),
		SERGIO_TEST(test_modes),
		SERGIO_TEST(test_foreign_setgid),
		SERGIO_TEST(test_unwritable),
		SERGIO_TEST(test_host_wins),
		SERGIO_TEST(test_foreign_records),
		SERGIO_TEST(test_ctime_moves),
		ROOT_TEST(test_as_root),
		SERGIO_TEST(test_outlive),
		cmocka_unit_test(test_hidden_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
