/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process outside of the sandbox that unmounts when the daemon has ended,
 * be it killed.  It does nothing else and hears nothing from the daemon but
 * its end.
 *
 * The daemon itself can't: umount2(2) is closed to it, and fusermount3, which
 * an ordinary user unmounts by, is setuid.
 */
#ifndef IDSHIFT_WATCHER_H
#define IDSHIFT_WATCHER_H

#include <sys/types.h>

struct fuse_session;
struct own_mount;

struct watcher {
	pid_t pid;
	int end; /* open until the daemon has ended */
};

#define WATCHER_NONE ((struct watcher){ .pid = -1, .end = -1 })

/*
 * After mounting, before the sandbox and any thread.  fuse_fd: of /dev/fuse.
 * 0 or -errno.
 */
int watcher_start(const struct own_mount *mount, int fuse_fd,
		  struct watcher *ret);

/*
 * Have it unmount, unless that has happened, and wait until it has.  The
 * session's descriptor is closed, and it takes itself for unmounted.  SIGPIPE
 * must be ignored.
 */
void watcher_finish(struct watcher *watcher, struct fuse_session *session);

#endif
