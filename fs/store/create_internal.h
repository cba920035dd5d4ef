/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the store: the second half of a creation. */
#ifndef IDSHIFT_CREATE_INTERNAL_H
#define IDSHIFT_CREATE_INTERNAL_H

#include "idshift/records.h"

/*
 * Bring what was made, whose state is `stx`, to the wanted view; absent as for
 * records_apply().  What the source's file system made of its default ACL
 * becomes want->mode; default_acl (NULL: none) is recorded for a directory,
 * and vouched for.
 */
int creation_complete(const struct records *records, int fd,
		      const struct statx *stx, unsigned int absent,
		      bool disk_default_acl, const struct acl *default_acl,
		      bool vouched, struct view *want);

#endif
