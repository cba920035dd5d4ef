/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files beside the source that are read at once: of /proc, settings, pids. */
#ifndef IDSHIFT_SMALL_FILE_H
#define IDSHIFT_SMALL_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* A uid_map or gid_map: 340 lines of at most 33 bytes (user_namespaces(7)). */
#define MAP_TEXT_MAX 16384

/*
 * The whole file, as openat(2) finds it, and a null byte behind it, in `size`
 * bytes: its length, or -errno.  -EFBIG: it has more.
 */
ssize_t small_file_read(int dir, const char *path, char *buf, size_t size);

#endif
