/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What chown, chmod and clear have in common. */
#ifndef IDSHIFT_TOOL_CHANGE_H
#define IDSHIFT_TOOL_CHANGE_H

#include <stdbool.h>

#include "idshift/access.h"

#include "command_line.h"
#include "target.h"

struct change {
	const char *command;
	bool recursive;
	bool follow; /* a link given as PATH stands for what it leads to */
	/* Is what is wanted possible here?  NULL: always. */
	int (*check)(const struct change *change, struct error *error);
	int (*apply)(const struct change *change, int path_fd,
		     const struct statx *stx);
	const void *wanted; /* the subcommand's own */
	struct target target;
};

/* Who changes: the container's root, as in 'podman unshare chown'. */
extern const struct access_caller change_caller;

/*
 * The view, and for access.h's verdicts what the container sees of it, without
 * ids recorded under a larger map.  -EPERM for what is not ours; -errno.
 */
int change_view(const struct change *change, int path_fd,
		const struct statx *stx, struct view *ret,
		struct access_object *ret_object);

/*
 * Open the target, apply the change to each path, close it; the exit code,
 * as chown(1)'s: 1 if anything failed.
 */
int change_paths(struct change *change, const struct command_line *line,
		 char *const *paths, size_t count);

#endif
