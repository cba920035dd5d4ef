/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/sysmacros.h>

#include "caller.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/clock.h"
#include "idshift/turns.h"
#include "judge.h"

int caller_of(const struct filesystem *fs, fuse_req_t req, struct caller *ret)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct access_caller *judge = fs->config.judge;

	*ret = (struct caller){ .req = req };
	if (judge != NULL) {
		ret->uid = judge->uid;
		ret->gid = judge->gid;
		return 0;
	}
	if (userns_to_container(&fs->policy->userns_uid, WIRE_ID(ctx->uid),
				&ret->uid) &&
	    userns_to_container(&fs->policy->userns_gid, WIRE_ID(ctx->gid),
				&ret->gid))
		return 0;
	/* As on a kernel idmapped mount: "other", and no creating. */
	ret->uid = ret->gid = CONTAINER_ID(ID_NONE);
	return fs->policy->real_owners ? 0 : -EACCES;
}

int node_view(const struct filesystem *fs, const struct node_ref *node,
	      struct statx *ret_stx, struct view *ret_view)
{
	int r = backing_stat(node->fd, ret_stx);

	return r < 0 ? r :
		       records_view(&fs->records, node->fd, ret_stx, ret_view);
}

/*
 * By its name: to open it would take longer, and one that is in use from the
 * cache.  Any failure: to be opened after all.
 */
static int look_by_name(const struct filesystem *fs, fuse_ino_t ino,
			struct node_ref *node, struct statx *ret_stx,
			struct records_seen *ret)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	const struct records_moment moment = records_moment(fs->records.cache);
	char name[NODE_NAME_MAX + 1];
	int r;

	/* Only its own server knows the attributes of an open file there. */
	if (fs->remote_source)
		return -EAGAIN;
	r = node_locate(fs->nodes, ino, node, &dir, name);
	if (r == 0)
		r = backing_stat_child(dir.fd, name, ret_stx);
	if (r == 0 && !node_is(node, ret_stx))
		r = -EAGAIN;
	if (r == 0)
		r = records_look_child(&fs->records, dir.fd, dir.dev, name,
				       &moment, ret_stx, NULL, ret);
	return r;
}

int node_open_look(const struct filesystem *fs, fuse_ino_t ino, bool settled,
		   struct node_ref *node, struct statx *ret_stx,
		   struct records_seen *ret)
{
	const struct records_moment moment = records_moment(fs->records.cache);
	int r = node_acquire_stat(fs->nodes, ino, node, ret_stx);

	return r < 0 ? r :
		       records_look(&fs->records, node->fd, &moment, ret_stx,
				    settled, ret);
}

int node_look(const struct filesystem *fs, fuse_ino_t ino,
	      struct node_ref *node, struct statx *ret_stx,
	      struct records_seen *ret)
{
	if (look_by_name(fs, ino, node, ret_stx, ret) == 0)
		return 0;
	node_release(node);
	return node_open_look(fs, ino, false, node, ret_stx, ret);
}

