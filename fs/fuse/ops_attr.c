/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "caller.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "judge.h"
#include "passthrough.h"

#define SET_OWNER (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)
#define SET_VIEW (SET_OWNER | FUSE_SET_ATTR_MODE)
#define SET_TIMES                                                              \
	(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | \
	 FUSE_SET_ATTR_MTIME_NOW)
#define SET_ANY (SET_VIEW | SET_TIMES | FUSE_SET_ATTR_SIZE)

/*
 * Who mounts sees the mount's root, also without an id in the map: podman looks
 * at what it is to bind.
 */
static bool is_own_root(const struct filesystem *fs, fuse_req_t req,
			fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID &&
	       fuse_req_ctx(req)->uid == fs->policy->acting.uid.value;
}

static int do_getattr(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		      struct stat *ret)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct records_seen seen = { .absent = 0 };
	struct caller caller;
	struct statx stx;
	int r;

	r = caller_of(fs, req, &caller);
	if (r == 0 || is_own_root(fs, req, ino))
		r = node_look(fs, ino, &node, &stx, &seen);
	if (r < 0)
		return r;
	node_tell(&node, &stx);
	note_view(fs, &node, &seen.view);
	fill_attr(fs, &stx, &seen.view, ret);
	return 0;
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	struct stat attr;
	int r = do_getattr(fs, req, ino, &attr);

	(void)fi;
	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_attr(req, &attr, fs->config.attr_timeout);
}

/* One SETATTR: checked as a whole before any of it is done (CVE-2015-8660). */
struct attr_change {
	struct filesystem *fs;
	struct caller caller;
	const struct node_ref *node;
	const struct stat *attr;
	int to_set;
	int handle_fd; /* -1: not through an open file */
	bool of_writeback;
	struct statx stx;
	struct view view;
	unsigned int absent; /* of what stands beside it: seen not to be */
	struct change_turn turn;
};

static bool owner_or_capable(const struct attr_change *c)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	struct access_object object = { .uid = c->view.uid,
					.gid = c->view.gid,
					.mode = c->view.mode };

	return caller_rights(c->fs, &c->caller, &c->view, &rights) == 0 &&
	       access_owner(&rights.who, &object, NULL) == 0;
}

/*
 * To clear a bit is a chmod: CAP_CHOWN alone is not enough for it, and setgid
 * goes if the caller is not in the new group (setattr_prepare()).
 */
static int clear_by_chown(const struct attr_change *c, struct view *want)
{
	struct view given = { .uid = c->view.uid, .gid = want->gid };

	if (!owner_or_capable(c))
		return -EPERM;
	if ((want->mode & S_ISGID) != 0 && !S_ISDIR(want->mode) &&
	    !caller_in_group(c->fs, &c->caller, &given))
		want->mode &= ~(mode_t)S_ISGID;
	return 0;
}

/* The wanted owner and mode, the present one where nothing is asked. */
static int wanted_view(const struct attr_change *c, struct view *ret)
{
	const struct view_policy *policy = c->fs->policy;
	int r = 0;

	*ret = c->view;
	/* An id outside the map: chown(2) in a user namespace says EINVAL. */
	if ((c->to_set & FUSE_SET_ATTR_UID) != 0 &&
	    !userns_to_container(&policy->userns_uid, WIRE_ID(c->attr->st_uid),
				 &ret->uid))
		return -EINVAL;
	if ((c->to_set & FUSE_SET_ATTR_GID) != 0 &&
	    !userns_to_container(&policy->userns_gid, WIRE_ID(c->attr->st_gid),
				 &ret->gid))
		return -EINVAL;
	/* truncate(2) and chown(2) take setuid and setgid away. */
	if ((c->to_set & (SET_OWNER | FUSE_SET_ATTR_SIZE)) != 0)
		ret->mode =
			mode_without_privileges(c->fs, &c->caller, &c->view);
	if ((c->to_set & SET_OWNER) != 0 && ret->mode != c->view.mode)
		r = clear_by_chown(c, ret);
	if ((c->to_set & FUSE_SET_ATTR_MODE) != 0)
		ret->mode = (c->view.mode & S_IFMT) |
			    (c->attr->st_mode & MODE_BITS);
	return r;
}

static int apply(struct attr_change *c, const struct view *want)
{
	int r = records_apply(&c->fs->records, c->node->fd, &c->stx, c->absent,
			      want);

	c->absent = 0;
	if (r == 0)
		c->view = *want;
	return r;
}

