/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mount from beginning to end: open the source and the database, mount,
 * serve until unmounted or told to stop (SIGTERM, SIGINT, SIGHUP), unmount.
 */
#ifndef IDSHIFT_SESSION_H
#define IDSHIFT_SESSION_H

#include "idshift/error.h"
#include "idshift/options.h"
#include "idshift/view.h"

/* Called once requests are about to be served; may not touch the mount. */
typedef void session_mounted_fn(void *context);

/*
 * Returns 0 after an orderly end, or a negative errno with a reason.  Single
 * threaded before; in the process that is to serve (no fork afterwards).
 */
int session_run(const struct options *options, const struct view_policy *policy,
		session_mounted_fn *mounted, void *context,
		struct error *error);

/*
 * Do what options say: in the background the caller's process returns once
 * the mount answers, with the daemon's error if there was one; in the
 * foreground (sd_notify READY=1 once it answers) after the end.
 */
int session_start(const struct options *options,
		  const struct view_policy *policy, struct error *error);

#endif
