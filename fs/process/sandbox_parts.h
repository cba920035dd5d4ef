/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of sandbox.h; each is 0 or -errno. */
#ifndef IDSHIFT_SANDBOX_PARTS_H
#define IDSHIFT_SANDBOX_PARTS_H

#include "idshift/sandbox.h"

/*
 * Needs no_new_privs.  -EOPNOTSUPP: this kernel's landlock would break what
 * the file system promises, or it has none.
 */
int sandbox_landlock(const struct sandbox *sandbox);

/* Needs no_new_privs; the last of all. */
int sandbox_seccomp(const struct sandbox *sandbox);

/* Nothing to do for who has none. */
int sandbox_capabilities(const struct sandbox *sandbox);

#endif
