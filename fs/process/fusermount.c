/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/fusermount.h"

#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/program.h"

#define NAME "fusermount3"

/*
 * mount(8) runs its helpers without any PATH; and libfuse looks first where it
 * was installed to, which is one of these.
 */
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

bool fusermount_find(const char *path, char ret_file[PATH_MAX])
{
	const char *own = getenv("PATH");

	if (path != NULL)
		return program_find(NAME, path, ret_file);
	return program_find(NAME, own, ret_file) ||
	       program_find(NAME, USUAL_PATH, ret_file);
}

void fusermount_unmount(const char *mountpoint)
{
	char program[PATH_MAX];
	char u[] = "-u", z[] = "-z", q[] = "-q", end[] = "--";
	char *argv[] = { program, u, z, q, end, (char *)mountpoint, NULL };
	pid_t child;

	if (fusermount_find(NULL, program) &&
	    posix_spawn(&child, program, NULL, NULL, argv, environ) == 0)
		(void)waitpid(child, NULL, 0);
}
