/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the kernel in the reply to INIT (fuse_kernel.h, struct
 * fuse_init_out), of what it offers.  libfuse before 3.17 can't ask for all:
 * there it is added to what libfuse has to say.
 */
#ifndef IDSHIFT_INIT_FLAGS_H
#define IDSHIFT_INIT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

struct fuse_conn_info;
struct fuse_session;

/*
 * In the handler of INIT: ask for
 *   FUSE_HANDLE_KILLPRIV_V2  we clear setuid and setgid; no GETXATTR of
 *			      security.capability comes before each write
 *   FUSE_PARALLEL_DIROPS     lookups of one directory run side by side
 */
void init_flags_want(struct fuse_conn_info *conn);

/*
 * Likewise: FUSE_PASSTHROUGH, for files that are not on a stacked file system
 * themselves.  False: the kernel doesn't offer it.
 */
bool init_flags_want_passthrough(struct fuse_conn_info *conn);

/*
 * Serve an INIT that has been read (resume.h), its header included; before
 * there are threads.  answered: a daemon before us has read it, and answered
 * it unless it was killed in between.  0 or -errno.
 */
int init_flags_serve(struct fuse_session *session, const void *init,
		     size_t size, bool answered);

#endif
