/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making the calls that name their object. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

void attr_get(int dirfd, const char *path, int flags, struct attr *ret)
{
	struct statx stx;

	if (statx(dirfd, path, flags, STATX_BASIC_STATS, &stx) < 0) {
		*ret = (struct attr){ .err = errno };
		return;
	}
	*ret = (struct attr){
		.mode = stx.stx_mode,
		.uid = stx.stx_uid,
		.gid = stx.stx_gid,
		.nlink = stx.stx_nlink,
		.rdev_major = stx.stx_rdev_major,
		.rdev_minor = stx.stx_rdev_minor,
		.size = stx.stx_size,
		.ino = stx.stx_ino,
		.atime = { stx.stx_atime.tv_sec, stx.stx_atime.tv_nsec },
		.mtime = { stx.stx_mtime.tv_sec, stx.stx_mtime.tv_nsec },
		.ctime = { stx.stx_ctime.tv_sec, stx.stx_ctime.tv_nsec },
	};
}

static long op_open(const struct op *op, struct actor *actor, enum tree_id tree)
{
	int *slot = &actor->slots[tree][op->slot];
	int fd;

	if (*slot >= 0)
		(void)close(*slot);
	*slot = -1;
	fd = openat(actor->dir[tree], op->path[0], (int)op->arg[0] | O_CLOEXEC,
		    (mode_t)op->arg[1]);
	if (fd < 0)
		return -1;
	*slot = fd;
	return 0;
}

static long op_symlink(const struct op *op, int dir)
{
	char target[5000];

	if (op->arg[0] <= 0)
		return symlinkat(op->path[0], dir, op->path[1]);
	memset(target, 'x', sizeof(target));
	target[(size_t)op->arg[0] % sizeof(target)] = '\0';
	return symlinkat(target, dir, op->path[1]);
}

static long op_readlink(const struct op *op, int dir, struct result *ret)
{
	size_t size = op->arg[0] < DATA_MAX ? (size_t)op->arg[0] : DATA_MAX;
	ssize_t got = readlinkat(dir, op->path[0], ret->data, size);

	if (got > 0)
		ret->length = (uint32_t)got;
	return got;
}

static long op_readdir(const struct op *op, int dir, struct result *ret)
{
	long got;
	int fd = openat(dir, op->path[0],
			O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	got = read_names(fd, ret);
	(void)close(fd);
	return got;
}

static long op_truncate(const struct op *op, int dir)
{
	char path[PATH_ARG + 40];

	/* There is no truncateat(). */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir,
		       op->path[0]);
	return truncate(path, op->arg[0]);
}

static long op_stat(const struct op *op, int dir, struct result *ret)
{
	attr_get(dir, op->path[0], (int)op->arg[0], &ret->attr);
	ret->has_attr = true;
	errno = ret->attr.err;
	return ret->attr.err == 0 ? 0 : -1;
}

static long op_owner_mode(const struct op *op, int dir)
{
	if (op->kind == OP_CHMOD) {
		if (op->arg[1] == 0)
			return fchmodat(dir, op->path[0], (mode_t)op->arg[0],
					0);
		return syscall(SYS_fchmodat2, dir, op->path[0],
			       (mode_t)op->arg[0], (int)op->arg[1]);
	}
	return fchownat(dir, op->path[0], (uid_t)op->arg[0], (gid_t)op->arg[1],
			(int)op->arg[2]);
}

static long op_utimens(const struct op *op, int dir)
{
	struct timespec times[2] = { { op->arg[0], op->arg[1] },
				     { op->arg[2], op->arg[3] } };

	return utimensat(dir, op->path[0], times, (int)op->arg[4]);
}

long op_execute_path(const struct op *op, struct actor *actor,
		     enum tree_id tree, struct result *ret)
{
	const char *path = op->path[0];
	int dir = actor->dir[tree];

	switch (op->kind) {
	case OP_MKDIR:
		return mkdirat(dir, path, (mode_t)op->arg[0]);
	case OP_OPEN:
		return op_open(op, actor, tree);
	case OP_MKNOD:
		return mknodat(dir, path, (mode_t)op->arg[0],
			       makedev((unsigned int)(op->arg[1] >> 8),
				       (unsigned int)(op->arg[1] & 0xff)));
	case OP_SYMLINK:
		return op_symlink(op, dir);
	case OP_LINK:
		return linkat(dir, path, dir, op->path[1], (int)op->arg[0]);
	case OP_UNLINK:
	case OP_RMDIR:
		return unlinkat(dir, path, (int)op->arg[0]);
	case OP_RENAME:
		return renameat2(dir, path, dir, op->path[1],
				 (unsigned int)op->arg[0]);
	case OP_CHMOD:
	case OP_CHOWN:
		return op_owner_mode(op, dir);
	case OP_TRUNCATE:
		return op_truncate(op, dir);
	case OP_UTIMENS:
		return op_utimens(op, dir);
	case OP_ACCESS:
		return syscall(SYS_faccessat2, dir, path, (int)op->arg[0],
			       (int)op->arg[1]);
	case OP_STAT:
		return op_stat(op, dir, ret);
	case OP_READLINK:
		return op_readlink(op, dir, ret);
	default:
		return op_readdir(op, dir, ret);
	}
}

void op_execute(const struct op *op, struct actor *actor, enum tree_id tree,
		struct result *ret)
{
	bool by_slot = (op_uses(op->kind) & OP_SLOT) != 0;
	const int *slot = &actor->slots[tree][op->slot];

	ret->length = 0;
	ret->has_attr = false;
	ret->has_fd = by_slot;
	ret->before.err = EBADF;
	if (by_slot && op->kind != OP_OPEN)
		attr_get(*slot, "", AT_EMPTY_PATH, &ret->before);
	if (op_uses(op->kind) & OP_UMASK)
		(void)umask(op->umask);
	errno = 0;
	if (op->kind >= OP_SETXATTR && op->kind <= OP_SETACL)
		ret->ret = op_execute_xattr(op, actor, tree, ret);
	else if (op->kind >= OP_WRITE)
		ret->ret = op_execute_fd(op, actor, tree, ret);
	else
		ret->ret = op_execute_path(op, actor, tree, ret);
	ret->err = ret->ret < 0 ? errno : 0;
	ret->after.err = EBADF;
	if (by_slot)
		attr_get(*slot, "", AT_EMPTY_PATH, &ret->after);
}
