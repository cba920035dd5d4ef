/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mount that this daemon has made, to be found again when it ends.  At its
 * path there may be another by then, and it may be elsewhere: moved, below a
 * directory that was renamed, covered, or kept by a container alone.  Nothing
 * here asks the file system itself, which may be dead; the way to it may lead
 * through others.
 */
#ifndef IDSHIFT_OWN_MOUNT_H
#define IDSHIFT_OWN_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct own_mount {
	const char *path; /* where it was made; of the caller */
	uid_t uid;	  /* for whom: a user who may search the way to it, */
	gid_t gid;	  /* with the process's groups, where root may not */
	uint64_t dev;	  /* its device; 0: it was not found */
	uint64_t id;	  /* as in mountinfo; 0: not told before Linux 5.8 */
	uint64_t unique;  /* never another mount's; 0: before Linux 6.8 */
};

/* Just after mounting on the resolved path. */
void own_mount_learn(const char *path, uid_t uid, gid_t gid,
		     struct own_mount *ret);

/*
 * Can it be told from another that came after it?  fuse_fd: of /dev/fuse, by
 * which that is known before Linux 6.8.
 */
bool own_mount_is_known(const struct own_mount *mount, int fuse_fd);

/*
 * If that was so just now: an O_PATH descriptor of its root, wherever it is,
 * and the path it is at if that isn't NULL (PATH_MAX).  -errno: it is gone,
 * covered, or can't be reached.  Waits for as long as a mount on the way to it
 * doesn't answer, so it should have no /dev/fuse open.
 */
int own_mount_open(const struct own_mount *mount, char *ret_path);

/*
 * Where it is, covered or not (PATH_MAX); nobody is asked for anything.
 * -ENOENT: it is gone.
 */
int own_mount_find(const struct own_mount *mount, char *ret_path);

/* As own_mount_open(); lazily, and nothing else that may be in its place. */
void own_mount_unmount(const struct own_mount *mount);

#endif
