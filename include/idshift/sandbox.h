/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon shuts itself in before it answers its first request.  What a
 * hostile request could make of it is then left with
 *
 *   landlock(7)       opening, creating, removing and renaming below the
 *                     source alone; /proc is there to be read, for the groups
 *                     of callers; no signals or sockets to the outside
 *   seccomp(2)        the system calls that serving takes; others answer
 *                     ENOSYS, those that only an attacker makes kill
 *   capabilities(7)   what the way to run needs, and no way to get more
 *   no core dumps, no ptrace(2) by others of the same user
 *
 * Landlock's rule is on the source directory itself, wherever it is moved or
 * mounted.  It has no say over stat(2), chmod(2), chown(2), utimensat(2) and
 * extended attributes by path; those outside stay under the user's own
 * permissions.  What the host moves out of the source while the container has
 * it open can be used through the open files, and not be opened again
 * (EACCES): nothing outside of the source is served.
 *
 * Unmounting takes what is forbidden here: watcher.h.
 */
#ifndef IDSHIFT_SANDBOX_H
#define IDSHIFT_SANDBOX_H

#include <stdbool.h>

struct sandbox {
	int source_fd;	  /* the tree that stays open, read and written */
	bool read_only;	  /* read only */
	bool real_owners; /* chown=disk: objects are made as their owners */
	/* /dev/fuse, for passthrough and its ioctl(2)s; -1: without. */
	int passthrough_fd;
};

/* CAP_SYS_ADMIN over the machine, not over a user namespace alone. */
bool sandbox_has_admin(void);

#define SANDBOX_LACKS_MAX 256

/*
 * For good, for this process: to be called before it has threads.  What the
 * kernel doesn't offer is left out: false then, and one line that says what
 * and why.
 */
bool sandbox_enter(const struct sandbox *sandbox,
		   char lacks[SANDBOX_LACKS_MAX]);

#endif
