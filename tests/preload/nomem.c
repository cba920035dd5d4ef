/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: one allocation fails, as the test says (fault.h),
 * or from the start on that whose number is in NOMEM_AT.  Those that libfuse
 * makes for itself do not (without room for a request it loses a FORGET, and
 * we with it a node), nor at the start those that glibc makes (its name
 * services crash).
 */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's own, behind the names that programs may replace. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static struct fault_control *control;
static atomic_int at_start;

__attribute__((constructor)) static void open_control(void)
{
	const char *number = getenv("NOMEM_AT");
	const char *path = getenv("FAULT_CONTROL");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		(void)close(fd);
	}
	if (map != MAP_FAILED)
		control = map;
	if (number != NULL)
		atomic_store(&at_start, (int)strtol(number, NULL, 10));
}

/* Counts down to 0, and says when it is there. */
static int is_due(atomic_int *countdown)
{
	int left = atomic_load(countdown);

	do {
		if (left <= 0)
			return 0;
	} while (!atomic_compare_exchange_weak(countdown, &left, left - 1));
	return left == 1;
}

static int is_of(const void *caller, const char *library)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
	       strstr(info.dli_fname, library) != NULL;
}

static int fails(const char *name, const void *caller)
{
	int starting = atomic_load(&at_start) > 0;
	int asked = control != NULL && atomic_load(&control->countdown) > 0;

	if ((!starting && !asked) || is_of(caller, "/libfuse3.so") ||
	    (starting && is_of(caller, "/libc.so")))
		return 0;
	if (asked && is_due(&control->countdown)) {
		/* Not snprintf(3), which may allocate. */
		for (size_t i = 0; i == 0 || name[i - 1] != '\0'; i++)
			control->name[i] = name[i];
	} else if (!starting || !is_due(&at_start)) {
		return 0;
	}
	errno = ENOMEM;
	return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
	return fails("malloc", CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails("calloc", CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails("realloc", CALLER) ? NULL : __libc_realloc(old, size);
}
