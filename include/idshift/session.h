/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mount from beginning to end: open the source and the database, mount,
 * serve until unmounted or told to stop (SIGTERM, SIGINT, SIGHUP), unmount.
 * Requests are served inside of a sandbox (sandbox.h), and a process of its
 * own unmounts when the one that serves is killed (watcher.h).
 */
#ifndef IDSHIFT_SESSION_H
#define IDSHIFT_SESSION_H

#include "idshift/error.h"
#include "idshift/options.h"
#include "idshift/view.h"

/* In the process that is to serve, which may not touch the mount itself. */
struct session_events {
	/* The kernel keeps requests from now on; no threads yet. */
	void (*mounted)(void *context);
	/* About to serve them, inside the sandbox; NULL: nothing to do. */
	void (*serving)(void *context);
	void *context;
};

/*
 * Returns 0 after an orderly end, or a negative errno with a reason.  Single
 * threaded before; in the process that is to serve (no fork afterwards).
 */
int session_run(const struct options *options, const struct view_policy *policy,
		const struct session_events *events, struct error *error);

/*
 * Do what options say: in the background the caller's process returns once
 * the mount answers, with the daemon's error if there was one; in the
 * foreground (sd_notify READY=1 once it answers) after the end.
 */
int session_start(const struct options *options,
		  const struct view_policy *policy, struct error *error);

#endif
