/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace=: a line for each denied request, as text or as a JSON object.  Where
 * lines could not be written, as a pipe's reader had stalled or the disk was
 * full, the next one that can be is preceded by their number.
 */
#ifndef IDSHIFT_TRACE_H
#define IDSHIFT_TRACE_H

#include "ops.h"

struct denial {
	const char *op;
	const struct node_ref *where;
	const char *name; /* in that directory; NULL: itself */
	int error;	  /* -EACCES, -EPERM, ... */
	const char *reason;
};

/* Nothing without trace=; that it can't be written is nobody's error. */
void trace_denial(const struct filesystem *fs, const struct denial *denial);

#endif
