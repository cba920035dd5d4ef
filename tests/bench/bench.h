/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: one row of the benchmark on one directory.  A row's work is split
 * into PARTS, each in a directory or range of its own, so that one thread and
 * four do the same work.  The figure is wall-clock seconds for one operation.
 *
 * `setup` makes on the source, before any mount, what the row needs; `warm`
 * runs on the mount without being timed; `work` is timed.  They return 0 or
 * -errno.  `work` runs in several threads at once, for different parts.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTS = 4 };
enum { BENCH_PATH = 160 };

struct job {
	const struct row *row;
	const char *dir; /* the source, or the mount of it */
	int dirfd;
	const char *templates; /* tree.tar, git/, build/, rows.sql */
	const char *record;    /* "UID:GID" of all that setup makes, or NULL */
	unsigned int threads;
	uint32_t count; /* operations, over all parts */
	bool once;	/* rows that can be repeated are not */
};

struct row {
	const char *name;
	const char *unit;
	const char *kind; /* meta, io, app; scale and count: not in the table */
	bool cold;	  /* the runner empties the kernel's caches before it */
	bool parallel;	  /* makes sense with several threads */
	bool again;	  /* can be repeated: a single pass is too short */
	unsigned int parts;
	uint32_t count;
	int (*setup)(const struct job *job);
	int (*warm)(const struct job *job);
	int (*work)(const struct job *job, unsigned int part,
		    uint64_t *ret_ops);
};

/* Ends with a row without a name. */
extern const struct row meta_rows[];
extern const struct row dir_rows[];
extern const struct row io_rows[];
extern const struct row app_rows[];
extern const struct row count_rows[];

/* --- trees; paths are relative to the job's directory --- */

struct name {
	char text[16];
};

/* The i-th file's name. */
struct name tree_name(uint32_t i);
/* "work/ROW.THREADS" and, below it, a part's directory. */
void tree_work(const struct job *job, char ret_path[BENCH_PATH]);
void tree_work_part(const struct job *job, unsigned int part,
		    char ret_path[BENCH_PATH]);
/* One that exists is no error; its parents are made too. */
int tree_make_dir(const struct job *job, const char *path);
int tree_make_files(const struct job *job, const char *path, uint32_t count,
		    size_t size);
int tree_make_file(const struct job *job, const char *path, uint64_t size);
/* Records for all files and directories below, if the job has them. */
int tree_mark_all(const struct job *job, const char *path);
int tree_exists(const struct job *job, const char *path);
/*
 * A part's directory of files that are only read; made once and kept, as all
 * in static/ is, while work/ is made anew for each mount.
 */
enum { TREE_FILE_SIZE = 4096 };
void tree_static_part(const struct job *job, unsigned int part,
		      char ret_path[BENCH_PATH]);
int tree_make_static(const struct job *job);
/* A descriptor or -errno. */
int tree_open(const struct job *job, const char *path, int flags);
/* In a new process, quiet, in `path`.  -EIO if it fails. */
int tree_command(const struct job *job, const char *path,
		 const char *const argv[]);
/* `files` files of up to 8 KiB in directories of 20: what tree.tar holds. */
int tree_make_archive_tree(const struct job *job, uint32_t files);

/* The files of one part that setup made. */
static inline uint32_t job_part_count(const struct job *job)
{
	return job->count / PARTS;
}

/* Mount SOURCE's tree at TARGET id-mapped by the identity; needs root. */
int idmapped_mount(const char *source, const char *target);

#endif
