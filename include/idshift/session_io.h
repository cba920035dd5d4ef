/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libfuse writes: to the device, by hooks where it has them, and to us. */
#ifndef IDSHIFT_SESSION_IO_H
#define IDSHIFT_SESSION_IO_H

#include <stdbool.h>

struct fuse_session;

/*
 * Call after fuse_session_mount().  An answer from a pipe that the kernel
 * doesn't take is sent by a copy; libfuse would drop it, and its caller wait
 * for good.  -errno where libfuse is built without fuse_session_custom_io(), as
 * Debian's is from 3.18 on: no answer may go by splice(2) then.
 */
int session_io_install(struct fuse_session *session);

/*
 * What libfuse has to say is not for the user: one line is, and that is ours.
 * Of all sessions; false: it goes to stderr again.
 */
void session_io_keep_quiet(bool quiet);

#endif
