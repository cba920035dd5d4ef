/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_db.h"

#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "store_fixture.h"

#define LONG_TEXT 1500
#define KIND RECORDS_DB_OVERRIDE_STAT

static int setup(void **state)
{
	static char dir[PATH_MAX];

	temp_dir_make(dir);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	temp_dir_remove(*state);
	return 0;
}

static const char *sub(void **state, const char *name)
{
	static char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", (char *)*state, name);

	assert_true(len > 0 && len < PATH_MAX);
	return path;
}

static struct backing_key key_of(uint32_t number)
{
	struct backing_key key = { .len = 9 };

	key.bytes[0] = 'k';
	memcpy(key.bytes + 1, &number, sizeof(number));
	return key;
}

static int set(struct records_db *db, uint32_t number, const char *text)
{
	struct backing_key key = key_of(number);

	return records_db_set(db, KIND, &key, text, strlen(text));
}

static int unset(struct records_db *db, uint32_t number)
{
	struct backing_key key = key_of(number);

	return records_db_remove(db, KIND, &key);
}

/* NULL: there must be none. */
static bool has(struct records_db *db, uint32_t number, const char *text)
{
	struct backing_key key = key_of(number);
	char found[LONG_TEXT + 1];
	ssize_t len = records_db_get(db, KIND, &key, found, sizeof(found));

	if (text == NULL)
		return len == -ENOENT;
	return len == (ssize_t)strlen(text) &&
	       memcmp(found, text, (size_t)len) == 0;
}

static void expect_private_dir(const char *path)
{
	struct stat stx;

	assert_int_equal(stat(path, &stx), 0);
	assert_int_equal(stx.st_mode, S_IFDIR | 0700);
}

static void test_open(void **state)
{
	struct records_db *db = NULL;
	struct stat stx;

	(void)umask(0);
	assert_int_equal(records_db_open(sub(state, "a/b/c"), &db), 0);
	expect_private_dir(sub(state, "a/b/c"));
	assert_int_equal(stat(sub(state, "a/b"), &stx), 0);
	assert_int_equal(stx.st_mode, S_IFDIR | 0755);
	assert_int_equal(stat(sub(state, "a/b/c/data.mdb"), &stx), 0);
	assert_int_equal(stx.st_mode, S_IFREG | 0600);
	assert_null(records_db_close(db));
	/* One that is there, and a trailing slash. */
	assert_int_equal(records_db_open(sub(state, "a/b/c/"), &db), 0);
	assert_null(records_db_close(db));
	assert_null(records_db_close(NULL));
}

static void test_open_fails(void **state)
{
	struct records_db *db = NULL;
	int fd = creat(sub(state, "file"), 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(records_db_open(sub(state, "file"), &db), -ENOTDIR);
	assert_int_equal(records_db_open(sub(state, "file/x"), &db), -ENOTDIR);
	assert_int_equal(records_db_open("", &db), -ENOENT);
	assert_null(db);
	/* A file that is no database. */
	assert_int_equal(mkdir(sub(state, "dir"), 0700), 0);
	fd = creat(sub(state, "dir/data.mdb"), 0600);
	assert_true(fd >= 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "no database ", 12), 12);
	(void)close(fd);
	assert_true(records_db_open(sub(state, "dir"), &db) < 0);
	assert_null(db);
}

static void test_full_disk(void **state)
{
	struct records_db *db = NULL;
	const char *dir = sub(state, "full");
	int r;

	assert_int_equal(mkdir(dir, 0700), 0);
	if (!full_disk_mount(dir))
		skip();
	r = records_db_open(dir, &db);
	full_disk_unmount(dir);
	assert_int_equal(r, -ENOSPC);
	assert_null(db);
}

static void test_get_set_remove(void **state)
{
	struct records_db *db;
	struct backing_key key = key_of(1), longest = { 0 }, prefix;
	char buf[8];

	assert_int_equal(records_db_open(sub(state, "db"), &db), 0);
	assert_true(has(db, 1, NULL));
	assert_int_equal(unset(db, 1), 0);
	assert_int_equal(set(db, 1, "one"), 0);
	assert_true(has(db, 1, "one"));
	assert_true(has(db, 2, NULL));
	assert_int_equal(set(db, 1, "another"), 0);
	assert_true(has(db, 1, "another"));
	assert_int_equal(records_db_get(db, KIND, &key, buf, 7), 7);
	assert_int_equal(records_db_get(db, KIND, &key, buf, 6), -ERANGE);
	/* Keys of other lengths are other keys. */
	prefix = key;
	prefix.len--;
	assert_int_equal(records_db_get(db, KIND, &prefix, buf, 8), -ENOENT);
	longest.len = BACKING_KEY_MAX;
	memset(longest.bytes, 0xff, sizeof(longest.bytes));
	assert_int_equal(records_db_set(db, KIND, &longest, "x", 1), 0);
	assert_int_equal(records_db_get(db, KIND, &longest, buf, 8), 1);
	assert_null(records_db_close(db));

	assert_int_equal(records_db_open(sub(state, "db"), &db), 0);
	assert_true(has(db, 1, "another"));
	assert_int_equal(unset(db, 1), 0);
	assert_true(has(db, 1, NULL));
	assert_int_equal(records_db_get(db, KIND, &longest, buf, 8), 1);
	assert_null(records_db_close(db));
}

