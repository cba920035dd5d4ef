/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "judge.h"
#include "open_later.h"
#include "passthrough.h"
#include "prefill.h"

/*
 * Flags for the source's descriptor.  The kernel deals with O_TRUNC by a
 * SETATTR of its own; appending is decided at each write, since a descriptor
 * may also carry write-back of mapped pages; and O_DIRECT would make that
 * write-back fail on its alignment.  O_NONBLOCK means nothing for a regular
 * file but for who has a lease on it, as we may for a moment.
 */
static int source_flags(int flags)
{
	return flags & ~(O_APPEND | O_DIRECT | O_TRUNC | O_NOFOLLOW | O_CREAT |
			 O_EXCL | O_NONBLOCK);
}

/*
 * A descriptor for the handle.  The writeback cache reads, to fill pages that
 * are written in part, through handles of writers too; where the disk won't
 * have it, this one gets no cache.
 */
static int open_source(const struct filesystem *fs, const struct caller *caller,
		       const struct node_ref *node, struct fuse_file_info *fi)
{
	/* Not to wait for a lease: open_later.h. */
	int flags =
		source_flags(fi->flags) | (fs->remote_source ? 0 : O_NONBLOCK);
	int fd;

	if (fs->writeback && (flags & O_ACCMODE) == O_WRONLY) {
		fd = backing_reopen(node->fd, (flags & ~O_ACCMODE) | O_RDWR);
		if (fd >= 0 || fd == -EAGAIN)
			return keep_open(fs, fd);
		fi->direct_io = 1;
	}
	fd = open_node(fs, caller, node, flags);
	if (fd == -EPERM && (flags & O_NOATIME) != 0)
		fd = open_node(fs, caller, node, flags & ~O_NOATIME);
	return fd;
}

/*
 * By name, which takes fewer calls than by a descriptor of the node's.  Any
 * failure, such as another object there: to be opened by that after all.  A
 * privileged daemon must not open what just came there, which may be a device.
 */
static int open_by_name(struct filesystem *fs, fuse_ino_t ino,
			const struct fuse_file_info *fi, struct node_ref *node,
			struct statx *ret_stx)
{
	const struct acting_user *acting = &fs->policy->acting;
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_fd_ int fd = -1;
	char name[NODE_NAME_MAX + 1];
	int r;

	if (fs->remote_source || fs->writeback || is_judged(fs) ||
	    (acting->uid.value == 0 && !acting->userns_root))
		return -EAGAIN;
	r = node_locate(fs->nodes, ino, node, &dir, name);
	if (r == 0 && is_strange(fs, node))
		r = -EAGAIN;
	if (r < 0)
		return r;
	/* What is mounted there isn't asked: it may be ours. */
	r = backing_stat_child(dir.fd, name, ret_stx);
	if (r < 0 || !node_is(node, ret_stx))
		return -EAGAIN;
	fd = backing_open_file(dir.fd, name, source_flags(fi->flags));
	r = fd < 0 ? fd : backing_stat(fd, ret_stx);
	if (r < 0)
		return r;
	return node_is(node, ret_stx) ? keep_open(fs, take_fd(&fd)) : -EAGAIN;
}

static int open_by_node(struct filesystem *fs, const struct caller *caller,
			fuse_ino_t ino, struct fuse_file_info *fi,
			struct node_ref *node, struct statx *ret_stx)
{
	int fd, r = node_acquire_stat(fs->nodes, ino, node, ret_stx);

	if (r < 0)
		return r;
	/* By a path that leads elsewhere now: the kernel looks again. */
	if (ret_stx->stx_nlink == 0 && !was_found_again(node) &&
	    node_was_replaced(node))
		return -ESTALE;
	r = judge_access(fs, caller, node, wanted_by(fi->flags),
			 (fi->flags & OPEN_FOR_EXEC) != 0 ? "exec" : "open");
	if (r == 0 && (fi->flags & O_NOATIME) != 0)
		r = judge_owner(fs, caller, node, "open with O_NOATIME");
	if (r < 0)
		return r;
	fd = open_source(fs, caller, node, fi);
	return fd < 0 ? judge_disk(fs, fd, "open", node, NULL) : fd;
}

