/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tool says on standard error: one line each, "idshift COMMAND: ...".
 * Control characters in what users gave, and bytes that are no UTF-8, become
 * '?'.
 */
#ifndef IDSHIFT_TOOL_MESSAGE_H
#define IDSHIFT_TOOL_MESSAGE_H

#include <stdio.h>

#include <jansson.h>

#include "idshift/error.h"

/* 'TEXT', of any length. */
void print_quoted(FILE *out, const char *text);
/* TEXT alone. */
void print_clean(FILE *out, const char *text);

/*
 * For commands that a user may paste: one word to bash(1), and exactly TEXT,
 * whatever a container has put into it.  Bytes that a terminal wouldn't show
 * as they are become $'\ooo'.
 */
void print_shell_word(FILE *out, const char *text);
/* Likewise, a path that is never taken for an option. */
void print_shell_path(FILE *out, const char *path);

/* JSON is UTF-8, which names needn't be: a text that isn't has '?' for it. */
json_t *text_to_json(const char *text);

/* idshift COMMAND: 'PATH': REASON */
void complain_path(const char *command, const char *path, const char *reason);

/* idshift COMMAND: TEXT; the exit code to end with. */
int complain(const char *command, const struct error *error);

#endif
