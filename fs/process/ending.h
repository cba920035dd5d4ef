/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * That the daemon is to end, by a signal or for another reason.  The session
 * isn't told by these: libfuse answers no request once it is.
 */
#ifndef IDSHIFT_ENDING_H
#define IDSHIFT_ENDING_H

/*
 * From here on SIGHUP, SIGINT and SIGTERM tell it, SIGPIPE and SIGIO do
 * nothing; those that are ignored stay so, as nohup(1) wants it, and those that
 * are blocked don't.  Once; before the functions below.  0 or -errno.
 */
int ending_begin(void);

/* Of any thread or signal handler. */
void ending_tell(void);
/* Until it was told, be it before.  For one thread. */
void ending_wait(void);

#endif
