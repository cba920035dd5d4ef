/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: a disk so slow to read that what else is asked
 * for meanwhile gets a thread of its own (loop.c).
 */
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

/* What pread() is for a buffer whose size the compiler knows. */
ssize_t pread_checked(int fd, void *bytes, size_t size, off_t at,
		      size_t room) __asm__("__pread64_chk");

ssize_t pread_checked(int fd, void *bytes, size_t size, off_t at, size_t room)
{
	const struct timespec delay = { .tv_nsec = 8000000 };
	union {
		void *symbol;
		ssize_t (*call)(int fd, void *bytes, size_t size, off_t at,
				size_t room);
	} real = { .symbol = dlsym(RTLD_NEXT, "__pread64_chk") };
	ssize_t got = real.call(fd, bytes, size, at, room);

	(void)nanosleep(&delay, NULL);
	return got;
}
