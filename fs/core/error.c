/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, enum exit_status status, const char *format,
	      ...)
{
	va_list arguments;

	if (error == NULL)
		return -EINVAL;
	error->exit_code = (int)status;
	va_start(arguments, format);
	if (vsnprintf(error->text, sizeof(error->text), format, arguments) < 0)
		error->text[0] = '\0';
	va_end(arguments);
	for (char *p = error->text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			*p = '?';
	}
	return -EINVAL;
}
