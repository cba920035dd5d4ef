/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands: one file each. */
#ifndef IDSHIFT_TOOL_COMMAND_H
#define IDSHIFT_TOOL_COMMAND_H

/* Run with argv[0] being the subcommand's name; returns the exit code. */
typedef int command_fn(int argc, char *const argv[]);

struct command {
	const char *name;
	command_fn *run;
	const char *summary; /* a line for the list */
	const char *help;    /* of SUBCOMMAND --help */
};

extern const struct command command_chmod;
extern const struct command command_chown;
extern const struct command command_clear;
extern const struct command command_doctor;
extern const struct command command_explain;
extern const struct command command_map;
extern const struct command command_run;
extern const struct command command_stat;

/* What the --help of those ends with that take map options. */
#define MAP_OPTIONS_HELP                                                 \
	"\n"                                                             \
	"Map options are those that SOURCE is mounted with: --userns=, " \
	"--uidmap=,\n"                                                   \
	"--gidmap=, --map=, --owner=, --unmapped=, --state= or -o "      \
	"NAME=VALUE; "                                                   \
	"see\n"                                                          \
	"idshift-mount(8).\n"

#endif
