/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watcher.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "own_mount.h"

/* Not that of the daemons: killall(1) and the like are for those. */
#define NAME "idshift-watch"

/* Before Linux 5.9, when few are open. */
#define OPEN_MAX_GUESS 1024

/* All but two, so that nothing is held that the daemon gives up. */
static void close_others(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;
	const unsigned int l = (unsigned int)low, h = (unsigned int)high;

	if ((low == 0 || close_range(0, l - 1, 0) == 0) &&
	    (h - l < 2 || close_range(l + 1, h - 1, 0) == 0) &&
	    close_range(h + 1, ~0U, 0) == 0)
		return;
	for (int fd = 0; fd < OPEN_MAX_GUESS; fd++) {
		if (fd != a && fd != b)
			(void)close(fd);
	}
}

/* What ends the daemon by way of its process group or cgroup is no reason. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT,
				       SIGPIPE };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &ignore, NULL);
}

/* fusermount3 must not find its standard descriptors closed. */
static void open_null(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close_fd(fd);
}

static void watch(const struct own_mount *mount, int fuse_fd, int end)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
	char byte;

	/* What the daemon may not do must not be done by way of us. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	(void)setsid();
	ignore_signals();
	close_others(end, fuse_fd);
	open_null();
	if (chdir("/") < 0)
		return;
	while (read(end, &byte, 1) < 0 && errno == EINTR)
		;
	own_mount_unmount(mount, fuse_fd);
}

int watcher_start(const struct own_mount *mount, int fuse_fd,
		  struct watcher *ret)
{
	_cleanup_fd_ int far = -1, near = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	far = fds[0];
	near = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		watch(mount, fuse_fd, far);
		_exit(0);
	}
	*ret = (struct watcher){ .pid = pid, .end = take_fd(&near) };
	return 0;
}

void watcher_finish(struct watcher *watcher, struct fuse_session *session)
{
	/*
	 * No request is answered any more, so nobody may wait for one.  Once
	 * the watcher is gone this end of the pipe polls as an error: that is
	 * how libfuse knows a mount that is gone, and only frees.
	 */
	(void)dup2(watcher->end, fuse_session_fd(session));
	/* Its death is as good. */
	if (write(watcher->end, "", 1) < 0)
		errno = 0;
	while (waitpid(watcher->pid, NULL, 0) < 0 && errno == EINTR)
		;
	fuse_session_unmount(session);
	close_fd(watcher->end);
	*watcher = WATCHER_NONE;
}
