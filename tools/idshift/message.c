/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/printable.h"

void print_clean(FILE *out, const char *text)
{
	while (*text != '\0') {
		size_t len = printable_length(text);

		(void)fwrite(len > 0 ? text : "?", 1, len > 0 ? len : 1, out);
		text += len > 0 ? len : 1;
	}
}

void print_quoted(FILE *out, const char *text)
{
	(void)fputc('\'', out);
	print_clean(out, text);
	(void)fputc('\'', out);
}

void print_shell_word(FILE *out, const char *text)
{
	(void)fputc('\'', out);
	while (*text != '\0') {
		size_t len = printable_length(text);

		/* Nothing but a quote means anything between quotes. */
		if (len == 0)
			(void)fprintf(out, "'$'\\%03o''", (unsigned char)*text);
		else if (*text == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fwrite(text, 1, len, out);
		text += len > 0 ? len : 1;
	}
	(void)fputc('\'', out);
}

void print_shell_path(FILE *out, const char *path)
{
	if (path[0] == '-')
		(void)fputs("./", out);
	print_shell_word(out, path);
}

json_t *text_to_json(const char *text)
{
	json_t *string = json_string(text);
	_cleanup_free_ char *plain = string == NULL ? strdup(text) : NULL;

	if (plain == NULL)
		return string;
	for (char *c = plain; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(plain);
}

void complain_path(const char *command, const char *path, const char *reason)
{
	(void)fprintf(stderr, "idshift %s: ", command);
	print_quoted(stderr, path);
	(void)fprintf(stderr, ": %s\n", reason);
}

int complain(const char *command, const struct error *error)
{
	(void)fprintf(stderr, "idshift %s: %s\n", command, error->text);
	return error->exit_code;
}
