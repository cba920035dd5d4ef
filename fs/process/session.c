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
#include "idshift/loop.h"
#include "idshift/records_db.h"
#include "idshift/sandbox.h"
#include "idshift/state_dir.h"
#include "mount_fuse.h"
#include "run_as.h"
#include "watcher.h"

/* Started on demand. */
#define DEFAULT_THREADS 10

/* As many descriptors as we may have; a quarter of them for the cache. */
static size_t descriptor_bound(const struct options *options)
{
	struct rlimit limit = { .rlim_cur = 1024, .rlim_max = 1024 };

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (options->max_fds > 0)
		return options->max_fds;
	return limit.rlim_cur / 4;
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

/* *ret_source: another descriptor of the source directory. */
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

static int open_trace(const struct options *options, int *ret,
		      struct error *error)
{
	*ret = -1;
	if (options->trace == NULL)
		return 0;
	*ret = open(options->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		    0644);
	return *ret >= 0 ? 0 :
			   error_set(error, EXIT_STATUS_OTHER, "trace '%s': %s",
				     options->trace, strerror(errno));
}

static int open_filesystem(const struct options *options,
			   const struct view_policy *policy,
			   struct filesystem **ret, int *ret_source,
			   struct error *error)
{
	struct filesystem_config config = {
		.chown_mode = options->chown,
		.xattrs = options->xattr == XATTR_MODE_RW,
		.host_locks = options->locks == LOCKS_HOST,
		.keep_cache = options->cache != CACHE_NONE,
		.attr_timeout = options->attr_timeout,
		.entry_timeout = options->entry_timeout,
		.negative_timeout = options->negative_timeout,
		.max_fds = descriptor_bound(options),
		.judge = judged_caller(options),
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
	/* Every path is judged anew: nothing of names is cached. */
	if (options->has_caller)
		config.attr_timeout = config.entry_timeout =
			config.negative_timeout = 0;
	r = open_trace(options, &config.trace_fd, error);
	if (r == 0)
		r = open_database(options, &db, error);
	if (r < 0)
		return r;
	r = filesystem_new(&config, policy, source, db, ret);
	if (r < 0) {
		(void)records_db_close(db);
		(void)error_set(error, EXIT_STATUS_OTHER, "%s", strerror(-r));
		return r;
	}
	(void)take_fd(&source);
	*ret_source = take_fd(&again);
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

static void enter_sandbox(const struct options *options, int source_fd)
{
	const struct sandbox sandbox = {
		.source_fd = source_fd,
		.read_only = options->read_only,
		.real_owners = options->chown == CHOWN_DISK,
	};
	char lacks[SANDBOX_LACKS_MAX];

	/* It can't be connected to from inside. */
	openlog("idshift-mount", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	if (options->sandbox == SWITCH_OFF || sandbox_enter(&sandbox, lacks))
		return;
	if (options->foreground)
		(void)fprintf(stderr, "idshift-mount: sandbox without %s\n",
			      lacks);
	else
		syslog(LOG_INFO, "sandbox without %s", lacks);
}

static int serve(struct fuse_session *session, const struct options *options,
		 struct error *error)
{
	unsigned int threads =
		options->threads > 0 ? options->threads : DEFAULT_THREADS;
	int r = loop_run(session, threads);

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

/* From a mounted session to an unmounted one. */
static int run_mounted(struct fuse_session *session, struct filesystem *fs,
		       int source_fd, const struct options *options,
		       const struct session_events *events, struct error *error)
{
	struct watcher watcher;
	int r = watcher_start(session, &watcher);

	if (r < 0) {
		fuse_session_unmount(session);
		return error_set(error, EXIT_STATUS_OTHER,
				 "the process that unmounts: %s", strerror(-r));
	}
	if (options->run_as != NULL) {
		r = run_as_for_good(&fs->policy->acting);
		if (r < 0) {
			watcher_finish(&watcher, session);
			return run_as_failed(options, r, error);
		}
	}
	(void)init_flags_install(session);
	learn_own_device(fs, options->mountpoint);
	events->mounted(events->context);
	enter_sandbox(options, source_fd);
	if (events->serving != NULL)
		events->serving(events->context);
	r = serve(session, options, error);
	watcher_finish(&watcher, session);
	return r;
}

static int run_session(struct fuse_session *session, struct filesystem *fs,
		       int source_fd, const struct options *options,
		       const struct session_events *events, struct error *error)
{
	int r;

	if (fuse_set_signal_handlers(session) < 0)
		return error_set(error, EXIT_STATUS_OTHER,
				 "signal handlers: %s", strerror(errno));
	r = mount_fuse(session, options, error);
	if (r == 0)
		r = run_mounted(session, fs, source_fd, options, events, error);
	fuse_remove_signal_handlers(session);
	return r;
}

int session_run(const struct options *options, const struct view_policy *policy,
		const struct session_events *events, struct error *error)
{
	_cleanup_fd_ int source = -1;
	struct filesystem *fs = NULL;
	struct fuse_session *session;
	int r;

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
	r = open_filesystem(options, policy, &fs, &source, error);
	if (r < 0 || fs == NULL)
		return r;
	if (options->run_as != NULL && geteuid() != getuid()) {
		r = run_as_pause();
		if (r < 0) {
			(void)filesystem_free(fs);
			return run_as_failed(options, r, error);
		}
	}
	r = mount_fuse_session(options, fs, &session, error);
	if (r == 0) {
		fs->session = session;
		r = run_session(session, fs, source, options, events, error);
		fuse_session_destroy(session);
	}
	(void)filesystem_free(fs);
	return r;
}
