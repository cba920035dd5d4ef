/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes that the kernel makes of its own accord, of what was stored in mapped
 * pages or in its cache.  They are sent behind the back of who asks for them:
 * syncfs(2) doesn't wait for their answers.
 */
#ifndef IDSHIFT_WRITE_BACK_H
#define IDSHIFT_WRITE_BACK_H

#include <stdbool.h>
#include <stddef.h>

/* Zero at first; of all threads. */
struct write_back {
	_Atomic unsigned long begun;
	_Atomic unsigned long done;
};

struct fuse_session;
struct node_table;

/*
 * Have the kernel write what it holds of open files, where no syncfs(2) could;
 * requests must be answered meanwhile.  For some seconds at most.  Once.
 */
void write_back_ask(struct fuse_session *session, struct node_table *nodes);

/* Is it such a write?  Then it has begun, and is to be told as done. */
bool write_back_begin(struct write_back *writes, const void *request,
		      size_t size);
void write_back_done(struct write_back *writes);

/*
 * Until there is none and none has come for a moment; for twenty seconds at
 * most, and one in which none is done.
 */
void write_back_wait(struct write_back *writes);

#endif
