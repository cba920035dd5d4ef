/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/session.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/filesystem.h"
#include "idshift/init_flags.h"
#include "idshift/intents.h"
#include "idshift/loop.h"
#include "idshift/mountpoint.h"
#include "idshift/records_db.h"
#include "idshift/resume.h"
#include "idshift/sandbox.h"
#include "idshift/state_dir.h"
#include "ending.h"
#include "mount_fuse.h"
#include "run_as.h"
#include "watcher.h"

/* Started on demand. */
#define DEFAULT_THREADS 10
/* After this to twice this a descriptor that is not used is closed. */
#define IDLE_SECONDS 1

/* Requests take so many for a moment, if there are not very few. */
#define SPARE_FDS 64
/* What each thread has of pipes: ours and libfuse's, two ends each. */
#define PIPE_FDS 4

static unsigned int thread_count(const struct options *options)
{
	return options->threads > 0 ? options->threads : DEFAULT_THREADS;
}

/*
 * As many descriptors as we may have; a quarter of them for the cache.  What
 * the container has open must leave some: without, nothing could be looked up
 * or removed any more.
 */
static void bound_descriptors(const struct options *options,
			      struct filesystem_config *config)
{
	struct rlimit limit = { .rlim_cur = 1024, .rlim_max = 1024 };
	rlim_t pipes = (rlim_t)PIPE_FDS * thread_count(options), eighth;

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

static int open_database(const struct options *options, struct records_db **ret,
			 struct error *error)
{
	_cleanup_free_ char *dir =
		state_dir(options->state, options->run_as != NULL);
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

static int open_trace(const struct options *options,
		      struct filesystem_config *config, struct error *error)
{
	const char *file = options->trace;
	const char *suffix;

