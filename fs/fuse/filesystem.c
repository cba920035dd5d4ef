/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "absent.h"
#include "answering.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/init_flags.h"
#include "idshift/intents.h"
#include "idshift/records_side.h"
#include "idshift/turns.h"
#include "judge.h"
#include "listing_habit.h"
#include "ops.h"
#include "passthrough.h"
#include "prefill.h"

/* What the database has of an object goes with it. */
static void drop_orphan(void *context, int path_fd, mode_t type, uint64_t dev)
{
	struct filesystem *fs = context;
	struct statx stx;

	if (records_may_outlive(&fs->records, type, dev) &&
	    backing_stat(path_fd, &stx) == 0 && stx.stx_nlink == 0)
		records_forget(&fs->records, path_fd, &stx);
}

/* A file that is open can be used on, whatever became of its names. */
static int open_again(void *context, uint64_t id)
{
	struct filesystem *fs = context;
	_cleanup_fd_ int fd = handle_dup_of(fs->handles, id);

	return fd < 0 ? fd : backing_reopen(fd, O_PATH);
}

static bool is_remote(int source_fd)
{
	struct statfs info;

	if (fstatfs(source_fd, &info) < 0)
		return true;
	switch (info.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return false;
	default:
		return true;
	}
}

/*
 * What was just read of a changing object counts for so long: for the requests
 * that make up one system call.
 */
#define TRUST_MS 50

/* Whether records may be remembered: of a remote source ctimes may be old. */
static int learn_source(struct filesystem *fs, int source_fd)
{
	struct statx stx;
	ssize_t len;
	int r = backing_stat(source_fd, &stx);

	if (r < 0)
		return r;
	fs->source_dev = backing_dev(&stx);
	if (fs->remote_source)
		return 0;
	len = backing_getxattr_dir(source_fd, side_name(SIDE_OVERRIDE_STAT),
				   NULL, 0);
	if (len >= 0 || len == -ENODATA)
		fs->records.xattr_dev = backing_dev(&stx);
	len = backing_getxattr_dir(source_fd, ACL_XATTR_ACCESS, NULL, 0);
	fs->has_acls = len >= 0 || len == -ENODATA;
	return records_cache_new(fs->config.attr_timeout > 0 ? TRUST_MS : 0,
				 &fs->records.cache);
}

/*
 * The kernel may know it already (resume=), and ask no more.  What can't be
 * learnt is learnt with the first that is asked.
 */
static void learn_root(const struct filesystem *fs)
{
	_cleanup_node_ struct node_ref root = NODE_REF_NONE;
	struct records_seen seen = { .absent = 0 };
	struct statx stx;

	if (node_open_look(fs, NODE_ROOT_ID, false, &root, &stx, &seen) == 0)
		note_view(fs, &root, &seen.view);
}

int filesystem_new(const struct filesystem_config *config,
		   const struct view_policy *policy, int source_fd,
		   struct records_db *db, struct filesystem **ret)
{
	struct filesystem *fs = calloc(1, sizeof(*fs));
	const struct node_hooks hooks = { .orphan = drop_orphan,
					  .reopen = open_again,
					  .context = fs };
	int r;

	if (fs == NULL)
		return -ENOMEM;
	fs->config = *config;
	fs->policy = policy;
	fs->records.policy = policy;
	fs->remote_source = is_remote(source_fd);
	(void)pthread_mutex_init(&fs->dropping, NULL);
	locks_init();
	reads_init(fs);
	r = learn_source(fs, source_fd);
	if (r == 0)
		r = handle_table_new(&fs->handles);
	if (r == 0)
		r = lock_table_new(&fs->locks);
	if (r == 0)
		r = listing_habit_new(&fs->habit);
	if (r == 0)
		r = absent_new(&fs->absent);
	if (r == 0)
		r = node_table_new(source_fd, config->max_fds, &hooks,
				   &fs->nodes);
	if (r < 0) {
		(void)filesystem_free(fs);
		return r;
	}
	node_table_first_generation(fs->nodes, config->first_generation);
	handle_table_first_generation(fs->handles, config->first_generation);
	fs->records.db = db;
	learn_root(fs);
	*ret = fs;
	return 0;
}