static int change_view(struct attr_change *c, const struct view *want)
{
	struct view kept = *want;

	switch (c->fs->config.chown_mode) {
	case CHOWN_DENY:
		if ((c->to_set & SET_OWNER) != 0 &&
		    (!container_id_equal(want->uid, c->view.uid) ||
		     !container_id_equal(want->gid, c->view.gid)))
			return -EPERM;
		break;
	case CHOWN_IGNORE:
		kept.uid = c->view.uid;
		kept.gid = c->view.gid;
		break;
	case CHOWN_RECORD:
	case CHOWN_DISK:
		break;
	}
	return apply(c, &kept);
}

/*
 * open(2) with O_TRUNC moves the times of an empty file, too, but truncate(2)
 * only on ext4.  They look the same, and the first is the common one.
 */
static int change_size(struct attr_change *c)
{
	static const struct timespec now[2] = { { .tv_nsec = UTIME_OMIT },
						{ .tv_nsec = UTIME_NOW } };
	bool widened;
	int r;

	if (c->handle_fd >= 0)
		return ftruncate(c->handle_fd, c->attr->st_size) < 0 ? -errno :
								       0;
	r = backing_truncate(c->node->fd, c->attr->st_size);
	if (r == 0 && c->attr->st_size == 0 && c->stx.stx_size == 0)
		r = backing_utimens(c->node->fd, now);
	if (r != -EACCES)
		return r;
	/* Widening is a change of its own. */
	change_end(&c->turn);
	widened = widen(c->fs, &c->caller, c->node, ACCESS_WRITE);
	change_begin(c->fs, c->node->id, true, &c->turn);
	return widened ? backing_truncate(c->node->fd, c->attr->st_size) : r;
}

static int change_times(const struct attr_change *c)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_nsec = UTIME_OMIT },
	};
	int r;

	if ((c->to_set & FUSE_SET_ATTR_ATIME_NOW) != 0)
		times[0].tv_nsec = UTIME_NOW;
	else if ((c->to_set & FUSE_SET_ATTR_ATIME) != 0)
		times[0] = c->attr->st_atim;
	if ((c->to_set & FUSE_SET_ATTR_MTIME_NOW) != 0)
		times[1].tv_nsec = UTIME_NOW;
	else if ((c->to_set & FUSE_SET_ATTR_MTIME) != 0)
		times[1] = c->attr->st_mtim;
	/* It may have come by a mount that the names don't lead by. */
	r = backing_utimens(c->handle_fd >= 0 ? c->handle_fd : c->node->fd,
			    times);
	/* Another's file got its times when it was written. */
	return r == -EPERM && c->of_writeback ? 0 : r;
}

/* Maybe the prelude to a write that doesn't come to us. */
static bool is_passed_write(const struct attr_change *c,
			    const struct disk_owner *disk)
{
	return passthrough_is_open(c->fs->passthrough, c->node->id) &&
	       node_has_writer(c->node) && view_is_ours(c->fs->policy, disk);
}

/*
 * A request that sets nothing is chown(-1, -1), or the kernel's prelude to a
 * write by anybody, where setuid or setgid are to go (file_remove_privs()).
 * Only the first is for owners alone, and only the second needs a file open
 * for writing; the write itself will drop them.
 */
static int drop_and_touch(struct attr_change *c)
{
	struct view want = c->view;
	struct disk_owner disk = backing_owner(&c->stx);

	want.mode = mode_without_privileges(c->fs, &c->caller, &want);
	if (is_passed_write(c, &disk))
		return apply(c, &want);
	if (want.mode != c->view.mode && !owner_or_capable(c))
		return node_has_writer(c->node) ? 0 : -EPERM;
	if (!view_is_ours(c->fs->policy, &disk))
		return 0;
	return apply(c, &want);
}

static int change_in_turn(struct attr_change *c, const struct view *want)
{
	const struct view before = c->view;
	bool sized = (c->to_set & FUSE_SET_ATTR_SIZE) != 0;
	bool changed =
		(c->to_set & SET_VIEW) != 0 || want->mode != c->view.mode;
	int r = 0;

	/* Whatever ends us: no new contents with the old privileges. */
	if (changed)
		r = change_view(c, want);
	if (r == 0 && sized) {
		r = change_size(c);
		if (r < 0 && changed && backing_stat(c->node->fd, &c->stx) == 0)
			(void)change_view(c, &before);
	}
	if (r == 0 && (c->to_set & SET_TIMES) != 0)
		r = change_times(c);
	return r;
}

