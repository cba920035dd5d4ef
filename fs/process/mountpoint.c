/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/fusermount.h"
#include "idshift/small_file.h"

#define CONF_MAX 65536
/* Half of PATH_MAX: a path has no more directories. */
#define ANCESTORS_MAX (PATH_MAX / 2)

static int refuse_path(const char *what, const char *path, int code,
		       enum exit_status status, struct error *error)
{
	if (code == ENOENT && status == EXIT_STATUS_MOUNTPOINT)
		return error_set(error, status,
				 "%s '%s': there is no such directory; make it "
				 "with 'mkdir -p'",
				 what, path);
	if (code == ENOENT)
		return error_set(error, status,
				 "%s '%s': there is no such directory", what,
				 path);
	if (code == ENOTDIR)
		return error_set(error, status, "%s '%s': not a directory",
				 what, path);
	return error_set(error, status, "%s '%s': can't be used: %s", what,
			 path, strerror(code));
}

/* Of others only: what is the user's own the daemon can open up, as chmod(1).
 */
static int check_search(int fd, const char *source, struct error *error)
{
	_cleanup_fd_ int inside = openat(fd, ".", O_PATH | O_CLOEXEC);
	struct stat st;

	if (inside >= 0 || errno != EACCES || fstat(fd, &st) < 0 ||
	    st.st_uid == geteuid())
		return 0;
	return error_set(error, EXIT_STATUS_SOURCE,
			 "source '%s': you may not search it: it is uid %u's, "
			 "mode %04o",
			 source, st.st_uid, (unsigned int)(st.st_mode & 07777));
}

int mountpoint_check_source(const char *source, char **ret_real,
			    struct error *error)
{
	_cleanup_fd_ int fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *real;
	int r;

	if (fd < 0)
		return refuse_path("source", source, errno, EXIT_STATUS_SOURCE,
				   error);
	r = check_search(fd, source, error);
	if (r < 0)
		return r;
	real = realpath(source, NULL);
	if (real == NULL)
		return refuse_path("source", source, errno, EXIT_STATUS_SOURCE,
				   error);
	*ret_real = real;
	return 0;
}

/* Nobody is asked: it may be dead. */
static bool find_ours(uint64_t mount_id, struct mountinfo *ret)
{
	return mountinfo_find("/proc/self/mountinfo", mount_id, ret) == 0 &&
	       strcmp(ret->type, MOUNTPOINT_FSTYPE) == 0;
}

bool mountpoint_is_inside_ours(int fd, struct mountinfo *ret)
{
	struct statx stx;

	/* A mount of ours has a device of its own, without a major number. */
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		     &stx) == 0 &&
	       stx.stx_dev_major == 0 && (stx.stx_mask & STATX_MNT_ID) != 0 &&
	       find_ours(stx.stx_mnt_id, ret);
}

static bool find_ours_at(const char *path, struct mountinfo *ret)
{
	struct statx stx;

	/* Before Linux 5.8 there is no mount id: the mount is made on top. */
	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID) ||
	    !(stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
	    !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return false;
	return find_ours(stx.stx_mnt_id, ret);
}

bool mountpoint_is_ours(const char *path)
{
	struct mountinfo info;

	return find_ours_at(path, &info);
}

/* fusermount3 unmounts for a user what it has mounted for that user. */
static int already_mounted(const char *mountpoint, const struct mountinfo *info,
			   struct error *error)
{
	bool root = geteuid() == 0, own = info->user == geteuid();

	return error_set(error, EXIT_STATUS_MOUNTPOINT,
			 "mount point '%s': already mounted by idshift-mount, "
			 "from '%s'; unmount it with '%s %s'%s",
			 mountpoint, info->source,
			 own && !root ? "fusermount3 -u" : "umount", mountpoint,
			 own || root ? "" : " as root, who has mounted it");
}

/* fusermount3 mounts for a user only on what the user may change. */
static int check_writable(const char *mountpoint, const struct statx *stx,
			  struct error *error)
{
	bool own = stx->stx_uid == geteuid();

