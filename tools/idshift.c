/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift: see, change and reproduce what containers see in a mount. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "idshift/descriptors.h"
#include "idshift/error.h"

#include "idshift/command.h"

static const struct command *const commands[] = {
	&command_map,	&command_stat,	  &command_chown, &command_chmod,
	&command_clear, &command_explain, &command_run,	  &command_doctor,
};

static const size_t command_count = sizeof(commands) / sizeof(commands[0]);

static void print_help(FILE *out)
{
	(void)fputs("usage: idshift SUBCOMMAND [ARGUMENTS]\n"
		    "       idshift help [SUBCOMMAND] | --version\n"
		    "\n",
		    out);
	for (size_t i = 0; i < command_count; i++)
		(void)fprintf(out, "  %-8s  %s\n", commands[i]->name,
			      commands[i]->summary);
	(void)fputs("\nEach has --help; idshift(1) says more.\n", out);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	struct error error;

	(void)error_set(&error, EXIT_STATUS_USAGE,
			"subcommand '%.100s': unknown; see 'idshift help'",
			name);
	(void)fprintf(stderr, "idshift: %s\n", error.text);
	return error.exit_code;
}

static int help(const char *name)
{
	const struct command *command;

	if (name == NULL) {
		print_help(stdout);
		return 0;
	}
	command = find(name);
	if (command == NULL)
		return unknown(name);
	(void)fputs(command->help, stdout);
	return 0;
}

static bool is_any(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char *argv[])
{
	const struct command *command;

	descriptors_open_standard();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_STATUS_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || is_any(argv[1], "--help", "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	if (is_any(argv[1], "--version", "-V")) {
		(void)puts("idshift " IDSHIFT_VERSION);
		return 0;
	}
	command = find(argv[1]);
	if (command == NULL)
		return unknown(argv[1]);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return help(command->name);
	return command->run(argc - 1, argv + 1);
}
