/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "idshift/cleanup.h"

#define NAME_ROOM (PATH_MAX + NAME_MAX + 2)

static void object_path(const struct denial *denial, char path[NAME_ROOM])
{
	size_t len;

	node_path(denial->where, path, PATH_MAX);
	if (denial->name == NULL)
		return;
	len = strlen(path);
	(void)snprintf(path + len, NAME_ROOM - len, "%s%s",
		       path[1] != '\0' ? "/" : "", denial->name);
}

/* "1000:1000:2000", groups as caller= has them. */
static void caller_text(const struct access_caller *who, char *text,
			size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%u:%u", who->uid.value,
				       who->gid.value);

	for (size_t i = 0; i < who->group_count && size - used > 12; i++)
		used += (size_t)snprintf(text + used, size - used, ":%u",
					 who->groups[i].value);
}

/* What could end a line or drive a terminal, as \ooo. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f || c == '\\')
			fprintf(out, "\\%03o", c);
		else
			fputc(c, out);
	}
}

/* JSON is UTF-8; names needn't be. */
static json_t *json_name(char *text)
{
	json_t *string = json_string(text);

	if (string != NULL)
		return string;
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(text);
}

static void put_json(FILE *out, const struct access_caller *who,
		     const struct denial *denial, char *path)
{
	json_t *groups = json_array();
	json_t *line;

	for (size_t i = 0; i < who->group_count; i++)
		(void)json_array_append_new(groups,
					    json_integer(who->groups[i].value));
	line = json_pack(
		"{s:s,s:o,s:I,s:I,s:o,s:s,s:s}", "op", denial->op, "path",
		json_name(path), "uid", (json_int_t)who->uid.value, "gid",
		(json_int_t)who->gid.value, "groups", groups, "error",
		strerrorname_np(-denial->error), "reason", denial->reason);
	(void)json_dumpf(line, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(line);
}

void trace_denial(const struct filesystem *fs, const struct denial *denial)
{
	const struct access_caller *who = fs->config.judge;
	_cleanup_free_ char *line = NULL;
	char path[NAME_ROOM], caller[256];
	size_t len = 0;
	FILE *out;

	if (fs->config.trace_fd < 0 || who == NULL)
		return;
	out = open_memstream(&line, &len);
	if (out == NULL)
		return;
	object_path(denial, path);
	if (fs->config.trace_json) {
		put_json(out, who, denial, path);
	} else {
		caller_text(who, caller, sizeof(caller));
		fprintf(out, "%s ", denial->op);
		put_escaped(out, path);
		fprintf(out, " by %s: %s: %s", caller,
			strerrorname_np(-denial->error), denial->reason);
	}
	fputc('\n', out);
	/* One write, so that lines of several threads stay whole. */
	if (fclose(out) == 0 && write(fs->config.trace_fd, line, len) < 0)
		return;
}
