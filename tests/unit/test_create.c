/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New objects have their owner and mode, or are not there. */
#include "idshift/create.h"

#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "idshift/records_side.h"
#include "store_fixture.h"

/* What is said of a new object is what asking would tell. */
static void expect_as_told(const struct store *s, int fd,
			   const struct statx *stx, const struct view *view)
{
	struct statx now;
	struct view seen = { 0 };

	assert_int_equal(backing_stat(fd, &now), 0);
	assert_int_equal(now.stx_ino, stx->stx_ino);
	assert_int_equal(now.stx_mode, stx->stx_mode);
	assert_int_equal(now.stx_uid, stx->stx_uid);
	assert_int_equal(now.stx_gid, stx->stx_gid);
	assert_int_equal(now.stx_nlink, stx->stx_nlink);
	assert_int_equal(now.stx_ctime.tv_sec, stx->stx_ctime.tv_sec);
	assert_int_equal(now.stx_ctime.tv_nsec, stx->stx_ctime.tv_nsec);
	assert_int_equal(records_view(&s->records, fd, &now, &seen), 0);
	assert_int_equal(seen.uid.value, view->uid.value);
	assert_int_equal(seen.gid.value, view->gid.value);
	assert_int_equal(seen.mode, view->mode);
	assert_null(view->acl);
}

/* The directory's ctime is so far ahead of the clock. */
static int64_t seconds_ahead;

/* mode with type; the descriptor, or an error. */
static int create(const struct store *s, int dir_fd, const char *name,
		  uint32_t uid, uint32_t gid, mode_t mode)
{
	struct statx dir;
	struct creation c = {
		.records = &s->records,
		.dir_fd = dir_fd,
		.dir = &dir,
		.name = name,
		.want = {
			.uid = CONTAINER_ID(uid),
			.gid = CONTAINER_ID(gid),
			.mode = mode,
		},
	};
	struct statx stx = { 0 };
	struct view view = { 0 };
	int fd;

	assert_int_equal(backing_stat(dir_fd, &dir), 0);
	dir.stx_ctime.tv_sec += seconds_ahead;
	switch (mode & S_IFMT) {
	case S_IFREG:
		fd = create_file(&c, &stx, &view);
		break;
	case S_IFDIR:
		fd = create_directory(&c, &stx, &view);
		break;
	case S_IFLNK:
		fd = create_symlink(&c, "target", &stx, &view);
		break;
	default:
		fd = create_node(&c, 0, &stx, &view);
	}
	if (fd >= 0)
		expect_as_told(s, fd, &stx, &view);
	return fd;
}

static void make(const struct store *s, const char *name, uint32_t uid,
		 uint32_t gid, mode_t mode)
{
	struct statx stx, found;
	int fd = create(s, s->src, name, uid, gid, mode);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(backing_stat(fd, &stx), 0);
	stat_entry(s, name, &found);
	assert_int_equal(stx.stx_ino, found.stx_ino);
	assert_int_equal(stx.stx_mode & S_IFMT, mode & S_IFMT);
	if (S_ISREG(mode)) {
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(stx.stx_nlink, 1);
	}
	(void)close(fd);
}

static void test_plain(void **state)
{
	struct store *s = store_of(state);

	make(s, "file", 1000, 0, S_IFREG | 0644);
	expect_disk(s, "file", 1000, 1000, 0644);
	expect_record(s, "file", NULL);
	make(s, "dir", 1000, 0, S_IFDIR | 01770);
	expect_disk(s, "dir", 1000, 1000, 01770);
	expect_record(s, "dir", NULL);
	make(s, "fifo", 1000, 0, S_IFIFO | 0666);
	expect_disk(s, "fifo", 1000, 1000, 0666);
	expect_db_record(s, "fifo", NULL);
	make(s, "link", 1000, 0, S_IFLNK | 0777);
	expect_db_record(s, "link", NULL);
}

