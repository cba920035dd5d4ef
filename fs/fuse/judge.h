/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the kernel's verdict is not enough, the permission engine (access.h)
 * has its own:
 * - caller=: every request is judged as if one container id had made it, in
 *   place of the kernel's default_permissions;
 * - in a user namespace an object with an owner or group that has no number
 *   there (view_is_strange()) travels with that of the container's nobody: the
 *   kernel lets him, and whose capabilities count for him, pass.
 * Else each of these answers 0 and looks at nothing.
 */
#ifndef IDSHIFT_JUDGE_H
#define IDSHIFT_JUDGE_H

#include "ops.h"

static inline bool is_judged(const struct filesystem *fs)
{
	return fs->config.judge != NULL;
}

static inline bool is_strange(const struct filesystem *fs,
			      const struct node_ref *node)
{
	return fs->policy->acting.in_userns && node->table != NULL &&
	       node_strangeness(node) != NODE_FAMILIAR;
}

/*
 * Not everybody who comes to its names may: nothing below it is to be
 * remembered by the kernel, which would let them pass.
 */
static inline bool is_narrow(const struct filesystem *fs,
			     const struct node_ref *dir)
{
	return fs->policy->acting.in_userns &&
	       node_strangeness(dir) == NODE_NARROW;
}

/* Owner, group and others may all, where there is no ACL. */
static inline bool mode_grants_all(mode_t mode, unsigned int wanted)
{
	return (mode & mode >> 3 & mode >> 6 & wanted) == wanted;
}

/* Read, write, execute or search (ACCESS_*). */
int judge_access(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *node, unsigned int wanted,
		 const char *op);
/* What is for the owner alone, such as setting an ACL. */
int judge_owner(const struct filesystem *fs, const struct caller *caller,
		const struct node_ref *node, const char *op);
int judge_create(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *dir, const char *name, const char *op);
/*
 * The mode that a new object gets in a directory (a view), as the kernel sends
 * it where its verdict is enough: setgid is lost to those outside the
 * directory's group.  0 or -errno.
 */
int judge_mode(const struct filesystem *fs, const struct caller *caller,
	       const struct view *dir, mode_t *mode);
/* security.capability: natively by a privilege that counts for the object. */
int judge_capability(const struct filesystem *fs, const struct node_ref *node);
int judge_delete(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *dir, const char *name,
		 const struct node_ref *known, const char *op);
/* What has the two names is known, or NODE_REF_NONE. */
struct judged_rename {
	const struct node_ref *from;
	const char *name;
	const struct node_ref *source;
	const struct node_ref *to;
	const char *new_name;
	const struct node_ref *target;
	bool exchange;
};
int judge_rename(const struct filesystem *fs, const struct caller *caller,
		 const struct judged_rename *move);
/* To set and remove an attribute of the class user. */
int judge_set_xattr(const struct filesystem *fs, const struct caller *caller,
		    const struct node_ref *node, const char *op);
int judge_link(const struct filesystem *fs, const struct caller *caller,
	       const struct node_ref *node);

/*
 * What the engine granted and the disk, or another option, refused: a line in
 * the trace.  Returns r.
 */
int judge_disk(const struct filesystem *fs, int r, const char *op,
	       const struct node_ref *where, const char *name);

/*
 * A SETATTR: to_set as libfuse gives it, through an open file or not (-1);
 * *want is what is asked for, its mode changed as chmod(2) and chown(2) do.
 */
int judge_setattr(const struct filesystem *fs, const struct caller *caller,
		  const struct node_ref *node, int to_set, int handle_fd,
		  const struct view *now, struct view *want);

#endif
