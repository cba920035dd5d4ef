/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setuid, setgid and capabilities, as writing and chown(2) take them away. */
#include "ops.h"

#include <errno.h>
#include <linux/xattr.h>

#include "caller.h"
#include "idshift/backing.h"

bool caller_in_group(const struct filesystem *fs, const struct caller *caller,
		     const struct view *view)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };

	if (container_id_is_mapped(view->gid) &&
	    container_id_equal(caller->gid, view->gid))
		return true;
	if (caller_rights(fs, caller, view, &rights) < 0)
		return false;
	return access_in_group(&rights.who, view->gid) ||
	       ((rights.who.caps & ACCESS_CAP_FSETID) != 0 &&
		container_id_is_mapped(view->uid) &&
		container_id_is_mapped(view->gid));
}

mode_t mode_without_privileges(const struct filesystem *fs,
			       const struct caller *caller,
			       const struct view *view)
{
	mode_t mode = view->mode;

	if (S_ISDIR(mode) || S_ISLNK(mode))
		return mode;
	if ((mode & S_ISGID) != 0 &&
	    ((mode & S_IXGRP) != 0 || !caller_in_group(fs, caller, view)))
		mode &= ~(mode_t)S_ISGID;
	return mode & ~(mode_t)S_ISUID;
}

int drop_privileges(struct filesystem *fs, fuse_req_t req, uint64_t ino)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct change_turn change;
	struct caller caller;
	struct statx stx;
	struct disk_owner disk;
	struct view view;
	mode_t mode;
	int r;

	if (!node_is_privileged(fs->nodes, ino))
		return 0;
	/* Who has no id here may write by a descriptor all the same. */
	(void)caller_of(fs, req, &caller);
	r = node_acquire(fs->nodes, ino, &node);
	/* Gone from the source: what is open can still be written. */
	if (r < 0)
		return r == -ESTALE ? 0 : r;
	change_begin(fs, ino, true, &change);
	r = node_view(fs, &node, &stx, &view);
	if (r == 0) {
		mode = mode_without_privileges(fs, &caller, &view);
		if (mode != view.mode) {
			view.mode = mode;
			disk = backing_owner(&stx);
			/* Another's loses them on disk, as it is written. */
			if (view_is_ours(fs->policy, &disk))
				r = records_apply(&fs->records, node.fd, &stx,
						  0, &view);
			/* A write's reply carries no mode. */
			(void)fuse_lowlevel_notify_inval_inode(fs->session, ino,
							       -1, 0);
		}
		if (r == 0)
			node_set_privileged(&node, is_privileged(view.mode));
	}
	change_end(&change);
	return r;
}

static bool read_privileges(struct privileges *ret)
{
	struct statx stx;

	if (backing_stat(ret->node.fd, &stx) < 0)
		return false;
	ret->mode = stx.stx_mode & MODE_BITS;
	ret->capability_size =
		backing_getxattr(ret->node.fd, XATTR_NAME_CAPS, ret->capability,
				 sizeof(ret->capability));
	return is_privileged(stx.stx_mode) || ret->capability_size >= 0;
}

void privileges_keep(struct filesystem *fs, uint64_t ino,
		     struct privileges *ret)
{
	*ret = (struct privileges){ .node = NODE_REF_NONE };
	if (!fs->policy->real_owners ||
	    node_acquire(fs->nodes, ino, &ret->node) < 0)
		return;
	/* Else a chmod of the meantime would be undone. */
	(void)pthread_mutex_lock(node_change_lock(&ret->node));
	ret->locked = read_privileges(ret);
	if (!ret->locked)
		(void)pthread_mutex_unlock(node_change_lock(&ret->node));
}

void privileges_restore(struct privileges *kept)
{
	const int fd = kept->node.fd;
	struct privileges now = *kept;

	if (kept->locked) {
		(void)read_privileges(&now);
		if (now.mode != kept->mode)
			(void)backing_chmod(fd, kept->mode);
		if (now.capability_size < 0 && kept->capability_size >= 0)
			(void)backing_setxattr(
				fd, XATTR_NAME_CAPS, kept->capability,
				(size_t)kept->capability_size, 0);
		(void)pthread_mutex_unlock(node_change_lock(&kept->node));
	}
	node_release(&kept->node);
}
