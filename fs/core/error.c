/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/printable.h"

/* What is too long loses its middle: the reason and the remedy come last. */
static void fit(char *to, size_t size, const char *text)
{
	static const char gap[] = "...";
	size_t len = strlen(text), half = (size - sizeof(gap)) / 2;

	if (len < size) {
		memcpy(to, text, len + 1);
		return;
	}
	memcpy(to, text, half);
	memcpy(to + half, gap, sizeof(gap) - 1);
	memcpy(to + half + sizeof(gap) - 1, text + len - half, half + 1);
}

int error_set(struct error *error, enum exit_status status, const char *format,
	      ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	if (error == NULL)
		return -EINVAL;
	error->exit_code = (int)status;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	fit(error->text, sizeof(error->text), text != NULL ? text : format);
	for (char *p = error->text; *p != '\0';) {
		size_t len = printable_length(p);

		if (len == 0)
			*p = '?';
		p += len > 0 ? len : 1;
	}
	return -EINVAL;
}

int error_no_memory(struct error *error)
{
	(void)error_set(error, EXIT_STATUS_OTHER, "out of memory");
	return -ENOMEM;
}
