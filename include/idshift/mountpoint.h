/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks before mounting, each with a remedy in its message.  Paths are walked
 * here only, before anything is served: they tell the user early what would
 * fail late; what a mount may do doesn't rest on them.
 *
 * 0, or -EINVAL (or -ENOMEM) with a reason unless said otherwise.
 */
#ifndef IDSHIFT_MOUNTPOINT_H
#define IDSHIFT_MOUNTPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "idshift/error.h"
#include "idshift/mountinfo.h"

/* The file system type of our mounts, as mountinfo has it. */
#define MOUNTPOINT_FSTYPE "fuse.idshift-mount"

/*
 * SOURCE is a directory.  *ret_real is its real path, to be freed.
 * EXIT_STATUS_SOURCE.
 */
int mountpoint_check_source(const char *source, char **ret_real,
			    struct error *error);

/*
 * MOUNTPOINT is a directory and no mount of ours yet.  by_fusermount: what
 * fusermount3(1) asks of an ordinary user is checked too.  *ret_real is its
 * real path, to be freed.  EXIT_STATUS_MOUNTPOINT.
 *
 * -ENOTCONN  a mount whose daemon is gone is there: unmount it, ask again
 */
int mountpoint_check_target(const char *mountpoint, bool by_fusermount,
			    char **ret_real, struct error *error);

/* Is a mount of ours at the path?  Nobody is asked: it may be dead. */
bool mountpoint_is_ours(const char *path);

/*
 * run-as=: root mounts for a user, whose directories may be on the way.  No
 * symbolic link is followed; an O_PATH descriptor, or -errno.
 */
int mountpoint_open(const char *mountpoint);

/*
 * The same, as that user by effective ids; and only where the user could have
 * mounted by fusermount3(1), or where /etc/fstab (NULL, or another file) names
 * the very path with run-as= for the user: for mount(8) has followed links of
 * its own accord.  EXIT_STATUS_MOUNTPOINT.
 *
 * -ENOTCONN  a mount whose daemon is gone is there
 */
int mountpoint_open_as_user(const char *mountpoint, const char *user,
			    const char *fstab, int *ret, struct error *error);

/* Its name for calls that take a path. */
#define MOUNTPOINT_FD_PATH_MAX 32
void mountpoint_fd_path(int fd, char path[MOUNTPOINT_FD_PATH_MAX]);

/*
 * Lazily, the mount whose root this is a descriptor of; by fusermount3(1),
 * which takes the path, where umount2(2) isn't allowed.
 */
void mountpoint_unmount(int fd, const char *mountpoint);

/* As root: a dead mount of ours, and nothing else.  -errno. */
int mountpoint_unmount_dead(const char *mountpoint);

/*
 * With allow_other on the host: nobody may reach the mount who can't reach
 * the source.  Each directory above the source that not all may search must
 * have a counterpart above the mount point that lets in no more: not
 * searchable for others, owned by the same user, by root or by the acting
 * user, and closed to its group unless both are of one group and neither has
 * an access ACL.  Real paths.  EXIT_STATUS_MOUNTPOINT.
 */
int mountpoint_check_reach(const char *source, const char *mountpoint,
			   uid_t acting, struct error *error);

/* What FUSE needs of the machine. */
struct fuse_needs {
	const char *device; /* NULL: /dev/fuse */
	const char *conf;   /* NULL: /etc/fuse.conf */
	const char *path;   /* NULL: $PATH */
	bool by_fusermount; /* an ordinary user on the host */
	bool own_only;	    /* without allow_other */
};

/* EXIT_STATUS_FUSE. */
int mountpoint_check_fuse(const struct fuse_needs *needs, struct error *error);

/* Does the text of a fuse.conf allow allow_other to users? (mount.fuse3(8)) */
bool mountpoint_conf_allows(const char *text);

/* Is the object seen through a mount of ours, where records are hidden? */
bool mountpoint_is_inside_ours(int fd, struct mountinfo *ret);

#endif