struct filesystem *filesystem_free(struct filesystem *fs)
{
	if (fs == NULL)
		return NULL;
	fs->passthrough = passthrough_free(fs->passthrough);
	fs->locks = lock_table_free(fs->locks);
	fs->habit = listing_habit_free(fs->habit);
	fs->absent = absent_free(fs->absent);
	fs->handles = handle_table_free(fs->handles);
	fs->nodes = node_table_free(fs->nodes);
	fs->records.intents = intents_close(fs->records.intents);
	fs->records.turns = turns_close(fs->records.turns);
	fs->records.db = records_db_close(fs->records.db);
	fs->records.cache = records_cache_free(fs->records.cache);
	(void)pthread_mutex_destroy(&fs->dropping);
	free(fs);
	return NULL;
}

void filesystem_end_waiting(void *fs)
{
	struct filesystem *stopped = fs;

	answering_stop();
	(void)pthread_mutex_lock(&stopped->dropping);
	stopped->drops_none = true;
	(void)pthread_mutex_unlock(&stopped->dropping);
}

static void drop_capability(struct fuse_conn_info *conn, unsigned int flag)
{
	conn->want &= ~flag;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct filesystem *fs = userdata;

	if (!fs->config.host_locks)
		drop_capability(conn,
				FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
	/*
	 * Truncation by a SETATTR: that is where setuid is dropped.  But who
	 * judges has to know at once what an open(2) is for.
	 */
	if (!is_judged(fs))
		drop_capability(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	conn->want |= conn->capable & FUSE_CAP_DONT_MASK;
	if ((conn->capable & FUSE_CAP_SPLICE_WRITE) == 0)
		fs->config.splice = false;
	if (fs->config.splice)
		conn->want |= FUSE_CAP_SPLICE_WRITE;
	/* The kernel enforces the view, ACLs too, unless we judge. */
	if (fs->config.judge == NULL)
		conn->want |= conn->capable & FUSE_CAP_POSIX_ACL;
	if (fs->config.passthrough)
		(void)passthrough_new(conn, &fs->passthrough);
	if (fs->config.writeback && fs->passthrough == NULL &&
	    (conn->capable & FUSE_CAP_WRITEBACK_CACHE) != 0) {
		conn->want |= FUSE_CAP_WRITEBACK_CACHE;
		fs->writeback = true;
	}
	init_flags_want(conn);
	fs->prefills = prefill_is_possible(fs, conn);
	if (conn->max_write > FILESYSTEM_MAX_WRITE)
		conn->max_write = FILESYSTEM_MAX_WRITE;
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops *filesystem_operations(void)
{
	static const struct fuse_lowlevel_ops operations = {
		.init = op_init,
		.lookup = op_lookup,
		.forget = op_forget,
		.forget_multi = op_forget_multi,
		.getattr = op_getattr,
		.setattr = op_setattr,
		.readlink = op_readlink,
		.mknod = op_mknod,
		.mkdir = op_mkdir,
		.unlink = op_unlink,
		.rmdir = op_rmdir,
		.symlink = op_symlink,
		.rename = op_rename,
		.link = op_link,
		.open = op_open,
		.read = op_read,
		.write_buf = op_write_buf,
		.flush = op_flush,
		.release = op_release,
		.fsync = op_fsync,
		.opendir = op_opendir,
		.readdir = op_readdir,
		.readdirplus = op_readdirplus,
		.releasedir = op_releasedir,
		.fsyncdir = op_fsync,
		.statfs = op_statfs,
		.access = op_access,
		.setxattr = op_setxattr,
		.getxattr = op_getxattr,
		.listxattr = op_listxattr,
		.removexattr = op_removexattr,
		.create = op_create,
		.getlk = op_getlk,
		.setlk = op_setlk,
		.flock = op_flock,
		.fallocate = op_fallocate,
		.copy_file_range = op_copy_file_range,
		.lseek = op_lseek,
	};

	return &operations;
}
