/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "open_filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/filesystem.h"
#include "idshift/intents.h"
#include "idshift/loop.h"
#include "idshift/records_db.h"
#include "idshift/resume.h"
#include "idshift/sandbox.h"
#include "idshift/state_dir.h"
#include "idshift/turns.h"

/* Requests take so many for a moment, if there are not very few. */
#define SPARE_FDS 64
/* What each thread has of pipes: ours and libfuse's, two ends each. */
#define PIPE_FDS 4
/* Room for so many takes the kernel 64 KiB. */
#define ROOM_FDS 8192

/*
 * As many descriptors as we may have; a quarter of them for the cache.  What
 * the container has open must leave some: without, nothing could be looked up
 * or removed any more.
 */
static void bound_descriptors(const struct options *options,
			      struct filesystem_config *config)
{
	struct rlimit limit = { .rlim_cur = 1024, .rlim_max = 1024 };
	rlim_t pipes = (rlim_t)PIPE_FDS * loop_threads(options->threads);
	rlim_t eighth;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	config->max_fds = limit.rlim_cur / 4;
	if (options->max_fds > 0 && options->max_fds < limit.rlim_cur / 2)
		config->max_fds = options->max_fds;
	else if (options->max_fds > 0)
		config->max_fds = limit.rlim_cur / 2;
	eighth = limit.rlim_cur / 8;
	config->splice = pipes <= eighth;
	config->spare_fds_from = limit.rlim_cur - config->max_fds -
				 (eighth < SPARE_FDS ? eighth : SPARE_FDS) -
				 (config->splice ? pipes : 0);
}

/*
 * The limit of who mounts is not the container's, which has its own.  Where it
 * can't be raised that is told EFBIG.
 */
