/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change that fails half-way leaves everything as it was. */
#include "idshift/records.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#include "store_fixture.h"

#define LIST_MAX 4096

/* All of an entry that a change may touch. */
struct snapshot {
	uint32_t gid;
	mode_t mode;
	ssize_t list_len;
	char list[LIST_MAX];
	ssize_t record_len;
	char record[256];
};

static void take(const struct store *s, const char *name, struct snapshot *ret)
{
	struct statx stx;
	int fd;

	memset(ret, 0, sizeof(*ret));
	/* As root: also where sergio may not read. */
	become_root();
	fd = backing_open_child(s->src, name);
	assert_int_equal(backing_stat(fd, &stx), 0);
	ret->gid = stx.stx_gid;
	ret->mode = stx.stx_mode;
	ret->list_len = backing_listxattr(fd, ret->list, LIST_MAX);
	ret->record_len = backing_getxattr(fd, OVERRIDE_STAT_XATTR, ret->record,
					   sizeof(ret->record));
	(void)close(fd);
	become_sergio();
}

static void expect_unchanged(const struct store *s, const char *name,
			     const struct snapshot *before)
{
	struct snapshot now;

	take(s, name, &now);
	assert_int_equal(now.gid, before->gid);
	assert_int_equal(now.mode, before->mode);
	assert_int_equal(now.list_len, before->list_len);
	assert_int_equal(now.record_len, before->record_len);
	assert_memory_equal(now.list, before->list, sizeof(now.list));
	assert_memory_equal(now.record, before->record, sizeof(now.record));
}

/* false: this file system holds attributes without end. */
static bool fill_xattrs(const struct store *s, const char *name)
{
	static const char value[1024];
	int fd = backing_open_child(s->src, name), r = 0;
	size_t size = sizeof(value);

	for (int i = 0; i < 200 && size > 0; i++) {
		char fill[32];

		(void)snprintf(fill, sizeof(fill), "user.fill%03d", i);
		r = backing_setxattr(fd, fill, value, size, 0);
		if (r < 0)
			size /= 2;
	}
	(void)close(fd);
	return r == -ENOSPC;
}

static void test_no_room_for_record(void **state)
{
	static const struct {
		uint32_t uid;
		uint32_t gid;
		mode_t mode;
	} wants[] = {
		{ 33, 34, 0664 },   /* the record alone */
		{ 33, 2000, 0640 }, /* chgrp, record, chmod */
		{ NO, 2000, 04755 }, { NO, 34, 0070 }, { NO, NO, 0000 },
	};
	static const mode_t modes[] = { 0664, 0444, 0000, 04755, 02070, 01777 };
	struct store *s = store_of(state);
	struct snapshot before;

	for (size_t m = 0; m < LENGTH(modes); m++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%zu", m);
		host_file(s, name, 0600);
		if (!fill_xattrs(s, name)) {
			print_message("# skipped: no bound on attributes\n");
			skip();
		}
		host_chmod(s, name, modes[m]);
		take(s, name, &before);
		for (size_t i = 0; i < LENGTH(wants); i++) {
			if (wants[i].uid == NO && wants[i].gid == NO &&
			    modes[m] == wants[i].mode)
				continue;
			assert_int_equal(apply(s, name, wants[i].uid,
					       wants[i].gid, wants[i].mode),
					 -ENOSPC);
			expect_unchanged(s, name, &before);
		}
	}
	/* What needs no record still works. */
	assert_int_equal(apply(s, "file0", NO, 2000, 0640), 0);
	expect_disk(s, "file0", 1000, 2000, 0640);
}

static void test_no_room_in_directory(void **state)
{
	struct store *s = store_of(state);
	struct snapshot before;

	host_dir(s, "dir", 0755);
	if (!fill_xattrs(s, "dir")) {
		print_message("# skipped: no bound on attributes\n");
		skip();
	}
	host_chown(s, "dir", NO, 2000);
	host_chmod(s, "dir", 02775);
	take(s, "dir", &before);
	assert_int_equal(apply(s, "dir", 33, NO, 02775), -ENOSPC);
	expect_unchanged(s, "dir", &before);
	assert_int_equal(apply(s, "dir", NO, 0, 0000), -ENOSPC);
	expect_unchanged(s, "dir", &before);
}

/* A record stays that a change would have replaced. */
static void test_old_record_stays(void **state)
{
	struct store *s = store_of(state);
	struct snapshot before;

	host_file(s, "file", 0644);
	assert_int_equal(apply(s, "file", 33, 34, 04440), 0);
	become_sergio_without_group();
	/* We believe to be in the group, and no longer are. */
	take(s, "file", &before);
	become_sergio_without_group();
	assert_int_equal(apply(s, "file", NO, 2000, 0660), -EPERM);
	expect_unchanged(s, "file", &before);
	expect_view(s, "file", 33, 34, 04440);
}

static void test_group_refused(void **state)
{
	static const mode_t modes[] = { 0664, 0444, 0000, 0666, 04777, 02775 };
	struct store *s = store_of(state);
	struct snapshot before;

	for (size_t m = 0; m < LENGTH(modes); m++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "file%zu", m);
		host_file(s, name, modes[m]);
		take(s, name, &before);
		become_sergio_without_group();
		assert_int_equal(apply(s, name, NO, 2000, 0600), -EPERM);
		expect_unchanged(s, name, &before);
		become_sergio_without_group();
		assert_int_equal(apply(s, name, 33, 2000, 07777), -EPERM);
		expect_unchanged(s, name, &before);
	}
}

static int set_flags(const struct store *s, const char *name, int flags)
{
	int fd, r;

	become_root();
	fd = openat(s->src, name, O_RDONLY);
	assert_true(fd >= 0);
	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	(void)close(fd);
	become_sergio();
	return r;
}

static void test_immutable(void **state)
{
	struct store *s = store_of(state);
	struct snapshot before;

	host_file(s, "file", 0644);
	assert_int_equal(apply(s, "file", 33, 34, 0440), 0);
	if (set_flags(s, "file", FS_IMMUTABLE_FL) < 0) {
		print_message("# skipped: no immutable files here\n");
		skip();
	}
	take(s, "file", &before);
	assert_int_equal(apply(s, "file", 35, NO, 0440), -EPERM);
	assert_int_equal(apply(s, "file", 1000, 0, 0600), -EPERM);
	assert_int_equal(apply(s, "file", NO, 2000, 0440), -EPERM);
	assert_int_equal(apply(s, "file", NO, NO, 0440), -EPERM);
	expect_unchanged(s, "file", &before);
	assert_int_equal(set_flags(s, "file", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERGIO_TEST(test_no_room_for_record),
		SERGIO_TEST(test_no_room_in_directory),
		SERGIO_TEST(test_old_record_stays),
		SERGIO_TEST(test_group_refused),
		SERGIO_TEST(test_immutable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
