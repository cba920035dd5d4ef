/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a daemon that died began is done by the next: once, and only that. */
#include "idshift/intents.h"

#include <pthread.h>
#include <sys/wait.h>

#include "idshift/backing.h"
#include "idshift/turns.h"

#include "../../fs/store/intents_internal.h"

#include "store_fixture.h"

/* As FILES_MAX and SLOTS of intents.c. */
#define FILES 10000
#define SLOTS 32

static void state_path(const struct store *s, const char *name,
		       char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/state/%s", s->dir, name);

	assert_true(len > 0 && len < PATH_MAX);
}

/* The fixture's is root's. */
static int setup(void **state)
{
	char path[PATH_MAX];

	(void)store_setup_sergio(state);
	if (*state == NULL)
		return 0;
	state_path(*state, "", path);
	become_root();
	assert_int_equal(chown(path, 1000, 1000), 0);
	become_sergio();
	return 0;
}
#define INTENTS_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup, store_teardown)

static int try_open(const struct store *s, int root_fd, struct intents **ret)
{
	char path[PATH_MAX];

	state_path(s, "", path);
	return intents_open(path, root_fd, &s->records, ret);
}

/* As a daemon starts and ends. */
static void start_and_end(const struct store *s)
{
	struct intents *intents = NULL;

	assert_int_equal(try_open(s, s->src, &intents), 0);
	assert_null(intents_close(intents));
}

