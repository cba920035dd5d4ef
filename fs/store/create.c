/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"

/* What open(O_CREAT) or mkdir alone would make (inode_init_owner()). */
static void plan_creation(const struct creation *c, struct view_plan *ret,
			  bool *ret_plain)
{
	const struct acting_user *acting = &c->records->policy->acting;
	struct disk_owner made = {
		.uid = acting->uid,
		.gid = acting->gid,
		.mode = c->want.mode & ~(mode_t)(S_ISUID | S_ISGID),
	};

	if ((c->dir->stx_mode & S_ISGID) != 0) {
		made.gid = DISK_ID(c->dir->stx_gid);
		if (S_ISDIR(c->want.mode))
			made.mode |= S_ISGID;
	}
	view_plan(c->records->policy, &made, &c->want, ret);
	*ret_plain = !ret->recorded && disk_id_equal(ret->gid, made.gid);
}

/* After a plain creation: bring what is not as planned to the wanted view. */
static int finish(const struct creation *c, const struct view_plan *plan,
		  int fd)
{
	struct statx stx;
	int r = backing_stat(fd, &stx);

	if (r < 0)
		return r;
	if (!plan->recorded && stx.stx_gid == plan->gid.value &&
	    (stx.stx_mode & MODE_BITS) == plan->mode)
		return 0;
	return records_apply(c->records, fd, &stx, &c->want);
}

static int open_unnamed(const struct creation *c, mode_t mode)
{
	int fd = openat(c->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

static bool unnamed_unsupported(int r)
{
	/* open(2): EISDIR on kernels, EOPNOTSUPP on file systems without. */
	return r == -EOPNOTSUPP || r == -EISDIR || r == -EINVAL;
}

static int create_in_place(const struct creation *c,
			   const struct view_plan *plan, mode_t mode)
{
	_cleanup_fd_ int fd = openat(
		c->dir_fd, c->name,
		O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = finish(c, plan, fd);
	if (r < 0) {
		(void)unlinkat(c->dir_fd, c->name, 0);
		return r;
	}
	return take_fd(&fd);
}

int create_file(const struct creation *c)
{
	struct view_plan plan;
	_cleanup_fd_ int fd = -1;
	bool plain;
	int r;

	plan_creation(c, &plan, &plain);
	if (plain)
		return create_in_place(c, &plan, plan.mode);
	fd = open_unnamed(c, plan.mode);
	if (unnamed_unsupported(fd))
		return create_in_place(c, &plan,
				       plan.mode & (S_IRUSR | S_IWUSR));
	if (fd < 0)
		return fd;
	r = finish(c, &plan, fd);
	if (r == 0)
		r = backing_link(fd, c->dir_fd, c->name);
	return r < 0 ? r : take_fd(&fd);
}

/* The new object's path fd, its record and mode made; or no object. */
static int adopt(const struct creation *c, const struct view_plan *plan)
{
	int remove_flags = S_ISDIR(c->want.mode) ? AT_REMOVEDIR : 0;
	struct statx stx;
	_cleanup_fd_ int fd = backing_open_child(c->dir_fd, c->name);
	int r;

	if (fd < 0)
		return fd;
	/* A hostile colleague may have put something else there. */
	r = backing_stat(fd, &stx);
	if (r < 0)
		return r;
	if ((stx.stx_mode & S_IFMT) != (c->want.mode & S_IFMT))
		return -ESTALE;
	r = finish(c, plan, fd);
	if (r < 0) {
		(void)unlinkat(c->dir_fd, c->name, remove_flags);
		return r;
	}
	return take_fd(&fd);
}

/* Until its record is there an object is open to the acting user alone. */
static mode_t first_mode(const struct view_plan *plan, bool plain)
{
	return plain ? plan->mode : plan->mode & S_IRWXU;
}

int create_directory(const struct creation *c)
{
	struct view_plan plan;
	bool plain;

	plan_creation(c, &plan, &plain);
	if (mkdirat(c->dir_fd, c->name, first_mode(&plan, plain)) < 0)
		return -errno;
	return adopt(c, &plan);
}

int create_symlink(const struct creation *c, const char *target)
{
	struct view_plan plan;
	bool plain;

	plan_creation(c, &plan, &plain);
	if (symlinkat(target, c->dir_fd, c->name) < 0)
		return -errno;
	return adopt(c, &plan);
}

int create_node(const struct creation *c, dev_t rdev)
{
	mode_t type = c->want.mode & S_IFMT;
	struct view_plan plan;
	bool plain;

	/* mknod(2): the whiteout is the one device that needs no privilege. */
	if (S_ISBLK(type) || (S_ISCHR(type) && rdev != 0))
		return -EPERM;
	plan_creation(c, &plan, &plain);
	if (mknodat(c->dir_fd, c->name, type | first_mode(&plan, plain), rdev) <
	    0)
		return -errno;
	return adopt(c, &plan);
}
