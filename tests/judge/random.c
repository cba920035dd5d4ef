/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random ids, modes, names and ACLs, all from one number. */
#include "callers.h"

#include <string.h>

uint64_t random_state;
static const unsigned int ids[] = { 0, 1000, 1001, 1002, 3000 };

uint32_t below(uint32_t bound)
{
	/* splitmix64, by Sebastiano Vigna, in the public domain */
	uint64_t value = random_state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((value ^ (value >> 31)) >> 33) % bound;
}

unsigned int any_id(void)
{
	return ids[below(5)];
}

unsigned int any_mode(bool dir)
{
	static const unsigned int dirs[] = { 0777,  0755,  0750,  0700,	 0711,
					     0733,  0000,  01777, 01775, 02775,
					     02770, 03777, 0070,  0007 };
	static const unsigned int files[] = { 0644,  0664,  0666, 0600,	 0400,
					      0000,  0755,  0711, 04755, 02755,
					      06777, 02644, 0060, 0006 };

	if (below(4) == 0)
		return below(010000);
	return dir ? dirs[below(14)] : files[below(14)];
}

static void any_name(char *name, const char *types)
{
	name[0] = types[below((uint32_t)strlen(types))];
	name[1] = (char)('0' + below(4));
	name[2] = '\0';
}

/* Mostly of what was made: d0/e1/f2.  `types`: of its last component. */
void any_path(char *path, const char *types)
{
	uint32_t depth = below(8);

	path[0] = '\0';
	if (depth > 1) {
		any_name(path, "ddddddddl");
		path += 2;
		*path++ = '/';
	}
	if (depth > 5) {
		any_name(path, "e");
		path[1] = (char)('0' + below(2));
		path += 2;
		*path++ = '/';
	}
	any_name(path, types);
	if (guarded && path[0] == 'l')
		path[0] = 'p';
}

size_t any_acl(char *blob, bool minimal)
{
	static const uint16_t tags[] = { 1, 2, 2, 4, 8, 8, 0x10, 0x20 };
	unsigned int first = below(3), second = 3 + below(2);
	size_t used = 4;

	memcpy(blob, "\2\0\0\0", 4);
	for (size_t i = 0; i < 8; i++) {
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry = { tags[i], (uint16_t)below(8), UINT32_MAX };

		if (minimal && tags[i] != 1 && tags[i] != 4 && tags[i] != 0x20)
			continue;
		if (tags[i] == 0x10 && below(3) > 0)
			entry.perm = 7;
		if (tags[i] == 2 || tags[i] == 8)
			entry.id = ids[tags[i - 1] == tags[i] ? second : first];
		memcpy(blob + used, &entry, sizeof(entry));
		used += sizeof(entry);
	}
	return used;
}
