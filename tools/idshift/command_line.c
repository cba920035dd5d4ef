/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/options.h"

/* Writable, as an argv is, but never written to. */
static char program[] = "idshift";
static char print_map[] = "--print-map";

struct reader {
	int argc;
	char *const *argv;
	int next;
	const struct command_option *options;
	struct command_line *line;
	struct error *error;
};

static void add_mount_word(struct reader *reader, char *word)
{
	reader->line->mount_argv[reader->line->mount_argc++] = word;
}

static void add_operand(struct reader *reader, char *word)
{
	reader->line->operands[reader->line->operand_count++] = word;
}

/*
 * Does idshift-mount's option stand for itself?  One that it doesn't know
 * doesn't either: the parser refuses it later, whatever follows it.
 */
static bool is_mount_flag(char *word)
{
	char *argv[] = { program, print_map, word, NULL };
	struct options options;

	if (options_parse(3, argv, &options, NULL) < 0)
		return false;
	options_destroy(&options);
	return true;
}

static int needs_value(struct reader *reader, const char *word)
{
	return error_set(reader->error, EXIT_STATUS_USAGE,
			 "option '%s': needs a value", word);
}

/* An option of idshift-mount; its value may be the next word. */
static int read_mount_option(struct reader *reader, char *word)
{
	bool has_value = word[1] == '-' ? strchr(word, '=') != NULL ||
						  is_mount_flag(word) :
					  word[2] != '\0';

	add_mount_word(reader, word);
	if (has_value)
		return 0;
	if (reader->next == reader->argc)
		return word[1] == '-' ? 0 : needs_value(reader, word);
	add_mount_word(reader, reader->argv[reader->next++]);
	return 0;
}

static int read_long(struct reader *reader, char *word)
{
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] == '=' ? word + 3 + len : NULL;
	size_t i = 0;

	for (const struct command_option *o = reader->options;
	     o->name != NULL || o->letter != '\0'; o++, i++) {
		if (o->name == NULL || strlen(o->name) != len ||
		    memcmp(o->name, word + 2, len) != 0)
			continue;
		if (o->kind == OPTION_FLAG && value != NULL)
			return error_set(reader->error, EXIT_STATUS_USAGE,
					 "option '%s': takes no value", word);
		if (o->kind == OPTION_VALUE && value == NULL) {
			if (reader->next == reader->argc)
				return needs_value(reader, word);
			value = reader->argv[reader->next++];
		}
		reader->line->values[i] = value != NULL ? value : "";
		return 0;
	}
	return read_mount_option(reader, word);
}

/* -Rh in one word. */
static int read_letters(struct reader *reader, char *word)
{
	if (word[1] == 'o')
		return read_mount_option(reader, word);
	for (const char *p = word + 1; *p != '\0'; p++) {
		size_t i = 0;

		while (reader->options[i].letter != *p &&
		       (reader->options[i].name != NULL ||
			reader->options[i].letter != '\0'))
			i++;
		if (reader->options[i].letter != *p)
			return error_set(reader->error, EXIT_STATUS_USAGE,
					 "option '-%c': unknown", *p);
		reader->line->values[i] = "";
	}
	return 0;
}

static int read_words(struct reader *reader, bool (*is_operand)(const char *))
{
	bool only_operands = false;
	int r = 0;

	while (r == 0 && reader->next < reader->argc) {
		char *word = reader->argv[reader->next++];

		if (only_operands || word[0] != '-' || word[1] == '\0' ||
		    (is_operand != NULL && is_operand(word)))
			add_operand(reader, word);
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else if (word[1] == '-')
			r = read_long(reader, word);
		else
			r = read_letters(reader, word);
	}
	return r;
}

int command_line_parse(int argc, char *const argv[],
		       const struct command_option *options,
		       bool (*is_operand)(const char *word),
		       struct command_line *ret, struct error *error)
{
	size_t room = (size_t)argc + 3;
	struct command_line line = {
		.operands = calloc(room, sizeof(char *)),
		.mount_argv = calloc(room, sizeof(char *)),
	};
	struct reader reader = {
		.argc = argc,
		.argv = argv,
		.next = 1,
		.options = options,
		.line = &line,
		.error = error,
	};
	int r;

	if (line.operands == NULL || line.mount_argv == NULL) {
		command_line_destroy(&line);
		return error_no_memory(error);
	}
	add_mount_word(&reader, program);
	add_mount_word(&reader, print_map);
	r = read_words(&reader, is_operand);
	if (r < 0) {
		command_line_destroy(&line);
		return r;
	}
	*ret = line;
	return 0;
}

void command_line_destroy(struct command_line *line)
{
	free(line->operands);
	free(line->mount_argv);
	*line = (struct command_line){ 0 };
}
