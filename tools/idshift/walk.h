/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All objects of a tree, each by a path fd: relative to its directory's
 * descriptor, no symbolic link followed, with a bounded number of descriptors
 * however deep the tree is.
 */
#ifndef IDSHIFT_TOOL_WALK_H
#define IDSHIFT_TOOL_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

struct walk {
	const char *command; /* in messages */
	bool recursive;
	bool follow; /* a link given as PATH stands for what it leads to */
	/*
	 * For each object, a directory before what is in it.  0; -errno, said
	 * by the caller; or a positive number when it has said why itself.
	 */
	int (*visit)(void *context, int path_fd, const struct statx *stx,
		     const char *path);
	void *context;
};

/* false: something failed, which has been said. */
bool walk_path(const struct walk *walk, const char *path);

#endif
