/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watcher.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/clock.h"
#include "idshift/descriptors.h"
#include "idshift/mountpoint.h"
#include "idshift/own_mount.h"

/* Not that of the daemons: killall(1) and the like are for those. */
#define NAME "idshift-watch"

/* Words to it, a byte each. */
#define FLUSH 'f'
#define END 'e'

/* A syncfs(2) takes less unless somebody is stuck. */
#define FLUSH_NS INT64_C(4000000000)
#define NS_PER_MS INT64_C(1000000)
/* So does an umount2(2). */
#define UNMOUNT_MS 5000

void watcher_ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT,
				       SIGPIPE };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &ignore, NULL);
}

/* What a watcher knows and holds. */
struct watch {
	const struct own_mount *mount;
	int fuse_fd;
	bool may_open;
	int end;
	int flushed;
};

/* A pipe, its ends to be closed with the scope. */
static int make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

/*
 * To open the root takes permission, which the container may have taken from
 * us; root is a stranger to it, and its owner isn't.
 */
static int open_root(int fd)
{
	char path[MOUNTPOINT_FD_PATH_MAX];
	struct statx stx;

	if (geteuid() == 0 && statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				    STATX_UID | STATX_GID, &stx) == 0) {
		(void)setfsgid(stx.stx_gid);
		(void)setfsuid(stx.stx_uid);
	}
	mountpoint_fd_path(fd, path);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * It may get stuck with a request that is.  So it holds no /dev/fuse: once the
 * watcher and the daemon have none, all that waits for an answer ends.
 */
static void flush(const struct watch *watch)
{
	bool known = own_mount_is_known(watch->mount, watch->fuse_fd);
	_cleanup_fd_ int fd = -1, root = -1;

	descriptors_close_others(&watch->flushed, 1);
	if (known && watch->may_open)
		fd = own_mount_open(watch->mount, NULL);
	if (fd >= 0)
		root = open_root(fd);
	/* Without this word the daemon only hears that we are gone. */
	if (root >= 0 && syncfs(root) == 0)
		(void)!write(watch->flushed, "", 1);
}

/* Once: whoever has taken the daemon over may ask for more. */
static void flush_apart(struct watch *watch)
{
	pid_t pid = watch->flushed < 0 ? -1 : fork();

	if (pid == 0) {
		/* Or the daemon would not hear of the watcher's death. */
		close_fd(watch->end);
		flush(watch);
		_exit(0);
	}
	close_fd(take_fd(&watch->flushed));
}

/*
 * It may get stuck too: the way to the mount may lead through one whose daemon
 * is stopped.  Whoever waits for us, or for an answer from the mount, isn't
 * held up by that; it goes on by itself, if it knows its mount from a later
 * one.
 */
static void unmount_apart(const struct watch *watch)
{
	_cleanup_fd_ int done = -1, doing = -1;
	struct pollfd unmounted = { .events = POLLIN };
	pid_t pid = -1;

	if (!own_mount_is_known(watch->mount, watch->fuse_fd))
		return;
	if (make_pipe(&done, &doing) == 0)
		pid = fork();
	if (pid <= 0) {
		descriptors_close_others(&doing, 1);
		descriptors_open_standard();
		own_mount_unmount(watch->mount);
		return;
	}
	close_fd(take_fd(&doing));
	unmounted.fd = done;
	if (poll(&unmounted, 1, UNMOUNT_MS) == 0 && watch->mount->unique == 0)
		(void)kill(pid, SIGKILL);
}

/* The daemon's next word; that of its death is the end. */
static char next_word(int end)
{
	char word = END;

	while (read(end, &word, 1) < 0 && errno == EINTR)
		;
	return word;
}

static void watch_daemon(struct watch *watch)
{
	const int keep[] = { watch->end, watch->flushed, watch->fuse_fd };
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };

	/* What the daemon may not do must not be done by way of us. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	(void)setsid();
	watcher_ignore_signals();
	descriptors_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	/* fusermount3 must not find its standard descriptors closed. */
	descriptors_open_standard();
	if (chdir("/") < 0)
		return;
	while (next_word(watch->end) == FLUSH)
		flush_apart(watch);
	unmount_apart(watch);
}

int watcher_fork(struct watcher *ret, struct watcher_side *ret_side)
{
	_cleanup_fd_ int far = -1, near = -1, flushed = -1, flushing = -1;
	pid_t pid;
	int r = make_pipe(&far, &near);

	if (r == 0)
		r = make_pipe(&flushed, &flushing);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		*ret_side = (struct watcher_side){
			.end = take_fd(&far),
			.flushed = take_fd(&flushing),
		};
		return 1;
	}
	*ret = (struct watcher){ .pid = pid,
				 .end = take_fd(&near),
				 .flushed = take_fd(&flushed) };
	return 0;
}

void watcher_watch(const struct watcher_side *side,
		   const struct own_mount *mount, int fuse_fd, bool may_open)
{
	struct watch watch = {
		.mount = mount,
		.fuse_fd = fuse_fd,
		.may_open = may_open,
		.end = side->end,
		.flushed = side->flushed,
	};

	watch_daemon(&watch);
	_exit(0);
}

int watcher_start(const struct own_mount *mount, int fuse_fd, bool may_open,
		  struct watcher *ret)
{
	struct watcher_side side = { .end = -1, .flushed = -1 };
	int r = watcher_fork(ret, &side);

	if (r > 0)
		watcher_watch(&side, mount, fuse_fd, may_open);
	return r;
}

static int tell(const struct watcher *watcher, char word)
{
	return write(watcher->end, &word, 1) < 0 ? -errno : 0;
}

bool watcher_flush(const struct watcher *watcher)
{
	struct pollfd flushed = { .fd = watcher->flushed };
	int64_t end = clock_ns(CLOCK_MONOTONIC) + FLUSH_NS, left = FLUSH_NS;
	int r = 0;
	char done;

	/* Whoever has made the mount itself keeps it. */
	if (watcher->pid < 0)
		return true;
	if (tell(watcher, FLUSH) < 0)
		return false;
	/* One signal to end is often followed by another. */
	while (left > 0 &&
	       (r = poll(&flushed, 1, (int)(left / NS_PER_MS) + 1)) < 0 &&
	       errno == EINTR)
		left = end - clock_ns(CLOCK_MONOTONIC);
	return r > 0 && read(watcher->flushed, &done, 1) == 1;
}

void watcher_give_up(struct watcher *watcher)
{
	if (watcher->pid < 0)
		return;
	close_fd(watcher->end);
	close_fd(watcher->flushed);
	while (waitpid(watcher->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*watcher = WATCHER_NONE;
}

int watcher_finish(struct watcher *watcher, struct fuse_session *session)
{
	struct pollfd device = { .fd = fuse_session_fd(session) };
	bool there = poll(&device, 1, 0) <= 0 || !(device.revents & POLLERR);
	int r;

	/*
	 * No request is answered any more, so nobody may wait for one.  Once
	 * the watcher is gone this end of the pipe polls as an error: that is
	 * how libfuse knows a mount that is gone, and only frees.
	 */
	(void)dup2(watcher->end, fuse_session_fd(session));
	/* Before that it has nothing to do by itself. */
	r = tell(watcher, END);
	while (waitpid(watcher->pid, NULL, 0) < 0 && errno == EINTR)
		;
	fuse_session_unmount(session);
	close_fd(watcher->end);
	close_fd(watcher->flushed);
	*watcher = WATCHER_NONE;
	return there ? r : 0;
}