	config->trace_fd = -1;
	if (file == NULL)
		return 0;
	suffix = strrchr(file, '.');
	config->trace_json = suffix != NULL && strcmp(suffix, ".json") == 0;
	config->trace_fd =
		open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (config->trace_fd < 0)
		return error_set(error, EXIT_STATUS_OTHER, "trace '%s': %s",
				 file, strerror(errno));
	return 0;
}

/* One start of the daemon. */
struct run {
	const struct options *options;
	const struct session_events *events;
	struct filesystem *fs;
	struct fuse_session *session;
	int source_fd; /* a descriptor of its own of the source */
	int target_fd; /* run-as=: the mount point, until it is mounted */
	struct resume resume;
};

/* As the user, and before the mount could stand in the way in the source. */
static void open_intents(struct run *run)
{
	const struct options *options = run->options;
	struct records *records = &run->fs->records;
	_cleanup_free_ char *dir =
		state_dir(options->state, options->run_as != NULL);
	int r = -ENOENT;

	if (options->read_only)
		return;
	if (dir != NULL)
		r = intents_open(dir, run->source_fd, records,
				 &records->intents);
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

static int open_filesystem(struct run *run, const struct view_policy *policy,
			   struct error *error)
{
	const struct options *options = run->options;
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
		.first_generation = resume_first_generation(&run->resume),
	};
	_cleanup_fd_ int source =
		open(options->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int again = fcntl(source, F_DUPFD_CLOEXEC, 0);
	struct records_db *db = NULL;
	int r;

	if (again < 0) {
		r = -errno;
		(void)error_set(error, EXIT_STATUS_SOURCE, "source '%s': %s",
				options->source, strerror(errno));
		return r;
	}
	bound_descriptors(options, &config);
	/* Every path is judged anew: nothing of names is cached. */
	if (options->has_caller)
		config.attr_timeout = config.entry_timeout =
			config.negative_timeout = 0;
	r = open_trace(options, &config, error);
	if (r == 0)
		r = open_database(options, &db, error);
	if (r < 0)
		return r;
	r = filesystem_new(&config, policy, source, db, &run->fs);
	if (r < 0) {
		(void)records_db_close(db);
		(void)error_set(error, EXIT_STATUS_OTHER, "%s", strerror(-r));
		return r;
	}
	(void)take_fd(&source);
	run->source_fd = take_fd(&again);
	open_intents(run);
	return 0;
}

/* So that lookups can tell the mount when they meet it in the source. */
static void learn_own_device(struct filesystem *fs, const char *mountpoint)
{
	struct statx stx;

	/* Nobody answers requests yet: ask for what the kernel has. */
	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		  &stx) == 0)
		atomic_store(&fs->own_dev, backing_dev(&stx));
}

static void enter_sandbox(const struct run *run)
{
	const struct options *options = run->options;
	const struct sandbox sandbox = {
		.source_fd = run->source_fd,
		.passthrough_fd = run->fs->passthrough != NULL ?
					  fuse_session_fd(run->session) :
					  -1,
		.read_only = options->read_only,
		.real_owners = options->chown == CHOWN_DISK,
	};
	char lacks[SANDBOX_LACKS_MAX];

	/* It can't be connected to from inside. */
	openlog("idshift-mount",
		LOG_PID | LOG_NDELAY | (options->foreground ? LOG_PERROR : 0),
		LOG_DAEMON);
	if (options->sandbox == SWITCH_OFF || sandbox_enter(&sandbox, lacks))
		return;
	if (options->foreground)
		(void)fprintf(stderr, "idshift-mount: sandbox without %s\n",
			      lacks);
	else
		syslog(LOG_INFO, "sandbox without %s", lacks);
}

static int serve(const struct run *run, struct error *error)
{
	const struct options *options = run->options;
	int r = loop_run(run->session, thread_count(options),
			 filesystem_stop_dropping, run->fs);

	if (r < 0)
		(void)error_set(error, EXIT_STATUS_OTHER, "serving '%s': %s",
				options->mountpoint, strerror(-r));
	return r;
}

static int run_as_failed(const struct options *options, int r,
			 struct error *error)
{
	return error_set(error, EXIT_STATUS_OTHER, "run-as '%s': %s",
			 options->run_as, strerror(-r));
}

/* What the kernel had not forgotten; its counts and ours are to agree. */
static void print_held(struct node_table *nodes)
{
	struct node_table_stats stats;

	node_table_stats(nodes, &stats);
	(void)fprintf(stderr, "at the end: %zu nodes, %llu lookups\n",
		      stats.nodes, (unsigned long long)stats.lookups);
}

static int run_confined(const struct run *run, struct error *error)
{
	const struct session_events *events = run->events;
	int r;

	events->mounted(events->context);
	enter_sandbox(run);
	/* Without it a deleted file's space is held until the cache is full. */
	(void)node_table_start_ageing(run->fs->nodes, IDLE_SECONDS);
	if (events->serving != NULL)
		events->serving(events->context);
	r = serve(run, error);
	if (run->options->debug)
		print_held(run->fs->nodes);
	return r;
}

/* From a mounted session to an unmounted one. */
static int run_mounted(struct run *run, struct error *error)
{
	struct watcher watcher;
	const struct options *options = run->options;
	int r = watcher_start(
		run->session,
		options->run_as != NULL ? options->mountpoint : NULL, &watcher);

	if (r < 0) {
		fuse_session_unmount(run->session);
		return error_set(error, EXIT_STATUS_OTHER,
				 "the process that unmounts: %s", strerror(-r));
	}
	close_fd(take_fd(&run->target_fd));
	if (run->options->run_as != NULL) {
		r = run_as_for_good(&run->fs->policy->acting);
		if (r < 0) {
			watcher_finish(&watcher, run->session);
			return run_as_failed(run->options, r, error);
		}
	}
	(void)init_flags_install(run->session);
	learn_own_device(run->fs, run->options->mountpoint);
	/* What the sandbox has to leave open depends on the kernel's offer. */
	if (run->fs->config.passthrough)
		r = resume_begin(&run->resume, run->session);
	if (r < 0)
		(void)error_set(error, EXIT_STATUS_FUSE, "mount '%s': %s",
				run->options->mountpoint, strerror(-r));
	else
		r = run_confined(run, error);
	watcher_finish(&watcher, run->session);
	return r;
}

/* The mount is the supervisor's: it stays when we go. */
static int run_resumed(struct run *run, struct error *error)
{
	int r = init_flags_install(run->session);

	if (r == 0 && run->resume.fd >= 0)
		r = resume_begin(&run->resume, run->session);
	if (r < 0)
		return error_set(error, EXIT_STATUS_FUSE, "mount '%s': %s",
				 run->options->mountpoint, strerror(-r));
	return run_confined(run, error);
}

static int run_session(struct run *run, struct error *error)
{
	int r = ending_begin();

	if (r < 0)
		return error_set(error, EXIT_STATUS_OTHER,
				 "signal handlers: %s", strerror(-r));
	r = mount_fuse(run->session, run->options, run->target_fd, error);
	if (r == 0 && resume_is_descriptor(run->options->mountpoint))
		r = run_resumed(run, error);
	else if (r == 0)
		r = run_mounted(run, error);
	return r;
}

int session_run(const struct options *options, const struct view_policy *policy,
		const struct session_events *events, struct error *error)
{
	struct run run = {
		.options = options,
		.events = events,
		.source_fd = -1,
		.target_fd = -1,
		.resume = RESUME_NONE,
	};
	int r = 0;

	/* Modes are decided by the container's umask, not by ours. */
	(void)umask(0);
	if (options->chown == CHOWN_DISK &&
	    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return error_set(error, EXIT_STATUS_OTHER, "chown 'disk': %s",
				 strerror(errno));
	if (options->run_as != NULL) {
		r = run_as_begin(&policy->acting);
		if (r < 0)
			return run_as_failed(options, r, error);
	}
	if (options->run_as != NULL && geteuid() != getuid() &&
	    !resume_is_descriptor(options->mountpoint))
		r = mountpoint_open_as_user(options->mountpoint,
					    options->run_as, NULL,
					    &run.target_fd, error);
	if (r == 0 && options->resume != NULL)
		r = resume_open(options->resume, &run.resume, error);
	if (r == 0)
		r = open_filesystem(&run, policy, error);
	if (options->run_as != NULL && geteuid() != getuid()) {
		int paused = run_as_pause();

		if (r == 0 && paused < 0) {
			(void)filesystem_free(run.fs);
			r = run_as_failed(options, paused, error);
		}
	}
	if (r < 0)
		return r;
	r = mount_fuse_session(options, run.fs, &run.session, error);
	if (r == 0) {
		run.fs->session = run.session;
		r = run_session(&run, error);
		fuse_session_destroy(run.session);
	}
	(void)filesystem_free(run.fs);
	close_fd(run.source_fd);
	close_fd(run.target_fd);
	close_fd(run.resume.fd);
	return r;
}
