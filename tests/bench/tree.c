/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <idshift/cleanup.h>

#define RECORD_NAME "user.containers.override_stat"

struct name tree_name(uint32_t i)
{
	struct name name;

	(void)snprintf(name.text, sizeof(name.text), "f%07u", i);
	return name;
}

void tree_work(const struct job *job, char ret_path[BENCH_PATH])
{
	(void)snprintf(ret_path, BENCH_PATH, "work/%s.%u", job->row->name,
		       job->threads);
}

void tree_work_part(const struct job *job, unsigned int part,
		    char ret_path[BENCH_PATH])
{
	(void)snprintf(ret_path, BENCH_PATH, "work/%s.%u/d%u", job->row->name,
		       job->threads, part);
}

static int record_text(const struct job *job, mode_t mode, char ret[64])
{
	int len = snprintf(ret, 64, "%s:%o:%s", job->record, mode & 07777,
			   S_ISDIR(mode) ? "dir" : "file");

	return len < 64 ? len : -ENAMETOOLONG;
}

static int mark_fd(const struct job *job, int fd)
{
	struct stat st;
	char text[64];
	int len;

	if (job->record == NULL)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	len = record_text(job, st.st_mode, text);
	if (len < 0)
		return len;
	return fsetxattr(fd, RECORD_NAME, text, (size_t)len, 0) < 0 ? -errno :
								      0;
}

int tree_open(const struct job *job, const char *path, int flags)
{
	int fd = openat(job->dirfd, path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

int tree_exists(const struct job *job, const char *path)
{
	struct stat st;

	return fstatat(job->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int tree_make_dir(const struct job *job, const char *path)
{
	char prefix[BENCH_PATH];
	const char *slash = path;

	while (slash != NULL) {
		_cleanup_fd_ int fd = -1;
		int r;

		slash = strchr(slash + (slash != path), '/');
		(void)snprintf(prefix, sizeof(prefix), "%.*s",
			       (int)(slash != NULL ? slash - path :
						     (ptrdiff_t)strlen(path)),
			       path);
		if (mkdirat(job->dirfd, prefix, 0755) < 0) {
			if (errno != EEXIST)
				return -errno;
			continue;
		}
		fd = tree_open(job, prefix, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fd;
		r = mark_fd(job, fd);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill(int fd, uint64_t size)
{
	static const char block[65536] = "some text of no meaning\n";

	while (size > 0) {
		size_t want =
			size < sizeof(block) ? (size_t)size : sizeof(block);
		ssize_t n = write(fd, block, want);

		if (n < 0)
			return -errno;
		size -= (uint64_t)n;
	}
	return 0;
}

static int make_file_at(const struct job *job, int dirfd, const char *name,
			uint64_t size)
{
	_cleanup_fd_ int fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fill(fd, size);
	return r < 0 ? r : mark_fd(job, fd);
}

int tree_make_file(const struct job *job, const char *path, uint64_t size)
{
	return make_file_at(job, job->dirfd, path, size);
}

int tree_make_files(const struct job *job, const char *path, uint32_t count,
		    size_t size)
{
	_cleanup_fd_ int fd = -1;
	int r = tree_make_dir(job, path);

	if (r < 0)
		return r;
	fd = tree_open(job, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = make_file_at(job, fd, tree_name(i).text, size);
	return r;
}

int tree_mark_all(const struct job *job, const char *path)
{
	char top[4096];
	char *roots[] = { top, NULL };
	FTSENT *entry;
	FTS *fts;
	int r = 0;

	if (job->record == NULL)
		return 0;
	(void)snprintf(top, sizeof(top), "%s/%s", job->dir, path);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (fts == NULL)
		return -errno;
	while (r == 0 && (entry = fts_read(fts)) != NULL) {
		char text[64];
		int len;

		if (entry->fts_info != FTS_F && entry->fts_info != FTS_D)
			continue;
		len = record_text(job, entry->fts_statp->st_mode, text);
		if (len < 0 || lsetxattr(entry->fts_accpath, RECORD_NAME, text,
					 (size_t)len, 0) < 0)
			r = len < 0 ? len : -errno;
	}
	(void)fts_close(fts);
	return r;
}

int tree_command(const struct job *job, const char *path,
		 const char *const argv[])
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
		    fchdir(job->dirfd) == 0 && chdir(path) == 0)
			/* execvp() doesn't change what it is given. */
			(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int tree_make_archive_tree(const struct job *job, uint32_t files)
{
	uint32_t dirs = (files + 19) / 20;
	int r = 0;

	for (uint32_t d = 0; r == 0 && d < dirs; d++) {
		uint32_t left = files - d * 20;
		char path[BENCH_PATH];

		(void)snprintf(path, sizeof(path), "tree/p%u/d%u", d % PARTS,
			       d);
		r = tree_make_files(job, path, left < 20 ? left : 20,
				    (d * 97) % 8192);
	}
	return r;
}

void tree_static_part(const struct job *job, unsigned int part,
		      char ret_path[BENCH_PATH])
{
	(void)snprintf(ret_path, BENCH_PATH, "static/%u/d%u", job->count, part);
}

int tree_make_static(const struct job *job)
{
	int r = 0;

	for (unsigned int part = 0; r == 0 && part < PARTS; part++) {
		char path[BENCH_PATH];

		tree_static_part(job, part, path);
		if (!tree_exists(job, path))
			r = tree_make_files(job, path, job_part_count(job),
					    TREE_FILE_SIZE);
	}
	return r;
}
