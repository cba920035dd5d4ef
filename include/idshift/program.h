/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the machine that are run, or looked at. */
#ifndef IDSHIFT_PROGRAM_H
#define IDSHIFT_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

/*
 * The path of one that can be run, by a list of directories as $PATH is (NULL:
 * of none).  False: there is none.
 */
bool program_find(const char *name, const char *directories,
		  char ret_file[PATH_MAX]);

#endif