/* Each opens it itself, writes its own keys and reads all others'. */
static int child(const char *dir, uint32_t first, uint32_t count)
{
	struct records_db *db;
	int bad = 0;

	if (records_db_open(dir, &db) < 0)
		return 1;
	for (uint32_t i = first; i < first + count; i++) {
		bad += set(db, i, "draft") < 0;
		bad += set(db, i, "final") < 0;
		bad += !has(db, i, "final");
	}
	for (uint32_t i = first; i < first + count; i += 2) {
		bad += unset(db, i) < 0;
		bad += !has(db, i, NULL);
	}
	(void)records_db_close(db);
	return bad > 0;
}

static void test_processes(void **state)
{
	enum { CHILDREN = 4, KEYS = 50 };
	const char *dir = sub(state, "db");
	struct records_db *db;
	pid_t pids[CHILDREN];

	for (uint32_t i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(child(dir, i * KEYS, KEYS));
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(records_db_open(dir, &db), 0);
	for (uint32_t i = 0; i < CHILDREN * KEYS; i++)
		assert_true(has(db, i, i % 2 == 0 ? NULL : "final"));
	assert_null(records_db_close(db));
}

/* A process that dies while it has the database open leaves no lock. */
static void test_killed(void **state)
{
	const char *dir = sub(state, "db");
	struct records_db *db;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (records_db_open(dir, &db) < 0 || set(db, 1, "kept") < 0)
			_exit(1);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(records_db_open(dir, &db), 0);
	assert_true(has(db, 1, "kept"));
	assert_int_equal(set(db, 2, "more"), 0);
	assert_null(records_db_close(db));
}

struct job {
	struct records_db *db;
	uint32_t first;
	int bad;
};

static void *thread(void *context)
{
	struct job *job = context;

	for (uint32_t i = job->first; i < job->first + 30; i++) {
		job->bad += set(job->db, i, "text") < 0;
		job->bad += !has(job->db, i, "text");
	}
	return NULL;
}

static void run_threads(struct records_db *db, uint32_t first)
{
	pthread_t threads[4];
	struct job jobs[4];

	for (uint32_t i = 0; i < 4; i++) {
		jobs[i] = (struct job){ .db = db, .first = first + i * 30 };
		assert_int_equal(
			pthread_create(&threads[i], NULL, thread, &jobs[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(jobs[i].bad, 0);
	}
}

static void test_threads(void **state)
{
	struct records_db *db;

	assert_int_equal(records_db_open(sub(state, "db"), &db), 0);
	run_threads(db, 0);
	assert_null(records_db_close(db));
}

/*
 * Another process makes a database of `size` bytes almost full: one value
 * that takes up all but `spare` bytes, reserved and never written, in a
 * sparse file.
 */
static void fill(const char *dir, size_t size, size_t spare)
{
	MDB_val key = { 7, (void *)(uintptr_t) "zfiller" };
	MDB_val value = { .mv_size = size - spare };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		return;
	}
	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, size) != 0 ||
	    mdb_env_open(env, dir, MDB_NOTLS | MDB_WRITEMAP | MDB_NOSYNC,
			 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
	    mdb_dbi_open(txn, NULL, 0, &dbi) != 0 ||
	    mdb_put(txn, dbi, &key, &value, MDB_RESERVE) != 0 ||
	    mdb_txn_commit(txn) != 0)
		_exit(1);
	mdb_env_close(env);
	_exit(0);
}

#define MIB ((size_t)1 << 20)

/* It fills up, and is made larger, by several threads at once. */
static void test_grows(void **state)
{
	const char *dir = sub(state, "db");
	struct records_db *db;
	char text[LONG_TEXT + 1] = "";
	struct stat stx;

	assert_int_equal(records_db_open(dir, &db), 0);
	assert_int_equal(set(db, 1000, "first"), 0);
	assert_null(records_db_close(db));
	fill(dir, 256 * MIB, 80 * 1024);
	assert_int_equal(records_db_open(dir, &db), 0);
	memset(text, 't', LONG_TEXT);
	for (uint32_t i = 200; i < 300; i++)
		assert_int_equal(set(db, i, text), 0);
	run_threads(db, 0);
	for (uint32_t i = 200; i < 300; i++)
		assert_true(has(db, i, text));
	assert_true(has(db, 1000, "first"));
	assert_null(records_db_close(db));
	assert_int_equal(stat(sub(state, "db/data.mdb"), &stx), 0);
	assert_true((size_t)stx.st_size > 256 * MIB);
}

/* Another process made it larger while we have it open. */
static void test_grown_by_another(void **state)
{
	const char *dir = sub(state, "db");
	struct records_db *reader, *writer;

	assert_int_equal(records_db_open(dir, &writer), 0);
	assert_int_equal(set(writer, 1, "before"), 0);
	assert_null(records_db_close(writer));
	assert_int_equal(records_db_open(dir, &reader), 0);
	assert_true(has(reader, 1, "before"));
	fill(dir, 600 * MIB, 300 * MIB);
	assert_true(has(reader, 1, "before"));
	assert_int_equal(set(reader, 2, "after"), 0);
	assert_true(has(reader, 2, "after"));
	assert_null(records_db_close(reader));
	/* And a write that is the first to meet it. */
	assert_int_equal(records_db_open(dir, &writer), 0);
	assert_true(has(writer, 2, "after"));
	fill(dir, 1200 * MIB, 400 * MIB);
	assert_int_equal(set(writer, 3, "later"), 0);
	assert_true(has(writer, 3, "later"));
	assert_null(records_db_close(writer));
}

#define DB_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(test_open),	 DB_TEST(test_open_fails),
		DB_TEST(test_processes), DB_TEST(test_get_set_remove),
		DB_TEST(test_killed),	 DB_TEST(test_threads),
		DB_TEST(test_grows),	 DB_TEST(test_grown_by_another),
		DB_TEST(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
