/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subcommand's words sorted into its own options, options of idshift-mount
 * (all that it does not know) and operands.  Options may stand behind
 * operands, as in GNU's tools; `--` ends them.
 */
#ifndef IDSHIFT_TOOL_COMMAND_LINE_H
#define IDSHIFT_TOOL_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "idshift/error.h"

enum option_kind {
	OPTION_FLAG,
	OPTION_VALUE,	 /* --name=VALUE or --name VALUE */
	OPTION_OPTIONAL, /* --name or --name=VALUE */
};

struct command_option {
	const char *name; /* NULL: only the letter */
	char letter;	  /* '\0': only the name */
	enum option_kind kind;
};

#define COMMAND_OPTIONS_MAX 8

/* All texts are argv's own. */
struct command_line {
	/* For each option: NULL when not given, "" for a flag. */
	const char *values[COMMAND_OPTIONS_MAX];
	char **operands;
	size_t operand_count;
	/* For options_parse(): argv[0], --print-map, then the options given. */
#define COMMAND_LINE_GIVEN 2
	char **mount_argv;
	int mount_argc;
};

/*
 * `options` ends at an entry without name and letter.  is_operand (may be
 * NULL): a word with a dash that is none the less an operand.
 * -EINVAL or -ENOMEM with a reason.
 */
int command_line_parse(int argc, char *const argv[],
		       const struct command_option *options,
		       bool (*is_operand)(const char *word),
		       struct command_line *ret, struct error *error);
void command_line_destroy(struct command_line *line);

#define _cleanup_command_line_ __attribute__((cleanup(command_line_destroy)))

#endif
