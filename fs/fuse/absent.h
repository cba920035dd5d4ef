/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that don't exist, asked for again and again: along search paths, for
 * ignore files.  From the third time on the kernel may remember them, for a
 * short while only: nothing tells it when the host makes one.  (To tell it
 * ourselves would wait for whoever holds the directory's lock in the kernel,
 * and who holds that may wait for us.)
 *
 * Not in a directory with files that were locked: what is made there under a
 * lock, such as a journal, is seen by whom the lock lets in.
 */
#ifndef IDSHIFT_ABSENT_H
#define IDSHIFT_ABSENT_H

#include <stdbool.h>

#include "idshift/node_table.h"

struct absent_names;

/* -ENOMEM */
int absent_new(struct absent_names **ret);
/* Returns NULL. */
struct absent_names *absent_free(struct absent_names *absent);

/* There is no such name in the directory: may that be remembered? */
bool absent_again(struct absent_names *absent, const struct node_ref *dir,
		  const char *name);

#endif
