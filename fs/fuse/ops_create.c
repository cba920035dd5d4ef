/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/create.h"
#include "idshift/records_side.h"
#include "judge.h"
#include "passthrough.h"
#include "prefill.h"

/* A new name in a directory: who makes it, where, and as what. */
struct making {
	struct filesystem *fs;
	struct caller caller;
	struct node_ref dir;
	struct statx dir_stx;
	struct acl *default_acl; /* recorded one, owned */
	struct creation creation;
	/* Of what was made. */
	struct statx stx;
	struct view view;
};

static void making_done(struct making *making)
{
	node_release(&making->dir);
	acl_free(making->default_acl);
}
#define _cleanup_making_ __attribute__((cleanup(making_done)))

static const char *making_op(mode_t mode)
{
	return S_ISDIR(mode) ? "mkdir" :
	       S_ISLNK(mode) ? "symlink" :
	       S_ISREG(mode) ? "create" :
			       "mknod";
}

static int making_refused(const struct making *making, int r)
{
	return judge_disk(making->fs, r, making_op(making->creation.want.mode),
			  &making->dir, making->creation.name);
}

/* Where a default ACL is inherited, the umask does not count (umask(2)). */
static int inherit(struct making *making)
{
	struct filesystem *fs = making->fs;
	struct creation *creation = &making->creation;
	struct acl *acl = NULL;
	bool umask_counts;
	int r;

	r = records_acl_get(&fs->records, making->dir.fd, &making->dir_stx,
			    RECORDS_ACL_DEFAULT, &acl,
			    &creation->disk_default_acl);
	if (r == -EOPNOTSUPP)
		r = 0;
	if (r == 0 && acl != NULL && !creation->disk_default_acl) {
		r = records_acl_inherited(
			&fs->records, making->dir.fd, &making->dir_stx,
			&making->default_acl, &creation->default_acl_vouched);
		creation->default_acl = making->default_acl;
	}
	umask_counts = acl == NULL || (creation->default_acl != NULL &&
				       !creation->default_acl_vouched);
	if (r == 0 && umask_counts)
		creation->want.mode &=
			~(fuse_req_ctx(making->caller.req)->umask & 0777);
	acl_free(acl);
	return r;
}

/*
 * The kernel has applied its rule for setgid in a setgid directory
 * (mode_strip_sgid); left to us are the owner, the group and the umask.
 */
static int making_begin(struct making *making, fuse_req_t req,
			fuse_ino_t parent, const char *name, mode_t mode)
{
	const unsigned int no_default =
		SIDE_BIT(SIDE_ACL_DEFAULT) | SIDE_DISK_ACL_DEFAULT;
	struct filesystem *fs = filesystem_of(req);
	struct records_seen dir = { .absent = 0 };
	int r;

	*making = (struct making){ .fs = fs, .dir = NODE_REF_NONE };
	if (!backing_name_ok(name))
		return -EINVAL;
	r = caller_of(fs, req, &making->caller);
	if (r == 0)
		r = node_open_look(fs, parent, false, &making->dir,
				   &making->dir_stx, &dir);
	if (r == 0)
		r = judge_create(fs, &making->caller, &making->dir, name,
				 making_op(mode));
	if (r == 0)
		r = judge_mode(fs, &making->caller, &dir.view, &mode);
	if (r < 0)
		return r;
	making->creation = (struct creation){
		.records = &fs->records,
		.dir_fd = making->dir.fd,
		.dir = &making->dir_stx,
		.name = name,
		.want = view_of_new(&making->caller, &dir.view, mode),
	};
	if (S_ISLNK(mode))
		return 0;
	if ((dir.absent & no_default) != no_default)
		return inherit(making);
	making->creation.want.mode &= ~(fuse_req_ctx(req)->umask & 0777);
	return 0;
}

static int make_once(struct making *making, const char *target, dev_t rdev)
{
	const struct creation *c = &making->creation;
	struct statx *stx = &making->stx;
	struct view *view = &making->view;

	if (target != NULL)
		return create_symlink(c, target, stx, view);
	if (S_ISDIR(c->want.mode))
		return create_directory(c, stx, view);
	if (S_ISREG(c->want.mode))
		return create_file(c, stx, view);
	return create_node(c, rdev, stx, view);
}

