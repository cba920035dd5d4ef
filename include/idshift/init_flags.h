/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel features that libfuse before 3.17 can't ask for: an I/O hook adds
 * their flags to the INIT reply (fuse_kernel.h, struct fuse_init_out), those
 * only that the kernel has offered in its INIT request.
 */
#ifndef IDSHIFT_INIT_FLAGS_H
#define IDSHIFT_INIT_FLAGS_H

struct fuse_session;

/*
 * Call after fuse_session_mount(), before the loop.  Asks for
 *   FUSE_HANDLE_KILLPRIV_V2  we clear setuid and setgid; no GETXATTR of
 *			      security.capability comes before each write
 *   FUSE_PARALLEL_DIROPS     lookups of one directory run side by side
 * -errno; the session works without, by the older protocol.
 */
int init_flags_install(struct fuse_session *session);

#endif
