/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is under way in a source, written down before the first step of a
 * change that takes several and struck out after the last: a daemon that is
 * killed in between leaves it to the next one, which does the rest.
 *
 * A file of the state directory for each running daemon, which holds its lock
 * (flock(2)): a lock that can be had is a dead daemon's.  Nothing is synced,
 * since what SIGKILL leaves in the page cache is there for the next to read.
 * After a power failure an old intent may be back; the states and the times
 * that it names are compared with the object's before anything is done.
 */
#ifndef IDSHIFT_INTENTS_H
#define IDSHIFT_INTENTS_H

struct intents;
struct records;

/*
 * Finish what dead daemons began in the source whose root `root_fd` is, with
 * those records' policy and database; then a file of our own in `dir`, which
 * exists.  A forked child must not use it, nor keep its descriptor, which
 * holds the lock.  What can't be finished now is kept; other sources' and other
 * users' are left alone.
 */
int intents_open(const char *dir, int root_fd, const struct records *records,
		 struct intents **ret);
/* NULL is fine; returns NULL. */
struct intents *intents_close(struct intents *intents);

#endif
