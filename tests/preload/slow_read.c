/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: SLOW_READ_MS pass between what it reads of a file
 * at its first open and what it does with it.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off_t at,
		   int flags)
{
	const char *text = getenv("SLOW_READ_MS");
	long ms = text != NULL ? strtol(text, NULL, 10) : 0;
	const struct timespec gap = { .tv_sec = ms / 1000,
				      .tv_nsec = ms % 1000 * 1000000 };
	union {
		void *symbol;
		ssize_t (*call)(int fd, const struct iovec *parts, int count,
				off_t at, int flags);
	} real = { .symbol = dlsym(RTLD_NEXT, "preadv64v2") };
	ssize_t got = real.call(fd, parts, count, at, flags);

	(void)nanosleep(&gap, NULL);
	return got;
}