static void test_owners(void **state)
{
	struct store *s = store_of(state);

	make(s, "file", 33, 34, S_IFREG | 0640);
	expect_disk(s, "file", 1000, 1000, 0600);
	expect_record(s, "file", "33:34:0640:file");
	make(s, "readonly", 1000, 0, S_IFREG | 0444);
	expect_disk(s, "readonly", 1000, 1000, 0644);
	expect_record(s, "readonly", "1000:0:0444:file");
	make(s, "suid", 0, 0, S_IFREG | 06755);
	expect_disk(s, "suid", 1000, 1000, 0755);
	expect_record(s, "suid", "0:0:6755:file");
	make(s, "dir", 33, 34, S_IFDIR | 0770);
	expect_disk(s, "dir", 1000, 1000, 0700);
	expect_record(s, "dir", "33:34:0770:dir");
	make(s, "link", 33, 34, S_IFLNK | 0777);
	expect_disk(s, "link", 1000, 1000, 0777);
	expect_db_record(s, "link", "33:34:0777:symlink");
	make(s, "fifo", 33, 34, S_IFIFO | 0660);
	expect_disk(s, "fifo", 1000, 1000, 0600);
	expect_db_record(s, "fifo", "33:34:0660:pipe");
	make(s, "socket", 33, 34, S_IFSOCK | 0777);
	expect_db_record(s, "socket", "33:34:0777:socket");
	expect_view(s, "file", 33, 34, 0640);
	expect_view(s, "suid", 0, 0, 06755);
	expect_view(s, "dir", 33, 34, 0770);
	expect_view(s, "link", 33, 34, 0777);
	expect_view(s, "fifo", 33, 34, 0660);
}

/* A clock that was set back must not make what is new look old. */
static void test_clock_set_back(void **state)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFLNK };
	struct store *s = store_of(state);

	seconds_ahead = 1000;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		make(s, "new", 33, 34, types[i] | 0777);
		expect_view(s, "new", 33, 34, 0777);
		assert_int_equal(unlinkat(s->src, "new",
					  S_ISDIR(types[i]) ? AT_REMOVEDIR : 0),
				 0);
	}
	seconds_ahead = 0;
}

static void test_backed_group(void **state)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFLNK };
	struct store *s = store_of(state);

	for (size_t i = 0; i < LENGTH(types); i++) {
		mode_t mode = S_ISLNK(types[i]) ? 0777 : 0664;

		make(s, "own", 1000, 2000, types[i] | mode);
		expect_view(s, "own", 1000, 2000, mode);
		expect_disk(s, "own", 1000, 2000,
			    S_ISDIR(types[i]) ? 0764 : mode);
		make(s, "other", 33, 2000, types[i] | mode);
		expect_view(s, "other", 33, 2000, mode);
		expect_disk(s, "other", 1000, 2000,
			    S_ISDIR(types[i]) ? 0764 : mode);
		assert_int_equal(unlinkat(s->src, "own",
					  S_ISDIR(types[i]) ? AT_REMOVEDIR : 0),
				 0);
		assert_int_equal(unlinkat(s->src, "other",
					  S_ISDIR(types[i]) ? AT_REMOVEDIR : 0),
				 0);
	}
}

/* In one: the caller says the directory's group, as view.h's user must. */
static void test_setgid_directory(void **state)
{
	struct store *s = store_of(state);
	struct statx stx;

	host_chown(s, ".", NO, 2000);
	host_chmod(s, ".", 02775);
	make(s, "file", 1000, 2000, S_IFREG | 0664);
	expect_disk(s, "file", 1000, 2000, 0664);
	expect_record(s, "file", NULL);
	make(s, "other", 33, 2000, S_IFREG | 0664);
	expect_disk(s, "other", 1000, 2000, 0664);
	expect_record(s, "other", "33:2000:0664:file");
	make(s, "dir", 1000, 2000, S_IFDIR | 02775);
	expect_disk(s, "dir", 1000, 2000, 02775);
	expect_record(s, "dir", NULL);
	make(s, "their", 33, 2000, S_IFDIR | 02770);
	expect_disk(s, "their", 1000, 2000, 02770);
	expect_record(s, "their", "33:2000:2770:dir");
	/* The view's directory is not setgid, the disk's is. */
	make(s, "mine", 1000, 0, S_IFREG | 0660);
	expect_disk(s, "mine", 1000, 1000, 0660);
	expect_record(s, "mine", NULL);
	make(s, "flat", 1000, 0, S_IFDIR | 0755);
	expect_disk(s, "flat", 1000, 1000, 0755);
	expect_record(s, "flat", NULL);
	make(s, "apart", 33, 34, S_IFREG | 0660);
	expect_view(s, "apart", 33, 34, 0660);
	stat_entry(s, "apart", &stx);
	assert_int_equal(stx.stx_mode & 077, 0);
}

