/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mounted source: what all FUSE handlers share. */
#ifndef IDSHIFT_FILESYSTEM_H
#define IDSHIFT_FILESYSTEM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/access.h"
#include "idshift/chown_mode.h"
#include "idshift/handle_table.h"
#include "idshift/lock_table.h"
#include "idshift/node_table.h"
#include "idshift/records.h"
#include "idshift/view.h"

struct fuse_lowlevel_ops;
struct fuse_session;
struct absent_names;
struct listing_habit;
struct passthrough;

/* A request has no more data than this, nor has an answer. */
#define FILESYSTEM_MAX_WRITE 1048576u

struct filesystem_config {
	enum chown_mode chown_mode;
	bool xattrs;	  /* user.* attributes are served */
	bool host_locks;  /* locks are taken on the source */
	bool keep_cache;  /* pages outlive the last close */
	bool splice;	  /* there are descriptors for pipes, some a thread */
	bool passthrough; /* where the kernel offers it; passthrough.h */
	/*
	 * The kernel may keep what was written, sizes and times of files, as
	 * nobody else changes the source.  Passthrough excludes it.
	 */
	bool writeback;
	double attr_timeout; /* seconds */
	double entry_timeout;
	double negative_timeout;
	bool only_again; /* that is for what is asked for often: absent.h */
	size_t max_fds;	 /* cached */
	/*
	 * What stays open for long has a descriptor below this, since those
	 * from here on are for what takes one for a moment; 0: no bound.
	 */
	size_t spare_fds_from;
	/* caller=: as whom every request is judged; NULL: by the kernel. */
	const struct access_caller *judge;
	int trace_fd;		   /* where denials are told; -1: nowhere */
	bool trace_json;	   /* as JSON objects, one a line */
	uint32_t first_generation; /* of node ids and handles */
};

struct filesystem {
	struct filesystem_config config;
	const struct view_policy *policy;
	struct records records;
	struct node_table *nodes;
	struct handle_table *handles;
	struct lock_table *locks;
	struct listing_habit *habit;
	struct absent_names *absent;
	/* Set by INIT, before any other request. */
	struct passthrough *passthrough; /* NULL: all is copied */
	bool writeback;			 /* the kernel does that */
	bool prefills;			 /* gives it files: prefill.h */
	struct fuse_session *session;	 /* for notifications; NULL before */
	pthread_mutex_t dropping;	 /* held by whoever has pages dropped */
	bool drops_none;		 /* under that lock */
	bool has_acls; /* the source: what isn't there is absent */
	/* statx(2) of the source may answer from a network cache. */
	bool remote_source;
	uint64_t source_dev; /* backing_dev() of its root */
	/* An open was last told to look again: clock_coarse_ms(). */
	_Atomic uint32_t looked_again_at;
	/* backing_dev() of the mount itself; set once it is known. */
	_Atomic uint64_t own_dev;
};

/*
 * Takes ownership of source_fd (a path fd of the source directory) and of the
 * database on success; the policy has to outlive the file system.
 */
int filesystem_new(const struct filesystem_config *config,
		   const struct view_policy *policy, int source_fd,
		   struct records_db *db, struct filesystem **ret);
/* NULL is fine; returns NULL. */
struct filesystem *filesystem_free(struct filesystem *fs);

/*
 * While requests are still answered: what waits for long, or for an answer of
 * ours, ends or stays where it is.  No lock that is waited for is answered from
 * now on, and no page is dropped.  `fs` is a struct filesystem.
 */
void filesystem_end_waiting(void *fs);

/*
 * The handlers, for fuse_session_new() with a struct filesystem as user data.
 */
const struct fuse_lowlevel_ops *filesystem_operations(void);

#endif
