/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/backing.h"

#include <sys/xattr.h>

#include "store_fixture.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{ "", false },	    { ".", false },   { "..", false },
		{ "/", false },	    { "a/b", false }, { "/a", false },
		{ "a/", false },    { "...", true },  { ".a", true },
		{ "..a", true },    { "a", true },    { "a..", true },
		{ "\xff\n", true }, { " ", true },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(backing_name_ok(cases[i].name), cases[i].ok);
}

static void test_open(void **state)
{
	struct store *s = store_of(state);
	struct statx stx;
	int link, file, fd;

	host_file(s, "file", 0600);
	host_node(s, "target", S_IFIFO | 0600);
	host_node(s, "link", S_IFLNK | 0777);
	assert_int_equal(backing_open_child(s->src, "none"), -ENOENT);
	link = backing_open_child(s->src, "link");
	assert_true(link >= 0);
	assert_int_equal(fcntl(link, F_GETFD), FD_CLOEXEC);
	assert_int_equal(backing_stat(link, &stx), 0);
	assert_true(S_ISLNK(stx.stx_mode));
	/* Not followed, not even as the last step. */
	assert_int_equal(backing_reopen(link, O_RDONLY), -ELOOP);
	assert_int_equal(backing_open_child(link, "x"), -ENOTDIR);
	(void)close(link);
	file = backing_open_child(s->src, "file");
	fd = backing_reopen(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "text", 4), 4);
	(void)close(fd);
	/* Its name may go meanwhile. */
	assert_int_equal(unlinkat(s->src, "file", 0), 0);
	fd = backing_reopen(file, O_RDONLY);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(file);
}

static void key_of(const struct store *s, const char *name,
		   struct backing_key *ret)
{
	struct statx stx;
	int fd = backing_open_child(s->src, name);

	assert_true(fd >= 0);
	assert_int_equal(backing_stat(fd, &stx), 0);
	memset(ret, 0xa5, sizeof(*ret));
	assert_int_equal(backing_key(fd, &stx, ret), 0);
	assert_true(ret->len >= 8 && ret->len <= BACKING_KEY_MAX);
	(void)close(fd);
}

static bool same_key(const struct backing_key *a, const struct backing_key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void test_key(void **state)
{
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFLNK };
	struct store *s = store_of(state);
	struct backing_key keys[LENGTH(types)], again;

	for (size_t i = 0; i < LENGTH(types); i++) {
		char name[8] = { (char)('a' + (int)i) };

		host_node(s, name, types[i] | 0777);
		key_of(s, name, &keys[i]);
		for (size_t j = 0; j < i; j++)
			assert_false(same_key(&keys[i], &keys[j]));
		assert_int_equal(linkat(s->src, name, s->src, "two", 0), 0);
		key_of(s, "two", &again);
		assert_true(same_key(&keys[i], &again));
		assert_int_equal(unlinkat(s->src, "two", 0), 0);
		assert_int_equal(renameat(s->src, name, s->src, "new"), 0);
		key_of(s, "new", &again);
		assert_true(same_key(&keys[i], &again));
		/* Even where the inode number comes back. */
		assert_int_equal(unlinkat(s->src, "new", 0), 0);
		host_node(s, name, types[i] | 0777);
		key_of(s, name, &again);
		assert_false(same_key(&keys[i], &again));
	}
}

static void test_chmod(void **state)
{
	static const char *const names[] = { "file", "dir", "fifo" };
	struct store *s = store_of(state);

	host_file(s, "file", 0000);
	host_dir(s, "dir", 0000);
	host_node(s, "fifo", S_IFIFO);
	for (size_t i = 0; i < LENGTH(names); i++) {
		int fd = backing_open_child(s->src, names[i]);

		assert_int_equal(backing_chmod(fd, 01640), 0);
		expect_disk(s, names[i], 1000, 1000, 01640);
		(void)close(fd);
	}
}

