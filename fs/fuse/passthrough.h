/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passthrough (Linux 6.9, fs/fuse/passthrough.c, iomode.c): the kernel reads,
 * writes and maps the file of the source itself; all other requests come as
 * ever.  It wants of us CAP_SYS_ADMIN in the initial user namespace.
 *
 * Of one inode all that is open at a time is passed through to one backing
 * id, or nothing of it: anything else is EIO.  So the first open decides, for
 * as long as it or one after it is open.
 *
 * A write strips setuid, setgid and capabilities natively.  The kernel asks
 * for that before it passes the write on (file_remove_privs() on the mount's
 * file): a SETATTR that sets nothing, and a REMOVEXATTR.  But the first could
 * be a chown(-1, -1) as well, so what has such bits is copied from the first.
 */
#ifndef IDSHIFT_PASSTHROUGH_H
#define IDSHIFT_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

#include "ops.h"

struct passthrough;

/*
 * In the handler of INIT: ask the kernel for it.  *ret is NULL where it isn't
 * offered; all functions here take that.  -ENOMEM.
 */
int passthrough_new(struct fuse_conn_info *conn, struct passthrough **ret);
/* Returns NULL. */
struct passthrough *passthrough_free(struct passthrough *pass);

/*
 * The inode is opened, fd being any descriptor of its file, or -1 where
 * it should better be copied: the backing id to reply with, 0 where the file
 * is to be copied, -ENOMEM.  What can't be backed is logged once.  Unless it
 * failed, to be followed by passthrough_closed().
 */
int passthrough_opened(struct passthrough *pass, struct fuse_session *session,
		       uint64_t ino, int fd);
void passthrough_closed(struct passthrough *pass, struct fuse_session *session,
			uint64_t ino);
/* Is the inode open, and passed through? */
bool passthrough_is_open(struct passthrough *pass, uint64_t ino);

/* As fuse_reply_open() and fuse_reply_create(); id may be 0. */
int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id);
int passthrough_reply_create(fuse_req_t req,
			     const struct fuse_entry_param *entry,
			     struct fuse_file_info *fi, int id);

#endif
