/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modes that chmod(1) takes: octal, or [ugoa]*[-+=][rwxXst]* and
 * [ugoa]*[-+=][ugo], several operators in one, or [-+=][0-7]+; several at
 * commas.  Pure.
 */
#ifndef IDSHIFT_SYMBOLIC_MODE_H
#define IDSHIFT_SYMBOLIC_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SYMBOLIC_MODE_MAX_STEPS 64

/* One operator with what is right of it. */
struct symbolic_mode_step {
	char op;	  /* '+', '-', '=' */
	char copy;	  /* 'u', 'g', 'o': that class's bits as they are */
	bool search;	  /* X */
	mode_t who;	  /* what it may change; 0: all but the umask's */
	mode_t bits;	  /* spread over all classes */
	mode_t mentioned; /* setuid and setgid, if they are meant */
};

struct symbolic_mode {
	struct symbolic_mode_step steps[SYMBOLIC_MODE_MAX_STEPS];
	size_t count;
};

/* -EINVAL: no such mode; *ret is untouched then. */
int symbolic_mode_parse(const char *text, struct symbolic_mode *ret);

/*
 * The mode afterwards, 0..07777.  `mode` is that of the object with its
 * S_IFMT.  As in GNU's chmod(1) a directory keeps setuid and setgid unless
 * they are named, or given in five octal digits or more.
 */
mode_t symbolic_mode_apply(const struct symbolic_mode *change, mode_t mode,
			   mode_t umask);

#endif
