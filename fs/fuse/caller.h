/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the caller of a request may: supplementary groups and capabilities, as
 * /proc/PID tells them.  Asked for seldom, where the kernel leaves a decision
 * to the file system or the disk refused what the kernel had granted.
 *
 * A capability counts for an object only if both its ids have a number in the
 * caller's user namespace (capable_wrt_inode_uidgid() of the kernel): anybody
 * is root of a namespace of his own.
 */
#ifndef IDSHIFT_CALLER_H
#define IDSHIFT_CALLER_H

#include "ops.h"

struct caller_rights {
	struct access_caller who; /* with the caps that count for the object */
	struct container_id *groups;
};

/* 0 or -ENOMEM; the object is the one to be judged. */
int caller_rights(const struct filesystem *fs, const struct caller *caller,
		  const struct view *object, struct caller_rights *ret);
void caller_rights_done(struct caller_rights *rights);
/* CAP_SYS_ADMIN where every id has a number: in the initial namespace. */
bool caller_is_admin(const struct filesystem *fs, const struct caller *caller);
#define _cleanup_rights_ __attribute__((cleanup(caller_rights_done)))

#endif
