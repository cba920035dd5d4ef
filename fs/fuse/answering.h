/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that answer beside the loop's: what they wait for, another's lock,
 * may never come, so the end doesn't wait for them.  One process serves one
 * mount.
 */
#ifndef IDSHIFT_ANSWERING_H
#define IDSHIFT_ANSWERING_H

/*
 * Around the use of what a file system or a session has.  Once it was stopped
 * the thread stays in the first, until the process ends.
 */
void answering_begin(void);
void answering_end(void);

/* When it returns none is in between, nor will be. */
void answering_stop(void);

#endif