static int change_attributes(struct attr_change *c)
{
	struct disk_owner disk = backing_owner(&c->stx);
	struct view want;
	int r;

	/* By a path that leads elsewhere now: the kernel looks again. */
	if (c->stx.stx_nlink == 0 && c->handle_fd < 0 &&
	    !was_found_again(c->node) && node_was_replaced(c->node))
		return -ESTALE;
	if ((c->to_set & SET_VIEW) != 0 && !view_is_ours(c->fs->policy, &disk))
		return judge_disk(c->fs, -EPERM, "setattr", c->node, NULL);
	r = wanted_view(c, &want);
	if (r == 0 &&
	    (!c->of_writeback || (c->to_set & FUSE_SET_ATTR_SIZE) != 0))
		r = judge_setattr(c->fs, &c->caller, c->node, c->to_set,
				  c->handle_fd, &c->view, &want);
	if (r == 0 && (c->to_set & SET_ANY) == 0)
		r = drop_and_touch(c);
	else if (r == 0)
		r = judge_disk(c->fs, change_in_turn(c, &want), "setattr",
			       c->node, NULL);
	if (r < 0)
		return r;
	/* What the kernel did to the mode meanwhile is on disk to be seen. */
	if (c->fs->policy->real_owners)
		r = node_view(c->fs, c->node, &c->stx, &c->view);
	else
		r = backing_stat(c->node->fd, &c->stx);
	if (r == 0 && !is_guarded(c->view.mode))
		node_set_privileged(c->node, false);
	if (r == 0)
		note_view(c->fs, c->node, &c->view);
	return r;
}

/*
 * With the writeback cache the kernel keeps a file's times, and says them as
 * it writes and truncates: on behalf of anybody (fuse_flush_times()).
 */
static bool is_of_writeback(const struct filesystem *fs, int to_set,
			    const struct fuse_file_info *fi)
{
	int others = to_set & ~(FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME);

	return fs->writeback && (to_set & FUSE_SET_ATTR_CTIME) != 0 &&
	       (others == FUSE_SET_ATTR_SIZE || (others == 0 && fi != NULL));
}

static int do_setattr(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		      const struct stat *attr, int to_set,
		      const struct fuse_file_info *fi, struct stat *ret)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct attr_change change = {
		.fs = fs,
		.node = &node,
		.attr = attr,
		.to_set = to_set,
		.handle_fd = -1,
	};
	const int times = SET_TIMES | FUSE_SET_ATTR_CTIME;
	struct records_seen seen = { .absent = 0 };
	int r;

	change.of_writeback = is_of_writeback(fs, to_set, fi);
	r = caller_of(fs, req, &change.caller);
	if (r == -EACCES && change.of_writeback &&
	    (to_set & FUSE_SET_ATTR_SIZE) == 0)
		r = 0; /* from a thread of the kernel */
	if (r < 0)
		return r;
	if (fi != NULL)
		change.handle_fd = handle_fd(fs->handles, fi->fh);
	/* Times alone leave records alone. */
	change_begin(fs, ino, to_set == 0 || (to_set & ~times) != 0,
		     &change.turn);
	r = node_open_look(fs, ino, true, &node, &change.stx, &seen);
	change.view = seen.view;
	change.absent = seen.absent;
	if (r == 0)
		r = change_attributes(&change);
	change_end(&change.turn);
	if (r == -ESTALE)
		note_look_again(fs);
	if (r == 0) {
		node_tell(&node, &change.stx);
		fill_attr(fs, &change.stx, &change.view, ret);
	}
	return r;
}

int truncate_opened(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino)
{
	const struct stat empty = { .st_size = 0 };
	struct stat now;

	return do_setattr(fs, req, ino, &empty, FUSE_SET_ATTR_SIZE, NULL, &now);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	struct stat now;
	int r = do_setattr(fs, req, ino, attr, to_set, fi, &now);

	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_attr(req, &now, fs->config.attr_timeout);
}

static int do_access(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		     int mask)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct caller caller;
	int r = caller_of(fs, req, &caller);

	if (r == 0)
		r = node_acquire(fs->nodes, ino, &node);
	/* access(2)'s R_OK, W_OK and X_OK are the engine's values. */
	return r < 0 ? r :
		       judge_access(fs, &caller, &node, (unsigned int)mask & 7,
				    "access");
}

/* Asked only where the kernel does not judge itself. */
void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	reply_result(req, do_access(filesystem_of(req), req, ino, mask));
}

static int do_statfs(struct filesystem *fs, fuse_ino_t ino, struct statvfs *ret)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	int r = node_acquire(fs->nodes, ino, &node);

	if (r < 0)
		return r;
	return fstatvfs(node.fd, ret) < 0 ? -errno : 0;
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs info;
	int r = do_statfs(filesystem_of(req), ino, &info);

	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_statfs(req, &info);
}