/* As create.h; target: of a link; rdev: of a device. */
static int make(struct making *making, const char *target, dev_t rdev)
{
	int fd = make_once(making, target, rdev);

	if (fd == -EACCES && widen(making->fs, &making->caller, &making->dir,
				   ACCESS_WRITE | ACCESS_EXEC))
		fd = make_once(making, target, rdev);
	return fd;
}

/* It was made, and can't be given out: as if it had never been. */
static void unmake(const struct making *making, const struct statx *made)
{
	const struct creation *c = &making->creation;
	struct statx now;

	if (backing_stat_child(c->dir_fd, c->name, &now) == 0 &&
	    now.stx_ino == made->stx_ino &&
	    backing_dev(&now) == backing_dev(made))
		(void)unlinkat(c->dir_fd, c->name,
			       S_ISDIR(c->want.mode) ? AT_REMOVEDIR : 0);
}

/* path_fd is what a call of create.h returned, with the rest in `making`. */
static int making_enter(struct making *making, int path_fd,
			struct fuse_entry_param *entry)
{
	int r = enter_known(making->fs, &making->dir, making->creation.name,
			    path_fd, &making->stx, &making->view, entry);

	if (r < 0)
		unmake(making, &making->stx);
	return r;
}

/*
 * A handle and an entry for the file that was made: the backing id of
 * passthrough.h, or 0; -errno.  The node has no descriptor until it needs one.
 */
static int give_out(struct making *making, int file_fd,
		    struct fuse_entry_param *entry, uint64_t *handle)
{
	struct filesystem *fs = making->fs;
	bool privileged = is_privileged(making->creation.want.mode);
	_cleanup_fd_ int fd = keep_open(fs, file_fd);
	int r;

	if (fd < 0)
		return fd;
	r = enter_known(fs, &making->dir, making->creation.name, -1,
			&making->stx, &making->view, entry);
	if (r < 0)
		return r;
	r = handle_add_file(fs->handles, entry->ino, fd, handle);
	if (r == 0) {
		r = passthrough_opened(fs->passthrough, fs->session, entry->ino,
				       privileged ? -1 : fd);
		(void)take_fd(&fd);
		if (r < 0)
			handle_remove(fs->handles, *handle);
	}
	if (r < 0)
		node_forget(fs->nodes, entry->ino, 1);
	return r;
}

/* As give_out(). */
static int do_create(struct making *making, int flags,
		     struct fuse_entry_param *entry, uint64_t *handle)
{
	int fd = make(making, NULL, 0), r;

	/*
	 * Somebody else made it since the kernel looked.  It has to look
	 * again, and judge that file: -ESTALE makes it do so.
	 */
	if (fd == -EEXIST && (flags & O_EXCL) == 0)
		return -ESTALE;
	if (fd < 0)
		return making_refused(making, fd);
	r = give_out(making, fd, entry, handle);
	if (r < 0) {
		unmake(making, &making->stx);
		return r;
	}
	(void)prefill_open(making->fs, entry->ino, flags, -1, NULL);
	return r;
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	_cleanup_making_ struct making making;
	struct fuse_entry_param entry = { .ino = 0 };
	int r = making_begin(&making, req, parent, name,
			     S_IFREG | (mode & MODE_BITS));

	if (r == 0)
		r = do_create(&making, fi->flags, &entry, &fi->fh);
	if (r < 0) {
		reply_result(req, r);
	} else if (passthrough_reply_create(req, &entry, fi, r) == -ENOENT) {
		close_handle(making.fs, entry.ino, fi);
		node_forget(making.fs->nodes, entry.ino, 1);
	}
}

/* All that are no open files: made, entered and answered. */
static void make_node(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, const char *target, dev_t rdev)
{
	_cleanup_making_ struct making making;
	struct fuse_entry_param entry = { .ino = 0 };
	int r = making_begin(&making, req, parent, name, mode);

	if (r == 0)
		r = making_refused(&making, make(&making, target, rdev));
	if (r >= 0 && S_ISREG(mode)) {
		/* Which is none of a node's. */
		close_fd(r);
		r = making_enter(&making, -1, &entry);
	} else if (r >= 0) {
		r = making_enter(&making, r, &entry);
	}
	reply_entered(req, r, &entry);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make_node(req, parent, name, S_IFDIR | (mode & MODE_BITS), NULL, 0);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	make_node(req, parent, name, mode, NULL, rdev);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	make_node(req, parent, name, S_IFLNK | 0777, target, 0);
}
