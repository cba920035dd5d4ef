/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope-bound release of memory and descriptors. */
#ifndef IDSHIFT_CLEANUP_H
#define IDSHIFT_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_impl(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes and keeps errno. */
static inline void close_fd(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static inline void cleanup_fd_impl(int *fd)
{
	close_fd(*fd);
}

static inline void cleanup_file_impl(FILE **file)
{
	if (*file != NULL)
		(void)fclose(*file);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_free_impl)))
#define _cleanup_fd_ __attribute__((cleanup(cleanup_fd_impl)))
#define _cleanup_file_ __attribute__((cleanup(cleanup_file_impl)))

/* Hand a descriptor on: the variable no longer owns it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
