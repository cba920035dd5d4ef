/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel features that libfuse before 3.17 can't ask for: an I/O hook adds
 * their flags to the INIT reply (fuse_kernel.h, struct fuse_init_out), those
 * only that the kernel has offered in its INIT request.
 */
#ifndef IDSHIFT_INIT_FLAGS_H
#define IDSHIFT_INIT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

struct fuse_conn_info;
struct fuse_session;

/*
 * Call after fuse_session_mount(), before the loop.  Asks for
 *   FUSE_HANDLE_KILLPRIV_V2  we clear setuid and setgid; no GETXATTR of
 *			      security.capability comes before each write
 *   FUSE_PARALLEL_DIROPS     lookups of one directory run side by side
 * -errno; the session works without, by the older protocol.
 */
int init_flags_install(struct fuse_session *session);

/*
 * In the handler of INIT: ask for FUSE_PASSTHROUGH, for files that are not on
 * a stacked file system themselves.  False: the kernel doesn't offer it.
 */
bool init_flags_want_passthrough(struct fuse_conn_info *conn);

/*
 * Serve an INIT that somebody else has read (resume.h).  answered: the kernel
 * has its reply, by a daemon before us; ours is kept back.
 */
int init_flags_serve(struct fuse_session *session, const void *init,
		     size_t size, bool answered);

#endif
