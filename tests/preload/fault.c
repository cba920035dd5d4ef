/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: one call fails or is its last, as the test says
 * (fault.h).
 */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct fault_control *control;

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("FAULT_CONTROL");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	(void)close(fd);
	if (map != MAP_FAILED)
		control = map;
}

static int changes(const char *name)
{
	static const char *const reading[] = {
		"open",	      "openat",
		"statx",      "getxattr",
		"lgetxattr",  "listxattr",
		"readlink",   "readlinkat",
		"getdents64", "name_to_handle_at",
		"pread64",    "preadv64v2",
		"splice",     "pipe2",
		"fcntl"
	};

	for (size_t i = 0; i < sizeof(reading) / sizeof(reading[0]); i++) {
		if (strcmp(name, reading[i]) == 0)
			return 0;
	}
	return 1;
}

static int fails(const char *name)
{
	int left, error;

	if (control == NULL || atomic_load(&control->countdown) <= 0 ||
	    (atomic_load(&control->changes_only) && !changes(name)))
		return 0;
	left = atomic_load(&control->countdown);
	do {
		if (left <= 0)
			return 0;
	} while (!atomic_compare_exchange_weak(&control->countdown, &left,
					       left - 1));
	if (left != 1)
		return 0;
	(void)snprintf(control->name, sizeof(control->name), "%s", name);
	error = atomic_load(&control->error);
	if (error <= 0)
		(void)raise(error == 0 ? SIGKILL : -error);
	if (error < 0)
		return 0;
	errno = error;
	return 1;
}

/* A function of the C library that fails or is passed on. */
#define CALL(type, name, parameters, arguments)                      \
	type name parameters                                         \
	{                                                            \
		type(*real) parameters =                             \
			(type(*) parameters)dlsym(RTLD_NEXT, #name); \
                                                                     \
		return fails(#name) ? (type)-1 : real arguments;     \
	}

CALL(int, statx,
     (int dir, const char *restrict path, int flags, unsigned int mask,
      struct statx *restrict ret),
     (dir, path, flags, mask, ret))
CALL(int, fchownat,
     (int dir, const char *path, uid_t uid, gid_t gid, int flags),
     (dir, path, uid, gid, flags))
CALL(int, chmod, (const char *path, mode_t mode), (path, mode))
CALL(ssize_t, getxattr,
     (const char *path, const char *name, void *value, size_t size),
     (path, name, value, size))
CALL(ssize_t, lgetxattr,
     (const char *path, const char *name, void *value, size_t size),
     (path, name, value, size))
CALL(int, setxattr,
     (const char *path, const char *name, const void *value, size_t size,
      int flags),
     (path, name, value, size, flags))
CALL(int, fsetxattr,
     (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
CALL(int, removexattr, (const char *path, const char *name), (path, name))
CALL(ssize_t, listxattr, (const char *path, char *list, size_t size),
     (path, list, size))
CALL(int, linkat,
     (int from, const char *path, int to, const char *name, int flags),
     (from, path, to, name, flags))
CALL(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
CALL(int, mknodat, (int dir, const char *name, mode_t mode, dev_t dev),
     (dir, name, mode, dev))
CALL(int, symlinkat, (const char *target, int dir, const char *name),
     (target, dir, name))
CALL(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
CALL(int, renameat2,
     (int from, const char *name, int to, const char *new_name,
      unsigned int flags),
     (from, name, to, new_name, flags))
CALL(int, truncate64, (const char *path, off_t size), (path, size))
CALL(int, utimensat,
     (int dir, const char *path, const struct timespec times[2], int flags),
     (dir, path, times, flags))
CALL(int, name_to_handle_at,
     (int dir, const char *path, struct file_handle *handle, int *mount_id,
      int flags),
     (dir, path, handle, mount_id, flags))
CALL(ssize_t, readlinkat,
     (int dir, const char *path, char *target, size_t size),
     (dir, path, target, size))
CALL(ssize_t, pread64, (int fd, void *data, size_t size, off_t at),
     (fd, data, size, at))
CALL(ssize_t, preadv64v2,
     (int fd, const struct iovec *parts, int count, off_t at, int flags),
     (fd, parts, count, at, flags))
CALL(ssize_t, pwritev64v2,
     (int fd, const struct iovec *parts, int count, off_t at, int flags),
     (fd, parts, count, at, flags))
CALL(ssize_t, splice,
     (int in, off_t *in_at, int out, off_t *out_at, size_t size,
      unsigned int flags),
     (in, in_at, out, out_at, size, flags))
CALL(int, pipe2, (int fds[2], int flags), (fds, flags))
/* LMDB's commits, and intents. */
CALL(int, fdatasync, (int fd), (fd))
CALL(ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at),
     (fd, data, size, at))

static int open_common(const char *name, int dir, const char *path, int flags,
		       mode_t mode)
{
	int (*real)(int, const char *, int, ...) =
		(int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT,
							    "openat64");

	return fails(name) ? -1 : real(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list more;

	va_start(more, flags);
	mode = va_arg(more, mode_t);
	va_end(more);
	return open_common((flags & O_CREAT) != 0 ||
					   (flags & O_TMPFILE) == O_TMPFILE ?
				   "create" :
				   "openat",
			   dir, path, flags, mode);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
	return open_common("open", AT_FDCWD, path, flags, 0);
}

int fcntl64(int fd, int command, ...)
{
	int (*real)(int, int, ...) =
		(int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
	va_list more;
	long argument;

	va_start(more, command);
	argument = va_arg(more, long);
	va_end(more);
	return fails("fcntl") ? -1 : real(fd, command, argument);
}

#ifndef SYS_getxattrat
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#endif

/* Of those that the C library has no function for. */
static const char *call_name(long number)
{
	switch (number) {
	case SYS_getdents64:
		return "getdents64";
	case SYS_openat2:
		return "openat";
	case SYS_getxattrat:
		return "getxattr";
	case SYS_listxattrat:
		return "listxattr";
	default:
		return "fchmodat2";
	}
}

long syscall(long number, ...)
{
	long (*real)(long, ...) =
		(long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long args[6];
	va_list more;

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	if (fails(call_name(number)))
		return -1;
	return real(number, args[0], args[1], args[2], args[3], args[4],
		    args[5]);
}