/* The backing id of passthrough.h, or 0; -errno. */
static int do_open(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		   struct fuse_file_info *fi)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	_cleanup_fd_ int fd = -1;
	struct caller caller;
	struct statx stx = { 0 };
	int file, r = caller_of(fs, req, &caller);
	bool current, filled;

	if (r < 0)
		return r;
	fd = open_by_name(fs, ino, fi, &node, &stx);
	if (fd < 0) {
		node_release(&node);
		fd = open_by_node(fs, &caller, ino, fi, &node, &stx);
	}
	if (fd == -ESTALE)
		note_look_again(fs);
	if (fd < 0)
		return fd;
	r = handle_add_file(fs->handles, ino, fd, &fi->fh);
	if (r < 0)
		return r;
	file = take_fd(&fd);
	/* Where we judge (filesystem.c); else the kernel asks for it apart. */
	if ((fi->flags & O_TRUNC) != 0) {
		r = truncate_opened(fs, req, ino);
		if (r == 0)
			r = backing_stat(file, &stx);
	}
	if (r == 0)
		r = passthrough_opened(
			fs->passthrough, fs->session, ino,
			node_is_privileged(fs->nodes, ino) ? -1 : file);
	if (r < 0) {
		handle_remove(fs->handles, fi->fh);
		return r;
	}
	current = pages_are_current(fs, &node, &stx, file, fi->flags);
	filled = prefill_open(fs, ino, fi->flags, file, &stx);
	/* What was written before the open is read after it. */
	refresh(fs, &node, &stx);
	fi->keep_cache = r == 0 && (current || filled);
	return r;
}

void close_handle(struct filesystem *fs, fuse_ino_t ino,
		  const struct fuse_file_info *fi)
{
	node_closed(fs->nodes, ino, (fi->flags & O_ACCMODE) != O_RDONLY);
	lock_drop_handle(fs->locks, ino, fi->fh);
	passthrough_closed(fs->passthrough, fs->session, ino);
	handle_remove(fs->handles, fi->fh);
}

static bool open_now(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int r = do_open(fs, req, ino, fi);

	if (r == -EAGAIN)
		return false;
	if (r < 0)
		reply_result(req, r);
	else if (passthrough_reply_open(req, fi, r) == -ENOENT)
		close_handle(fs, ino, fi);
	return true;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int r = open_now(req, ino, fi) ? 0 : open_later(req, ino, fi, open_now);

	if (r < 0)
		reply_result(req, r);
}

/*
 * All of the data to one place; the count written or -errno.  Of pages that
 * are written back the kernel looks at the error alone: to be told of part of
 * them would make it lose the rest.
 */
static ssize_t write_at(int fd, const char *data, size_t size, off_t off,
			const struct fuse_file_info *fi)
{
	bool write_back = fi->writepage != 0;
	/* Which goes where the page is. */
	bool append = (fi->flags & O_APPEND) != 0 && !write_back;
	size_t done = 0;

	while (done < size) {
		struct iovec part = {
			.iov_base = (void *)(uintptr_t)(data + done),
			.iov_len = size - done,
		};
		ssize_t put = pwritev2(fd, &part, 1, off + (off_t)done,
				       append ? RWF_APPEND : 0);

		if (put < 0 && (done == 0 || write_back))
			return -errno;
		if (put <= 0)
			break;
		done += (size_t)put;
	}
	return (ssize_t)done;
}

static ssize_t do_write(struct filesystem *fs, struct fuse_bufvec *in,
			off_t off, const struct fuse_file_info *fi)
{
	int fd = handle_fd(fs->handles, fi->fh);
	size_t size = fuse_buf_size(in);
	_cleanup_free_ char *copy = NULL;

	if (fd < 0)
		return fd;
	if (in->count == 1 && (in->buf[0].flags & FUSE_BUF_IS_FD) == 0)
		return write_at(fd, in->buf[0].mem, size, off, fi);

	struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
	ssize_t got;

	copy = malloc(size > 0 ? size : 1);
	if (copy == NULL)
		return -ENOMEM;
	out.buf[0].mem = copy;
	got = fuse_buf_copy(&out, in, 0);
	return got < 0 ? got : write_at(fd, copy, (size_t)got, off, fi);
}

void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in,
		  off_t off, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	struct privileges kept = { .node = NODE_REF_NONE };
	ssize_t r = 0;

	/* What was mapped was written long ago; a mapping strips nothing. */
	if (fi->writepage == 0)
		r = drop_privileges(fs, req, ino);
	else
		privileges_keep(fs, ino, &kept);
	if (r == 0)
		r = do_write(fs, in, off, fi);
	privileges_restore(&kept);
	if (r < 0)
		reply_result(req, (int)r);
	else
		(void)fuse_reply_write(req, (size_t)r);
}

/*
 * A descriptor is closed: the process loses its locks on the file, and
 * close(2) of a duplicate reports what a network or quota source has to say.
 */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int fd = handle_fd(fs->handles, fi->fh);
	int r = fd;

	/* Nothing to do for us, ever: the kernel asks no more. */
	if (!fs->config.host_locks && !fs->remote_source) {
		reply_result(req, -ENOSYS);
		return;
	}
	lock_note_close(fs->locks, ino);
	lock_drop_owner(fs->locks, ino, fi->lock_owner);
	/* Of a local source close(2) has nothing to say. */
	if (fd >= 0 && !fs->remote_source)
		r = 0;
	else if (fd >= 0) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		r = copy < 0 || close(copy) < 0 ? -errno : 0;
	}
	reply_result(req, r);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close_handle(filesystem_of(req), ino, fi);
	reply_result(req, 0);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	int fd = handle_fd(filesystem_of(req)->handles, fi->fh);
	int r = fd;

	(void)ino;
	if (fd >= 0)
		r = (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
	reply_result(req, r);
}

