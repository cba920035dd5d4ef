/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/stat.h>

#include "fuzz.h"
#include "idshift/override_stat.h"

static bool same(const struct override_stat *a, const struct override_stat *b)
{
	return a->has_uid == b->has_uid && a->has_gid == b->has_gid &&
	       a->has_mode == b->has_mode &&
	       (!a->has_uid || a->uid.value == b->uid.value) &&
	       (!a->has_gid || a->gid.value == b->gid.value) &&
	       (!a->has_mode || a->mode == b->mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR,  S_IFLNK, S_IFIFO,
					S_IFCHR, S_IFSOCK, S_IFBLK };
	struct override_stat first, again;
	char text[OVERRIDE_STAT_MAX];
	size_t len;

	if (override_stat_parse((const char *)data, size, &first) < 0)
		return 0;
	must(!first.has_uid || first.uid.value != ID_NONE);
	must(!first.has_gid || first.gid.value != ID_NONE);
	must(!first.has_mode || (first.mode & ~(mode_t)07777) == 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		len = override_stat_format(&first, types[i], text);
		must(len < sizeof(text) && strlen(text) == len);
		must(override_stat_parse(text, len, &again) == 0);
		must(same(&first, &again));
	}
	return 0;
}