static void test_taken_name(void **state)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFLNK };
	struct store *s = store_of(state);

	make(s, "name", 33, 34, S_IFREG | 0640);
	for (size_t i = 0; i < LENGTH(types); i++) {
		mode_t mode = types[i] | 0777;

		assert_int_equal(create(s, s->src, "name", 1000, 0, mode),
				 -EEXIST);
		assert_int_equal(create(s, s->src, "name", 5, 6, mode),
				 -EEXIST);
	}
	expect_view(s, "name", 33, 34, 0640);
	assert_int_equal(count_entries(s), 1);
}

/* Whatever stops it, no half-made object stays. */
static void test_failure(void **state)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFLNK };
	struct store *s = store_of(state);
	char long_name[300];

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < LENGTH(types); i++) {
		mode_t mode = types[i] | 0777;

		assert_int_equal(create(s, s->src, long_name, 1000, 0, mode),
				 -ENAMETOOLONG);
		assert_int_equal(create(s, s->src, long_name, 5, 6, mode),
				 -ENAMETOOLONG);
		/* We believe to be in the group, and no longer are. */
		become_sergio_without_group();
		assert_int_equal(create(s, s->src, "name", 1000, 2000, mode),
				 -EPERM);
		assert_int_equal(create(s, s->src, "name", 5, 2000, mode),
				 -EPERM);
		become_sergio();
		assert_int_equal(count_entries(s), 0);
		become_root();
		host_chown(s, ".", 0, 0);
		become_sergio();
		assert_int_equal(create(s, s->src, "name", 1000, 0, mode),
				 -EACCES);
		assert_int_equal(create(s, s->src, "name", 5, 6, mode),
				 -EACCES);
		become_root();
		host_chown(s, ".", 1000, 1000);
		become_sergio();
		assert_int_equal(count_entries(s), 0);
	}
}

static void test_devices(void **state)
{
	struct store *s = store_of(state);
	struct statx dir, stx;
	struct view view;
	struct creation c = {
		.records = &s->records,
		.dir_fd = s->src,
		.dir = &dir,
		.name = "device",
		.want = {
			.uid = CONTAINER_ID(0),
			.gid = CONTAINER_ID(0),
			.mode = S_IFCHR | 0666,
		},
	};

	assert_int_equal(backing_stat(s->src, &dir), 0);
	assert_int_equal(create_node(&c, makedev(1, 3), &stx, &view), -EPERM);
	c.want.mode = S_IFBLK | 0666;
	assert_int_equal(create_node(&c, makedev(0, 0), &stx, &view), -EPERM);
	assert_int_equal(create_node(&c, makedev(7, 0), &stx, &view), -EPERM);
	assert_int_equal(count_entries(s), 0);
	/* A whiteout. */
	make(s, "gone", 0, 0, S_IFCHR | 0600);
	expect_view(s, "gone", 0, 0, 0600);
	expect_db_record(s, "gone", "0:0:0600:char-0-0");
}

