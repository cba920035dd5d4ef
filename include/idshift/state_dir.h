/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the user's database of records lies. */
#ifndef IDSHIFT_STATE_DIR_H
#define IDSHIFT_STATE_DIR_H

/*
 * `given` (the option state=), else $XDG_STATE_HOME/idshift, else
 * ~/.local/state/idshift (XDG Base Directory Specification 0.8).  Allocated;
 * NULL with errno ENOENT where the user has no home, or ENOMEM.
 */
char *state_dir(const char *given);

#endif
