/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be right before a mount is tried. */
#ifndef IDSHIFT_PREPARE_H
#define IDSHIFT_PREPARE_H

#include "idshift/error.h"
#include "idshift/options.h"
#include "idshift/situation.h"
#include "idshift/view.h"

/*
 * Check the source, the mount point and FUSE (mountpoint.h); the two paths in
 * `options` become real and absolute.  A mount left behind by a dead daemon
 * is unmounted.  With run-as= root asks as `user`.  -EINVAL with a reason.
 */
int prepare_mount(struct options *options, const struct situation *situation,
		  const struct acting_user *user, struct error *error);

#endif
