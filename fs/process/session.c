/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/session.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fuse_lowlevel.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/filesystem.h"
#include "idshift/loop.h"
#include "idshift/mountpoint.h"
#include "idshift/own_mount.h"
#include "idshift/resume.h"
#include "idshift/sandbox.h"
#include "idshift/session_io.h"
#include "ending.h"
#include "mount_fuse.h"
#include "mounter.h"
#include "open_filesystem.h"
#include "run_as.h"
#include "watcher.h"
#include "write_back.h"

/* After this to twice this a descriptor that is not used is closed. */
#define IDLE_SECONDS 1

/* An arena of malloc's keeps so much for later, and has nothing larger. */
#define FREE_MAX (2 * FILESYSTEM_MAX_WRITE)
/* Threads that compute at a time are few. */
#define ARENAS_MAX 4

/* One start of the daemon. */
struct run {
	const struct options *options;
	const struct session_events *events;
	struct filesystem *fs;
	struct fuse_session *session;
	int source_fd;		/* a descriptor of its own of the source */
	struct mounter mounter; /* run-as=: until it is mounted */
	struct watcher watcher;
	struct resume resume;
};

/*
 * Freeing the tables of a million nodes would teach glibc to keep tens of MiB
 * for each thread.
 */
static void bound_free_memory(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, FREE_MAX);
	(void)mallopt(M_TRIM_THRESHOLD, FREE_MAX);
	(void)mallopt(M_ARENA_MAX, ARENAS_MAX);
#endif
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

static void flush(void *data)
{
	const struct run *run = data;

	if (!watcher_flush(&run->watcher))
		write_back_ask(run->session, run->fs->nodes);
}

static void end_waiting(void *data)
{
	const struct run *run = data;

	filesystem_end_waiting(run->fs);
}

