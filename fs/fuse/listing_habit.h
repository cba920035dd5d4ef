/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether who lists a directory wants the attributes too, as `ls -l` does and
 * `find` does not: a guess from what happened to earlier listings.  They cost
 * us about as much as all the rest of the listing, and the caller as much for
 * each entry that it has to look up without them.
 *
 * A caller who has used some of a listing shows in what the kernel asks for
 * next (its READDIRPLUS_AUTO).  Who hasn't may do so later: so now and then a
 * directory is listed without, and what is then looked up in it tells.
 */
#ifndef IDSHIFT_LISTING_HABIT_H
#define IDSHIFT_LISTING_HABIT_H

#include <stdbool.h>

#include "idshift/node_table.h"

struct listing_habit;

int listing_habit_new(struct listing_habit **ret);
/* Returns NULL. */
struct listing_habit *listing_habit_free(struct listing_habit *habit);

/* Shall a listing that begins give attributes? */
bool listing_habit_begin(struct listing_habit *habit,
			 const struct node_ref *dir);
/* It goes on; asked: the kernel wants attributes now. */
void listing_habit_goes_on(struct listing_habit *habit,
			   const struct node_ref *dir, bool asked);
/* What is no directory is looked up in it: those are for who descends. */
void listing_habit_looked_up(struct listing_habit *habit,
			     const struct node_ref *dir);

#endif
