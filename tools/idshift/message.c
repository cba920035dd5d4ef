/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"

void print_clean(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		(void)fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

void print_quoted(FILE *out, const char *text)
{
	(void)fputc('\'', out);
	print_clean(out, text);
	(void)fputc('\'', out);
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