static int serve(struct run *run, struct error *error)
{
	const struct options *options = run->options;
	const struct loop_ending ending = {
		.flush = flush,
		.end_waiting = end_waiting,
		.data = run,
	};
	int r = loop_run(run->session, options->threads, &ending);

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

/* Unmounted, or told to end, before it has begun. */
static bool is_over(int r)
{
	return r == -ENODEV || r == -EINTR;
}

static int begin_failed(const struct options *options, int r,
			struct error *error)
{
	/* What the kernel has to say takes more room than an INIT. */
	if (r == -EINVAL && resume_is_descriptor(options->mountpoint))
		return error_set(error, EXIT_STATUS_FUSE,
				 "mount '%s': another daemon has served it; "
				 "go on with the resume=FILE of that one",
				 options->mountpoint);
	return error_set(error, EXIT_STATUS_FUSE, "mount '%s': %s",
			 options->mountpoint, strerror(-r));
}

static int run_confined(struct run *run, struct error *error)
{
	const struct session_events *events = run->events;
	int r;

	if (session_io_install(run->session) < 0)
		run->fs->config.splice = false;
	/* What the sandbox has to leave open depends on the kernel's offer. */
	r = resume_begin(&run->resume, run->session);
	if (r < 0 && !is_over(r))
		return begin_failed(run->options, r, error);
	events->mounted(events->context);
	if (is_over(r))
		return 0;
	run_as_without_strange_groups(run->fs->policy);
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

static int mount_stays(const struct options *options, struct error *error)
{
	int r = error_set(error, EXIT_STATUS_OTHER,
			  "mount on '%s': it stays, dead, as the process that "
			  "unmounts was killed; run: %s '%s'",
			  options->mountpoint,
			  options->run_as != NULL || geteuid() == 0 ?
				  "umount -l" :
				  "fusermount3 -u -z",
			  options->mountpoint);

	if (!options->foreground)
		syslog(LOG_ERR, "%s", error->text);
	return r;
}

static int run_watched(struct run *run, struct error *error)
{
	int r = run_confined(run, error);

	if (watcher_finish(&run->watcher, run->session) < 0 && r == 0)
		r = mount_stays(run->options, error);
	return r;
}

/* From a mounted session to an unmounted one. */
static int run_mounted(struct run *run, struct error *error)
{
	const struct acting_user *acting = &run->fs->policy->acting;
	struct own_mount mount;
	int fuse_fd = fuse_session_fd(run->session);
	int r;

	own_mount_learn(run->options->mountpoint, acting->uid.value,
			acting->gid.value, &mount);
	/* So that lookups can tell it when they meet it in the source. */
	atomic_store(&run->fs->own_dev, mount.dev);
	/* A trace tells of the container's requests alone. */
	r = watcher_start(&mount, fuse_fd, run->options->trace == NULL,
			  &run->watcher);
	if (r < 0) {
		own_mount_unmount(&mount);
		return error_set(error, EXIT_STATUS_OTHER,
				 "the process that unmounts: %s", strerror(-r));
	}
	return run_watched(run, error);
}

/* Likewise, by a mounter. */
static int run_by_mounter(struct run *run, struct error *error)
{
	uint64_t dev;
	int r = mounter_mount(&run->mounter, &dev, &run->watcher, error);

	if (r < 0)
		return r;
	mounter_give_up(&run->mounter);
	atomic_store(&run->fs->own_dev, dev);
	r = mount_fuse_adopt(run->session, r, error);
	if (r < 0) {
		/* Which unmounts it. */
		watcher_give_up(&run->watcher);
		return r;
	}
	return run_watched(run, error);
}

static int run_session(struct run *run, struct error *error)
{
	int r = ending_begin();

	if (r < 0)
		return error_set(error, EXIT_STATUS_OTHER,
				 "signal handlers: %s", strerror(-r));
	if (run->mounter.socket >= 0)
		return run_by_mounter(run, error);
	r = mount_fuse(run->session, run->options, -1, error);
	/* A mount that is the supervisor's stays when we go. */
	if (r == 0 && resume_is_descriptor(run->options->mountpoint))
		r = run_confined(run, error);
	else if (r == 0)
		r = run_mounted(run, error);
	return r;
}

/* The mount point is opened with the user's rights, and mounted on as root. */
static int start_mounter(struct run *run, const struct acting_user *user,
			 struct error *error)
{
	const struct options *options = run->options;
	_cleanup_fd_ int target = -1;
	int r = run_as_begin(user), paused;

	if (r < 0)
		return run_as_failed(options, r, error);
	r = mountpoint_open_as_user(options->mountpoint, options->run_as, NULL,
				    &target, error);
	paused = run_as_pause();
	if (r < 0)
		return r;
	r = paused < 0 ? paused :
			 mounter_start(options, user, target, &run->mounter);
	return r < 0 ? run_as_failed(options, r, error) : 0;
}

/* Before anything of the user's is read: see mounter.h. */
static int become_user(struct run *run, const struct acting_user *user,
		       struct error *error)
{
	const struct options *options = run->options;
	int r = 0;

	if (options->run_as == NULL)
		return 0;
	if (!resume_is_descriptor(options->mountpoint))
		r = start_mounter(run, user, error);
	if (r < 0)
		return r;
	r = run_as_for_good(user);
	return r < 0 ? run_as_failed(options, r, error) : 0;
}

int session_run(const struct options *options, const struct view_policy *policy,
		const struct session_events *events, struct error *error)
{
	struct run run = {
		.options = options,
		.events = events,
		.source_fd = -1,
		.mounter = MOUNTER_NONE,
		.watcher = WATCHER_NONE,
		.resume = RESUME_NONE,
	};
	int r = 0;

	bound_free_memory();
	if (options->chown == CHOWN_DISK &&
	    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return error_set(error, EXIT_STATUS_OTHER, "chown 'disk': %s",
				 strerror(errno));
	r = become_user(&run, &policy->acting, error);
	if (r == 0 && options->resume != NULL)
		r = resume_open(options->resume, &run.resume, error);
	if (r == 0)
		r = open_filesystem(options, policy,
				    resume_first_generation(&run.resume),
				    &run.fs, &run.source_fd, error);
	if (r == 0)
		r = mount_fuse_session(options, run.fs, &run.session, error);
	if (r == 0) {
		run.fs->session = run.session;
		r = run_session(&run, error);
		fuse_session_destroy(run.session);
	}
	(void)filesystem_free(run.fs);
	close_fd(run.source_fd);
	mounter_give_up(&run.mounter);
	close_fd(run.resume.fd);
	return r;
}
