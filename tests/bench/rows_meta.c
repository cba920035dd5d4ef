/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and attributes. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <idshift/cleanup.h>

enum { ASK_AGAIN = 10 };

static int open_static(const struct job *job, unsigned int part)
{
	char path[BENCH_PATH];

	tree_static_part(job, part, path);
	return tree_open(job, path, O_RDONLY | O_DIRECTORY);
}

static int open_work(const struct job *job, unsigned int part)
{
	char path[BENCH_PATH];

	tree_work_part(job, part, path);
	return tree_open(job, path, O_RDONLY | O_DIRECTORY);
}

static int setup_dirs(const struct job *job)
{
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++) {
		char path[BENCH_PATH];

		tree_work_part(job, part, path);
		r = tree_make_dir(job, path);
	}
	return r;
}

static int setup_files(const struct job *job)
{
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++) {
		char path[BENCH_PATH];

		tree_work_part(job, part, path);
		r = tree_make_files(job, path, job_part_count(job), 100);
	}
	return r;
}

typedef int operation_fn(int dirfd, const char *name);

static int each(const struct job *job, int dirfd, operation_fn *operation,
		uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = dirfd;
	uint32_t count = job_part_count(job);

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < count; i++) {
		int r = operation(fd, tree_name(i).text);

		if (r < 0)
			return -errno;
	}
	*ret_ops = count;
	return 0;
}

static int do_stat(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
}

static int do_create(int dirfd, const char *name)
{
	static const char text[100] = "some text";
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0644);

	if (fd < 0)
		return -1;
	if (write(fd, text, sizeof(text)) < 0) {
		close_fd(fd);
		return -1;
	}
	return close(fd);
}

static int do_open(int dirfd, const char *name)
{
	char text[TREE_FILE_SIZE];
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text)) < 0) {
		close_fd(fd);
		return -1;
	}
	return close(fd);
}

static int do_chmod(int dirfd, const char *name)
{
	return fchmodat(dirfd, name, 0600, 0);
}

static int do_chown(int dirfd, const char *name)
{
	return fchownat(dirfd, name, 5, 6, AT_SYMLINK_NOFOLLOW);
}

static int do_rename(int dirfd, const char *name)
{
	char to[32];

	(void)snprintf(to, sizeof(to), "%s.new", name);
	return renameat(dirfd, name, dirfd, to);
}

static int do_unlink(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0);
}

/* Asked for again and again, as along a search path. */
static int do_missing(int dirfd, const char *name)
{
	char missing[32];
	struct stat st;

	(void)snprintf(missing, sizeof(missing), "no-%s", name);
	for (int i = 0; i < ASK_AGAIN; i++) {
		if (fstatat(dirfd, missing, &st, 0) == 0) {
			errno = EEXIST;
			return -1;
		}
		if (errno != ENOENT)
			return -1;
	}
	return 0;
}

#define ON_STATIC(name, operation)                                            \
	static int work_##name(const struct job *job, unsigned int part,      \
			       uint64_t *ret_ops)                             \
	{                                                                     \
		return each(job, open_static(job, part), operation, ret_ops); \
	}
#define ON_WORK(name, operation)                                            \
	static int work_##name(const struct job *job, unsigned int part,    \
			       uint64_t *ret_ops)                           \
	{                                                                   \
		return each(job, open_work(job, part), operation, ret_ops); \
	}
ON_STATIC(stat, do_stat)
ON_STATIC(open, do_open)
ON_WORK(create, do_create)
ON_WORK(chmod, do_chmod)
ON_WORK(chown, do_chown)
ON_WORK(rename, do_rename)
ON_WORK(unlink, do_unlink)

static int work_missing(const struct job *job, unsigned int part,
			uint64_t *ret_ops)
{
	uint64_t ops = 0;
	int r = each(job, open_static(job, part), do_missing, &ops);

	if (r == 0)
		*ret_ops = ops * ASK_AGAIN;
	return r;
}

static int warm_static(const struct job *job)
{
	uint64_t ops = 0;
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++)
		r = each(job, open_static(job, part), do_stat, &ops);
	return r;
}

/* The operation alone is the row's, not the lookup before it. */
static int warm_work(const struct job *job)
{
	uint64_t ops = 0;
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++)
		r = each(job, open_work(job, part), do_stat, &ops);
	return r;
}

#define META .kind = "meta", .unit = "op", .parallel = true, .parts = PARTS
const struct row meta_rows[] = {
	{ .name = "create",
	  META,
	  .count = 1000,
	  .setup = setup_dirs,
	  .work = work_create },
	{ .name = "stat-cold",
	  META,
	  .cold = true,
	  .count = 2000,
	  .setup = tree_make_static,
	  .work = work_stat },
	{ .name = "stat-warm",
	  META,
	  .again = true,
	  .count = 2000,
	  .setup = tree_make_static,
	  .warm = warm_static,
	  .work = work_stat },
	{ .name = "open",
	  META,
	  .again = true,
	  .count = 2000,
	  .setup = tree_make_static,
	  .warm = warm_static,
	  .work = work_open },
	{ .name = "chmod",
	  META,
	  .count = 1000,
	  .setup = setup_files,
	  .warm = warm_work,
	  .work = work_chmod },
	{ .name = "chown",
	  META,
	  .count = 1000,
	  .setup = setup_files,
	  .warm = warm_work,
	  .work = work_chown },
	{ .name = "rename",
	  META,
	  .count = 1000,
	  .setup = setup_files,
	  .warm = warm_work,
	  .work = work_rename },
	{ .name = "unlink",
	  META,
	  .count = 1000,
	  .setup = setup_files,
	  .warm = warm_work,
	  .work = work_unlink },
	{ .name = "enoent",
	  META,
	  .again = true,
	  .count = 2000,
	  .setup = tree_make_static,
	  .work = work_missing },
	{ .name = NULL },
};
