/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How libfuse writes to the device: by hooks, where it has them. */
#ifndef IDSHIFT_SESSION_IO_H
#define IDSHIFT_SESSION_IO_H

struct fuse_session;

/*
 * Call after fuse_session_mount().  An answer from a pipe that the kernel
 * doesn't take is sent by a copy; libfuse would drop it, and its caller wait
 * for good.  -errno where libfuse is built without fuse_session_custom_io(), as
 * Debian's is from 3.18 on: no answer may go by splice(2) then.
 */
int session_io_install(struct fuse_session *session);

#endif
