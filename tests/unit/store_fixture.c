/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#define SERGIO 1000
#define SHARED 2000
#define TRUST_MS 1000 /* as long as a slow machine may take */

static const gid_t sergios_groups[] = { SERGIO, SHARED };

static void become(uid_t uid, gid_t gid, const gid_t *groups, size_t count)
{
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setgroups(count, groups), 0);
	assert_int_equal(setegid(gid), 0);
	assert_int_equal(seteuid(uid), 0);
}

void become_sergio(void)
{
	become(SERGIO, SERGIO, sergios_groups, 2);
}

void become_sergio_without_group(void)
{
	become(SERGIO, SERGIO, sergios_groups, 1);
}

void become_root(void)
{
	become(0, 0, NULL, 0);
}

static int remove_entry(const char *path, const struct stat *stx, int flag,
			struct FTW *ftw)
{
	(void)stx;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Of the directories made, those that are still there. */
static char *temp_dirs[64];

/* A test that fails or is skipped half-way has no teardown of its own. */
static void remove_temp_dirs(void)
{
	if (seteuid(getuid()) < 0)
		return;
	for (size_t i = 0; i < LENGTH(temp_dirs); i++) {
		if (temp_dirs[i] != NULL)
			(void)nftw(temp_dirs[i], remove_entry, 16,
				   FTW_DEPTH | FTW_PHYS);
		free(temp_dirs[i]);
	}
}

static void keep_in_mind(const char *dir)
{
	static bool registered;

	if (!registered && atexit(remove_temp_dirs) == 0)
		registered = true;
	for (size_t i = 0; i < LENGTH(temp_dirs); i++) {
		if (temp_dirs[i] == NULL) {
			temp_dirs[i] = strdup(dir);
			return;
		}
	}
}

void temp_dir_make(char dir[PATH_MAX])
{
	const char *base = getenv("IDSHIFT_TEST_DIR");

	(void)snprintf(dir, PATH_MAX, "%s/unit.XXXXXX",
		       base != NULL ? base : "/var/tmp");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	keep_in_mind(dir);
}

void temp_dir_remove(const char *dir)
{
	assert_int_equal(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	for (size_t i = 0; i < LENGTH(temp_dirs); i++) {
		if (temp_dirs[i] != NULL && strcmp(temp_dirs[i], dir) == 0) {
			free(temp_dirs[i]);
			temp_dirs[i] = NULL;
		}
	}
}

bool full_disk_mount(const char *dir)
{
	const off_t size = 65536;
	char file[PATH_MAX + 8];
	int fd;

	if (mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		return false;
	(void)snprintf(file, sizeof(file), "%s/big", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, size), 0);
	(void)close(fd);
	return true;
}

void full_disk_unmount(const char *dir)
{
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

static void path_in(const struct store *store, const char *name,
		    char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/%s", store->dir, name);

	assert_true(len > 0 && len < PATH_MAX);
}

static int store_setup(void **state, enum fixture_policy which)
{
	struct store *store = calloc(1, sizeof(*store));
	char path[PATH_MAX];
	struct statx stx;

	assert_non_null(store);
	*state = store;
	(void)umask(0);
	make_policy(which, &store->policy);
	temp_dir_make(store->dir);
	path_in(store, "state", path);
	assert_int_equal(records_db_open(path, &store->db), 0);
	path_in(store, "src", path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chown(path, store->policy.acting.uid.value,
			       store->policy.acting.gid.value),
			 0);
	store->src = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(store->src >= 0);
	store->records = (struct records){
		.policy = &store->policy,
		.db = store->db,
	};
	/* As the daemon has it. */
	assert_int_equal(records_cache_new(TRUST_MS, &store->records.cache), 0);
	assert_int_equal(backing_stat(store->src, &stx), 0);
	store->records.xattr_dev = backing_dev(&stx);
	return 0;
}

static bool are_root(void)
{
	if (getuid() == 0)
		return true;
	print_message("# skipped: only root can act as several users\n");
	return false;
}

int store_setup_sergio(void **state)
{
	*state = NULL;
	if (!are_root())
		return 0;
	(void)store_setup(state, POLICY_MAPPED);
	become_sergio();
	return 0;
}

int store_setup_root(void **state)
{
	*state = NULL;
	return are_root() ? store_setup(state, POLICY_ROOT) : 0;
}

int store_teardown(void **state)
{
	struct store *store = *state;

	if (store == NULL)
		return 0;
	become_root();
	(void)close(store->src);
	(void)records_cache_free(store->records.cache);
	(void)records_db_close(store->db);
	view_policy_destroy(&store->policy);
	temp_dir_remove(store->dir);
	free(store);
	return 0;
}

void host_file(const struct store *store, const char *name, mode_t mode)
{
	int fd = openat(store->src, name, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

void host_dir(const struct store *store, const char *name, mode_t mode)
{
	assert_int_equal(mkdirat(store->src, name, 0700), 0);
	host_chmod(store, name, mode);
}

void host_node(const struct store *store, const char *name, mode_t mode)
{
	if (S_ISLNK(mode))
		assert_int_equal(symlinkat("target", store->src, name), 0);
	else
		assert_int_equal(mknodat(store->src, name, mode, 0), 0);
}

void host_chmod(const struct store *store, const char *name, mode_t mode)
{
	assert_int_equal(fchmodat(store->src, name, mode, 0), 0);
}

void host_chown(const struct store *store, const char *name, uint32_t uid,
		uint32_t gid)
{
	assert_int_equal(
		fchownat(store->src, name, uid, gid, AT_SYMLINK_NOFOLLOW), 0);
}

void host_set_record(const struct store *store, const char *name,
		     const char *text)
{
	int fd = backing_open_child(store->src, name);

	assert_true(fd >= 0);
	assert_int_equal(backing_setxattr(fd, OVERRIDE_STAT_XATTR, text,
					  strlen(text), 0),
			 0);
	(void)close(fd);
}

/* Its path fd. */
static int look(const struct store *store, const char *name, struct statx *stx)
{
	int fd = backing_open_child(store->src, name);

	assert_true(fd >= 0);
	assert_int_equal(backing_stat(fd, stx), 0);
	return fd;
}

int apply(const struct store *store, const char *name, uint32_t uid,
	  uint32_t gid, mode_t mode)
{
	const struct records_moment moment =
		records_moment(store->records.cache);
	struct records_seen seen = { .absent = 0 };
	struct statx stx;
	int fd = look(store, name, &stx), r;
	struct view want = {
		.uid = CONTAINER_ID(uid),
		.gid = CONTAINER_ID(gid),
		.mode = (stx.stx_mode & S_IFMT) | mode,
	};

	r = records_look(&store->records, fd, &moment, &stx, true, &seen);
	if (r == 0)
		r = records_apply(&store->records, fd, &stx, seen.absent,
				  &want);
	(void)close(fd);
	return r;
}

void stat_entry(const struct store *store, const char *name, struct statx *ret)
{
	(void)close(look(store, name, ret));
}

bool entry_exists(const struct store *store, const char *name)
{
	return faccessat(store->src, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int count_entries(const struct store *store)
{
	DIR *dir = fdopendir(openat(store->src, ".", O_RDONLY | O_DIRECTORY));
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 2;
}

void expect_view(const struct store *store, const char *name, uint32_t uid,
		 uint32_t gid, mode_t mode)
{
	struct statx stx;
	struct view view;
	int fd = look(store, name, &stx);

	assert_int_equal(records_view(&store->records, fd, &stx, &view), 0);
	(void)close(fd);
	assert_int_equal(view.uid.value, uid);
	assert_int_equal(view.gid.value, gid);
	assert_int_equal(view.mode, (stx.stx_mode & S_IFMT) | mode);
}

void expect_disk(const struct store *store, const char *name, uint32_t uid,
		 uint32_t gid, mode_t mode)
{
	struct statx stx;

	stat_entry(store, name, &stx);
	assert_int_equal(stx.stx_uid, uid);
	assert_int_equal(stx.stx_gid, gid);
	assert_int_equal(stx.stx_mode & MODE_BITS, mode);
}

static void expect_text(ssize_t len, const char *found, const char *text,
			int none)
{
	if (text == NULL) {
		assert_int_equal(len, none);
		return;
	}
	assert_int_equal(len, strlen(text));
	assert_memory_equal(found, text, strlen(text));
}

void expect_record(const struct store *store, const char *name,
		   const char *text)
{
	struct statx stx;
	char found[300] = "";
	int fd = look(store, name, &stx);
	ssize_t len =
		backing_getxattr(fd, OVERRIDE_STAT_XATTR, found, sizeof(found));

	(void)close(fd);
	expect_text(len, found, text, -ENODATA);
}

void expect_db_record(const struct store *store, const char *name,
		      const char *text)
{
	struct backing_key key;
	struct statx stx;
	char found[300] = "";
	int fd = look(store, name, &stx);

	assert_int_equal(backing_key(fd, &stx, &key), 0);
	(void)close(fd);
	expect_text(records_db_get(store->db, RECORDS_DB_OVERRIDE_STAT, &key,
				   found, sizeof(found)),
		    found, text, -ENOENT);
}