uint64_t shown_ino(const struct filesystem *fs, uint64_t dev, uint64_t ino)
{
	uint64_t mixed = dev;

	if (dev == fs->source_dev)
		return ino;
	/* As MurmurHash3 ends. */
	mixed = (mixed ^ mixed >> 33) * UINT64_C(0xff51afd7ed558ccd);
	mixed = (mixed ^ mixed >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return ino ^ (mixed ^ mixed >> 33) >> 1;
}

static struct timespec to_timespec(const struct statx_timestamp *time)
{
	return (struct timespec){ .tv_sec = time->tv_sec,
				  .tv_nsec = time->tv_nsec };
}

/* A directory in a setgid directory is setgid too (inode_init_owner()). */
struct view view_of_new(const struct caller *caller, const struct view *dir,
			mode_t mode)
{
	struct view view = {
		.uid = caller->uid,
		.gid = caller->gid,
		.mode = mode,
	};

	if ((dir->mode & S_ISGID) != 0) {
		view.gid = dir->gid;
		if (S_ISDIR(mode))
			view.mode |= S_ISGID;
	}
	return view;
}

void fill_attr(const struct filesystem *fs, const struct statx *stx,
	       const struct view *view, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = shown_ino(fs, backing_dev(stx), stx->stx_ino),
		.st_mode = view->mode,
		.st_nlink = stx->stx_nlink,
		.st_uid = view_uid_to_wire(fs->policy, view->uid,
					   DISK_ID(stx->stx_uid))
				  .value,
		.st_gid = view_gid_to_wire(fs->policy, view->gid,
					   DISK_ID(stx->stx_gid))
				  .value,
		.st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.st_size = (off_t)stx->stx_size,
		.st_blksize = (blksize_t)stx->stx_blksize,
		.st_blocks = (blkcnt_t)stx->stx_blocks,
		.st_atim = to_timespec(&stx->stx_atime),
		.st_mtim = to_timespec(&stx->stx_mtime),
		.st_ctim = to_timespec(&stx->stx_ctime),
	};
}

void change_begin(const struct filesystem *fs, uint64_t ino, bool turn,
		  struct change_turn *ret)
{
	uint64_t key = node_turn(fs->nodes, ino);

	*ret = (struct change_turn){
		.lock = node_change_lock_by(fs->nodes, key),
		.turns = turn ? fs->records.turns : NULL,
		.key = key,
	};
	(void)pthread_mutex_lock(ret->lock);
	ret->turn = turn_begin(ret->turns, key);
}

void change_end(const struct change_turn *change)
{
	turn_end(change->turns, change->key, change->turn);
	(void)pthread_mutex_unlock(change->lock);
}

static int view_grants(const struct filesystem *fs, const struct caller *caller,
		       int fd, const struct statx *stx, const struct view *view,
		       unsigned int wanted)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_acl_ struct acl *acl = NULL;
	struct access_object object = { .uid = view->uid,
					.gid = view->gid,
					.mode = view->mode };
	int r = caller_rights(fs, caller, view, &rights);

	if (r == 0)
		r = records_acl_judged(&fs->records, fd, stx, &acl);
	object.acl = acl;
	return r < 0 ? r : access_check(&rights.who, &object, wanted, NULL);
}

bool widen(const struct filesystem *fs, const struct caller *caller,
	   const struct node_ref *node, unsigned int wanted)
{
	struct change_turn change;
	struct statx stx;
	struct view view;
	int r;

	change_begin(fs, node->id, true, &change);
	r = node_view(fs, node, &stx, &view);
	if (r == 0)
		r = view_grants(fs, caller, node->fd, &stx, &view, wanted);
	if (r == 0)
		r = records_apply(&fs->records, node->fd, &stx, 0, &view);
	change_end(&change);
	return r == 0;
}

int keep_open(const struct filesystem *fs, int fd)
{
	size_t bound = fs->config.spare_fds_from;
	int lower;

	if (bound == 0 || fd < 0 || (size_t)fd < bound)
		return fd;
	node_table_drop_idle(fs->nodes);
	lower = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close_fd(fd);
	if (lower < 0)
		return -errno;
	if ((size_t)lower < bound)
		return lower;
	close_fd(lower);
	return -EMFILE;
}

unsigned int wanted_by(int flags)
{
	const unsigned int truncates =
		(flags & O_TRUNC) != 0 ? ACCESS_WRITE : 0;

	if ((flags & OPEN_FOR_EXEC) != 0)
		return ACCESS_EXEC;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return ACCESS_READ | truncates;
	case O_WRONLY:
		return ACCESS_WRITE;
	default:
		return ACCESS_READ | ACCESS_WRITE;
	}
}

int open_node(const struct filesystem *fs, const struct caller *caller,
	      const struct node_ref *node, int flags)
{
	int fd = backing_reopen(node->fd, flags);

	if (fd == -EACCES && widen(fs, caller, node, wanted_by(flags)))
		fd = backing_reopen(node->fd, flags);
	return keep_open(fs, fd);
}

