/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/fusermount.h"

#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * mount(8) runs its helpers without any PATH; and libfuse looks first where it
 * was installed to, which is one of these.
 */
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

static bool find_in(const char *path, char ret_file[PATH_MAX])
{
	while (*path != '\0') {
		size_t len = strcspn(path, ":");
		int n = snprintf(ret_file, PATH_MAX, "%.*s/fusermount3",
				 (int)len, path);

		if (len > 0 && n > 0 && n < PATH_MAX &&
		    access(ret_file, X_OK) == 0)
			return true;
		path += len;
		if (*path == ':')
			path++;
	}
	return false;
}

bool fusermount_find(const char *path, char ret_file[PATH_MAX])
{
	const char *own = getenv("PATH");

	if (path != NULL)
		return find_in(path, ret_file);
	return (own != NULL && find_in(own, ret_file)) ||
	       find_in(USUAL_PATH, ret_file);
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
