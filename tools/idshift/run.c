/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift run: mount, run a command, unmount. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/fusermount.h"
#include "idshift/mountpoint.h"
#include "idshift/options.h"
#include "idshift/own_mount.h"

#include "command.h"
#include "message.h"

/* As env(1), timeout(1) and podman-run(1) have it. */
enum {
	CODE_FAILED = 125,
	CODE_CANNOT_INVOKE = 126,
	CODE_NOT_FOUND = 127,
	CODE_SIGNAL = 128,
};

/* Of unmounting, after a signal: it takes less unless somebody is stuck. */
#define UNMOUNT_SECONDS 2

/* The signals that end us: the mount is to go first. */
static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void block_signals(sigset_t *blocked, sigset_t *before)
{
	(void)sigemptyset(blocked);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		(void)sigaddset(blocked, ending[i]);
	(void)sigaddset(blocked, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, blocked, before);
}

/* group: out of the terminal's reach, so that Ctrl-C doesn't end it. */
static int start(const char *program, char *const argv[], const sigset_t *mask,
		 bool group, pid_t *ret)
{
	posix_spawnattr_t attributes;
	short flags = POSIX_SPAWN_SETSIGMASK;
	int r;

	r = posix_spawnattr_init(&attributes);
	if (r != 0)
		return -r;
	if (group)
		flags |= POSIX_SPAWN_SETPGROUP;
	(void)posix_spawnattr_setflags(&attributes, flags);
	(void)posix_spawnattr_setsigmask(&attributes, mask);
	r = posix_spawnp(ret, program, NULL, &attributes, argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	return -r;
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return CODE_FAILED;
	return WIFSIGNALED(status) ? CODE_SIGNAL + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/*
 * Wait for a child, and hand on to it what would end us, which *ret_signal has
 * then.  in_group: what comes from the terminal (SI_KERNEL) it has got as well.
 */
static int attend(pid_t child, const sigset_t *blocked, bool in_group,
		  int *ret_signal)
{
	for (;;) {
		siginfo_t info;
		int signal = sigwaitinfo(blocked, &info), status;

		if (signal > 0 && signal != SIGCHLD) {
			*ret_signal = signal;
			if (!in_group || info.si_code != SI_KERNEL)
				(void)kill(child, signal);
		}
		if (waitpid(child, &status, WNOHANG) != child)
			continue;
		return WIFSIGNALED(status) ? CODE_SIGNAL + WTERMSIG(status) :
					     WEXITSTATUS(status);
	}
}

/* The one beside this program, else that of PATH. */
static void find_mounter(char path[PATH_MAX])
{
	static const char name[] = "idshift-mount";
	ssize_t len =
		readlink("/proc/self/exe", path, PATH_MAX - sizeof(name) - 1);
	char *slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL) {
		memcpy(slash + 1, name, sizeof(name));
		if (access(path, X_OK) == 0)
			return;
	}
	memcpy(path, name, sizeof(name));
}

/*
 * argv: the words before "--", argv[0] ours to replace.  It may take long: a
 * source doesn't answer.
 */
static int mount_it(int argc, char *const argv[], const sigset_t *blocked,
		    const sigset_t *mask, int *ret_signal)
{
	_cleanup_free_ char **words = calloc((size_t)argc + 1, sizeof(*words));
	char path[PATH_MAX];
	pid_t child = 0;
	int r = -ENOMEM;

	find_mounter(path);
	if (words != NULL) {
		memcpy(words, argv, (size_t)argc * sizeof(*words));
		words[0] = path;
		r = start(path, words, mask, true, &child);
	}
	if (r != 0) {
		complain_path("run", path, strerror(-r));
		return CODE_FAILED;
	}
	return attend(child, blocked, false, ret_signal);
}

struct mount {
	char *path; /* without symbolic links, which umount2(2) is to refuse */
	bool seen;  /* the kernel tells whether it is there */
	struct own_mount own;
};

/*
 * Its path by now, as a directory on the way may have been renamed.  False: it
 * is gone, as its daemon has ended, or the command has unmounted it.
 */
static bool find_it(const struct mount *mount, char path[PATH_MAX])
{
	if (mount->seen && mount->own.dev != 0)
		return own_mount_find(&mount->own, path) == 0;
	(void)snprintf(path, PATH_MAX, "%s", mount->path);
	return !mount->seen || mountpoint_is_ours(path);
}

/* What is mounted on it isn't ours to unmount. */
static bool is_covered(const struct mount *mount)
{
	_cleanup_fd_ int fd =
		mount->own.dev != 0 ? own_mount_open(&mount->own, NULL) : -1;

	return mount->own.dev != 0 && fd < 0;
}

static int fusermount(char *mountpoint, bool lazily, const sigset_t *mask)
{
	char u[] = "-u", q[] = "-q", z[] = "-z", end[] = "--";
	char program[PATH_MAX];
	char *argv[] = { program, u, q, lazily ? z : q, end, mountpoint, NULL };
	pid_t child = 0;
	int r = -ENOENT;

	if (fusermount_find(NULL, program))
		r = start(program, argv, mask, false, &child);
	return r != 0 ? r : wait_for(child);
}

/* By umount2(2) where that is allowed, else by fusermount3(1). */
static bool try_unmount(const struct mount *mount, bool lazily,
			const sigset_t *mask)
{
	int flags = UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0);
	char path[PATH_MAX];

	if (!find_it(mount, path))
		return true;
	if (is_covered(mount))
		return false;
	return umount2(path, flags) == 0 ||
	       (errno == EPERM && fusermount(path, lazily, mask) == 0);
}

