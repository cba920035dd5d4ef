/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6; one number on all architectures */
#endif
#ifndef SYS_getxattrat
#define SYS_getxattrat 464 /* Linux 6.13; likewise */
#define SYS_listxattrat 465
#endif

/* Longer than a tick of the kernel's clock for times of files. */
#define FRESH_NS INT64_C(20000000)
#define SECOND_NS INT64_C(1000000000)

/* Longer than pages stay dirty (proc(5), dirty_expire_centisecs). */
#define LONG_QUIET_SECONDS 120

/* Room for "/proc/self/fd/" and an int. */
#define PROC_PATH_MAX 32

/*
 * Calls without a form for O_PATH descriptors go through the magic link,
 * which leads to the object itself and resolves no name again.
 */
static const char *proc_path(int fd, char buf[PROC_PATH_MAX])
{
	(void)snprintf(buf, PROC_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

bool backing_name_ok(const char *name)
{
	return name[0] != '\0' && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strchr(name, '/') == NULL;
}

int backing_open_child(int dir_fd, const char *name)
{
	return result(openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

int backing_reopen(int path_fd, int flags)
{
	char path[PROC_PATH_MAX];
	int fd;

	flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW);
	/* A shorter way, but one that has to be searched, and to exist. */
	if ((flags & (O_DIRECTORY | O_PATH)) == O_DIRECTORY) {
		fd = openat(path_fd, ".", flags | O_CLOEXEC);
		if (fd >= 0 || (errno != EACCES && errno != ENOENT))
			return result(fd);
	}
	return result(open(proc_path(path_fd, path), flags | O_CLOEXEC));
}

int backing_open_file(int dir_fd, const char *name, int flags)
{
	/* O_NONBLOCK: for a fifo, or a lease; regular files don't have it. */
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	return result(openat(dir_fd, name, flags));
}

int backing_stat(int path_fd, struct statx *ret)
{
	return result(statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT,
			    BACKING_STATX_MASK, ret));
}

int backing_stat_child(int dir_fd, const char *name, struct statx *ret)
{
	return result(statx(dir_fd, name,
			    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
				    AT_STATX_DONT_SYNC,
			    BACKING_STATX_MASK, ret));
}

struct disk_owner backing_owner(const struct statx *stx)
{
	return (struct disk_owner){
		.uid = DISK_ID(stx->stx_uid),
		.gid = DISK_ID(stx->stx_gid),
		.mode = stx->stx_mode,
	};
}

uint64_t backing_dev(const struct statx *stx)
{
	return (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
}

bool backing_is_unchanged(const struct statx *then, const struct statx *now)
{
	return then->stx_ino == now->stx_ino &&
	       backing_dev(then) == backing_dev(now) &&
	       then->stx_ctime.tv_sec == now->stx_ctime.tv_sec &&
	       then->stx_ctime.tv_nsec == now->stx_ctime.tv_nsec;
}

bool backing_was_settled(const struct statx *stx, const struct timespec *then)
{
	int64_t seconds = then->tv_sec - stx->stx_ctime.tv_sec;

	if (seconds < 0 || seconds > 1)
		return seconds > 1;
	/* Maybe all that the file system keeps are seconds. */
	if (stx->stx_ctime.tv_nsec == 0)
		return false;
	return seconds * SECOND_NS + then->tv_nsec -
		       (int64_t)stx->stx_ctime.tv_nsec >=
	       FRESH_NS;
}

bool backing_is_settled(const struct statx *stx)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return backing_was_settled(stx, &now);
}

/*
 * A lease for reading is had if nobody has the file open for writing, of one's
 * own files (fcntl(2), F_SETLEASE).  It lasts for as long as it takes to give
 * it back; who opens the file for writing meanwhile waits for that, or with
 * O_NONBLOCK is told EWOULDBLOCK.
 */
static bool has_no_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return false;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

static bool is_on_tmpfs(int fd, const struct statx *stx)
{
	struct statfs fs;

	/* Which no device is behind. */
	return stx->stx_dev_major == 0 &&
	       (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC);
}

bool backing_is_quiet(int fd, int flags, const struct statx *stx)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (!backing_was_settled(stx, &now) || is_on_tmpfs(fd, stx))
		return false;
	/* A page that was written to since has been written back, and moved it.
	 */
	if (now.tv_sec - stx->stx_ctime.tv_sec > LONG_QUIET_SECONDS)
		return true;
	return (flags & O_ACCMODE) == O_RDONLY && has_no_writer(fd);
}

int backing_chmod(int path_fd, mode_t mode)
{
	char path[PROC_PATH_MAX];

	if (syscall(SYS_fchmodat2, path_fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	/* EPERM is also what an older seccomp filter says. */
	return result(chmod(proc_path(path_fd, path), mode));
}

int backing_chown(int path_fd, struct disk_id uid, struct disk_id gid)
{
	return result(
		fchownat(path_fd, "", uid.value, gid.value, AT_EMPTY_PATH));
}

int backing_truncate(int path_fd, off_t size)
{
	char path[PROC_PATH_MAX];

	return result(truncate(proc_path(path_fd, path), size));
}

int backing_touch_ctime(int path_fd, const struct statx *stx)
{
	const struct timespec times[2] = {
		{ .tv_sec = stx->stx_atime.tv_sec,
		  .tv_nsec = stx->stx_atime.tv_nsec },
		{ .tv_nsec = UTIME_OMIT },
	};

	/*
	 * chown(-1, -1) would do for all, but takes setuid bits and
	 * capabilities of the disk's own from what is no directory, and NFS
	 * leaves it out.  chmod to the mode that it had a moment ago would undo
	 * a chmod of the host's since.
	 */
	if (!S_ISLNK(stx->stx_mode))
		return backing_utimens(path_fd, times);
	return result(
		fchownat(path_fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH));
}

int backing_utimens(int path_fd, const struct timespec times[2])
{
	char path[PROC_PATH_MAX];

	if (utimensat(path_fd, "", times, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Linux before 5.8 has no AT_EMPTY_PATH here. */
	return result(utimensat(AT_FDCWD, proc_path(path_fd, path), times, 0));
}

/* struct xattr_args of linux/xattr.h, which older headers lack. */
struct getxattr_args {
	_Alignas(8) uint64_t value;
	uint32_t size;
	uint32_t flags;
};

/* getxattrat(2) and its like; they are missing all together. */
static atomic_bool xattrat_missing;

static ssize_t xattrat_result(long ret)
{
	if (ret >= 0)
		return ret;
	/* EPERM: a seccomp filter; reading says it of no attribute. */
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	atomic_store(&xattrat_missing, true);
	return -ENOSYS;
}

/* -ENOSYS: take the longer way, by the magic link. */
static ssize_t getxattrat_child(int dir_fd, const char *child, const char *name,
				void *value, size_t size)
{
	struct getxattr_args args = {
		.value = (uintptr_t)value,
		.size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX,
	};

	if (atomic_load_explicit(&xattrat_missing, memory_order_relaxed))
		return -ENOSYS;
	return xattrat_result(syscall(SYS_getxattrat, dir_fd, child,
				      AT_SYMLINK_NOFOLLOW, name, &args,
				      sizeof(args)));
}

ssize_t backing_listxattr_child(int dir_fd, const char *child, char *list,
				size_t size)
{
	if (atomic_load_explicit(&xattrat_missing, memory_order_relaxed))
		return -ENOSYS;
	return xattrat_result(syscall(SYS_listxattrat, dir_fd, child,
				      AT_SYMLINK_NOFOLLOW, list, size));
}

ssize_t backing_getxattr(int path_fd, const char *name, void *value,
			 size_t size)
{
	char path[PROC_PATH_MAX];
	ssize_t len = getxattr(proc_path(path_fd, path), name, value, size);

	return len < 0 ? -errno : len;
}

ssize_t backing_getxattr_dir(int path_fd, const char *name, void *value,
			     size_t size)
{
	ssize_t len = getxattrat_child(path_fd, ".", name, value, size);

	/* "." has to be searched for, the magic link leads there at once. */
	if (len == -ENOSYS || len == -EACCES)
		return backing_getxattr(path_fd, name, value, size);
	return len;
}

ssize_t backing_getxattr_child(int dir_fd, const char *child, const char *name,
			       void *value, size_t size)
{
	char path[PROC_PATH_MAX + NAME_MAX + 1];
	ssize_t len = getxattrat_child(dir_fd, child, name, value, size);
	int need;

	if (len != -ENOSYS)
		return len;
	need = snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd,
			child);
	if (need < 0 || (size_t)need >= sizeof(path))
		return -ENAMETOOLONG;
	len = lgetxattr(path, name, value, size);
	return len < 0 ? -errno : len;
}

int backing_setxattr(int path_fd, const char *name, const void *value,
		     size_t size, int flags)
{
	char path[PROC_PATH_MAX];

	/* EBADF: it is a path fd. */
	if (fsetxattr(path_fd, name, value, size, flags) == 0)
		return 0;
	if (errno != EBADF)
		return -errno;
	return result(
		setxattr(proc_path(path_fd, path), name, value, size, flags));
}

int backing_removexattr(int path_fd, const char *name)
{
	char path[PROC_PATH_MAX];

	return result(removexattr(proc_path(path_fd, path), name));
}

ssize_t backing_listxattr(int path_fd, char *list, size_t size)
{
	char path[PROC_PATH_MAX];
	ssize_t len = listxattr(proc_path(path_fd, path), list, size);

	return len < 0 ? -errno : len;
}

int backing_link(int fd, int dir_fd, const char *name)
{
	char path[PROC_PATH_MAX];

	if (linkat(fd, "", dir_fd, name, AT_EMPTY_PATH) == 0)
		return 0;
	/*
	 * It needs CAP_DAC_READ_SEARCH, or from Linux 6.10 on the credentials
	 * that fd was opened with.
	 */
	if (errno != ENOENT)
		return -errno;
	return result(linkat(AT_FDCWD, proc_path(fd, path), dir_fd, name,
			     AT_SYMLINK_FOLLOW));
}
