/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps and records that a mount with the same options would have. */
#ifndef IDSHIFT_TOOL_TARGET_H
#define IDSHIFT_TOOL_TARGET_H

#include <limits.h>

#include "idshift/options.h"
#include "idshift/records.h"
#include "idshift/situation.h"
#include "idshift/view.h"

#include "command_line.h"

struct target {
	struct options options;
	struct situation situation;
	struct view_policy policy;
	struct records records; /* db NULL: target_open_maps() */
};

/* Only the maps.  -errno with a reason. */
int target_open_maps(const struct command_line *line, struct target *ret,
		     struct error *error);
/*
 * With the records.  Refused where they would not be the mount's own: run-as
 * another user, chown=disk.  `ret` stays where it is until it is closed.
 */
int target_open(const struct command_line *line, struct target *ret,
		struct error *error);
void target_close(struct target *target);

/*
 * An id recorded under a larger map than today's is nobody's in this
 * container, as the mount shows it.  true: there was such an id.
 */
bool target_forget_strange_ids(const struct view_policy *policy,
			       struct view *view);

/*
 * Path fd of a path of the user's; a link at its end is followed only if
 * asked for.  Its statx is *ret_stx.  -errno.
 */
int target_open_path(const char *path, bool follow, struct statx *ret_stx);

/* What is seen through a mount of ours is refused, for this reason. */
#define TARGET_REASON_MAX (PATH_MAX + 128)
bool target_is_in_mount(int fd, char reason[TARGET_REASON_MAX]);

#endif
