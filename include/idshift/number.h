/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decimal numbers as users write them: digits only, no sign, no space, no
 * other base; leading zeros are allowed, as Go's ParseUint (podman) does.
 */
#ifndef IDSHIFT_NUMBER_H
#define IDSHIFT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The greatest id: 4294967295 is never one (user_namespaces(7)). */
#define ID_MAX (UINT32_MAX - 1)

/*
 * Read the `len` bytes at `text` as a number of at most `max`.
 * -EINVAL: empty or not digits only.  -ERANGE: digits, but beyond `max`.
 */
int number_parse(const char *text, size_t len, uint64_t max, uint64_t *ret);

/* The same for an id, 0..ID_MAX. */
int number_parse_id(const char *text, size_t len, uint32_t *ret);

/* Not empty and digits only. */
bool number_is_digits(const char *text, size_t len);

#endif
