/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New objects in the source that have their owner, mode and record from the
 * first moment on where the kernel allows (regular files: O_TMPFILE), else as
 * soon as can be, and closed to everybody else until then.
 */
#ifndef IDSHIFT_CREATE_H
#define IDSHIFT_CREATE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "idshift/records.h"
#include "idshift/view.h"

struct creation {
	const struct records *records;
	int dir_fd;		 /* path fd or readable */
	const struct statx *dir; /* its state on disk */
	const char *name;
	struct view want; /* mode includes S_IFMT; acl NULL */
	/*
	 * The directory has a default ACL on disk: the source's file system
	 * hands it on, and want.mode, without the umask applied, is what it
	 * makes its mode of.
	 */
	bool disk_default_acl;
	/*
	 * A recorded default ACL that counts, container ids; NULL: none.
	 * records_acl_inherited() says whether it is vouched for.
	 */
	const struct acl *default_acl;
	bool default_acl_vouched;
};

/*
 * A regular file that did not exist: a descriptor open for reading and
 * writing.  After a failure there is no new file.  ret_stx and ret_view (the
 * state and how it is seen) spare asking.
 *
 * -EEXIST     the name is taken
 * -EOVERFLOW  with real owners: an id has no counterpart on disk
 */
int create_file(const struct creation *creation, struct statx *ret_stx,
		struct view *ret_view);

/*
 * All other kinds: the path fd of the new object, the rest likewise.
 *
 * -ESTALE  somebody put something else in its place, which is left there
 */
int create_directory(const struct creation *creation, struct statx *ret_stx,
		     struct view *ret_view);
int create_symlink(const struct creation *creation, const char *target,
		   struct statx *ret_stx, struct view *ret_view);
/*
 * Fifos, sockets, and the whiteout (character device 0:0); -EPERM for other
 * devices, but with real owners.
 */
int create_node(const struct creation *creation, dev_t rdev,
		struct statx *ret_stx, struct view *ret_view);

#endif
