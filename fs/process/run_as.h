/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run-as=NAME: root mounts, then becomes NAME for good.  What is opened before
 * is opened with NAME's rights, by effective ids.
 */
#ifndef IDSHIFT_RUN_AS_H
#define IDSHIFT_RUN_AS_H

#include "idshift/view.h"

/* Each 0 or -errno; single threaded.  As the user, reversibly. */
int run_as_begin(const struct acting_user *user);
/* Root again, to mount. */
int run_as_pause(void);
/* The user, with no way back and no capability. */
int run_as_for_good(const struct acting_user *user);

#endif
