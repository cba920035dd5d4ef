/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records_db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "idshift/cleanup.h"

/* Address space, not disk: grown when it is full. */
#define INITIAL_MAP_SIZE ((size_t)256 << 20)
#define MAX_READERS 1024

struct records_db {
	MDB_env *env;
	MDB_dbi dbi;
	/*
	 * The map may only be resized while this process has no transaction:
	 * those hold the lock shared, a resize holds it alone.
	 */
	pthread_rwlock_t resize_lock;
};

static int db_error(int mdb)
{
	switch (mdb) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
	case MDB_TXN_FULL:
		return -EAGAIN;
	default:
		/* LMDB's own codes are negative, the system's positive. */
		return mdb > 0 ? -mdb : -EIO;
	}
}

/* Parents as the umask says, the last directory for the user alone. */
static int make_directory(const char *dir)
{
	_cleanup_free_ char *path = strdup(dir);
	char *slash;

	if (path == NULL)
		return -ENOMEM;
	if (path[0] == '\0')
		return -ENOENT;
	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* LMDB's lock file: a cache line for each reader behind two. */
#define LOCK_FILE_SIZE ((off_t)(MAX_READERS + 2) * 64)

/* LMDB maps its lock file and writes to it: on a full disk that ends us. */
static int allocate_lock_file(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;

	if (asprintf(&path, "%s/lock.mdb", dir) < 0) {
		path = NULL;
		return ENOMEM;
	}
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	return posix_fallocate(fd, 0, LOCK_FILE_SIZE);
}

static int open_environment(struct records_db *db, const char *dir)
{
	MDB_txn *txn;
	int dead, r;

	r = allocate_lock_file(dir);
	if (r == 0)
		r = mdb_env_create(&db->env);
	if (r != MDB_SUCCESS)
		return r;
	(void)mdb_env_set_mapsize(db->env, INITIAL_MAP_SIZE);
	(void)mdb_env_set_maxreaders(db->env, MAX_READERS);
	/* NOTLS: readers belong to transactions, not to threads. */
	r = mdb_env_open(db->env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (r != MDB_SUCCESS)
		return r;
	(void)mdb_reader_check(db->env, &dead);
	r = mdb_txn_begin(db->env, NULL, 0, &txn);
	if (r != MDB_SUCCESS)
		return r;
	r = mdb_dbi_open(txn, NULL, 0, &db->dbi);
	if (r != MDB_SUCCESS) {
		mdb_txn_abort(txn);
		return r;
	}
	return mdb_txn_commit(txn);
}

int records_db_open(const char *dir, struct records_db **ret)
{
	struct records_db *db;
	int r;

	r = make_directory(dir);
	if (r < 0)
		return r;
	db = calloc(1, sizeof(*db));
	if (db == NULL)
		return -ENOMEM;
	(void)pthread_rwlock_init(&db->resize_lock, NULL);
	r = db_error(open_environment(db, dir));
	if (r < 0) {
		(void)records_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

struct records_db *records_db_close(struct records_db *db)
{
	if (db == NULL)
		return NULL;
	mdb_env_close(db->env);
	(void)pthread_rwlock_destroy(&db->resize_lock);
	free(db);
	return NULL;
}

/* Room for the key in `buf`; LMDB takes up to 511 bytes. */
static MDB_val make_key(enum records_db_kind kind,
			const struct backing_key *key,
			unsigned char buf[BACKING_KEY_MAX + 1])
{
	buf[0] = (unsigned char)kind;
	memcpy(buf + 1, key->bytes, key->len);
	return (MDB_val){ .mv_size = key->len + 1, .mv_data = buf };
}

/* Take on a map that another process grew (size 0), or grow ours. */
static int resize(struct records_db *db, size_t size)
{
	int r;

	(void)pthread_rwlock_wrlock(&db->resize_lock);
	r = mdb_env_set_mapsize(db->env, size);
	(void)pthread_rwlock_unlock(&db->resize_lock);
	return r;
}

static int grow(struct records_db *db, size_t full_size)
{
	MDB_envinfo info;

	(void)mdb_env_info(db->env, &info);
	if (info.me_mapsize > full_size)
		return MDB_SUCCESS; /* another thread did */
	return resize(db, info.me_mapsize * 2);
}

static int get_once(struct records_db *db, MDB_val *key, void *value,
		    size_t size, size_t *ret_len)
{
	MDB_txn *txn;
	MDB_val found;
	int r;

	(void)pthread_rwlock_rdlock(&db->resize_lock);
	r = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
	if (r == MDB_SUCCESS) {
		r = mdb_get(txn, db->dbi, key, &found);
		if (r == MDB_SUCCESS && found.mv_size > size)
			r = ERANGE;
		if (r == MDB_SUCCESS) {
			memcpy(value, found.mv_data, found.mv_size);
			*ret_len = found.mv_size;
		}
		mdb_txn_abort(txn);
	}
	(void)pthread_rwlock_unlock(&db->resize_lock);
	return r;
}

ssize_t records_db_get(struct records_db *db, enum records_db_kind kind,
		       const struct backing_key *key, void *value, size_t size)
{
	unsigned char buf[BACKING_KEY_MAX + 1];
	MDB_val k = make_key(kind, key, buf);
	size_t len = 0;
	int r;

	do
		r = get_once(db, &k, value, size, &len);
	while (r == MDB_MAP_RESIZED && resize(db, 0) == MDB_SUCCESS);
	return r == MDB_SUCCESS ? (ssize_t)len : db_error(r);
}

/* value NULL: remove. */
static int change_once(struct records_db *db, MDB_val *key, MDB_val *value,
		       size_t *ret_size)
{
	MDB_txn *txn;
	MDB_envinfo info;
	int r;

	(void)pthread_rwlock_rdlock(&db->resize_lock);
	(void)mdb_env_info(db->env, &info);
	*ret_size = info.me_mapsize;
	r = mdb_txn_begin(db->env, NULL, 0, &txn);
	if (r == MDB_SUCCESS) {
		r = value != NULL ? mdb_put(txn, db->dbi, key, value, 0) :
				    mdb_del(txn, db->dbi, key, NULL);
		if (r == MDB_SUCCESS)
			r = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	(void)pthread_rwlock_unlock(&db->resize_lock);
	return r;
}

static int change(struct records_db *db, MDB_val *key, MDB_val *value)
{
	size_t size;
	int r;

	for (;;) {
		r = change_once(db, key, value, &size);
		if (r == MDB_MAP_FULL && grow(db, size) == MDB_SUCCESS)
			continue;
		if (r == MDB_MAP_RESIZED && resize(db, 0) == MDB_SUCCESS)
			continue;
		return r;
	}
}

int records_db_set(struct records_db *db, enum records_db_kind kind,
		   const struct backing_key *key, const void *value,
		   size_t size)
{
	unsigned char buf[BACKING_KEY_MAX + 1];
	MDB_val k = make_key(kind, key, buf);
	MDB_val v = { .mv_size = size, .mv_data = (void *)(uintptr_t)value };

	return db_error(change(db, &k, &v));
}

int records_db_remove(struct records_db *db, enum records_db_kind kind,
		      const struct backing_key *key)
{
	unsigned char buf[BACKING_KEY_MAX + 1];
	MDB_val k = make_key(kind, key, buf);
	int r = change(db, &k, NULL);

	return r == MDB_NOTFOUND ? 0 : db_error(r);
}