/* Nothing happens to a file once others can see its name. */
static void test_complete_when_visible(void **state)
{
	struct store *s = store_of(state);
	_Alignas(struct inotify_event) char buffer[4096];
	char path[PATH_MAX];
	const struct inotify_event *event;
	bool visible = false;
	int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ssize_t len;
	int fd;

	assert_true(snprintf(path, sizeof(path), "%s/src", s->dir) < PATH_MAX);
	assert_true(notify >= 0);
	assert_true(inotify_add_watch(notify, path,
				      IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >=
		    0);
	fd = create(s, s->src, "file", 33, 2000, S_IFREG | 0460);
	assert_true(fd >= 0);
	(void)close(fd);
	expect_record(s, "file", "33:2000:0460:file");
	expect_disk(s, "file", 1000, 2000, 0660);
	len = read(notify, buffer, sizeof(buffer));
	assert_true(len > 0);
	for (ssize_t at = 0; at < len;
	     at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(buffer + at);
		assert_false(visible);
		visible = event->len > 0 && strcmp(event->name, "file") == 0;
		if (visible)
			assert_int_equal(event->mask, IN_CREATE);
	}
	assert_true(visible);
	(void)close(notify);
}

/* A watcher on the host is told of writes and the close by the file's name. */
static void test_watched_by_name(void **state)
{
	struct store *s = store_of(state);
	_Alignas(struct inotify_event) char buffer[4096];
	char path[PATH_MAX];
	const struct inotify_event *event;
	uint32_t seen = 0;
	int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ssize_t len;
	int fd;

	assert_true(snprintf(path, sizeof(path), "%s/src", s->dir) < PATH_MAX);
	assert_true(notify >= 0);
	fd = create(s, s->src, "file", 33, 2000, S_IFREG | 0460);
	assert_true(fd >= 0);
	assert_true(inotify_add_watch(notify, path,
				      IN_MODIFY | IN_CLOSE_WRITE) >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	assert_int_equal(close(fd), 0);
	len = read(notify, buffer, sizeof(buffer));
	assert_true(len > 0);
	for (ssize_t at = 0; at < len;
	     at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(buffer + at);
		assert_string_equal(event->name, "file");
		seen |= event->mask;
	}
	assert_int_equal(seen, IN_MODIFY | IN_CLOSE_WRITE);
	(void)close(notify);
}

/* Who asks next needs not look; who is to change it does. */
static void expect_known(const struct store *s, uint32_t uid, uint32_t gid,
			 unsigned int beside)
{
	struct records_seen seen = { .absent = 0 };
	struct statx stx;
	int fd = create(s, s->src, "file", uid, gid, S_IFREG | 0640);

	assert_true(fd >= 0);
	assert_int_equal(backing_stat(fd, &stx), 0);
	(void)close(fd);
	assert_true(records_cache_get(s->records.cache, &stx, false, &seen));
	assert_int_equal(seen.view.uid.value, uid);
	assert_int_equal(seen.view.gid.value, gid);
	assert_int_equal(seen.view.mode, S_IFREG | 0640);
	assert_int_equal(~seen.absent & SIDE_ALL, beside);
	assert_false(records_cache_get(s->records.cache, &stx, true, &seen));
	assert_int_equal(unlinkat(s->src, "file", 0), 0);
}

static void test_known_at_once(void **state)
{
	struct store *s = store_of(state);

	expect_known(s, 1000, 0, 0);
	expect_known(s, 33, 34, SIDE_BIT(SIDE_OVERRIDE_STAT));
}

static void test_as_root(void **state)
{
	struct store *s = store_of(state);

	make(s, "plain", 0, 0, S_IFREG | 0600);
	expect_record(s, "plain", NULL);
	make(s, "file", 1000, 1000, S_IFREG | 04711);
	expect_disk(s, "file", 0, 0, 0711);
	expect_record(s, "file", "1000:1000:4711:file");
	make(s, "group", 0, 5, S_IFDIR | 02770);
	expect_disk(s, "group", 0, 5, 02770);
	expect_record(s, "group", NULL);
}

/* Readable descriptors serve as the directory, too. */
static void test_readable_directory(void **state)
{
	struct store *s = store_of(state);
	int dir = openat(s->src, ".", O_RDONLY | O_DIRECTORY);
	int fd;

	assert_true(dir >= 0);
	fd = create(s, dir, "file", 33, 34, S_IFREG | 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	fd = create(s, dir, "dir", 33, 34, S_IFDIR | 0700);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(dir);
	expect_view(s, "file", 33, 34, 0600);
	expect_view(s, "dir", 33, 34, 0700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERGIO_TEST(test_plain),
		SERGIO_TEST(test_owners),
		SERGIO_TEST(test_clock_set_back),
		SERGIO_TEST(test_backed_group),
		SERGIO_TEST(test_setgid_directory),
		SERGIO_TEST(test_taken_name),
		SERGIO_TEST(test_failure),
		SERGIO_TEST(test_devices),
		SERGIO_TEST(test_complete_when_visible),
		SERGIO_TEST(test_watched_by_name),
		SERGIO_TEST(test_known_at_once),
		ROOT_TEST(test_as_root),
		SERGIO_TEST(test_readable_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
