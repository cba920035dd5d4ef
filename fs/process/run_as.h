/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run-as=NAME: root mounts, then becomes NAME for good.  What is opened before
 * is opened with NAME's rights, by effective ids.  And in a user namespace: as
 * who it is there, and no more.
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

/*
 * A daemon in a user namespace may have groups of its user's without a number
 * there.  What these let it do is not for the container's processes, which
 * can't have them, unless unmapped= or map= gives such groups to them: they go
 * where that may be (setgroups(2)).  Single threaded.
 */
void run_as_without_strange_groups(const struct view_policy *policy);

#endif
