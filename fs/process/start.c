/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreground or background, and the word that the mount answers. */
#include "idshift/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/descriptors.h"
#include "idshift/resume.h"
#include "idshift/thread.h"
#include "ending.h"

/*
 * A new mount's root has uid 0 in the kernel until its first GETATTR: a
 * container whose first call is a chown of it would get EPERM.
 */
static int wait_for_answer(const char *mountpoint)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		  &stx) < 0)
		return -errno;
	return 0;
}

/*
 * sd_notify(3), which needs no library for one datagram: a connected socket,
 * since none can be made inside the sandbox; -1: nobody is to be told.
 */
static int notify_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	_cleanup_fd_ int fd = -1;

	if (len < 2 || len >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
		    0)
		return -1;
	return take_fd(&fd);
}

struct foreground {
	const char *mountpoint;
	int notify_fd;
};

static void foreground_mounted(void *context)
{
	struct foreground *foreground = context;

	foreground->notify_fd = notify_socket();
}

static void *foreground_ready(void *context)
{
	static const char message[] = "READY=1";
	struct foreground *foreground = context;
	int fd = take_fd(&foreground->notify_fd);

	if (wait_for_answer(foreground->mountpoint) == 0 && fd >= 0)
		(void)send(fd, message, sizeof(message) - 1, MSG_NOSIGNAL);
	close_fd(fd);
	return NULL;
}

/* The thread that serves can't wait for such things itself. */
static void foreground_serving(void *context)
{
	(void)thread_start(foreground_ready, context, 0);
}

static int run_foreground(const struct options *options,
			  const struct view_policy *policy, struct error *error)
{
	/* Not on the stack: the thread may outlive the session. */
	static struct foreground foreground = { .notify_fd = -1 };
	static const struct session_events events = {
		.mounted = foreground_mounted,
		.serving = foreground_serving,
		.context = &foreground,
	};

	foreground.mountpoint = options->mountpoint;
	return session_run(options, policy, &events, error);
}

/* From daemon to parent: one of these, or nothing when it died. */
struct report {
	int result; /* 0: mounted */
	struct error error;
};

struct background {
	const struct options *options;
	int report_fd;
	int confirm_fd; /* the parent's word that the mount answers */
};

/* False: nobody is there to read it. */
static bool send_report(struct background *background,
			const struct report *report)
{
	_cleanup_fd_ int fd = take_fd(&background->report_fd);

	return fd < 0 || write(fd, report, sizeof(*report)) >= 0;
}

static void background_mounted(void *context)
{
	struct report report = { .result = 0 };
	struct background *background = context;

	/* Paths that the user gave are open now: keep no directory busy. */
	(void)!chdir("/");
	descriptors_close_inherited(
		resume_descriptor(background->options->mountpoint));
	/* From here on nobody reads what is printed. */
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	(void)prctl(PR_SET_PDEATHSIG, 0);
	/* Who has asked for the mount was interrupted while waiting for it. */
	if (!send_report(background, &report))
		ending_tell();
}

/* A parent that is interrupted while it asks the mount says nothing. */
static void *await_parent(void *context)
{
	struct background *background = context;
	int fd = take_fd(&background->confirm_fd);
	char word;
	ssize_t got;

	do
		got = read(fd, &word, 1);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		ending_tell();
	close_fd(fd);
	return NULL;
}

static void background_serving(void *context)
{
	(void)thread_start(await_parent, context, 0);
}

/*
 * Until it has mounted: nobody wants the mount any more when the parent, which
 * waits for it, is interrupted.
 */
static void end_with_parent(int report_fd)
{
	struct pollfd report = { .fd = report_fd };

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It may have ended before that: nobody holds the other end then. */
	if (poll(&report, 1, 0) > 0 && (report.revents & POLLERR) != 0)
		_exit(EXIT_FAILURE);
}

static void run_daemon(const struct options *options,
		       const struct view_policy *policy, int report_fd,
		       int confirm_fd)
{
	/* Not on the stack: the thread may outlive the session. */
	static struct background background;
	const struct session_events events = {
		.mounted = background_mounted,
		.serving = background_serving,
		.context = &background,
	};
	struct report report = { .result = 0 };

	background = (struct background){
		.options = options,
		.report_fd = report_fd,
		.confirm_fd = confirm_fd,
	};
	(void)setsid();
	report.result = session_run(options, policy, &events, &report.error);
	if (report.result < 0)
		(void)send_report(&background, &report);
}

static int await_daemon(pid_t daemon, int report_fd, int confirm_fd,
			const struct options *options,
			const struct acting_user *acting, struct error *error)
{
	struct report report;
	int r;

	if (read(report_fd, &report, sizeof(report)) != sizeof(report)) {
		(void)waitpid(daemon, NULL, 0);
		return error_set(error, EXIT_STATUS_OTHER,
				 "the daemon ended before it had mounted");
	}
	if (report.result < 0) {
		(void)waitpid(daemon, NULL, 0);
		*error = report.error;
		return report.result;
	}
	/* Root is a stranger to the mount of a container. */
	if (options->run_as != NULL) {
		(void)setfsgid(acting->gid.value);
		(void)setfsuid(acting->uid.value);
	}
	r = wait_for_answer(options->mountpoint);
	if (r < 0) {
		(void)kill(daemon, SIGTERM);
		return error_set(error, EXIT_STATUS_OTHER,
				 "mount on '%s' does not answer: %s",
				 options->mountpoint, strerror(-r));
	}
	/* It may have been unmounted by now. */
	(void)send(confirm_fd, "", 1, MSG_NOSIGNAL);
	return 0;
}

int session_start(const struct options *options,
		  const struct view_policy *policy, struct error *error)
{
	_cleanup_fd_ int receive = -1, report = -1, ours = -1, theirs = -1;
	int fds[2];
	pid_t daemon;

	if (options->foreground)
		return run_foreground(options, policy, error);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(error, EXIT_STATUS_OTHER, "pipe: %s",
				 strerror(errno));
	receive = fds[0];
	report = fds[1];
	/* As a pipe, but that it asks for no handling of SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_set(error, EXIT_STATUS_OTHER, "socketpair: %s",
				 strerror(errno));
	ours = fds[0];
	theirs = fds[1];
	daemon = fork();
	if (daemon < 0)
		return error_set(error, EXIT_STATUS_OTHER, "fork: %s",
				 strerror(errno));
	if (daemon == 0) {
		close_fd(take_fd(&receive));
		close_fd(take_fd(&ours));
		end_with_parent(report);
		run_daemon(options, policy, take_fd(&report), take_fd(&theirs));
		_exit(EXIT_SUCCESS); /* what there is to say was reported */
	}
	close_fd(take_fd(&report));
	close_fd(take_fd(&theirs));
	return await_daemon(daemon, receive, ours, options, &policy->acting,
			    error);
}