static void complain_left(const struct mount *mount)
{
	char path[PATH_MAX];

	if (!find_it(mount, path))
		return;
	(void)fputs("idshift run: ", stderr);
	print_quoted(stderr, path);
	(void)fputs(": can't be unmounted; run: fusermount3 -u ", stderr);
	print_shell_path(stderr, path);
	(void)fputc('\n', stderr);
}

static int unmount_it(const struct mount *mount, const sigset_t *mask)
{
	char path[PATH_MAX];

	if (try_unmount(mount, false, mask) || !find_it(mount, path))
		return 0;
	if (try_unmount(mount, true, mask)) {
		complain_path("run", path,
			      "still in use by what the command left running; "
			      "unmounted for all others");
		return 0;
	}
	if (!find_it(mount, path))
		return 0;
	complain_left(mount);
	return -EBUSY;
}

/*
 * In a process of its own, as a mount on the way may not answer, which SIGKILL
 * alone ends: after a signal it has some time left.
 */
static int unmount_apart(const struct mount *mount, const sigset_t *blocked,
			 const sigset_t *mask)
{
	static const struct timespec grace = { .tv_sec = UNMOUNT_SECONDS };
	bool told = false;
	pid_t child = fork();

	if (child < 0)
		return unmount_it(mount, mask);
	(void)setpgid(child, 0);
	if (child == 0)
		_exit(unmount_it(mount, mask) < 0);
	for (;;) {
		int signal, status;

		if (waitpid(child, &status, WNOHANG) == child)
			return status == 0 ? 0 : -EBUSY;
		signal = told ? sigtimedwait(blocked, NULL, &grace) :
				sigwaitinfo(blocked, NULL);
		if (signal < 0 && errno == EAGAIN)
			break;
		told = told || (signal > 0 && signal != SIGCHLD);
	}
	(void)kill(-child, SIGKILL);
	complain_left(mount);
	return -EINTR;
}

static int run_command(char *const argv[], const sigset_t *blocked,
		       const sigset_t *before)
{
	static const struct timespec now = { 0 };
	sigset_t ends = *blocked;
	pid_t child = 0;
	int got, r;

	/* What came since the mount was made. */
	(void)sigdelset(&ends, SIGCHLD);
	r = sigtimedwait(&ends, NULL, &now);
	if (r > 0)
		return CODE_SIGNAL + r;
	r = start(argv[0], argv, before, false, &child);
	if (r == 0)
		return attend(child, blocked, true, &got);
	complain_path("run", argv[0], strerror(-r));
	return r == -ENOENT ? CODE_NOT_FOUND : CODE_CANNOT_INVOKE;
}

static int check(int argc, char *const argv[], struct options *ret,
		 struct error *error)
{
	struct options options;
	int r = options_parse(argc, argv, &options, error);

	if (r < 0)
		return r;
	if (options.action != ACTION_MOUNT || options.foreground) {
		options_destroy(&options);
		return error_set(error, EXIT_STATUS_USAGE,
				 "options -f, -d, -V, -h, --print-map: not for "
				 "'run'");
	}
	*ret = options;
	return 0;
}

/* options: what the words up to argv[count] say, behind which the command is.
 */
static int mount_and_run(const struct options *options, int count,
			 char *const argv[])
{
	_cleanup_free_ char *real = realpath(options->mountpoint, NULL);
	/* If there is no such path, idshift-mount says so. */
	struct mount mount = {
		.path = real != NULL ? real : options->mountpoint,
	};
	bool was_there = mountpoint_is_ours(mount.path);
	sigset_t blocked, before;
	int got = 0, code;

	block_signals(&blocked, &before);
	code = mount_it(count, argv, &blocked, &before, &got);
	mount.seen = mountpoint_is_ours(mount.path);
	own_mount_learn(mount.path, 0, 0, &mount.own);
	if (got != 0) {
		/* Ended or not, it may have mounted before. */
		if (code == 0 || (mount.seen && !was_there))
			(void)unmount_apart(&mount, &blocked, &before);
		return CODE_SIGNAL + got;
	}
	if (code != 0)
		return CODE_FAILED; /* idshift-mount has said why */
	code = run_command(argv + count + 1, &blocked, &before);
	if (unmount_apart(&mount, &blocked, &before) < 0 && code == 0)
		code = CODE_FAILED;
	return code;
}

static int run(int argc, char *const argv[])
{
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct options options = { .source = NULL };
	int count = 1, code, r;

	while (count < argc && strcmp(argv[count], "--") != 0)
		count++;
	if (count + 1 >= argc)
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "'-- COMMAND' is missing; see 'idshift run "
			      "--help'");
	else
		r = check(count, argv, &options, &error);
	if (r != 0) {
		(void)complain("run", &error);
		return CODE_FAILED;
	}
	(void)signal(SIGCHLD, SIG_DFL); /* or nobody could be waited for */
	code = mount_and_run(&options, count, argv);
	options_destroy(&options);
	return code;
}

const struct command command_run = {
	.name = "run",
	.run = run,
	.summary = "mount, run a command, unmount",
	.help = "usage: idshift run [MOUNT OPTIONS] SOURCE MOUNTPOINT -- "
		"COMMAND [ARGUMENT...]\n"
		"\n"
		"Mounts SOURCE as idshift-mount does with the same options, "
		"runs the command,\n"
		"unmounts.  SIGINT, SIGTERM, SIGHUP and SIGQUIT go to the "
		"command, or\n"
		"while the mount is made to idshift-mount; the mount is "
		"removed then as well.\n"
		"\n"
		"Exit status: the command's, 128+N if signal N ended it; 125 "
		"if the mount\n"
		"failed, 126 if the command can't be run, 127 if there is "
		"none.\n",
};
