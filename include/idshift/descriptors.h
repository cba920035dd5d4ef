/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of open files as a whole. */
#ifndef IDSHIFT_DESCRIPTORS_H
#define IDSHIFT_DESCRIPTORS_H

#include <stddef.h>

/*
 * The first thing a program does: those of 0, 1 and 2 that are closed become
 * /dev/null, lest what is opened next is taken for them.
 */
void descriptors_open_standard(void);

/*
 * Then: those from 3 on that somebody else has opened.  A daemon closes them
 * when it no longer needs what was named by them: a flock(2) or a pipe would be
 * held for as long as it runs.  spare: but this one; -1: none.
 */
void descriptors_note_inherited(void);
void descriptors_close_inherited(int spare);

/* Close all but these, in any order; negative ones are none. */
void descriptors_close_others(const int *keep, size_t count);

#endif
