/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/mountpoint.h"
#include "idshift/resume.h"
#include "run_as.h"

#define FILES_MIN 64

#define WATCHER_TRIES 50
#define WATCHER_PAUSE_NS 10000000L

/*
 * A daemon that was killed just now has left a process that unmounts: it is
 * let finish, lest it unmounts what is mounted there after it has looked.
 */
static void wait_for_watcher(const char *mountpoint)
{
	const struct timespec pause = { .tv_nsec = WATCHER_PAUSE_NS };
	struct stat st;

	for (int i = 0; i < WATCHER_TRIES; i++) {
		if (stat(mountpoint, &st) == 0 || errno != ENOTCONN)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* Of ours alone: another program's is for whoever mounted it. */
static bool unmount_stale(const char *mountpoint)
{
	_cleanup_fd_ int fd = open(mountpoint, O_PATH | O_CLOEXEC);
	struct mountinfo info;
	struct statx stx;

	/* Another start may have replaced it meanwhile: that one answers. */
	if (fd < 0 || !mountpoint_is_inside_ours(fd, &info) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &stx) == 0 ||
	    errno != ENOTCONN)
		return false;
	mountpoint_unmount(fd, mountpoint);
	return true;
}

static int check_target(struct options *options, bool by_fusermount,
			char **ret_real, struct error *error)
{
	int r = mountpoint_check_target(options->mountpoint, by_fusermount,
					ret_real, error);

	if (r != -ENOTCONN)
		return r;
	wait_for_watcher(options->mountpoint);
	r = mountpoint_check_target(options->mountpoint, by_fusermount,
				    ret_real, error);
	if (r != -ENOTCONN)
		return r;
	if (unmount_stale(options->mountpoint))
		r = mountpoint_check_target(options->mountpoint, by_fusermount,
					    ret_real, error);
	if (r != -ENOTCONN)
		return r;
	return error_set(error, EXIT_STATUS_MOUNTPOINT,
			 "mount point '%s': a dead mount is there that can't "
			 "be unmounted; run: fusermount3 -u -z '%s'",
			 options->mountpoint, options->mountpoint);
}

static int as_user_failed(const struct options *options, int r,
			  struct error *error)
{
	return error_set(error, EXIT_STATUS_OTHER, "run-as '%s': %s",
			 options->run_as, strerror(-r));
}

/* As the user; a dead mount is unmounted as root, who made it. */
static int check_target_as_user(const struct options *options,
				const struct acting_user *user, char **ret_real,
				struct error *error)
{
	_cleanup_fd_ int fd = -1;
	int r = mountpoint_open_as_user(options->mountpoint, options->run_as,
					NULL, &fd, error);
	char path[MOUNTPOINT_FD_PATH_MAX];
	int again;

	if (r == -ENOTCONN) {
		wait_for_watcher(options->mountpoint);
		r = mountpoint_open_as_user(options->mountpoint,
					    options->run_as, NULL, &fd, error);
	}
	if (r == -ENOTCONN) {
		again = run_as_pause();
		if (again == 0) {
			(void)mountpoint_unmount_dead(options->mountpoint);
			again = run_as_begin(user);
		}
		if (again < 0)
			return as_user_failed(options, again, error);
		r = mountpoint_open_as_user(options->mountpoint,
					    options->run_as, NULL, &fd, error);
	}
	if (r < 0)
		return r;
	mountpoint_fd_path(fd, path);
	*ret_real = realpath(path, NULL);
	if (*ret_real != NULL)
		return 0;
	return error_set(error, EXIT_STATUS_MOUNTPOINT, "mount point '%s': %s",
			 options->mountpoint, strerror(errno));
}

static void replace(char **text, char *by)
{
	free(*text);
	*text = by;
}

static int check_paths(struct options *options,
		       const struct situation *situation,
		       const struct acting_user *user,
		       const struct fuse_needs *needs, struct error *error)
{
	char *real;
	int r = mountpoint_check_source(options->source, &real, error);

	if (r < 0)
		return r;
	replace(&options->source, real);
	/* Mounted by somebody else, who has seen to all that. */
	if (resume_is_descriptor(options->mountpoint))
		return 0;
	r = user != NULL ?
		    check_target_as_user(options, user, &real, error) :
		    check_target(options, needs->by_fusermount, &real, error);
	if (r < 0)
		return r;
	replace(&options->mountpoint, real);
	/* Inside a user namespace allow_other admits its own processes only. */
	if (situation->child_userns || options->public_mount ||
	    options->has_caller)
		return 0;
	return mountpoint_check_reach(options->source, options->mountpoint,
				      situation->uid, error);
}

/*
 * The daemon itself needs half of them; with fewer it would mount, and answer
 * that there are too many open files.
 */
static int check_limit(struct error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max >= FILES_MIN)
		return 0;
	return error_set(error, EXIT_STATUS_OTHER,
			 "limit of open files '%llu': at least %d are needed; "
			 "raise it with ulimit -n",
			 (unsigned long long)limit.rlim_max, FILES_MIN);
}

