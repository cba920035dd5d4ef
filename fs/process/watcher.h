/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process outside of the sandbox that unmounts when the daemon has ended,
 * be it killed; and before, if it is told to end, has the kernel write what
 * it holds.  It does nothing else and hears nothing else from the daemon.
 *
 * The daemon itself can't: umount2(2) is closed to it, and fusermount3, which
 * an ordinary user unmounts by, is setuid.  To open the mount is closed to it
 * too, and would keep it busy.
 */
#ifndef IDSHIFT_WATCHER_H
#define IDSHIFT_WATCHER_H

#include <stdbool.h>
#include <sys/types.h>

struct fuse_session;
struct own_mount;

struct watcher {
	pid_t pid;
	int end;     /* open until the daemon has ended */
	int flushed; /* a byte comes when that is done, or its end */
};

#define WATCHER_NONE ((struct watcher){ .pid = -1, .end = -1, .flushed = -1 })

/*
 * After mounting, before the sandbox and any thread.  fuse_fd: of /dev/fuse;
 * may_open: the mount to flush it, which is a request like others.  0 or
 * -errno.
 */
int watcher_start(const struct own_mount *mount, int fuse_fd, bool may_open,
		  struct watcher *ret);

/*
 * The same in two steps, for who forks it before there is a mount.  0; 1 in
 * the process that is to watch; -errno.
 */
struct watcher_side {
	int end;
	int flushed;
};
int watcher_fork(struct watcher *ret, struct watcher_side *ret_side);
void watcher_watch(const struct watcher_side *side,
		   const struct own_mount *mount, int fuse_fd, bool may_open)
	__attribute__((noreturn));
/* What ends the daemon by way of its process group or cgroup is no reason. */
void watcher_ignore_signals(void);
/* There was nothing to watch: it has ended, or does without its pipe. */
void watcher_give_up(struct watcher *watcher);

/*
 * Dirty pages of the mount are sent to the daemon, which must be serving; for
 * some seconds at most, as whoever holds a page may be stuck.  Once.  False: it
 * may not or can't open the mount, didn't come to that in time, or was killed.
 */
bool watcher_flush(const struct watcher *watcher);

/*
 * Have it unmount, unless that has happened, and wait until it has.  The
 * session's descriptor is closed, and it takes itself for unmounted.  SIGPIPE
 * must be ignored.  -EPIPE: it was killed, and the mount stays.
 */
int watcher_finish(struct watcher *watcher, struct fuse_session *session);

#endif
