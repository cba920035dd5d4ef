/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/program.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool program_find(const char *name, const char *directories,
		  char ret_file[PATH_MAX])
{
	while (directories != NULL && *directories != '\0') {
		size_t len = strcspn(directories, ":");
		int n = snprintf(ret_file, PATH_MAX, "%.*s/%s", (int)len,
				 directories, name);

		if (len > 0 && n > 0 && n < PATH_MAX &&
		    access(ret_file, X_OK) == 0)
			return true;
		directories += len;
		if (*directories == ':')
			directories++;
	}
	return false;
}
