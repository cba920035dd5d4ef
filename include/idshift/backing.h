/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source directory: system calls on it, each fd-relative with at most one
 * path component, never following a symbolic link.
 *
 * A "path fd" is a descriptor opened with O_PATH|O_NOFOLLOW (open(2)); it
 * names any kind of object, symbolic links included.  Every function returns
 * 0 (or a descriptor, or a length) or -errno, keeps no state of its own and
 * may be called from any thread.
 */
#ifndef IDSHIFT_BACKING_H
#define IDSHIFT_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "idshift/ids.h"
#include "idshift/view.h"

/* What of statx(2) the handlers use. */
#define BACKING_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

/* A component, and nothing that the kernel would resolve otherwise. */
bool backing_name_ok(const char *name);

/* Path fd of one entry of a directory.  Mount points are crossed. */
int backing_open_child(int dir_fd, const char *name);

/* A readable or writable descriptor of a path fd's object (not symlinks). */
int backing_reopen(int path_fd, int flags);

/*
 * A regular file by its name; whatever else may be there instead holds nobody
 * up.  What it is has to be looked at afterwards.
 */
int backing_open_file(int dir_fd, const char *name, int flags);

int backing_stat(int path_fd, struct statx *ret);
/*
 * Of one entry of a directory, mount points crossed, as far as it is known
 * without asking anybody: a FUSE or network file system may answer from its
 * cache.
 */
int backing_stat_child(int dir_fd, const char *name, struct statx *ret);
struct disk_owner backing_owner(const struct statx *stx);
uint64_t backing_dev(const struct statx *stx);
/* Wraps after 584 years. */
static inline uint64_t backing_nanoseconds(const struct statx_timestamp *time)
{
	return (uint64_t)time->tv_sec * UINT64_C(1000000000) + time->tv_nsec;
}

/*
 * Same inode and ctime.  For a directory whose ctime was settled, also: no
 * entry was added, removed or renamed.
 */
bool backing_is_unchanged(const struct statx *then, const struct statx *now);
/*
 * Not changed so lately that the same ctime may stand for another change: a
 * rename moves it, but before Linux 6.13 by ticks of the clock.
 */
bool backing_is_settled(const struct statx *stx);
/* The same, as of that time (CLOCK_REALTIME_COARSE). */
bool backing_was_settled(const struct statx *stx, const struct timespec *then);

/*
 * Will every change of the file's content from now on move its ctime to
 * another than this?  Not where it changed within two minutes and may be open
 * for writing (a write(2) moves it when it begins, a mapping now and then, and
 * we can tell by a descriptor for reading of our own files alone), and not on
 * tmpfs, where mappings never move it.  fd is open by `flags`, as for open(2).
 * SIGIO is to be ignored.
 */
bool backing_is_quiet(int fd, int flags, const struct statx *stx);

int backing_chmod(int path_fd, mode_t mode);
/* An id of ID_NONE stays as it is. */
int backing_chown(int path_fd, struct disk_id uid, struct disk_id gid);
/* As truncate(2): a size that is so already moves no time. */
int backing_truncate(int path_fd, off_t size);
/*
 * Moves ctime, as a change of owner would, and nothing else but an atime that
 * has moved since *stx.
 */
int backing_touch_ctime(int path_fd, const struct statx *stx);
int backing_utimens(int path_fd, const struct timespec times[2]);

/* Extended attributes; lengths as getxattr(2).  Not for symbolic links. */
ssize_t backing_getxattr(int path_fd, const char *name, void *value,
			 size_t size);
/* The same of a directory: quicker where the kernel has getxattrat(2). */
ssize_t backing_getxattr_dir(int path_fd, const char *name, void *value,
			     size_t size);
int backing_setxattr(int path_fd, const char *name, const void *value,
		     size_t size, int flags);
int backing_removexattr(int path_fd, const char *name);
ssize_t backing_listxattr(int path_fd, char *list, size_t size);

/* Of an entry of a directory; not followed if it is a symbolic link. */
ssize_t backing_getxattr_child(int dir_fd, const char *child, const char *name,
			       void *value, size_t size);
/* -ENOSYS: before Linux 6.13. */
ssize_t backing_listxattr_child(int dir_fd, const char *child, char *list,
				size_t size);

/* linkat(2) of an object by descriptor (also one made with O_TMPFILE). */
int backing_link(int fd, int dir_fd, const char *name);

/*
 * Identity of an object that outlives a mount: the file system's id and the
 * file handle, or where the file system has none the inode number and birth
 * time.  A recycled inode has another key.  The handles of FUSE are of one
 * mount's life, and say nothing.
 *
 * -EOPNOTSUPP  the file system can't tell its inodes apart for good
 */
#define BACKING_KEY_MAX 180
struct backing_key {
	size_t len;
	bool by_birth; /* an overlay's copy of the object has another */
	unsigned char bytes[BACKING_KEY_MAX];
};
int backing_key(int path_fd, const struct statx *stx, struct backing_key *ret);
/* Of an entry of a directory on the same file system. */
int backing_key_child(int dir_fd, const char *name, const struct statx *stx,
		      struct backing_key *ret);

#endif
