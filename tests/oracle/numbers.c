/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers, hashes, and options' text. */
#include "oracle.h"

#include <string.h>

uint64_t rng_next(struct rng *rng)
{
	/* splitmix64, by Sebastiano Vigna, in the public domain */
	uint64_t value = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)((rng_next(rng) >> 32) * bound >> 32);
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Is it in a list by commas? */
bool named_in(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list != NULL && *list != '\0') {
		size_t item = strcspn(list, ",");

		if (item == length && strncmp(list, name, length) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

bool parse_number(const char *text, const char **ret_end, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t value = 0;

	if (negative)
		text++;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (value > (uint64_t)INT64_MAX / 10 - 1)
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*ret = negative ? -(int64_t)value : (int64_t)value;
	*ret_end = text;
	return true;
}
