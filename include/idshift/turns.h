/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To change an object's owner or mode takes several calls, between which
 * another daemon of the user on the same source, or idshift(1), might do its
 * own: then one of the two would be lost, which each was told is done.  So they
 * take turns, by locks on a file of the state directory, a byte for each
 * object; a daemon that is alone needs none.  Threads of one process use a
 * mutex.
 */
#ifndef IDSHIFT_TURNS_H
#define IDSHIFT_TURNS_H

#include <stdint.h>
#include <sys/stat.h>

struct turns;

/*
 * In `dir`, which exists.  -errno.  Must not be truncated by anybody while it
 * is open.  Waits for changes that another has under way, up to a second.
 */
int turns_open(const char *dir, struct turns **ret);
/* NULL is fine; returns NULL. */
struct turns *turns_close(struct turns *turns);

/* Of an object: by its device and inode. */
uint64_t turns_key(uint64_t dev, uint64_t ino);
enum turn {
	TURN_NONE,
	TURN_UNLOCKED, /* alone */
	TURN_LOCKED,
};
/*
 * turns NULL: nobody to take turns with.  A process that holds one for
 * longer than a second, as one that was stopped, is not waited for.  What it
 * returns is for turn_end().
 */
enum turn turn_begin(struct turns *turns, uint64_t key);
void turn_end(struct turns *turns, uint64_t key, enum turn turn);

#endif
