/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prefill.h"

#include <sys/uio.h>
#include <time.h>

#include "idshift/backing.h"

/* More takes longer to copy once more than to be asked for. */
#define SMALL 16384

/* Once in so many it is moved all the same: a day. */
#define RELATIME_SECONDS 86400

/*
 * Linux 6.12's.  Kernels before 6.11 may show what they had in memory behind
 * the end of a file that was stored (CVE-2024-44947).
 */
#define PROTOCOL_MINOR 41

bool prefill_is_possible(const struct filesystem *fs,
			 const struct fuse_conn_info *conn)
{
	return conn->proto_minor >= PROTOCOL_MINOR && fs->config.keep_cache &&
	       !fs->writeback && fs->passthrough == NULL && !fs->remote_source;
}

/*
 * Does reading it leave its atime (relatime)?  Else the kernel had to ask for
 * that instead of the content.
 */
static bool keeps_atime(const struct statx *stx)
{
	uint64_t atime = backing_nanoseconds(&stx->stx_atime);

	return atime > backing_nanoseconds(&stx->stx_mtime) &&
	       atime > backing_nanoseconds(&stx->stx_ctime) &&
	       time(NULL) - stx->stx_atime.tv_sec < RELATIME_SECONDS;
}

/* Of one whose ctime tells every change to come. */
static bool is_wanted(int flags, const struct statx *stx)
{
	return (flags & O_ACCMODE) == O_RDONLY && (flags & O_DIRECT) == 0 &&
	       stx->stx_size > 0 && stx->stx_size <= SMALL &&
	       keeps_atime(stx) && backing_is_settled(stx);
}

/* What is in memory: others wait meanwhile.  It may be less, or more by 1. */
static ssize_t read_at_once(int fd, char *bytes, size_t size)
{
	struct iovec whole = { .iov_base = bytes, .iov_len = size + 1 };

	return preadv2(fd, &whole, 1, 0, RWF_NOWAIT);
}

static bool give(struct filesystem *fs, fuse_ino_t ino, int fd,
		 const struct statx *stx)
{
	struct fuse_bufvec content = FUSE_BUFVEC_INIT(stx->stx_size);
	char bytes[SMALL + 1];
	struct statx now;

	if (read_at_once(fd, bytes, stx->stx_size) != (ssize_t)stx->stx_size)
		return false;
	content.buf[0].mem = bytes;
	if (fuse_lowlevel_notify_store(fs->session, ino, 0, &content, 0) < 0)
		return false;
	/*
	 * If it was changed meanwhile, the kernel may have heard of that
	 * before it had these pages, and would never drop them.
	 */
	if (backing_stat(fd, &now) < 0 || !backing_is_unchanged(stx, &now))
		return false;
	/* As after a READ. */
	if (backing_nanoseconds(&now.stx_atime) !=
	    backing_nanoseconds(&stx->stx_atime))
		(void)fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
	return true;
}

bool prefill_open(struct filesystem *fs, fuse_ino_t ino, int flags, int fd,
		  const struct statx *stx)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	pthread_mutex_t *lock;
	bool given = false;

	if (!fs->prefills) {
		(void)node_opened(fs->nodes, ino, writes);
		return false;
	}
	lock = node_change_lock_of(fs->nodes, ino);
	/* No other handle comes, and nobody truncates it by a SETATTR. */
	(void)pthread_mutex_lock(lock);
	if (node_opened(fs->nodes, ino, writes) && stx != NULL &&
	    is_wanted(flags, stx))
		given = give(fs, ino, fd, stx);
	(void)pthread_mutex_unlock(lock);
	return given;
}
