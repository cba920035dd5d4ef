/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where root mounts for an ordinary user (run-as=).  The directories on the
 * way may be the user's, who may exchange them at any moment; and mount(8) has
 * resolved symbolic links, as root, before we see the path.
 */
#include "idshift/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "idshift/cleanup.h"
#include "idshift/fusermount.h"

int mountpoint_open(const char *mountpoint)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, mountpoint, &how,
			      sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool is_run_as(const struct mntent *entry, const char *user)
{
	static const char name[] = "run-as=";
	const char *option = hasmntopt(entry, "run-as");
	size_t len = strlen(user);

	if (option == NULL || strncmp(option, name, sizeof(name) - 1) != 0)
		return false;
	option += sizeof(name) - 1;
	return strncmp(option, user, len) == 0 &&
	       (option[len] == ',' || option[len] == '\0');
}

/* Past slashes and what names the directory itself. */
static const char *skip_nothing(const char *path)
{
	while (path[0] == '/' ||
	       (path[0] == '.' && (path[1] == '/' || path[1] == '\0')))
		path++;
	return path;
}

/* By the names on the way: mount(8) leaves out what the entry has besides. */
static bool is_same_path(const char *a, const char *b)
{
	if (*a != '/' || *b != '/')
		return false;
	for (;;) {
		size_t len;

		a = skip_nothing(a);
		b = skip_nothing(b);
		len = strcspn(a, "/");
		if (strcspn(b, "/") != len || memcmp(a, b, len) != 0)
			return false;
		if (len == 0)
			return true;
		a += len;
		b += len;
	}
}

/* Has root named this very path for the user, and no link that leads to it? */
static bool is_named(const char *fstab, const char *mountpoint,
		     const char *user)
{
	FILE *file = setmntent(fstab, "re");
	const struct mntent *entry;
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && (entry = getmntent(file)) != NULL)
		found = is_same_path(entry->mnt_dir, mountpoint) &&
			strcmp(entry->mnt_type, MOUNTPOINT_FSTYPE) == 0 &&
			is_run_as(entry, user);
	(void)endmntent(file);
	return found;
}

/* What fusermount3 asks of those whom it mounts for. */
static bool may_mount(int fd, const struct statx *stx)
{
	if (stx->stx_uid == geteuid())
		return true;
	return !(stx->stx_mode & S_ISVTX) &&
	       faccessat(fd, "", W_OK, AT_EACCESS | AT_EMPTY_PATH) == 0;
}

static int open_failed(const char *mountpoint, const char *user, int r,
		       struct error *error)
{
	if (r == -ELOOP)
		return error_set(error, EXIT_STATUS_MOUNTPOINT,
				 "mount point '%s': a symbolic link is on the "
				 "way, which root doesn't follow for '%s'; "
				 "name the real path",
				 mountpoint, user);
	return error_set(error, EXIT_STATUS_MOUNTPOINT,
			 "mount point '%s': '%s' can't use it: %s", mountpoint,
			 user, strerror(-r));
}

int mountpoint_open_as_user(const char *mountpoint, const char *user,
			    const char *fstab, int *ret, struct error *error)
{
	_cleanup_fd_ int fd = mountpoint_open(mountpoint);
	char path[MOUNTPOINT_FD_PATH_MAX];
	struct statx stx;

	if (fd < 0)
		return open_failed(mountpoint, user, fd, error);
	/* Asks a daemon even where cached attributes would still do. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &stx) < 0) {
		int r = -errno;

		(void)open_failed(mountpoint, user, r, error);
		return r == -ENOTCONN ? r : -EINVAL;
	}
	mountpoint_fd_path(fd, path);
	if (mountpoint_is_ours(path))
		return error_set(error, EXIT_STATUS_MOUNTPOINT,
				 "mount point '%s': already mounted by "
				 "idshift-mount; unmount it with 'umount %s'",
				 mountpoint, mountpoint);
	if (!may_mount(fd, &stx) &&
	    !is_named(fstab == NULL ? "/etc/fstab" : fstab, mountpoint, user))
		return error_set(error, EXIT_STATUS_MOUNTPOINT,
				 "mount point '%s': '%s' could not mount "
				 "there, and /etc/fstab doesn't name it; give "
				 "it away with 'chown %s %s', or name the real "
				 "path",
				 mountpoint, user, user, mountpoint);
	*ret = take_fd(&fd);
	return 0;
}

void mountpoint_fd_path(int fd, char path[MOUNTPOINT_FD_PATH_MAX])
{
	(void)snprintf(path, MOUNTPOINT_FD_PATH_MAX, "/proc/self/fd/%d", fd);
}

int mountpoint_unmount_dead(const char *mountpoint)
{
	_cleanup_fd_ int fd = mountpoint_open(mountpoint);
	char path[MOUNTPOINT_FD_PATH_MAX];
	struct statx stx;

	if (fd < 0)
		return fd;
	mountpoint_fd_path(fd, path);
	if (!mountpoint_is_ours(path) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &stx) == 0 ||
	    errno != ENOTCONN)
		return -EINVAL;
	return umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

void mountpoint_unmount(int fd, const char *mountpoint)
{
	char path[MOUNTPOINT_FD_PATH_MAX];

	mountpoint_fd_path(fd, path);
	if (umount2(path, MNT_DETACH) < 0 && errno == EPERM)
		fusermount_unmount(mountpoint);
}
