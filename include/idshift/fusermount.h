/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fusermount3(1), which mounts and unmounts for ordinary users. */
#ifndef IDSHIFT_FUSERMOUNT_H
#define IDSHIFT_FUSERMOUNT_H

#include <limits.h>
#include <stdbool.h>

/*
 * Its path, by `path`, a list of directories as $PATH is; NULL: by that, and
 * then where it usually is.  False: it isn't there.
 */
bool fusermount_find(const char *path, char ret_file[PATH_MAX]);

/* Lazily; nothing to be told where that fails. */
void fusermount_unmount(const char *mountpoint);

#endif