static void test_times(void **state)
{
	static const struct timespec times[2] = {
		{ .tv_sec = 1, .tv_nsec = 2 },
		{ .tv_sec = 3, .tv_nsec = 4 },
	};
	static const char *const names[] = { "file", "link", "fifo" };
	struct store *s = store_of(state);
	struct statx stx;

	host_file(s, "file", 0000);
	host_node(s, "link", S_IFLNK);
	host_node(s, "fifo", S_IFIFO);
	for (size_t i = 0; i < LENGTH(names); i++) {
		int fd = backing_open_child(s->src, names[i]);

		assert_int_equal(backing_utimens(fd, times), 0);
		assert_int_equal(backing_stat(fd, &stx), 0);
		assert_int_equal(stx.stx_atime.tv_sec, 1);
		assert_int_equal(stx.stx_atime.tv_nsec, 2);
		assert_int_equal(stx.stx_mtime.tv_sec, 3);
		assert_int_equal(stx.stx_mtime.tv_nsec, 4);
		(void)close(fd);
	}
}

/* Touching the ctime leaves a host's setuid alone, and a chmod since. */
static void test_touch(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 5 },
						{ .tv_sec = 6 } };
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct store *s = store_of(state);
	struct statx stx, now;
	int fd;

	host_file(s, "file", 0600);
	fd = backing_open_child(s->src, "file");
	assert_int_equal(backing_utimens(fd, old), 0);
	assert_int_equal(backing_stat(fd, &stx), 0);
	host_chmod(s, "file", 06755);
	assert_int_equal(backing_stat(fd, &now), 0);
	stx.stx_ctime = now.stx_ctime;
	(void)nanosleep(&tick, NULL);
	assert_int_equal(backing_touch_ctime(fd, &stx), 0);
	assert_int_equal(backing_stat(fd, &now), 0);
	assert_false(backing_is_unchanged(&stx, &now));
	assert_int_equal(now.stx_atime.tv_sec, 5);
	assert_int_equal(now.stx_mtime.tv_sec, 6);
	expect_disk(s, "file", 1000, 1000, 06755);
	(void)close(fd);
}

/* No writer, and ctimes that tell all that one does. */
static void test_quiet(void **state)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct store *s = store_of(state);
	struct statx stx;
	int path, fd, other;

	host_file(s, "file", 0600);
	path = backing_open_child(s->src, "file");
	fd = backing_reopen(path, O_RDONLY);
	assert_int_equal(backing_stat(fd, &stx), 0);
	assert_false(backing_is_quiet(fd, O_RDONLY, &stx)); /* too young */
	(void)nanosleep(&pause, NULL);
	assert_true(backing_is_quiet(fd, O_RDONLY, &stx));
	other = backing_reopen(path, O_RDONLY);
	assert_true(backing_is_quiet(fd, O_RDONLY, &stx));
	(void)close(other);
	other = backing_reopen(path, O_RDWR);
	assert_false(backing_is_quiet(fd, O_RDONLY, &stx));
	assert_false(backing_is_quiet(other, O_RDWR, &stx));
	/* Whoever has it open, it was written back by then. */
	stx.stx_ctime.tv_sec -= 1000;
	assert_true(backing_is_quiet(fd, O_RDONLY, &stx));
	assert_true(backing_is_quiet(other, O_RDWR, &stx));
	stx.stx_ctime.tv_sec += 1000;
	(void)close(other);
	assert_true(backing_is_quiet(fd, O_RDONLY, &stx));
	/* The lease is given back: nobody has to wait. */
	other = backing_reopen(path, O_WRONLY | O_NONBLOCK);
	assert_true(other >= 0);
	(void)close(other);
	(void)close(fd);
	/* Another's: when it is old. */
	become_root();
	host_chown(s, "file", 1001, 1001);
	host_chmod(s, "file", 0644);
	become_sergio();
	fd = backing_reopen(path, O_RDONLY);
	(void)nanosleep(&pause, NULL);
	assert_int_equal(backing_stat(fd, &stx), 0);
	assert_false(backing_is_quiet(fd, O_RDONLY, &stx));
	stx.stx_ctime.tv_sec -= 1000;
	assert_true(backing_is_quiet(fd, O_RDONLY, &stx));
	become_root();
	(void)close(fd);
	(void)close(path);
}