/*
 * The mount itself, met in the source, must not be asked anything: its answer
 * would have to come from us.
 */
static bool is_own_mount(const struct filesystem *fs, const struct statx *stx)
{
	uint64_t own = atomic_load_explicit(&fs->own_dev, memory_order_relaxed);

	return own != 0 && backing_dev(stx) == own;
}

static int stat_child(const struct filesystem *fs, const struct caller *caller,
		      const struct node_ref *parent, const char *name,
		      struct statx *ret)
{
	int r;

	if (!backing_name_ok(name))
		return -EINVAL;
	r = judge_access(fs, caller, parent, ACCESS_EXEC, "lookup");
	if (r < 0)
		return r;
	r = backing_stat_child(parent->fd, name, ret);
	if (r == -EACCES && widen(fs, caller, parent, ACCESS_EXEC))
		r = backing_stat_child(parent->fd, name, ret);
	if (r < 0)
		return r;
	return is_own_mount(fs, ret) ? -ELOOP : 0;
}

static enum node_strangeness strangeness_of(const struct view_policy *policy,
					    const struct view *view)
{
	if (!view_is_strange(policy, view))
		return NODE_FAMILIAR;
	return S_ISDIR(view->mode) &&
			       !mode_grants_all(view->mode, ACCESS_EXEC) ?
		       NODE_NARROW :
		       NODE_STRANGE;
}

void note_view(const struct filesystem *fs, const struct node_ref *node,
	       const struct view *view)
{
	if (is_guarded(view->mode))
		node_set_privileged(node, true);
	if (fs->policy->acting.in_userns)
		node_set_strangeness(node, strangeness_of(fs->policy, view));
}

static void fill_entry(const struct filesystem *fs, const struct statx *stx,
		       const struct view *view, const struct node_ref *node,
		       struct fuse_entry_param *entry)
{
	note_view(fs, node, view);
	node_tell(node, stx);
	entry->ino = node->id;
	entry->attr_timeout = fs->config.attr_timeout;
	entry->entry_timeout = fs->config.entry_timeout;
	fill_attr(fs, stx, view, &entry->attr);
	/*
	 * What the kernel goes on to ask of owners itself (check_sticky(),
	 * may_linkat(), set_posix_acl(), mode_strip_sgid()) is ours to judge:
	 * it finds its own caller.  stat(2) asks again, as nothing is cached.
	 */
	if (is_judged(fs)) {
		entry->attr.st_uid = fs->policy->acting.uid.value;
		entry->attr.st_gid = fs->policy->acting.gid.value;
	}
}

#define LOOK_AGAIN_MS 20u

void note_look_again(struct filesystem *fs)
{
	atomic_store_explicit(&fs->looked_again_at, clock_coarse_ms(),
			      memory_order_relaxed);
}

static bool is_just_now(uint32_t at)
{
	return at != 0 && clock_coarse_ms() - at < LOOK_AGAIN_MS;
}

static bool has_looked_again(const struct filesystem *fs)
{
	return is_just_now(atomic_load_explicit(&fs->looked_again_at,
						memory_order_relaxed));
}

bool was_found_again(const struct node_ref *node)
{
	return is_just_now(node_found_again(node));
}

int enter_known(const struct filesystem *fs, const struct node_ref *parent,
		const char *name, int fd, const struct statx *stx,
		const struct view *view, struct fuse_entry_param *entry)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	int r = node_found(fs->nodes, parent, name, fd, stx, &node);

	*entry = (struct fuse_entry_param){ .ino = 0 };
	if (r == 0)
		fill_entry(fs, stx, view, &node, entry);
	if (r == 0 && has_looked_again(fs))
		node_set_found_again(&node, clock_coarse_ms());
	if (r == 0 && is_narrow(fs, parent))
		entry->entry_timeout = 0;
	return r;
}

