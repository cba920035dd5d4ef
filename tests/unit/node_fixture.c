/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_fixture.h"

#include <dirent.h>

size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 3; /* ".", ".." and the directory itself */
}

static void count_orphan(void *context, int path_fd, mode_t type, uint64_t dev)
{
	struct world *world = context;
	struct statx stx;

	if (backing_stat(path_fd, &stx) == 0 && stx.stx_nlink <= 1 &&
	    (stx.stx_mode & S_IFMT) == type && backing_dev(&stx) == dev)
		atomic_fetch_add(&world->orphans, 1);
}

static int open_again(void *context, uint64_t id)
{
	struct world *world = context;
	char path[32];
	int fd;

	world->asked_for = id;
	if (world->held < 0)
		return -EBADF;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", world->held);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void world_make(struct world *world, size_t max_fds)
{
	const struct node_hooks hooks = { .orphan = count_orphan,
					  .reopen = open_again,
					  .context = world };
	int fd;

	memset(world, 0, sizeof(*world));
	world->held = -1;
	temp_dir_make(world->dir);
	world->fds_before = count_fds();
	world->root = open(world->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open(world->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->root >= 0 && fd >= 0);
	assert_int_equal(node_table_new(fd, max_fds, &hooks, &world->table), 0);
}

void world_destroy(struct world *world)
{
	assert_null(node_table_free(world->table));
	(void)close(world->root);
	assert_int_equal(count_fds(), world->fds_before);
	temp_dir_remove(world->dir);
}

int lookup(struct world *world, uint64_t parent, const char *name,
	   uint64_t *ret)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref child = NODE_REF_NONE;
	struct statx stx;
	int fd, r = node_acquire(world->table, parent, &dir);

	if (r < 0)
		return r;
	fd = backing_open_child(dir.fd, name);
	if (fd < 0)
		return fd;
	r = backing_stat(fd, &stx);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = node_found(world->table, &dir, name, fd, &stx, &child);
	if (r == 0)
		*ret = child.id;
	return r;
}

uint64_t looked_up(struct world *world, uint64_t parent, const char *name)
{
	uint64_t id = 0;

	assert_int_equal(lookup(world, parent, name, &id), 0);
	assert_true(id != 0);
	return id;
}

int remove_name(struct world *world, uint64_t parent, const char *name,
		int flags)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref victim = NODE_REF_NONE;
	int r = node_acquire(world->table, parent, &dir);

	if (r < 0)
		return r;
	(void)node_pin_name(world->table, &dir, name, &victim);
	if (unlinkat(dir.fd, name, flags) < 0)
		return -errno;
	node_name_removed(world->table, &dir, name);
	return 0;
}

int rename_name(struct world *world, uint64_t parent, const char *name,
		uint64_t new_parent, const char *new_name, unsigned int flags)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref new_dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref moved = NODE_REF_NONE;
	_cleanup_node_ struct node_ref victim = NODE_REF_NONE;
	int r = node_acquire(world->table, parent, &dir);

	if (r == 0)
		r = node_acquire(world->table, new_parent, &new_dir);
	if (r < 0)
		return r;
	(void)node_pin_name(world->table, &dir, name, &moved);
	(void)node_pin_name(world->table, &new_dir, new_name, &victim);
	if (renameat2(dir.fd, name, new_dir.fd, new_name, flags) < 0)
		return -errno;
	node_renamed(world->table, &dir, name, &new_dir, new_name, &moved,
		     (flags & RENAME_EXCHANGE) != 0 ? &victim : NULL);
	return 0;
}

int64_t inode_of(struct world *world, uint64_t id)
{
	_cleanup_node_ struct node_ref ref = NODE_REF_NONE;
	struct statx stx;
	int r = node_acquire(world->table, id, &ref);

	if (r == 0)
		r = backing_stat(ref.fd, &stx);
	if (r == -ESTALE)
		return 0;
	return r < 0 ? r : (int64_t)stx.stx_ino;
}

int64_t inode_at(const struct world *world, const char *path)
{
	struct stat stx;

	assert_int_equal(fstatat(world->root, path, &stx, AT_SYMLINK_NOFOLLOW),
			 0);
	return (int64_t)stx.st_ino;
}

void touch_at(const struct world *world, const char *path)
{
	int fd = openat(world->root, path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

void mkdir_at(const struct world *world, const char *path)
{
	assert_int_equal(mkdirat(world->root, path, 0700), 0);
}

void expect_stats(struct world *world, size_t nodes, uint64_t lookups)
{
	struct node_table_stats stats;

	node_table_stats(world->table, &stats);
	assert_int_equal(stats.nodes, nodes);
	assert_int_equal(stats.lookups, lookups);
}