	if (!own && (stx->stx_mode & S_ISVTX))
		return error_set(error, EXIT_STATUS_MOUNTPOINT,
				 "mount point '%s': its sticky bit is set and "
				 "it isn't yours, so fusermount3 would refuse; "
				 "make a directory in it",
				 mountpoint);
	if (faccessat(AT_FDCWD, mountpoint, W_OK, AT_EACCESS) < 0)
		return error_set(error, EXIT_STATUS_MOUNTPOINT,
				 "mount point '%s': you may not write to it, "
				 "so fusermount3 would refuse; %s%s",
				 mountpoint,
				 own ? "run: chmod u+w " :
				       "use a directory of yours",
				 own ? mountpoint : "");
	return 0;
}

int mountpoint_check_target(const char *mountpoint, bool by_fusermount,
			    char **ret_real, struct error *error)
{
	struct mountinfo info;
	struct statx stx;
	char *real;
	int r = 0;

	/* Asks the daemon even where cached attributes would still do. */
	if (statx(AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		  &stx) < 0)
		r = -errno;
	if (r == -ENOTCONN) {
		(void)error_set(error, EXIT_STATUS_MOUNTPOINT,
				"mount point '%s': a mount whose daemon has "
				"ended is still there; unmount it with "
				"'fusermount3 -u %s'",
				mountpoint, mountpoint);
		return r;
	}
	if (r < 0)
		return refuse_path("mount point", mountpoint, -r,
				   EXIT_STATUS_MOUNTPOINT, error);
	if (!S_ISDIR(stx.stx_mode))
		return refuse_path("mount point", mountpoint, ENOTDIR,
				   EXIT_STATUS_MOUNTPOINT, error);
	if (find_ours_at(mountpoint, &info))
		return already_mounted(mountpoint, &info, error);
	if (by_fusermount)
		r = check_writable(mountpoint, &stx, error);
	if (r < 0)
		return r;
	real = realpath(mountpoint, NULL);
	if (real == NULL)
		return refuse_path("mount point", mountpoint, errno,
				   EXIT_STATUS_MOUNTPOINT, error);
	*ret_real = real;
	return 0;
}

/* A directory above the source or the mount point. */
struct ancestor {
	size_t len; /* its path: so many bytes of the whole one */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool acl;
};

struct ancestors {
	struct ancestor *items;
	size_t count;
};

static void cleanup_ancestors(struct ancestors *list)
{
	free(list->items);
}

/* The directories above `path` that not all may search. */
static int private_ancestors(const char *path, struct ancestors *ret)
{
	_cleanup_free_ char *prefix = strdup(path);
	size_t len = strlen(path);

	ret->items = calloc(ANCESTORS_MAX, sizeof(*ret->items));
	if (prefix == NULL || ret->items == NULL)
		return -ENOMEM;
	/* From the parent up to the root. */
	while (len > 1 && ret->count < ANCESTORS_MAX) {
		struct ancestor *a = &ret->items[ret->count];
		struct stat st;

		while (len > 1 && prefix[len - 1] != '/')
			len--;
		if (len > 1)
			len--;
		prefix[len] = '\0';
		if (lstat(prefix, &st) < 0)
			return -errno;
		if (st.st_mode & S_IXOTH)
			continue;
		*a = (struct ancestor){
			.len = len,
			.uid = st.st_uid,
			.gid = st.st_gid,
			.mode = st.st_mode,
			/* It is there only if it says more than the mode. */
			.acl = lgetxattr(prefix, "system.posix_acl_access",
					 NULL, 0) > 0,
		};
		ret->count++;
	}
	return 0;
}

