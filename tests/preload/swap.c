/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: a colleague who is always fast enough.  Between
 * two of the daemon's calls about the entry SWAP_NAME, that entry and
 * SWAP_WITH of the same directory change places.
 *
 *   SWAP_AFTER=stat    once it was looked at (statx(2))
 *   SWAP_AFTER=twice   then, and back once its attributes were asked for
 *   SWAP_AFTER=make    once it was made
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_getxattrat
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#endif

typedef int statx_fn(int dir, const char *path, int flags, unsigned int mask,
		     struct statx *ret);
typedef int mkdirat_fn(int dir, const char *path, mode_t mode);
typedef ssize_t lgetxattr_fn(const char *path, const char *name, void *value,
			     size_t size);
typedef long syscall_fn(long number, ...);

/* The directory where the entry was swapped; -1: it is in its place. */
static _Atomic int swapped_in = -1;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int is(const char *variable, const char *value)
{
	const char *text = getenv(variable);

	return text != NULL && value != NULL && strcmp(text, value) == 0;
}

static int swap(int dir)
{
	return renameat2(dir, getenv("SWAP_NAME"), dir, getenv("SWAP_WITH"),
			 RENAME_EXCHANGE);
}

static void swap_once(int dir, const char *path)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (is("SWAP_NAME", path) && !atomic_flag_test_and_set(&done) &&
	    swap(dir) == 0)
		atomic_store(&swapped_in, dir);
}

static void swap_back(void)
{
	int dir = is("SWAP_AFTER", "twice") ? atomic_exchange(&swapped_in, -1) :
					      -1;

	int error = errno;

	if (dir >= 0)
		(void)swap(dir);
	errno = error;
}

int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict ret)
{
	int r = ((statx_fn *)next("statx"))(dir, path, flags, mask, ret);

	if (r == 0 && (is("SWAP_AFTER", "stat") || is("SWAP_AFTER", "twice")))
		swap_once(dir, path);
	return r;
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	int r = ((mkdirat_fn *)next("mkdirat"))(dir, path, mode);

	if (r == 0 && is("SWAP_AFTER", "make"))
		swap_once(dir, path);
	return r;
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	ssize_t len =
		((lgetxattr_fn *)next("lgetxattr"))(path, name, value, size);

	swap_back();
	return len;
}

long syscall(long number, ...)
{
	long args[6], r;
	va_list more;

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	r = ((syscall_fn *)next("syscall"))(number, args[0], args[1], args[2],
					    args[3], args[4], args[5]);
	if (number == SYS_getxattrat || number == SYS_listxattrat)
		swap_back();
	return r;
}
