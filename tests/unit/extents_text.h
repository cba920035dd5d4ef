/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents as text, "from:to:count" joined by spaces: for tables of tests. */
#ifndef EXTENTS_TEXT_H
#define EXTENTS_TEXT_H

#include <stddef.h>

#include "idshift/extent_list.h"

/* Into a buffer of the library's own, good until the next call. */
const char *extents_text(const struct id_extent *extents, size_t count);
const char *extent_list_text(const struct extent_list *list);

/* The other way; the test fails on a malformed text. */
struct extent_list extents_read(const char *text);

#endif
