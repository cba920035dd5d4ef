/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the FUSE layer.  A handler op_x() replies exactly once; what it
 * does is in do_x(), which returns 0 or -errno and replies never.
 */
#ifndef IDSHIFT_OPS_H
#define IDSHIFT_OPS_H

#define FUSE_USE_VERSION 314

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>

#include "idshift/access.h"
#include "idshift/filesystem.h"
#include "idshift/turns.h"

/* Who asks. */
struct caller {
	struct container_id uid;
	struct container_id gid;
	fuse_req_t req;
};

static inline struct filesystem *filesystem_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* r is 0 or -errno. */
static inline void reply_result(fuse_req_t req, int r)
{
	(void)fuse_reply_err(req, -r);
}

/*
 * ops_common.c
 */

/* -EACCES for an id outside the user namespace's map, *ret then nobody's. */
int caller_of(const struct filesystem *fs, fuse_req_t req, struct caller *ret);

/* Its current state on disk and as the container sees it. */
int node_view(const struct filesystem *fs, const struct node_ref *node,
	      struct statx *ret_stx, struct view *ret_view);
/*
 * The same by id; settled: see records_look().  *node is acquired, and to be
 * released also on failure; by node_look() it need not have a descriptor.
 */
int node_open_look(const struct filesystem *fs, fuse_ino_t ino, bool settled,
		   struct node_ref *node, struct statx *ret_stx,
		   struct records_seen *ret);
int node_look(const struct filesystem *fs, fuse_ino_t ino,
	      struct node_ref *node, struct statx *ret_stx,
	      struct records_seen *ret);

/*
 * The inode number to show: st_dev(2) is one in all of the mount, so what is
 * of another file system below the source is told apart by this.
 */
uint64_t shown_ino(const struct filesystem *fs, uint64_t dev, uint64_t ino);

/* What the caller makes in a directory (a view); mode: what is asked for. */
struct view view_of_new(const struct caller *caller, const struct view *dir,
			mode_t mode);

void fill_attr(const struct filesystem *fs, const struct statx *stx,
	       const struct view *view, struct stat *ret);

/*
 * Around a change of owner, mode, size or record: node_change_lock(), and with
 * `turn` those who change records elsewhere (turns.h) as well.
 */
struct change_turn {
	pthread_mutex_t *lock;
	struct turns *turns;
	uint64_t key;
	enum turn turn;
};
void change_begin(const struct filesystem *fs, uint64_t ino, bool turn,
		  struct change_turn *ret);
void change_end(const struct change_turn *change);

/*
 * The disk answered -EACCES where the kernel let the caller pass: if the view
 * (read afresh, so that a host's chmod of a moment ago counts) grants
 * `wanted` (ACCESS_*), give the acting user the bits that it needs, and
 * record the mode that the container sees.  True: worth another try.
 */
bool widen(const struct filesystem *fs, const struct caller *caller,
	   const struct node_ref *node, unsigned int wanted);

static inline bool is_privileged(mode_t mode)
{
	return S_ISREG(mode) && (mode & (S_ISUID | S_ISGID)) != 0;
}
/*
 * The hint that its node keeps: writes look at the file, removals at what a
 * sticky directory has under the name.
 */
static inline bool is_guarded(mode_t mode)
{
	return is_privileged(mode) || (S_ISDIR(mode) && (mode & S_ISVTX) != 0);
}

/* What its node keeps of it. */
void note_view(const struct filesystem *fs, const struct node_ref *node,
	       const struct view *view);

/*
 * The descriptor, or another of the same file, is to stay open.  -EMFILE: it
 * can't, and is closed.  fd < 0 is passed on.
 */
int keep_open(const struct filesystem *fs, int fd);

/*
 * The host may put a file in another's place between the kernel's lookup and
 * its open.  -ESTALE makes it look up once more, and then no more: what is
 * looked up in the next moments is held, and what was found is opened, as
 * natively whoever had found it would.
 */
void note_look_again(struct filesystem *fs);
/* Was this looked up in such moments? */
bool was_found_again(const struct node_ref *node);

/*
 * An object found as `name` in a directory: a node, one lookup added, and the
 * reply.  entry->ino 0 on failure.  By name alone (the mount itself, met in
 * the source, is -ELOOP), note: see records_look_child(); or with all known of
 * it already, and maybe a path fd, of which ownership is taken.
 */
