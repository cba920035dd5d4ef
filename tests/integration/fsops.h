/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fsops_* programs share.  Each does a fixed list of calls in an
 * empty directory and prints a line for each result, without anything that
 * differs from run to run.  A run on a plain directory says what is right; a
 * run on the mount must print the same.
 */
#ifndef FSOPS_H
#define FSOPS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static inline const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name != NULL ? name : "?";
}

/* The result of a call that returned `value`; errno counts if it is -1. */
static inline long say(const char *what, long value)
{
	if (value < 0)
		printf("%s: %s\n", what, error_name(errno));
	else
		printf("%s: %ld\n", what, value);
	return value;
}

static inline void say_text(const char *what, const char *text)
{
	printf("%s: %s\n", what, text);
}

/* A descriptor's number is no result. */
static inline int say_fd(const char *what, int fd)
{
	printf("%s: %s\n", what, fd < 0 ? error_name(errno) : "ok");
	return fd;
}

static inline void say_close(const char *what, int fd)
{
	if (say_fd(what, fd) >= 0)
		(void)close(fd);
}

static inline void say_stat_of(const char *what, int r, const struct stat *st)
{
	if (r < 0)
		printf("%s: %s\n", what, error_name(errno));
	else
		printf("%s: %06o %u:%u nlink %lu size %ld\n", what, st->st_mode,
		       st->st_uid, st->st_gid, (unsigned long)st->st_nlink,
		       S_ISDIR(st->st_mode) ? 0L : (long)st->st_size);
}

static inline void say_stat(const char *what, const char *path)
{
	struct stat st = { 0 };

	say_stat_of(what, lstat(path, &st), &st);
}

static inline void say_fstat(const char *what, int fd)
{
	struct stat st = { 0 };

	say_stat_of(what, fstat(fd, &st), &st);
}

/* For what a check stands on: without it the rest says nothing. */
static inline int must(const char *what, int r)
{
	if (r < 0) {
		printf("%s: unexpected %s\n", what, error_name(errno));
		exit(1);
	}
	return r;
}

static inline int new_file(const char *name, const char *text)
{
	int fd = must(name, open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	must(name, (int)write(fd, text, strlen(text)));
	return fd;
}

static inline void make_file(const char *name, const char *text)
{
	(void)close(new_file(name, text));
}

/* A file's first bytes, with dots for zeros. */
static inline void say_content(const char *what, const char *name)
{
	char buf[64];
	ssize_t len;
	int fd = open(name, O_RDONLY);

	if (fd < 0) {
		say_fd(what, fd);
		return;
	}
	len = read(fd, buf, sizeof(buf) - 1);
	(void)close(fd);
	if (len < 0) {
		say(what, -1);
		return;
	}
	for (ssize_t i = 0; i < len; i++)
		if (buf[i] == '\0')
			buf[i] = '.';
	buf[len] = '\0';
	say_text(what, buf);
}

/* How many names the directory has, hidden ones and all. */
static inline long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	long count = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct check {
	const char *name;
	void (*run)(void);
};

/* Each check runs in a directory of its own below the one that is given. */
static inline int run_checks(int argc, char **argv, const struct check *checks,
			     size_t count)
{
	if (argc < 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: %s DIR [CHECK]\n", argv[0]);
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++) {
		if (argc > 2 && strcmp(argv[2], checks[i].name) != 0)
			continue;
		(void)umask(022);
		printf("== %s\n", checks[i].name);
		must(checks[i].name, mkdir(checks[i].name, 0755));
		must(checks[i].name, chdir(checks[i].name));
		checks[i].run();
		must(checks[i].name, chdir(".."));
		remove_tree(checks[i].name);
		say("is gone", access(checks[i].name, F_OK));
	}
	return 0;
}

#endif
