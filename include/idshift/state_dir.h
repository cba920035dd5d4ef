/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the user's database of records lies. */
#ifndef IDSHIFT_STATE_DIR_H
#define IDSHIFT_STATE_DIR_H

#include <stdbool.h>

/*
 * `given` (the option state=), else $XDG_STATE_HOME/idshift, else
 * ~/.local/state/idshift (XDG Base Directory Specification 0.8).  With
 * other_user (run-as=) the environment is not the effective user's and only
 * the user's entry in the name services counts; also with a $HOME that the
 * user can't write (mount.fuse(8) leaves root's to whom fstab lets mount).
 * Allocated; NULL with errno ENOENT where the user has no home, or ENOMEM.
 */
char *state_dir(const char *given, bool other_user);

#endif
