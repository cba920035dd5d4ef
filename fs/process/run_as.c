/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run_as.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "idshift/cleanup.h"

static int set_groups(const struct acting_user *user)
{
	_cleanup_free_ gid_t *groups = calloc(
		user->group_count > 0 ? user->group_count : 1, sizeof(gid_t));

	if (groups == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < user->group_count; i++)
		groups[i] = user->groups[i].value;
	return setgroups(user->group_count, groups) < 0 ? -errno : 0;
}

/* What the parent's death sends: the kernel forgets it with other ids. */
static int death_signal(void)
{
	int signal = 0;

	(void)prctl(PR_GET_PDEATHSIG, &signal);
	return signal;
}

int run_as_begin(const struct acting_user *user)
{
	const int signal = death_signal();
	int r = set_groups(user);

	if (r == 0 &&
	    (setegid(user->gid.value) < 0 || seteuid(user->uid.value) < 0))
		r = -errno;
	(void)prctl(PR_SET_PDEATHSIG, signal);
	return r;
}

int run_as_pause(void)
{
	const int signal = death_signal();
	int r = seteuid(0) < 0 || setegid(0) < 0 ? -errno : 0;

	(void)prctl(PR_SET_PDEATHSIG, signal);
	return r;
}

int run_as_for_good(const struct acting_user *user)
{
	uid_t uid = user->uid.value;
	gid_t gid = user->gid.value;
	const int signal = death_signal();
	int r = set_groups(user);

	if (r == 0 &&
	    (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
		r = -errno;
	/* setuid(2) of a process that keeps root would succeed. */
	if (r == 0 && uid != 0 && setuid(0) == 0)
		r = -EPERM;
	(void)prctl(PR_SET_PDEATHSIG, signal);
	return r;
}

void run_as_without_strange_groups(const struct view_policy *policy)
{
	struct container_id shown =
		view_gid_shown(policy, DISK_ID(ID_OVERFLOW));
	bool given =
		container_id_is_mapped(shown) && shown.value != ID_OVERFLOW;

	/* Those without a number are not among the acting user's. */
	if (policy->acting.in_userns && !given)
		(void)set_groups(&policy->acting);
}
