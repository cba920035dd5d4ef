/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/own_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/mountpoint.h"

/* Linux 6.8; include/uapi/linux/stat.h. */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

/* What is asked for is what the kernel has: nobody may be there to answer. */
static int ask(int fd, unsigned int mask, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, ret);
}

static int identify(int fd, struct own_mount *ret)
{
	struct statx stx, unique;

	if (ask(fd, STATX_MNT_ID, &stx) < 0 ||
	    ask(fd, STATX_MNT_ID_UNIQUE, &unique) < 0)
		return -errno;
	ret->dev = backing_dev(&stx);
	ret->id = (stx.stx_mask & STATX_MNT_ID) ? stx.stx_mnt_id : 0;
	ret->unique =
		(unique.stx_mask & STATX_MNT_ID_UNIQUE) ? unique.stx_mnt_id : 0;
	return 0;
}

static bool find_ours(uint64_t id, struct mountinfo *ret)
{
	return mountinfo_find("/proc/self/mountinfo", id, ret) == 0 &&
	       strcmp(ret->type, MOUNTPOINT_FSTYPE) == 0;
}

/*
 * Before Linux 5.6, and where a container's seccomp knows it not, there is no
 * openat2(2).  The path has no links, and what is found is compared.
 */
static int open_at(const char *path)
{
	int fd = mountpoint_open(path);

	if (fd != -ENOSYS && fd != -EPERM)
		return fd;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Root may be nobody on the way to it, as in a home on NFS. */
static int open_as_either(const char *path, const struct own_mount *mount)
{
	int fd = open_at(path);

	if (fd != -EACCES || mount->uid == 0 || geteuid() != 0)
		return fd;
	(void)setfsgid(mount->gid);
	(void)setfsuid(mount->uid);
	fd = open_at(path);
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	return fd;
}

void own_mount_learn(const char *path, uid_t uid, gid_t gid,
		     struct own_mount *ret)
{
	struct own_mount found = { .path = path, .uid = uid, .gid = gid };
	_cleanup_fd_ int fd = open_as_either(path, &found);
	struct mountinfo info;

	*ret = (struct own_mount){ .dev = 0 };
	/* It may have been unmounted at once: what is below isn't ours. */
	if (fd < 0 || identify(fd, &found) < 0 ||
	    (found.id != 0 && !find_ours(found.id, &info)))
		return;
	*ret = found;
}

/* The device was aborted, or the file system is gone from all namespaces. */
static bool is_aborted(int fuse_fd)
{
	struct pollfd device = { .fd = fuse_fd };

	return poll(&device, 1, 0) == 1 && (device.revents & POLLERR) != 0;
}

bool own_mount_is_known(const struct own_mount *mount, int fuse_fd)
{
	/*
	 * The numbers are another's as soon as the file system is gone, which
	 * it can't be while its device isn't aborted.
	 */
	return mount->dev != 0 && (mount->unique != 0 || !is_aborted(fuse_fd));
}

int own_mount_find(const struct own_mount *mount, char *ret_path)
{
	struct mountinfo info;

	if (mount->dev == 0 || (mount->id != 0 && !find_ours(mount->id, &info)))
		return -ENOENT;
	(void)snprintf(ret_path, PATH_MAX, "%s",
		       mount->id != 0 ? info.point : mount->path);
	return 0;
}

int own_mount_open(const struct own_mount *mount, char *ret_path)
{
	struct own_mount found = { .dev = 0 };
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	int r = own_mount_find(mount, path);

	if (r < 0)
		return r;
	fd = open_as_either(path, mount);
	if (fd < 0)
		return fd;
	r = identify(fd, &found);
	if (r < 0)
		return r;
	/* Covered by another, or its number was given to another. */
	if (found.dev != mount->dev || found.id != mount->id ||
	    found.unique != mount->unique)
		return -ENOENT;
	if (ret_path != NULL)
		(void)snprintf(ret_path, PATH_MAX, "%s", path);
	return take_fd(&fd);
}

void own_mount_unmount(const struct own_mount *mount)
{
	char path[PATH_MAX];
	_cleanup_fd_ int fd = own_mount_open(mount, path);

	if (fd >= 0)
		mountpoint_unmount(fd, path);
}
