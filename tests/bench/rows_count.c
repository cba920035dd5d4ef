/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single requests, to be counted by counts.sh. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <idshift/cleanup.h>

typedef int request_fn(int dirfd, const char *dir, const char *name);

static int each(const struct job *job, unsigned int part, request_fn *request,
		uint64_t *ret_ops)
{
	uint32_t count = job_part_count(job);
	char path[BENCH_PATH];
	_cleanup_fd_ int fd = -1;

	tree_static_part(job, part, path);
	fd = tree_open(job, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < count; i++) {
		if (request(fd, path, tree_name(i).text) < 0)
			return -errno;
	}
	*ret_ops = count;
	return 0;
}

static int look_up(int dirfd, const char *dir, const char *name)
{
	struct stat st;

	(void)dir;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
}

static int warm(const struct job *job)
{
	uint64_t ops;
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++)
		r = each(job, part, look_up, &ops);
	return r;
}

static int get_attributes(int dirfd, const char *dir, const char *name)
{
	struct statx stx;

	(void)dir;
	return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
		     STATX_BASIC_STATS, &stx);
}

static int get_directory(int dirfd, const char *dir, const char *name)
{
	struct statx stx;

	(void)dir;
	(void)name;
	return statx(dirfd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		     STATX_BASIC_STATS, &stx);
}

static int get_space(int dirfd, const char *dir, const char *name)
{
	struct statfs info;

	(void)dir;
	(void)name;
	return fstatfs(dirfd, &info);
}

static int get_xattr(int dirfd, const char *dir, const char *name)
{
	char path[PATH_MAX], value[16];

	(void)dir;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (getxattr(path, "user.bench", value, sizeof(value)) >= 0)
		errno = EEXIST;
	return errno == ENODATA ? 0 : -1;
}

static int get_acl(int dirfd, const char *dir, const char *name)
{
	char path[PATH_MAX], value[64];

	(void)dir;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (getxattr(path, "system.posix_acl_access", value, sizeof(value)) >=
	    0)
		errno = EEXIST;
	return errno == ENODATA ? 0 : -1;
}

static int make_directory(int dirfd, const char *dir, const char *name)
{
	char path[32];

	(void)dir;
	(void)snprintf(path, sizeof(path), "new-%s", name);
	return mkdirat(dirfd, path, 0755);
}

#define COUNTED(name, request)                                           \
	static int work_##name(const struct job *job, unsigned int part, \
			       uint64_t *ret_ops)                        \
	{                                                                \
		return each(job, part, request, ret_ops);                \
	}
COUNTED(getattr, get_attributes)
COUNTED(getattr_dir, get_directory)
COUNTED(statfs, get_space)
COUNTED(getxattr, get_xattr)
COUNTED(acl, get_acl)
COUNTED(mkdir, make_directory)

#define COUNT .kind = "count", .unit = "op", .parts = PARTS, .count = 100
const struct row count_rows[] = {
	{ .name = "getattr",
	  COUNT,
	  .setup = tree_make_static,
	  .warm = warm,
	  .work = work_getattr },
	{ .name = "getattr-dir",
	  COUNT,
	  .setup = tree_make_static,
	  .work = work_getattr_dir },
	{ .name = "statfs",
	  COUNT,
	  .setup = tree_make_static,
	  .work = work_statfs },
	{ .name = "getxattr",
	  COUNT,
	  .setup = tree_make_static,
	  .warm = warm,
	  .work = work_getxattr },
	{ .name = "acl",
	  COUNT,
	  .setup = tree_make_static,
	  .warm = warm,
	  .work = work_acl },
	{ .name = "mkdir",
	  COUNT,
	  .setup = tree_make_static,
	  .work = work_mkdir },
	{ .name = NULL },
};