static void test_xattrs(void **state)
{
	struct store *s = store_of(state);
	char value[16], list[64];
	int fd, fifo;

	host_file(s, "file", 0600);
	host_node(s, "fifo", S_IFIFO | 0600);
	fd = backing_open_child(s->src, "file");
	fifo = backing_open_child(s->src, "fifo");
	assert_int_equal(backing_getxattr(fd, "user.a", value, 16), -ENODATA);
	assert_int_equal(backing_removexattr(fd, "user.a"), -ENODATA);
	assert_int_equal(backing_setxattr(fd, "user.a", "text", 4, 0), 0);
	assert_int_equal(backing_getxattr(fd, "user.a", value, 16), 4);
	assert_memory_equal(value, "text", 4);
	assert_int_equal(backing_getxattr(fd, "user.a", value, 3), -ERANGE);
	assert_int_equal(backing_getxattr(fd, "user.a", NULL, 0), 4);
	assert_int_equal(backing_listxattr(fd, list, sizeof(list)), 7);
	assert_memory_equal(list, "user.a", 7);
	assert_int_equal(backing_removexattr(fd, "user.a"), 0);
	assert_int_equal(backing_setxattr(fifo, "user.a", "text", 4, 0),
			 -EPERM);
	(void)close(fd);
	(void)close(fifo);
}

/* By name and of a directory: a shorter way to the same answers. */
static void test_xattr_shortcuts(void **state)
{
	struct store *s = store_of(state);
	char value[16];
	int dir, file;

	host_dir(s, "dir", 0700);
	dir = backing_open_child(s->src, "dir");
	assert_int_equal(backing_getxattr_dir(dir, "user.a", value, 16),
			 -ENODATA);
	assert_int_equal(backing_setxattr(dir, "user.a", "text", 4, 0), 0);
	assert_int_equal(backing_getxattr_dir(dir, "user.a", value, 16), 4);
	assert_memory_equal(value, "text", 4);
	assert_int_equal(backing_getxattr_dir(dir, "user.a", value, 3),
			 -ERANGE);
	/* It can be read, but not searched. */
	host_chmod(s, "dir", 0400);
	assert_int_equal(backing_getxattr_dir(dir, "user.a", value, 16), 4);
	host_chmod(s, "dir", 0700);

	file = openat(dir, "file", O_CREAT | O_RDWR, 0600);
	assert_true(file >= 0);
	assert_int_equal(fsetxattr(file, "user.a", "text", 4, 0), 0);
	assert_int_equal(symlinkat("file", dir, "link"), 0);
	assert_int_equal(
		backing_getxattr_child(dir, "file", "user.a", value, 16), 4);
	assert_memory_equal(value, "text", 4);
	assert_int_equal(
		backing_getxattr_child(dir, "link", "user.a", value, 16),
		-ENODATA);
	assert_int_equal(
		backing_getxattr_child(dir, "none", "user.a", value, 16),
		-ENOENT);
	(void)close(file);
	(void)close(dir);
}

static void test_link(void **state)
{
	struct store *s = store_of(state);
	int fd = openat(s->src, ".", O_TMPFILE | O_RDWR, 0600);
	int link;

	assert_true(fd >= 0);
	assert_int_equal(backing_link(fd, s->src, "name"), 0);
	assert_int_equal(backing_link(fd, s->src, "name"), -EEXIST);
	(void)close(fd);
	host_node(s, "link", S_IFLNK);
	link = backing_open_child(s->src, "link");
	assert_int_equal(backing_link(link, s->src, "other"), 0);
	expect_disk(s, "other", 1000, 1000, 0777);
	(void)close(link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		SERGIO_TEST(test_open),
		SERGIO_TEST(test_key),
		SERGIO_TEST(test_chmod),
		SERGIO_TEST(test_times),
		SERGIO_TEST(test_touch),
		SERGIO_TEST(test_quiet),
		SERGIO_TEST(test_xattrs),
		SERGIO_TEST(test_xattr_shortcuts),
		SERGIO_TEST(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