/* Does the directory `m` let in nobody whom `s` keeps out? */
static bool lets_in_no_more(const struct ancestor *m, const struct ancestor *s,
			    uid_t acting)
{
	if (m->uid != 0 && m->uid != s->uid && m->uid != acting)
		return false;
	/* With an ACL the group bits are its mask: none of its entries has x.
	 */
	if (!(m->mode & S_IXGRP))
		return true;
	return (s->mode & S_IXGRP) && s->gid == m->gid && !m->acl && !s->acl;
}

int mountpoint_check_reach(const char *source, const char *mountpoint,
			   uid_t acting, struct error *error)
{
	__attribute__((
		cleanup(cleanup_ancestors))) struct ancestors above = { 0 };
	__attribute__((
		cleanup(cleanup_ancestors))) struct ancestors around = { 0 };
	int r = private_ancestors(source, &above);

	if (r < 0)
		return refuse_path("source", source, -r, EXIT_STATUS_SOURCE,
				   error);
	r = private_ancestors(mountpoint, &around);
	if (r < 0)
		return refuse_path("mount point", mountpoint, -r,
				   EXIT_STATUS_MOUNTPOINT, error);
	for (size_t i = 0; i < above.count; i++) {
		const struct ancestor *s = &above.items[i];
		size_t j = 0;

		while (j < around.count &&
		       !lets_in_no_more(&around.items[j], s, acting))
			j++;
		if (j == around.count)
			return error_set(
				error, EXIT_STATUS_MOUNTPOINT,
				"mount point '%s': others can reach it, but "
				"not the source: '%.*s' is private (mode "
				"%04o); mount in a private directory, or let "
				"them in with 'public'",
				mountpoint, (int)s->len, source,
				(unsigned int)(s->mode & 07777));
	}
	return 0;
}

bool mountpoint_conf_allows(const char *text)
{
	static const char word[] = "user_allow_other";

	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		size_t start = strspn(text, " \t");
		size_t end = strcspn(text, "#\n");

		while (end > start &&
		       (text[end - 1] == ' ' || text[end - 1] == '\t' ||
			text[end - 1] == '\r'))
			end--;
		if (end >= start && end - start == sizeof(word) - 1 &&
		    memcmp(text + start, word, sizeof(word) - 1) == 0)
			return true;
		text += line;
		if (*text == '\n')
			text++;
	}
	return false;
}

static int check_device(const char *device, struct error *error)
{
	_cleanup_fd_ int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return error_set(error, EXIT_STATUS_FUSE,
				 "'%s': there is no such device; load it with "
				 "'modprobe fuse' as root (a container needs "
				 "--device /dev/fuse)",
				 device);
	return error_set(error, EXIT_STATUS_FUSE,
			 "'%s': can't be opened for reading and writing: %s; "
			 "its mode should be 0666",
			 device, strerror(errno));
}

static int check_conf(const char *conf, struct error *error)
{
	_cleanup_free_ char *text = malloc(CONF_MAX);
	ssize_t len;

	if (text == NULL)
		return error_no_memory(error);
	len = small_file_read(AT_FDCWD, conf, text, CONF_MAX);
	/* Some machines let only root read it: fusermount3 will tell. */
	if (len < 0 ? len != -ENOENT : mountpoint_conf_allows(text))
		return 0;
	return error_set(error, EXIT_STATUS_FUSE,
			 "'%s': users may not use allow_other; add the line "
			 "'user_allow_other' to it as root, or mount inside "
			 "'podman unshare'",
			 conf);
}

int mountpoint_check_fuse(const struct fuse_needs *needs, struct error *error)
{
	char program[PATH_MAX];
	int r = check_device(
		needs->device == NULL ? "/dev/fuse" : needs->device, error);

	if (r < 0 || !needs->by_fusermount)
		return r;
	if (!needs->own_only)
		r = check_conf(needs->conf == NULL ? "/etc/fuse.conf" :
						     needs->conf,
			       error);
	if (r < 0)
		return r;
	if (fusermount_find(needs->path, program))
		return 0;
	return error_set(error, EXIT_STATUS_FUSE,
			 "'fusermount3': not found in PATH; install the "
			 "package fuse3");
}
