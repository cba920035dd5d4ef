/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/prepare.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/mountpoint.h"
#include "idshift/resume.h"

/* By fusermount3, as whoever mounted it, where umount2(2) is not allowed. */
static void unmount_stale(char *mountpoint)
{
	char program[] = "fusermount3", u[] = "-u", z[] = "-z", q[] = "-q";
	char end[] = "--";
	char *argv[] = { program, u, z, q, end, mountpoint, NULL };
	pid_t child;

	if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return;
	if (posix_spawnp(&child, program, NULL, NULL, argv, environ) == 0)
		(void)waitpid(child, NULL, 0);
}

static int check_target(struct options *options, bool by_fusermount,
			char **ret_real, struct error *error)
{
	int r = mountpoint_check_target(options->mountpoint, by_fusermount,
					ret_real, error);

	if (r != -ENOTCONN)
		return r;
	unmount_stale(options->mountpoint);
	r = mountpoint_check_target(options->mountpoint, by_fusermount,
				    ret_real, error);
	if (r != -ENOTCONN)
		return r;
	return error_set(error, EXIT_STATUS_MOUNTPOINT,
			 "mount point '%s': a dead mount is there that can't "
			 "be unmounted; run: fusermount3 -u -z '%s'",
			 options->mountpoint, options->mountpoint);
}

static void replace(char **text, char *by)
{
	free(*text);
	*text = by;
}

int prepare_mount(struct options *options, const struct situation *situation,
		  struct error *error)
{
	bool on_host = !situation->child_userns;
	struct fuse_needs needs = {
		.by_fusermount = on_host && geteuid() != 0,
		.own_only = options->has_caller,
	};
	char *real;
	int r;

	r = mountpoint_check_source(options->source, &real, error);
	if (r < 0)
		return r;
	replace(&options->source, real);
	/* Mounted by somebody else, who has seen to all that. */
	if (resume_is_descriptor(options->mountpoint))
		return 0;
	r = check_target(options, needs.by_fusermount, &real, error);
	if (r < 0)
		return r;
	replace(&options->mountpoint, real);
	/* Inside a user namespace allow_other admits its own processes only. */
	if (on_host && !options->public_mount && !options->has_caller)
		r = mountpoint_check_reach(options->source, options->mountpoint,
					   situation->uid, error);
	return r < 0 ? r : mountpoint_check_fuse(&needs, error);
}