int enter_child(const struct filesystem *fs, const struct caller *caller,
		const struct node_ref *parent, const char *name,
		struct records_cache_entry *note,
		struct fuse_entry_param *entry);
int enter_known(const struct filesystem *fs, const struct node_ref *parent,
		const char *name, int fd, const struct statx *stx,
		const struct view *view, struct fuse_entry_param *entry);
/* Replies; takes the lookup back when nobody received it. */
void reply_entered(fuse_req_t req, int r, const struct fuse_entry_param *entry);

/*
 * May what the kernel has cached of a file or directory stay when it is opened?
 * Its pages are of the object as of some ctime (mtime can be set back): they
 * can be trusted if every change since they were last dropped had to move
 * that, which was seen to be so then (backing_is_quiet()).  fd, flags: of the
 * file as it is opened; not of a directory.
 */
bool pages_are_current(const struct filesystem *fs, const struct node_ref *node,
		       const struct statx *stx, int fd, int flags);
/*
 * Did the host change the object since the kernel was last told of it?  Then
 * the kernel forgets its attributes.
 */
void refresh(const struct filesystem *fs, const struct node_ref *node,
	     const struct statx *stx);
/*
 * Its pages as well.  For these the kernel waits until other threads of ours
 * have served what is under way on them, and taken what a mapping changed: so
 * one at a time.  False: one is at it, and this one was not to wait.  Wait
 * only on a thread that serves no requests.
 */
bool refresh_pages(struct filesystem *fs, const struct node_ref *node,
		   const struct statx *stx, bool wait);
/* Those of a range, by the same rule; size 0: to the end. */
bool drop_pages(struct filesystem *fs, fuse_ino_t ino, off_t from, off_t size,
		bool wait);
/* Of execve(2), in the kernel's own flag (__FMODE_EXEC). */
#define OPEN_FOR_EXEC 040
/* ACCESS_* of a caller who opens with these flags. */
unsigned int wanted_by(int flags);
/* open(2) of a node, with widening. */
int open_node(const struct filesystem *fs, const struct caller *caller,
	      const struct node_ref *node, int flags);

/*
 * ops_attr.c
 */

/* What SETATTR does after an open(2) with O_TRUNC. */
int truncate_opened(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino);

/*
 * privileges.c
 */

/* In the group, or with the privilege of one who is (CAP_FSETID). */
bool caller_in_group(const struct filesystem *fs, const struct caller *caller,
		     const struct view *view);

/*
 * The mode after a write, truncate or chown by the caller: no setuid, and
 * setgid only without g+x and for members (setattr_should_drop_suidgid()).
 */
mode_t mode_without_privileges(const struct filesystem *fs,
			       const struct caller *caller,
			       const struct view *view);
/*
 * Before a write.  With FUSE_HANDLE_KILLPRIV_V2 the kernel leaves this to us;
 * container root has no CAP_FSETID that would count, since that is asked for
 * in the initial namespace.  An error is the write's: it must not be done.
 */
int drop_privileges(struct filesystem *fs, fuse_req_t req, uint64_t ino);
/*
 * Around the write-back of a mapped page, which strips nothing natively: the
 * source's file system strips for real owners what it sees written.
 */
struct privileges {
	struct node_ref node;
	bool locked; /* there is something to keep */
	mode_t mode;
	ssize_t capability_size;
	char capability[32];
};
void privileges_keep(struct filesystem *fs, uint64_t ino,
		     struct privileges *ret);
void privileges_restore(struct privileges *kept);

/*
 * Handlers, by theme.
 */

/* ops_namespace.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned int flags);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
	     const char *newname);
void op_readlink(fuse_req_t req, fuse_ino_t ino);

/* ops_create.c */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);

/* ops_attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* ops_file.c */

/* Of a regular file, opened with fi->flags. */
void close_handle(struct filesystem *fs, fuse_ino_t ino,
		  const struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in,
		  off_t off, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* Of files and directories. */
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t len, int flags);

/* ops_read.c */

/* Once, before the first request. */
void reads_init(struct filesystem *fs);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi);

/* ops_lock.c */

/* Once, before the first request. */
void locks_init(void);
void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock);
void op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock, int sleep);
void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      int op);

/* ops_dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* ops_xattr.c */
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
