/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of idshift doctor: its checks, by theme, and what they report to. */
#ifndef IDSHIFT_TOOL_DOCTOR_H
#define IDSHIFT_TOOL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct doctor {
	const char *source; /* NULL: not given */
	char *user;	    /* NULL: the uid has no name */
	uid_t uid;
	gid_t gid;
	bool child_userns; /* inside podman unshare, say */
	bool all_well;
};

/* One line: what was looked at, and what was found. */
void doctor_ok(struct doctor *doctor, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* It works with a limit, which is named with the remedy. */
void doctor_warn(struct doctor *doctor, const char *what, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));
/* What is wrong, and the remedy. */
void doctor_fail(struct doctor *doctor, const char *what, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));

/* setuid root, or file capabilities: a user gets rights by running it. */
bool doctor_is_privileged(const char *path);

void doctor_check_fuse(struct doctor *doctor);
void doctor_check_ids(struct doctor *doctor);
void doctor_check_userns(struct doctor *doctor);
void doctor_check_state(struct doctor *doctor);
void doctor_check_source(struct doctor *doctor);
void doctor_check_podman(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);

#endif
