/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run-as=: a process that stays root's and mounts, so that the one that is to
 * serve can be the user's for good before it opens anything of the user's: who
 * has made a database up must not have it read by a process that can be root
 * again.  Nothing of the user's comes to this one but the word to mount; after
 * that it is the watcher.
 */
#ifndef IDSHIFT_MOUNTER_H
#define IDSHIFT_MOUNTER_H

#include <stdint.h>

#include "idshift/error.h"
#include "idshift/options.h"
#include "idshift/view.h"
#include "watcher.h"

struct mounter {
	int socket; /* -1: there is none */
	struct watcher watcher;
};

#define MOUNTER_NONE ((struct mounter){ .socket = -1, .watcher = WATCHER_NONE })

/*
 * As root, without threads, for a user; target: a descriptor of the mount
 * point, which the caller needn't keep.  0 or -errno.
 */
int mounter_start(const struct options *options, const struct acting_user *user,
		  int target, struct mounter *ret);

/*
 * Have it mount: the descriptor of /dev/fuse, the mount's device and the
 * watcher; or -errno with a reason.
 */
int mounter_mount(struct mounter *mounter, uint64_t *ret_dev,
		  struct watcher *ret_watcher, struct error *error);

/* Where it was not to mount, or could not. */
void mounter_give_up(struct mounter *mounter);

#endif