/* By a fresh path fd, of which ownership is taken. */
static int enter(const struct filesystem *fs, const struct node_ref *parent,
		 const char *name, int fd, struct fuse_entry_param *entry)
{
	const struct records_moment moment = records_moment(fs->records.cache);
	_cleanup_fd_ int owned = fd;
	struct records_seen seen = { .absent = 0 };
	struct statx stx;
	int r = backing_stat(fd, &stx);

	if (r == 0)
		r = records_look(&fs->records, fd, &moment, &stx, false, &seen);
	if (r < 0)
		return r;
	return enter_known(fs, parent, name, take_fd(&owned), &stx, &seen.view,
			   entry);
}

int enter_child(const struct filesystem *fs, const struct caller *caller,
		const struct node_ref *parent, const char *name,
		struct records_cache_entry *note,
		struct fuse_entry_param *entry)
{
	const struct records_moment moment = records_moment(fs->records.cache);
	struct records_seen seen = { .absent = 0 };
	struct statx stx;
	int r = stat_child(fs, caller, parent, name, &stx);

	*entry = (struct fuse_entry_param){ .ino = 0 };
	if (r < 0)
		return r;
	if (!fs->remote_source && !has_looked_again(fs)) {
		r = records_look_child(&fs->records, parent->fd, parent->dev,
				       name, &moment, &stx, note, &seen);
		if (r == 0)
			return enter_known(fs, parent, name, -1, &stx,
					   &seen.view, entry);
		if (r != -EAGAIN)
			return r;
	}
	r = backing_open_child(parent->fd, name);
	return r < 0 ? r : enter(fs, parent, name, r, entry);
}

bool pages_are_current(const struct filesystem *fs, const struct node_ref *node,
		       const struct statx *stx, int fd, int flags)
{
	uint64_t ctime = backing_nanoseconds(&stx->stx_ctime);
	bool quiet;

	/* Some may not be on disk yet. */
	if (fs->writeback)
		return true;
	if (!fs->config.keep_cache || fs->remote_source)
		return false;
	if (node_pages_are_as_of(node, ctime))
		return true;
	quiet = S_ISDIR(stx->stx_mode) ? backing_is_settled(stx) :
					 backing_is_quiet(fd, flags, stx);
	node_set_pages_as_of(node, quiet ? ctime : UINT64_MAX);
	return false;
}

/* Of size and times the kernel knows better, if it writes back. */
static bool is_told_news(const struct filesystem *fs)
{
	return !fs->writeback && fs->session != NULL;
}

void refresh(const struct filesystem *fs, const struct node_ref *node,
	     const struct statx *stx)
{
	if (is_told_news(fs) && !node_is_told(node, stx))
		(void)fuse_lowlevel_notify_inval_inode(fs->session, node->id,
						       -1, 0);
}

bool refresh_pages(struct filesystem *fs, const struct node_ref *node,
		   const struct statx *stx, bool wait)
{
	if (!is_told_news(fs) ||
	    (node_is_told(node, stx) && !node_pages_are_unsure(node)))
		return true;
	/* What comes meanwhile counts again. */
	node_pages_dropped(node);
	if (drop_pages(fs, node->id, 0, 0, wait))
		return true;
	node_tell(node, NULL);
	return false;
}

bool drop_pages(struct filesystem *fs, fuse_ino_t ino, off_t from, off_t size,
		bool wait)
{
	bool drops;
	int r = wait ? pthread_mutex_lock(&fs->dropping) :
		       pthread_mutex_trylock(&fs->dropping);

	if (r != 0)
		return false;
	drops = !fs->drops_none;
	if (drops)
		(void)fuse_lowlevel_notify_inval_inode(fs->session, ino, from,
						       size);
	(void)pthread_mutex_unlock(&fs->dropping);
	return drops;
}

void reply_entered(fuse_req_t req, int r, const struct fuse_entry_param *entry)
{
	struct filesystem *fs = filesystem_of(req);

	if (r < 0)
		reply_result(req, r);
	else if (fuse_reply_entry(req, entry) == -ENOENT && entry->ino != 0)
		node_forget(fs->nodes, entry->ino, 1); /* interrupted */
}
