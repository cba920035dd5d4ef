/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/override_stat.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MODE_MAX UINT32_C(0177777)

/* A part of the text, not NUL-terminated. */
struct field {
	const char *text;
	size_t len;
};

/* Take the text up to the next colon; false: there is no further field. */
static bool next_field(struct field *rest, struct field *ret)
{
	const char *colon;

	if (rest->text == NULL)
		return false;
	ret->text = rest->text;
	colon = memchr(rest->text, ':', rest->len);
	if (colon == NULL) {
		ret->len = rest->len;
		rest->text = NULL;
		rest->len = 0;
	} else {
		ret->len = (size_t)(colon - rest->text);
		rest->len -= ret->len + 1;
		rest->text = colon + 1;
	}
	return true;
}

/* Digits only, at least one; leading zeros do not count towards `max`. */
static int parse_number(const struct field *field, uint32_t base, uint32_t max,
			uint32_t *ret)
{
	uint32_t value = 0;

	if (field->len == 0)
		return -EINVAL;
	for (size_t i = 0; i < field->len; i++) {
		/* Unsigned: what comes before '0' is a digit too large. */
		uint32_t digit = (uint32_t)(field->text[i] - '0');

		if (digit >= base || value > (max - digit) / base)
			return -EINVAL;
		value = value * base + digit;
	}
	*ret = value;
	return 0;
}

/* A number, or `x` for one that the writer did not know. */
static int parse_known(const struct field *field, uint32_t base, uint32_t max,
		       bool *ret_known, uint32_t *ret)
{
	int r;

	if (field->len == 1 && field->text[0] == 'x') {
		*ret_known = false;
		return 0;
	}
	r = parse_number(field, base, max, ret);
	if (r == 0)
		*ret_known = true;
	return r;
}

int override_stat_parse(const char *text, size_t len, struct override_stat *ret)
{
	struct override_stat parsed = { 0 };
	struct field rest;
	struct field fields[3];
	struct field further;
	uint32_t mode = 0;
	int r;

	if (len > 0 && (text[len - 1] == '\0' || text[len - 1] == '\n'))
		len--;
	if (len == 0)
		return -EINVAL;
	rest = (struct field){ .text = text, .len = len };
	for (size_t i = 0; i < 3; i++) {
		if (!next_field(&rest, &fields[i]))
			return -EINVAL;
	}
	/* TYPE and what newer writers may add: only that it is not empty. */
	while (next_field(&rest, &further)) {
		if (further.len == 0)
			return -EINVAL;
	}
	r = parse_known(&fields[0], 10, ID_NONE - 1, &parsed.has_uid,
			&parsed.uid.value);
	if (r < 0)
		return r;
	r = parse_known(&fields[1], 10, ID_NONE - 1, &parsed.has_gid,
			&parsed.gid.value);
	if (r < 0)
		return r;
	r = parse_known(&fields[2], 8, MODE_MAX, &parsed.has_mode, &mode);
	if (r < 0)
		return r;
	parsed.mode = (mode_t)(mode & 07777);
	*ret = parsed;
	return 0;
}

/* As containers/storage names them; its device numbers are not kept here. */
static const char *type_name(mode_t file_type)
{
	switch (file_type & S_IFMT) {
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char-0-0";
	case S_IFBLK:
		return "block-0-0";
	default:
		return "file";
	}
}

/* Room for ten digits and a NUL. */
#define ID_TEXT_MAX 11

static void format_id(bool known, struct container_id id, char buf[ID_TEXT_MAX])
{
	if (known)
		(void)snprintf(buf, ID_TEXT_MAX, "%u", id.value);
	else
		memcpy(buf, "x", sizeof("x"));
}

size_t override_stat_format(const struct override_stat *record,
			    mode_t file_type, char buf[OVERRIDE_STAT_MAX])
{
	char uid[ID_TEXT_MAX];
	char gid[ID_TEXT_MAX];
	char mode[ID_TEXT_MAX] = "x";

	format_id(record->has_uid, record->uid, uid);
	format_id(record->has_gid, record->gid, gid);
	if (record->has_mode)
		(void)snprintf(mode, sizeof(mode), "%04o",
			       (unsigned int)(record->mode & 07777));
	/* 10 + 10 + 4 digits, 3 colons and the longest type: 36 at most. */
	return (size_t)snprintf(buf, OVERRIDE_STAT_MAX, "%s:%s:%s:%s", uid, gid,
				mode, type_name(file_type));
}