static void raise_file_size(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

/*
 * As the table of descriptors grows, a process with threads waits for an RCU
 * grace period, 10 ms and more, and all its requests do (expand_fdtable()).
 * While there are no threads it costs nothing.
 */
static void make_room(int any_fd)
{
	long most = sysconf(_SC_OPEN_MAX);
	int highest =
		most > 0 && most < ROOM_FDS ? (int)most - 1 : ROOM_FDS - 1;

	close_fd(fcntl(any_fd, F_DUPFD_CLOEXEC, highest));
}

static int open_database(const char *dir, struct records_db **ret,
			 struct error *error)
{
	int r = dir == NULL ? -errno : records_db_open(dir, ret);

	if (r < 0)
		(void)error_set(error, EXIT_STATUS_OTHER,
				"state directory '%s': %s; name a writable "
				"one with state=DIR",
				dir != NULL ? dir : "", strerror(-r));
	return r;
}

/* caller=: whom the engine judges; of one mount, so of one process. */
static const struct access_caller *judged_caller(const struct options *options)
{
	static struct access_caller caller;

	if (!options->has_caller)
		return NULL;
	caller = (struct access_caller){
		.uid = options->caller.uid,
		.gid = options->caller.gid,
		.groups = options->caller.groups,
		.group_count = options->caller.group_count,
		.caps = options->caller.uid.value == 0 ? ACCESS_CAP_ALL : 0,
	};
	return &caller;
}

/*
 * The user's umask still holds.  It doesn't block: neither is a FIFO's reader
 * waited for, nor may one that has stalled hold the mount (trace.c).
 */
static int open_trace(const struct options *options,
		      struct filesystem_config *config, struct error *error)
{
	const char *file = options->trace;
	const char *suffix;
	struct stat st;
	int r;

	config->trace_fd = -1;
	if (file == NULL)
		return 0;
	suffix = strrchr(file, '.');
	config->trace_json = suffix != NULL && strcmp(suffix, ".json") == 0;
	config->trace_fd = open(
		file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC,
		0644);
	if (config->trace_fd >= 0)
		return 0;
	r = errno;
	if (r == ENXIO && stat(file, &st) == 0 && S_ISSOCK(st.st_mode))
		return error_set(error, EXIT_STATUS_OTHER,
				 "trace '%s': it is a socket, which can't be "
				 "opened; name a file or a FIFO",
				 file);
	if (r == ENXIO)
		return error_set(error, EXIT_STATUS_OTHER,
				 "trace '%s': nobody reads it", file);
	return error_set(error, EXIT_STATUS_OTHER, "trace '%s': %s", file,
			 strerror(r));
}

/*
 * What changes need beside the database.  As the user, and before the mount
 * could stand in the way in the source.
 */
static void join_changes(const char *dir, int source_fd,
			 struct records *records)
{
	int r = turns_open(dir, &records->turns);

	if (r < 0)
		syslog(LOG_WARNING,
		       "changes at a time with another mount of the source may "
		       "be lost: %s",
		       strerror(-r));
	r = intents_open(dir, source_fd, records, &records->intents);
	if (r < 0)
		syslog(LOG_WARNING,
		       "changes may stay half done if this is killed: %s",
		       strerror(-r));
}

static bool may_be_resumed(const struct options *options)
{
	return options->resume != NULL ||
	       resume_is_descriptor(options->mountpoint);
}

/*
 * It takes root's privilege for as long as the mount lasts.  A daemon after
 * us could neither know the backing ids nor pass on what is open; and caller=
 * judges what it passes on itself.
 */
static bool may_pass_through(const struct options *options)
{
	return options->passthrough == SWITCH_ON && options->run_as == NULL &&
	       !options->has_caller && !may_be_resumed(options) &&
	       sandbox_has_admin();
}

int open_filesystem(const struct options *options,
		    const struct view_policy *policy, uint32_t first_generation,
		    struct filesystem **ret, int *ret_source_fd,
		    struct error *error)
{
	struct filesystem_config config = {
		.chown_mode = options->chown,
		.xattrs = options->xattr == XATTR_MODE_RW,
		.host_locks = options->locks == LOCKS_HOST,
		.keep_cache = options->cache != CACHE_NONE,
		.passthrough = may_pass_through(options),
		.writeback = options->cache == CACHE_ALWAYS &&
			     !options->has_caller && !may_be_resumed(options),
		.attr_timeout = options->attr_timeout,
		.entry_timeout = options->entry_timeout,
		.negative_timeout = options->negative_timeout,
		.only_again = options->cache == CACHE_AUTO &&
			      !options->negative_given,
		.judge = judged_caller(options),
		.first_generation = first_generation,
	};
	_cleanup_fd_ int source =
		open(options->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int again =
		source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, 0);
	_cleanup_free_ char *dir = NULL;
	struct records_db *db = NULL;
	int r;

	if (again < 0) {
		r = -errno;
		(void)error_set(error, EXIT_STATUS_SOURCE, "source '%s': %s",
				options->source, strerror(errno));
		return r;
	}
	bound_descriptors(options, &config);
	raise_file_size();
	make_room(source);
	/* Every path is judged anew: nothing of names is cached. */
	if (options->has_caller)
		config.attr_timeout = config.entry_timeout =
			config.negative_timeout = 0;
	r = open_trace(options, &config, error);
	if (r == 0) {
		dir = state_dir(options->state, options->run_as != NULL);
		r = open_database(dir, &db, error);
	}
	/* Modes are decided by the container's umask, not by ours. */
	(void)umask(0);
	if (r < 0)
		return r;
	r = filesystem_new(&config, policy, source, db, ret);
	if (r < 0) {
		(void)records_db_close(db);
		(void)error_set(error, EXIT_STATUS_OTHER, "%s", strerror(-r));
		return r;
	}
	(void)take_fd(&source);
	*ret_source_fd = take_fd(&again);
	if (!options->read_only)
		join_changes(dir, *ret_source_fd, &(*ret)->records);
	return 0;
}
