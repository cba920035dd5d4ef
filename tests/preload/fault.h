/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test and the library that it loads into the daemon share. */
#ifndef FAULT_H
#define FAULT_H

#include <stdatomic.h>

/* A file that both map: FAULT_CONTROL. */
struct fault_control {
	/* The call to fail, counted down from when it was set; 0: none. */
	atomic_int countdown;
	/*
	 * What it fails with; 0: the process is killed instead of making it;
	 * below: it gets that signal before.
	 */
	atomic_int error;
	/* Only calls that change something count. */
	atomic_int changes_only;
	/* Which it was. */
	char name[32];
};

#endif
