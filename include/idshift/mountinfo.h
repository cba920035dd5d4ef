/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc/self/mountinfo (proc(5)) says of a mount. */
#ifndef IDSHIFT_MOUNTINFO_H
#define IDSHIFT_MOUNTINFO_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct mountinfo {
	char type[64];	       /* of file system, with its subtype */
	char source[PATH_MAX]; /* as given to mount(2) */
	char point[PATH_MAX];  /* where it is, as the reader sees it */
	uid_t user;	       /* of FUSE: who mounted, else root */
};

/*
 * The mount with this id (STATX_MNT_ID), from a file like
 * /proc/self/mountinfo.  Escaped characters are themselves again.
 *
 * -ENOENT  there is no such mount
 * -ERANGE  a field is longer than its room here
 * or another -errno
 */
int mountinfo_find(const char *file, uint64_t mount_id, struct mountinfo *ret);

#endif
