/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/state_dir.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *below(const char *base, const char *rest)
{
	char *path;

	return asprintf(&path, "%s/%s", base, rest) < 0 ? NULL : path;
}

char *state_dir(const char *given, bool other_user)
{
	const char *base = other_user ? NULL : getenv("XDG_STATE_HOME");
	const struct passwd *user;

	if (given != NULL)
		return strdup(given);
	if (base != NULL && base[0] == '/')
		return below(base, "idshift");
	base = other_user ? NULL : getenv("HOME");
	if (base != NULL && base[0] != '/')
		base = NULL;
	if (base == NULL || access(base, W_OK | X_OK) < 0) {
		user = getpwuid(geteuid());
		base = user != NULL ? user->pw_dir : base;
	}
	if (base == NULL) {
		errno = ENOENT;
		return NULL;
	}
	return below(base, ".local/state/idshift");
}
