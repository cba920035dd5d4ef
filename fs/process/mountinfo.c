/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"

/* The id is the number that begins the line. */
static bool line_has_id(const char *line, uint64_t mount_id)
{
	uint64_t id;

	return number_parse(line, strcspn(line, " "), UINT64_MAX, &id) == 0 &&
	       id == mount_id;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Spaces, tabs, newlines and backslashes are \ooo. */
static char take_character(const char **text)
{
	const char *t = *text;

	if (t[0] != '\\' || !is_octal(t[1]) || !is_octal(t[2]) ||
	    !is_octal(t[3])) {
		*text += 1;
		return t[0];
	}
	*text += 4;
	return (char)((t[1] - '0') * 64 + (t[2] - '0') * 8 + (t[3] - '0'));
}

/* A field up to the next space, and past that. */
static int take_field(const char **text, char *buf, size_t size)
{
	const char *end = *text + strcspn(*text, " \n");
	size_t len = 0;

	while (*text < end) {
		if (len + 1 >= size)
			return -ERANGE;
		buf[len++] = take_character(text);
	}
	buf[len] = '\0';
	*text += **text == ' ';
	return 0;
}

/* Of the options of the file system, which end the line. */
static uid_t user_of(const char *options)
{
	static const char name[] = "user_id=";
	const char *found = strstr(options, name);
	uint64_t user;

	if (found == NULL || (found != options && found[-1] != ','))
		return 0;
	found += sizeof(name) - 1;
	if (number_parse(found, strcspn(found, ",\n"), UINT32_MAX, &user) < 0)
		return 0;
	return (uid_t)user;
}

/* Before the mount point: the mount, its parent, the device, the root in it. */
#define FIELDS_BEFORE_POINT 4

static int take_point(const char *line, struct mountinfo *ret)
{
	for (int i = 0; i < FIELDS_BEFORE_POINT; i++) {
		line += strcspn(line, " \n");
		line += *line == ' ';
	}
	return take_field(&line, ret->point, sizeof(ret->point));
}

static int parse(const char *line, struct mountinfo *ret)
{
	const char *text = strstr(line, " - ");
	int r = take_point(line, ret);

	if (text == NULL)
		return -ENOENT;
	text += 3;
	if (r == 0)
		r = take_field(&text, ret->type, sizeof(ret->type));
	if (r == 0)
		r = take_field(&text, ret->source, sizeof(ret->source));
	if (r == 0)
		ret->user = user_of(text);
	return r;
}

int mountinfo_find(const char *file, uint64_t mount_id, struct mountinfo *ret)
{
	_cleanup_file_ FILE *stream = fopen(file, "re");
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	int r = -ENOENT;

	if (stream == NULL)
		return -errno;
	while (r == -ENOENT && getline(&line, &capacity, stream) > 0)
		if (line_has_id(line, mount_id))
			r = parse(line, ret);
	return r;
}
