/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What went wrong, for the user: one line without the program's name or a
 * final dot (what, which value, why, the remedy) and the program's exit code.
 */
#ifndef IDSHIFT_ERROR_H
#define IDSHIFT_ERROR_H

/* Stable and documented in idshift-mount(8). */
enum exit_status {
	EXIT_STATUS_OTHER = 1,
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_MAP = 3,
	EXIT_STATUS_SOURCE = 4,
	EXIT_STATUS_MOUNTPOINT = 5,
	EXIT_STATUS_FUSE = 6, /* FUSE unavailable or allow_other refused */
};

struct error {
	int exit_code;
	char text[1024];
};

/*
 * Set the error and return -EINVAL, so that a function can end in
 * `return error_set(...)`.  Control characters become '?': the user's text in
 * a message can't break the line.  error: NULL to have only the return value.
 */
int error_set(struct error *error, enum exit_status status, const char *format,
	      ...) __attribute__((format(printf, 3, 4)));

/* The same for "out of memory", but -ENOMEM. */
int error_no_memory(struct error *error);

#endif