static void warn(const char *what, const char *path, const char *why)
{
	(void)fprintf(stderr, "idshift-mount: warning: %s '%s': %s\n", what,
		      path, why);
}

static bool is_in_mount(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct mountinfo info;

	return fd >= 0 && mountpoint_is_inside_ours(fd, &info);
}

/* 0: empty; 1: it isn't; -1: who knows. */
static int has_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	if (dir == NULL)
		return -1;
	while (count <= 2 && readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count > 2; /* . and .. */
}

/* On its own source, or above it, a mount shows what is there. */
static bool shows_itself(const struct options *options)
{
	const char *source = options->source;
	size_t len = strlen(options->mountpoint);

	return strncmp(source, options->mountpoint, len) == 0 &&
	       (source[len] == '\0' || source[len] == '/');
}

/*
 * In a container the files of who mounts are by default its root's; here they
 * keep their number, and a test as that user would pass as their owner.
 */
static bool judges_owner(const struct options *options)
{
	return options->has_caller && !options->has_owner &&
	       options->map.count == 0 && geteuid() != 0 &&
	       options->caller.uid.value == geteuid();
}

/* What root's own daemon makes there is root's, and out of its user's hands. */
static bool makes_roots(const struct options *options,
			const struct situation *situation)
{
	struct stat st;

	return geteuid() == 0 && !situation->child_userns &&
	       options->chown != CHOWN_DISK && !options->read_only &&
	       stat(options->source, &st) == 0 && st.st_uid != 0;
}

/* What is allowed, and would surprise. */
static void warn_surprises(const struct options *options,
			   const struct situation *situation)
{
	char caller[16];

	if (makes_roots(options, situation))
		warn("source", options->source,
		     "it isn't root's, and what is made in it will be; mount "
		     "it with run-as=USER");
	if (judges_owner(options)) {
		(void)snprintf(caller, sizeof(caller), "%u", geteuid());
		warn("caller", caller,
		     "it owns your files here, which in a rootless container "
		     "are 0's; show them as there with owner=0:0");
	}
	if (is_in_mount(options->source))
		warn("source", options->source,
		     "it is in a mount of idshift-mount, where no owners can "
		     "be recorded; name what that has mounted");
	if (!shows_itself(options) && has_entries(options->mountpoint) > 0)
		warn("mount point", options->mountpoint,
		     has_entries(options->source) == 0 ?
			     "it isn't empty, and the source is: what is in it "
			     "is hidden until it is unmounted; the source "
			     "comes first" :
			     "it isn't empty; what is in it is hidden until it "
			     "is unmounted");
}

int prepare_mount(struct options *options, const struct situation *situation,
		  const struct acting_user *user, struct error *error)
{
	struct fuse_needs needs = {
		.by_fusermount = !situation->child_userns && geteuid() != 0,
		.own_only = options->has_caller,
	};
	bool becomes = options->run_as != NULL && geteuid() == 0;
	int paused, r = check_limit(error);

	if (r < 0)
		return r;
	r = becomes ? run_as_begin(user) : 0;
	if (r < 0)
		return as_user_failed(options, r, error);
	/* Who is that user already has nothing to become: situation.h. */
	if (!becomes)
		replace(&options->run_as, NULL);
	r = check_paths(options, situation, becomes ? user : NULL, &needs,
			error);
	paused = becomes ? run_as_pause() : 0;
	if (r == 0 && paused < 0)
		r = as_user_failed(options, paused, error);
	if (r < 0 || resume_is_descriptor(options->mountpoint))
		return r;
	r = mountpoint_check_fuse(&needs, error);
	/* Root looks at nothing of the user's, who could hold it up. */
	if (r == 0 && !becomes)
		warn_surprises(options, situation);
	return r;
}
