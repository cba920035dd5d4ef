/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/printable.h"

#include <stdint.h>

size_t printable_length(const char *text)
{
	/* By length: what is below is control characters or overlong. */
	static const uint32_t first[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	const unsigned char *t = (const unsigned char *)text;
	size_t len = t[0] < 0x80	   ? 1 :
		     (t[0] & 0xe0) == 0xc0 ? 2 :
		     (t[0] & 0xf0) == 0xe0 ? 3 :
		     (t[0] & 0xf8) == 0xf0 ? 4 :
					     0;
	uint32_t code = len < 2 ? t[0] : t[0] & (0x7fU >> len);

	for (size_t i = 1; i < len; i++) {
		if ((t[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (t[i] & 0x3f);
	}
	if (code < first[len] || code == 0x7f || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}