/* Of what failed the kernel takes size and times to be as they were. */
static void refresh_failed(const struct filesystem *fs, fuse_ino_t ino)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct statx stx;

	if (node_acquire_stat(fs->nodes, ino, &node, &stx) == 0)
		refresh(fs, &node, &stx);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int fd = handle_fd(fs->handles, fi->fh);
	int r = fd;

	if (fd >= 0)
		r = drop_privileges(fs, req, ino);
	if (r >= 0 && fallocate(fd, mode, offset, length) < 0) {
		r = -errno;
		/* ext4 keeps what it had allocated when the disk was full. */
		refresh_failed(fs, ino);
	}
	reply_result(req, r < 0 ? r : 0);
}

/*
 * The kernel asks for holes without writing back what was changed through a
 * mapping (fuse_lseek() in linux fs/fuse/file.c), which is data natively: have
 * it write back, and with that forget, its pages of the hole.
 */
static bool write_back(struct filesystem *fs, fuse_ino_t ino, off_t from,
		       off_t to)
{
	return fs->session == NULL ||
	       drop_pages(fs, ino, from, to - from, false);
}

static off_t seek(int fd, off_t off, int whence)
{
	off_t at = lseek(fd, off, whence);

	return at < 0 ? -errno : at;
}

/*
 * SEEK_DATA or SEEK_HOLE in a file that may be mapped for writing, of which
 * the source says `at`.  Only what it holds for a hole can be other than it
 * says.  Where we can't know, all is data: lseek(2) permits that.
 */
static off_t seek_mapped(struct filesystem *fs, fuse_ino_t ino, int fd,
			 off_t off, int whence, off_t at)
{
	off_t size = seek(fd, 0, SEEK_END);
	off_t end, again;

	if (off < 0 || off >= size)
		return at;
	if (whence == SEEK_DATA) {
		if (at == off)
			return at;
		if (!write_back(fs, ino, off, at < 0 ? size : at))
			return off;
		return seek(fd, off, whence);
	}
	if (at < 0 || at >= size)
		return at;
	end = seek(fd, at, SEEK_DATA);
	if (!write_back(fs, ino, at, end < 0 ? size : end))
		return size;
	again = seek(fd, off, whence);
	/* Only data from where the hole began lets us look farther. */
	if (again == at || again < 0 || again >= size)
		return again;
	return write_back(fs, ino, again, size) ? seek(fd, off, whence) : size;
}

static off_t do_lseek(struct filesystem *fs, fuse_ino_t ino, int fd, off_t off,
		      int whence)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	off_t at = seek(fd, off, whence);

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) ||
	    passthrough_is_open(fs->passthrough, ino) ||
	    node_acquire(fs->nodes, ino, &node) < 0 || !node_has_writer(&node))
		return at;
	/*
	 * Any of it, and its size, may be with the kernel alone.  ENOSYS: all
	 * is data, from now on.
	 */
	if (fs->writeback)
		return write_back(fs, ino, 0, 0) ? seek(fd, off, whence) :
						   -ENOSYS;
	return seek_mapped(fs, ino, fd, off, whence, at);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int fd = handle_fd(fs->handles, fi->fh);
	off_t at = fd < 0 ? fd : do_lseek(fs, ino, fd, off, whence);

	if (at < 0)
		reply_result(req, (int)at);
	else
		(void)fuse_reply_lseek(req, at);
}

/*
 * Reading is news of a file's atime, which the kernel expects of what it reads
 * itself, but not of what is copied from.
 */
static void refresh_read(const struct filesystem *fs, fuse_ino_t ino, int fd,
			 const struct statx *before)
{
	struct statx now = { 0 };

	if (fs->session != NULL && backing_stat(fd, &now) == 0 &&
	    backing_nanoseconds(&now.stx_atime) !=
		    backing_nanoseconds(&before->stx_atime))
		(void)fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t len, int flags)
{
	struct filesystem *fs = filesystem_of(req);
	int in = handle_fd(fs->handles, fi_in->fh);
	int out = handle_fd(fs->handles, fi_out->fh);
	struct statx before = { 0 };
	ssize_t copied;
	int r;

	r = drop_privileges(fs, req, ino_out);
	if (r == 0 && (in < 0 || out < 0))
		r = -EBADF;
	if (r == 0)
		r = backing_stat(in, &before);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	copied = copy_file_range(in, &off_in, out, &off_out, len,
				 (unsigned int)flags);
	if (copied < 0) {
		reply_result(req, -errno);
		return;
	}
	refresh_read(fs, ino_in, in, &before);
	(void)fuse_reply_write(req, (size_t)copied);
}
