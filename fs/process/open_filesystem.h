/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source, its database and all else that is open before the mount. */
#ifndef IDSHIFT_OPEN_FILESYSTEM_H
#define IDSHIFT_OPEN_FILESYSTEM_H

#include <stdint.h>

#include "idshift/error.h"
#include "idshift/options.h"

struct filesystem;
struct view_policy;

/*
 * -errno with a reason, nothing is open then.  The umask is 0 afterwards.
 *
 * policy            has to outlive the file system
 * first_generation  of resume.h
 * ret_source_fd     another descriptor of the source, the caller's to close
 */
int open_filesystem(const struct options *options,
		    const struct view_policy *policy, uint32_t first_generation,
		    struct filesystem **ret, int *ret_source_fd,
		    struct error *error);

#endif