static off_t size_of_file(const struct store *s, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	state_path(s, name, path);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* sergio's 0640 file to 33:2000 0660; its way leads by chown and chmod. */
static int begin(const struct records *records, const struct store *s,
		 const char *path)
{
	static const char wanted[] = "33:2000:0660:file";
	struct intent intent = {
		.want = { .uid = CONTAINER_ID(33),
			  .gid = CONTAINER_ID(2000),
			  .mode = S_IFREG | 0660 },
		.after = { .uid = DISK_ID(1000),
			   .gid = DISK_ID(2000),
			   .mode = 0660 },
		.old_record = "",
		.new_record = wanted,
		.new_len = sizeof(wanted) - 1,
	};
	int handle, fd = openat(s->src, path, O_PATH | O_NOFOLLOW);
	struct statx stx;

	assert_true(fd >= 0);
	assert_int_equal(backing_stat(fd, &stx), 0);
	intent.before = backing_owner(&stx);
	handle = intent_begin(records, fd, &stx, &intent);
	(void)close(fd);
	return handle;
}

/*
 * A daemon that dies with these begun; `first_step`: after the chown.  The
 * asserts of a child would be the parent's: it only says that all was well.
 */
static void die_with(const struct store *s, const char *const *paths,
		     size_t count, bool first_step)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct records records = s->records;
		bool well = try_open(s, s->src, &records.intents) == 0;

		for (size_t i = 0; well && i < count; i++) {
			well = begin(&records, s, paths[i]) != INTENT_NONE;
			if (well && first_step)
				well = fchownat(s->src, paths[i], (uid_t)-1,
						2000, 0) == 0;
		}
		_exit(well ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void die_with_file(const struct store *s, bool first_step)
{
	static const char *const paths[] = { "file" };

	host_file(s, "file", 0640);
	die_with(s, paths, 1, first_step);
	assert_true(size_of_file(s, "intents.0") > 0);
}

static void expect_done(const struct store *s, const char *name)
{
	expect_view(s, name, 33, 2000, 0660);
	expect_disk(s, name, 1000, 2000, 0660);
	expect_record(s, name, "33:2000:0660:file");
}

static void expect_untouched(const struct store *s, const char *name)
{
	expect_view(s, name, 1000, 0, 0640);
	expect_disk(s, name, 1000, 1000, 0640);
	expect_record(s, name, NULL);
}

static void test_done(void **state)
{
	struct store *s = store_of(state);

	for (int first_step = 0; first_step < 2; first_step++) {
		die_with_file(s, first_step > 0);
		start_and_end(s);
		expect_done(s, "file");
		assert_int_equal(size_of_file(s, "intents.0"), 0);
		/* Once. */
		assert_int_equal(apply(s, "file", 1000, 0, 0640), 0);
		start_and_end(s);
		expect_untouched(s, "file");
		assert_int_equal(unlinkat(s->src, "file", 0), 0);
	}
}

static void change_byte(const struct store *s, off_t at)
{
	char path[PATH_MAX], byte;
	int fd;

	state_path(s, "intents.0", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* Of a slot that was written in part, and of one with an odd bit, nothing. */
static void test_torn(void **state)
{
	struct store *s = store_of(state);
	char path[PATH_MAX];
	off_t size;

	state_path(s, "intents.0", path);
	die_with_file(s, false);
	size = size_of_file(s, "intents.0");
	for (off_t left = size - 1; left >= 0; left -= left > 32 ? 29 : 1) {
		assert_int_equal(truncate(path, left), 0);
		start_and_end(s);
		expect_untouched(s, "file");
		assert_int_equal(size_of_file(s, "intents.0"), 0);
		assert_int_equal(unlinkat(s->src, "file", 0), 0);
		die_with_file(s, false);
	}
	for (off_t at = 0; at < size; at += 7) {
		change_byte(s, at);
		start_and_end(s);
		expect_untouched(s, "file");
		assert_int_equal(size_of_file(s, "intents.0"), 0);
		assert_int_equal(unlinkat(s->src, "file", 0), 0);
		die_with_file(s, false);
	}
	start_and_end(s);
	expect_done(s, "file");
}

/* Left for a daemon of that source, beside which others have files. */
static void test_foreign_source(void **state)
{
	struct store *s = store_of(state);
	struct intents *intents = NULL;
	int other;

	host_dir(s, "other", 0755);
	die_with_file(s, true);
	other = openat(s->src, "other", O_PATH | O_DIRECTORY);
	assert_int_equal(try_open(s, other, &intents), 0);
	expect_view(s, "file", 1000, 2000, 0640);
	assert_true(size_of_file(s, "intents.0") > 0);
	assert_int_equal(size_of_file(s, "intents.1"), 0);
	intents_close(intents);
	(void)close(other);
	start_and_end(s);
	expect_done(s, "file");
}

static void test_foreign_user(void **state)
{
	struct store *s = store_of(state);
	struct disk_id self = s->policy.acting.uid;

	die_with_file(s, true);
	/* As one whose the file would be as well. */
	s->policy.acting.uid = DISK_ID(1001);
	s->policy.acting.userns_root = true;
	start_and_end(s);
	s->policy.acting.uid = self;
	s->policy.acting.userns_root = false;
	s->policy.real_owners = true;
	start_and_end(s);
	s->policy.real_owners = false;
	expect_view(s, "file", 1000, 2000, 0640);
	start_and_end(s);
	expect_done(s, "file");
}

/* A file that another user put there says nothing, whatever it says. */
static void test_others_file(void **state)
{
	struct store *s = store_of(state);
	char path[PATH_MAX];

	die_with_file(s, true);
	state_path(s, "intents.0", path);
	become_root();
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chmod(path, 0666), 0);
	become_sergio();
	start_and_end(s);
	expect_view(s, "file", 1000, 2000, 0640);
	assert_true(size_of_file(s, "intents.0") > 0);
}

static void test_second_daemon(void **state)
{
	struct store *s = store_of(state);
	struct records records = s->records;
	int handle;

	host_file(s, "file", 0640);
	assert_int_equal(try_open(s, s->src, &records.intents), 0);
	handle = begin(&records, s, "file");
	assert_int_not_equal(handle, INTENT_NONE);
	start_and_end(s);
	expect_untouched(s, "file");
	assert_int_equal(size_of_file(s, "intents.1"), 0);
	intent_end(&records, handle);
	records.intents = intents_close(records.intents);
	start_and_end(s);
	expect_untouched(s, "file");
}

/* Whatever the host did since, it stays. */
static void test_host_wins(void **state)
{
	struct store *s = store_of(state);
	struct statx before, after;

	die_with_file(s, true);
	host_chmod(s, "file", 0604);
	start_and_end(s);
	expect_disk(s, "file", 1000, 2000, 0604);
	expect_record(s, "file", NULL);
	assert_int_equal(unlinkat(s->src, "file", 0), 0);

	die_with_file(s, true);
	become_root();
	host_chown(s, "file", 1000, 3000);
	become_sergio();
	start_and_end(s);
	expect_disk(s, "file", 1000, 3000, 0640);
	expect_record(s, "file", NULL);
	assert_int_equal(unlinkat(s->src, "file", 0), 0);

	/* Another file by the name, even one with the inode's number. */
	die_with_file(s, false);
	stat_entry(s, "file", &before);
	assert_int_equal(unlinkat(s->src, "file", 0), 0);
	host_file(s, "file", 0640);
	stat_entry(s, "file", &after);
	if ((after.stx_mask & STATX_BTIME) == 0 &&
	    after.stx_ino == before.stx_ino)
		return;
	start_and_end(s);
	expect_untouched(s, "file");
}

/* As if the daemon had died so long ago. */
static void backdate(const struct store *s, int64_t seconds)
{
	char path[PATH_MAX], buf[INTENT_SIZE_MAX];
	struct timespec now;
	ssize_t size;
	int fd;

	state_path(s, "intents.0", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	size = pread(fd, buf, sizeof(buf), 0);
	assert_true(size > 0);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	intent_mark(buf, (size_t)size,
		    (now.tv_sec - seconds) * INT64_C(1000000000));
	assert_int_equal(pwrite(fd, buf, (size_t)size, 0), size);
	(void)close(fd);
}

/* Even where it looks like a step of ours, a while after. */
static void test_host_wins_later(void **state)
{
	struct store *s = store_of(state);

	die_with_file(s, true);
	backdate(s, 5);
	host_chmod(s, "file", 0660);
	start_and_end(s);
	expect_done(s, "file");
	assert_int_equal(unlinkat(s->src, "file", 0), 0);

	die_with_file(s, true);
	backdate(s, 20);
	host_chmod(s, "file", 0660);
	start_and_end(s);
	expect_disk(s, "file", 1000, 2000, 0660);
	expect_record(s, "file", NULL);
	assert_int_equal(size_of_file(s, "intents.0"), 0);
}

/* So does what another mount did. */
static void test_another_wins(void **state)
{
	static const mode_t modes[] = { 0640, 0600, 0660 };
	struct store *s = store_of(state);

	for (size_t i = 0; i < LENGTH(modes); i++) {
		die_with_file(s, false);
		assert_int_equal(apply(s, "file", 9, 2000, modes[i]), 0);
		start_and_end(s);
		expect_view(s, "file", 9, 2000, modes[i]);
		assert_int_equal(unlinkat(s->src, "file", 0), 0);
	}
	/* A mode that no step of ours makes, though each bit of it could be. */
	host_file(s, "file", 0604);
	die_with(s, (const char *const[]){ "file" }, 1, false);
	host_chmod(s, "file", 0644);
	start_and_end(s);
	expect_disk(s, "file", 1000, 1000, 0644);
	expect_record(s, "file", NULL);
}

struct other {
	const struct store *store;
	struct turns *turns;
	uint64_t key;
	enum turn turn;
	_Atomic bool through;
};

static void *change_slowly(void *data)
{
	struct other *other = data;

	(void)usleep(100000);
	assert_int_equal(apply(other->store, "file", 9, 2000, 0600), 0);
	other->through = true;
	turn_end(other->turns, other->key, other->turn);
	return NULL;
}

/* And what it is doing. */
static void test_another_is_waited_for(void **state)
{
	struct store *s = store_of(state);
	struct other other = { .store = s };
	struct turns *turns = NULL;
	char path[PATH_MAX];
	pthread_t thread;
	struct statx stx;
	int fd;

	die_with_file(s, true);
	state_path(s, "", path);
	assert_int_equal(turns_open(path, &turns), 0);
	assert_int_equal(turns_open(path, &other.turns), 0);
	fd = openat(s->src, "file", O_PATH);
	assert_int_equal(backing_stat(fd, &stx), 0);
	(void)close(fd);
	other.key = turns_key(backing_dev(&stx), stx.stx_ino);
	other.turn = turn_begin(other.turns, other.key);
	assert_int_equal(other.turn, TURN_LOCKED);
	assert_int_equal(pthread_create(&thread, NULL, change_slowly, &other),
			 0);
	s->records.turns = turns;
	start_and_end(s);
	s->records.turns = NULL;
	assert_true(other.through);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_view(s, "file", 9, 2000, 0600);
	assert_null(turns_close(other.turns));
	assert_null(turns_close(turns));
}

static void test_several(void **state)
{
	static const char *const paths[] = { "a", "dir/b", "dir/sub/c", "d" };
	struct store *s = store_of(state);

	host_dir(s, "dir", 0755);
	host_dir(s, "dir/sub", 0755);
	for (size_t i = 0; i < LENGTH(paths); i++)
		host_file(s, paths[i], 0640);
	die_with(s, paths, LENGTH(paths), true);
	/* One that has to be left is no reason to leave the others. */
	assert_int_equal(unlinkat(s->src, paths[1], 0), 0);
	start_and_end(s);
	for (size_t i = 0; i < LENGTH(paths); i++) {
		if (i != 1)
			expect_disk(s, paths[i], 1000, 2000, 0660);
	}
	expect_done(s, "a");
	expect_done(s, "d");
	assert_int_equal(size_of_file(s, "intents.0"), 0);
}

static void expect_plain(const struct store *s, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(s->src, path, &st, 0), 0);
	assert_int_equal(st.st_gid, 1000);
	assert_int_equal(st.st_mode & MODE_BITS, 0640);
}

/* The path is the only way to an object: nothing else is taken for it. */
static void test_renamed_directory(void **state)
{
	static const char *const paths[] = { "dir/file", "moved/file" };
	struct store *s = store_of(state);

	host_dir(s, "dir", 0755);
	host_file(s, paths[0], 0640);
	die_with(s, paths, 1, false);
	assert_int_equal(renameat(s->src, "dir", s->src, "moved"), 0);
	host_dir(s, "dir", 0755);
	host_file(s, paths[0], 0640);
	start_and_end(s);
	expect_plain(s, paths[0]);
	expect_plain(s, paths[1]);
	assert_int_equal(size_of_file(s, "intents.0"), 0);
	assert_int_equal(unlinkat(s->src, paths[0], 0), 0);
	assert_int_equal(unlinkat(s->src, "dir", AT_REMOVEDIR), 0);
	/* Nor is a link on the way followed, even to the very object. */
	die_with(s, paths + 1, 1, false);
	assert_int_equal(renameat(s->src, "moved", s->src, "dir"), 0);
	assert_int_equal(symlinkat("dir", s->src, "moved"), 0);
	start_and_end(s);
	expect_plain(s, paths[0]);
}

struct waiting {
	const struct store *store;
	struct records records;
	int handle;
};

static void *begin_one_more(void *context)
{
	struct waiting *waiting = context;

	waiting->handle = begin(&waiting->records, waiting->store, "file");
	return NULL;
}

/* More changes than slots wait for one to be free. */
static void test_slots(void **state)
{
	struct waiting waiting = { .store = store_of(state) };
	int handles[SLOTS];
	pthread_t thread;

	host_file(waiting.store, "file", 0640);
	waiting.records = waiting.store->records;
	assert_int_equal(try_open(waiting.store, waiting.store->src,
				  &waiting.records.intents),
			 0);
	for (int i = 0; i < SLOTS; i++) {
		handles[i] = begin(&waiting.records, waiting.store, "file");
		for (int before = 0; before < i; before++)
			assert_int_not_equal(handles[i], handles[before]);
	}
	assert_int_equal(
		pthread_create(&thread, NULL, begin_one_more, &waiting), 0);
	intent_end(&waiting.records, handles[7]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(waiting.handle, handles[7]);
	intents_close(waiting.records.intents);
}

/* As many files as there may be, none of them to be had. */
static void test_files(void **state)
{
	struct store *s = store_of(state);
	char first[PATH_MAX], name[32], path[PATH_MAX];
	struct intents *intents = NULL;

	state_path(s, "intents.0", first);
	become_root();
	(void)close(open(first, O_CREAT | O_WRONLY, 0666));
	assert_int_equal(truncate(first, 1), 0);
	for (int i = 1; i < FILES; i++) {
		(void)snprintf(name, sizeof(name), "intents.%d", i);
		state_path(s, name, path);
		assert_int_equal(link(first, path), 0);
	}
	assert_int_equal(chown(first, 0, 0), 0);
	become_sergio();
	assert_int_equal(try_open(s, s->src, &intents), -EMFILE);
	assert_null(intents);
	(void)snprintf(name, sizeof(name), "intents.%d", FILES);
	assert_int_equal(size_of_file(s, name), -1);
	/* The last one is. */
	assert_int_equal(unlink(path), 0);
	start_and_end(s);
	assert_int_equal(size_of_file(s, "intents.9999"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		INTENTS_TEST(test_done),
		INTENTS_TEST(test_torn),
		INTENTS_TEST(test_foreign_source),
		INTENTS_TEST(test_foreign_user),
		INTENTS_TEST(test_others_file),
		INTENTS_TEST(test_second_daemon),
		INTENTS_TEST(test_host_wins),
		INTENTS_TEST(test_host_wins_later),
		INTENTS_TEST(test_another_wins),
		INTENTS_TEST(test_another_is_waited_for),
		INTENTS_TEST(test_several),
		INTENTS_TEST(test_renamed_directory),
		INTENTS_TEST(test_slots),
		INTENTS_TEST(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
