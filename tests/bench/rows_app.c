/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people run.  The runner made the templates. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>

static int setup_dir(const struct job *job)
{
	char path[BENCH_PATH];

	tree_work(job, path);
	return tree_make_dir(job, path);
}

static int in_work(const struct job *job, const char *const argv[])
{
	char path[BENCH_PATH];

	tree_work(job, path);
	return tree_command(job, path, argv);
}

static int untar(const struct job *job)
{
	char archive[4096];
	const char *const argv[] = { "tar", "-xf", archive, "--no-same-owner",
				     NULL };

	(void)snprintf(archive, sizeof(archive), "%s/tree.tar", job->templates);
	return in_work(job, argv);
}

static int setup_untarred(const struct job *job)
{
	char path[BENCH_PATH];
	int r = setup_dir(job);

	if (r == 0)
		r = untar(job);
	tree_work(job, path);
	return r < 0 ? r : tree_mark_all(job, path);
}

static int setup_copy(const struct job *job, const char *template)
{
	char from[4096];
	const char *const argv[] = { "cp", "-r", from, ".", NULL };
	char path[BENCH_PATH];
	int r = setup_dir(job);

	(void)snprintf(from, sizeof(from), "%s/%s/.", job->templates, template);
	if (r == 0)
		r = in_work(job, argv);
	tree_work(job, path);
	return r < 0 ? r : tree_mark_all(job, path);
}

static int setup_git(const struct job *job)
{
	return setup_copy(job, "git");
}

static int setup_build(const struct job *job)
{
	return setup_copy(job, "build");
}

static int work_untar(const struct job *job, unsigned int part,
		      uint64_t *ret_ops)
{
	(void)part;
	*ret_ops = 1;
	return untar(job);
}

static int work_rm(const struct job *job, unsigned int part, uint64_t *ret_ops)
{
	static const char *const argv[] = { "rm", "-rf", "tree", NULL };

	(void)part;
	*ret_ops = 1;
	return in_work(job, argv);
}

static int git_status(const struct job *job)
{
	static const char *const argv[] = { "git", "status", "--short", NULL };

	return in_work(job, argv);
}

static int work_git_status(const struct job *job, unsigned int part,
			   uint64_t *ret_ops)
{
	(void)part;
	*ret_ops = 1;
	return git_status(job);
}

static int work_git_checkout(const struct job *job, unsigned int part,
			     uint64_t *ret_ops)
{
	static const char *const other[] = { "git", "checkout", "-q", "other",
					     NULL };

	(void)part;
	*ret_ops = 1;
	return in_work(job, other);
}

static int work_build(const struct job *job, unsigned int part,
		      uint64_t *ret_ops)
{
	char jobs[16];
	const char *const argv[] = { "make", "-s", jobs, NULL };

	(void)part;
	(void)snprintf(jobs, sizeof(jobs), "-j%u", job->threads);
	*ret_ops = 1;
	return in_work(job, argv);
}

static int work_sqlite(const struct job *job, unsigned int part,
		       uint64_t *ret_ops)
{
	char script[4096];
	const char *const argv[] = { "sqlite3", "-bail", "test.db", script,
				     NULL };

	(void)part;
	(void)snprintf(script, sizeof(script), ".read %s/rows.sql",
		       job->templates);
	*ret_ops = 1;
	return in_work(job, argv);
}

#define APP .kind = "app", .unit = "run", .parts = 1, .count = 1
const struct row app_rows[] = {
	{ .name = "untar", APP, .setup = setup_dir, .work = work_untar },
	{ .name = "rm-rf", APP, .setup = setup_untarred, .work = work_rm },
	{ .name = "git-status",
	  APP,
	  .setup = setup_git,
	  .warm = git_status,
	  .work = work_git_status },
	{ .name = "git-checkout",
	  APP,
	  .setup = setup_git,
	  .warm = git_status,
	  .work = work_git_checkout },
	{ .name = "build",
	  APP,
	  .parallel = true,
	  .setup = setup_build,
	  .work = work_build },
	{ .name = "sqlite", APP, .setup = setup_dir, .work = work_sqlite },
	{ .name = NULL },
};
