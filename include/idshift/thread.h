/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside those that serve; nobody waits for their end. */
#ifndef IDSHIFT_THREAD_H
#define IDSHIFT_THREAD_H

/*
 * Start one, detached, with a stack of 256 KiB.  It gets no signals but `wake`
 * (0: none), as they are the main thread's.  0 or -errno.
 */
int thread_start(void *(*run)(void *), void *data, int wake);

#endif
