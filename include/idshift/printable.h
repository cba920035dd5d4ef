/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a terminal shows of others' text, and nothing that it acts on. */
#ifndef IDSHIFT_PRINTABLE_H
#define IDSHIFT_PRINTABLE_H

#include <stddef.h>

/*
 * Bytes of the character at `text`, which isn't at its end; 0: a control
 * character, be it one of U+0080 to U+009f, or no UTF-8.
 */
size_t printable_length(const char *text);

#endif
