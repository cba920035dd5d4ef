/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories, small and large. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <idshift/cleanup.h>

enum { SMALL_DIR = 10 };

static int list(const struct job *job, const char *path, uint64_t *ret_entries)
{
	int fd = tree_open(job, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t entries = 0;

	if (fd < 0)
		return fd;
	if (dir == NULL) {
		close_fd(fd);
		return -errno;
	}
	errno = 0;
	while (readdir(dir) != NULL)
		entries++;
	int error = errno;

	(void)closedir(dir);
	*ret_entries = entries;
	return -error;
}

static void big_path(const struct job *job, char ret_path[BENCH_PATH])
{
	(void)snprintf(ret_path, BENCH_PATH, "static/big.%u", job->count);
}

static int setup_big(const struct job *job)
{
	char path[BENCH_PATH];

	big_path(job, path);
	if (tree_exists(job, path))
		return 0;
	return tree_make_files(job, path, job->count, 0);
}

static int work_big(const struct job *job, unsigned int part, uint64_t *ret_ops)
{
	char path[BENCH_PATH];

	(void)part;
	big_path(job, path);
	return list(job, path, ret_ops);
}

/* Each file of the big directory once: what the daemon's tables grow by. */
static int work_walk(const struct job *job, unsigned int part,
		     uint64_t *ret_ops)
{
	char path[BENCH_PATH];
	_cleanup_fd_ int fd = -1;
	struct stat st;

	(void)part;
	big_path(job, path);
	fd = tree_open(job, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < job->count; i++) {
		if (fstatat(fd, tree_name(i).text, &st, 0) < 0)
			return -errno;
	}
	*ret_ops = job->count;
	return 0;
}

/* A thousand names all over it, when the kernel has forgotten them. */
static int work_pick(const struct job *job, unsigned int part,
		     uint64_t *ret_ops)
{
	enum { PICKS = 1000 };
	char path[BENCH_PATH];
	_cleanup_fd_ int fd = -1;
	uint64_t state = 1;
	struct stat st;
	uint32_t at;

	(void)part;
	big_path(job, path);
	fd = tree_open(job, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < PICKS; i++) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		at = (uint32_t)((state >> 33) % job->count);
		if (fstatat(fd, tree_name(at).text, &st, 0) < 0)
			return -errno;
	}
	*ret_ops = PICKS;
	return 0;
}

static int setup_small(const struct job *job)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < job->count; i++) {
		char path[BENCH_PATH];

		(void)snprintf(path, sizeof(path), "static/small/p%u/d%u",
			       i % PARTS, i / PARTS);
		if (!tree_exists(job, path))
			r = tree_make_files(job, path, SMALL_DIR, 0);
	}
	return r;
}

static int work_small(const struct job *job, unsigned int part,
		      uint64_t *ret_ops)
{
	uint32_t count = job_part_count(job);
	uint64_t entries;

	for (uint32_t i = 0; i < count; i++) {
		char path[BENCH_PATH];
		int r;

		(void)snprintf(path, sizeof(path), "static/small/p%u/d%u", part,
			       i);
		r = list(job, path, &entries);
		if (r < 0)
			return r;
	}
	*ret_ops = count;
	return 0;
}

/* The real one: it asks for extended attributes too. */
static int work_ls(const struct job *job, unsigned int part, uint64_t *ret_ops)
{
	static const char *const argv[] = { "ls", "-ln", ".", NULL };
	char path[BENCH_PATH];
	int r;

	tree_static_part(job, part, path);
	r = tree_command(job, path, argv);
	if (r == 0)
		*ret_ops = job_part_count(job);
	return r;
}

/* So that the program itself is in memory. */
static int warm_ls_program(const struct job *job)
{
	static const char *const argv[] = { "ls", "-lnd", "/", NULL };

	return tree_command(job, ".", argv);
}

static int warm_ls(const struct job *job)
{
	uint64_t ops = 0;
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++)
		r = work_ls(job, part, &ops);
	return r;
}

#define META .kind = "meta", .unit = "op", .parallel = true, .parts = PARTS
const struct row dir_rows[] = {
	{ .name = "ls-cold",
	  META,
	  .cold = true,
	  .count = 2000,
	  .setup = tree_make_static,
	  .warm = warm_ls_program,
	  .work = work_ls },
	{ .name = "ls-warm",
	  META,
	  .count = 2000,
	  .setup = tree_make_static,
	  .warm = warm_ls,
	  .work = work_ls },
	{ .name = "list-small",
	  META,
	  .cold = true,
	  .count = 400,
	  .setup = setup_small,
	  .work = work_small },
	{ .name = "readdir-big",
	  .kind = "meta",
	  .unit = "entry",
	  .parts = 1,
	  .cold = true,
	  .count = 10000,
	  .setup = setup_big,
	  .work = work_big },
	{ .name = "scale-readdir",
	  .kind = "scale",
	  .unit = "entry",
	  .parts = 1,
	  .cold = true,
	  .count = 10000,
	  .setup = setup_big,
	  .work = work_big },
	{ .name = "scale-walk",
	  .kind = "scale",
	  .unit = "op",
	  .parts = 1,
	  .cold = true,
	  .count = 10000,
	  .setup = setup_big,
	  .work = work_walk },
	{ .name = "scale-stat",
	  .kind = "scale",
	  .unit = "op",
	  .parts = 1,
	  .cold = true,
	  .count = 10000,
	  .setup = setup_big,
	  .work = work_pick },
	{ .name = NULL },
};
