/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "extents_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "idshift/number.h"

const char *extents_text(const struct id_extent *extents, size_t count)
{
	static char buf[4096];
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < count && len < sizeof(buf); i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len,
					"%s%u:%u:%u", i == 0 ? "" : " ",
					extents[i].from, extents[i].to,
					extents[i].count);
	assert_true(len < sizeof(buf));
	return buf;
}

const char *extent_list_text(const struct extent_list *list)
{
	return extents_text(list->items, list->count);
}

struct extent_list extents_read(const char *text)
{
	struct extent_list list = { 0 };

	while (*text != '\0') {
		uint32_t fields[3];

		for (int i = 0; i < 3; i++) {
			size_t len = strcspn(text, ": ");
			uint64_t value;

			assert_int_equal(
				number_parse(text, len, UINT32_MAX, &value), 0);
			fields[i] = (uint32_t)value;
			text += len;
			if (*text != '\0')
				text++;
		}
		assert_int_equal(extent_list_append(&list, fields[0], fields[1],
						    fields[2]),
				 0);
	}
	return list;
}
