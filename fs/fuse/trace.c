/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "idshift/printable.h"

#define NAME_ROOM (PATH_MAX + NAME_MAX + 2)

/* A slow reader is waited for so long; one that has stalled no more. */
#define READER_MS 1000

/* One process serves one mount, and has one trace. */
static struct {
	pthread_mutex_t lock;
	char *cut; /* a line that was cut short; NULL: none */
	size_t cut_size;
	size_t cut_done;
	unsigned long missing; /* lines since one was written */
	bool stalled;
} output = { .lock = PTHREAD_MUTEX_INITIALIZER };

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
	while (*text != '\0') {
		size_t len = *text != '\\' ? printable_length(text) : 0;

		if (len == 0)
			fprintf(out, "\\%03o", (unsigned char)*text);
		else
			(void)fwrite(text, 1, len, out);
		text += len > 0 ? len : 1;
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

/* After EAGAIN: is there room? */
static bool wait_for_reader(int fd)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };

	if (output.stalled)
		return false;
	output.stalled = poll(&out, 1, READER_MS) <= 0;
	return !output.stalled;
}

/* How much of it was written. */
static size_t push(int fd, const char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = write(fd, text + done, size - done);

		if (put > 0) {
			done += (size_t)put;
			output.stalled = false;
		} else if (put == 0 ||
			   (errno != EINTR &&
			    (errno != EAGAIN || !wait_for_reader(fd)))) {
			break;
		}
	}
	return done;
}

/* What of the last line is still to be written. */
static bool push_cut(int fd)
{
	if (output.cut == NULL)
		return true;
	output.cut_done += push(fd, output.cut + output.cut_done,
				output.cut_size - output.cut_done);
	if (output.cut_done < output.cut_size)
		return false;
	free(output.cut);
	output.cut = NULL;
	return true;
}

/*
 * Takes ownership of the line.  False: nothing of it was written.  What is cut
 * short is written to its end before anything else, so that lines stay whole.
 */
static bool push_line(int fd, char *line, size_t size)
{
	size_t done = push(fd, line, size);

	if (done == 0 || done == size) {
		free(line);
		return done > 0;
	}
	output.cut = line;
	output.cut_size = size;
	output.cut_done = done;
	return true;
}

static bool push_missing(int fd, bool json)
{
	char *line;
	int size;

	if (output.missing == 0)
		return true;
	size = asprintf(&line,
			json ? "{\"missing\":%lu}\n" :
			       "%lu denials are missing here: they could not "
			       "be written\n",
			output.missing);
	if (size < 0 || !push_line(fd, line, (size_t)size))
		return false;
	output.missing = 0;
	return true;
}

/*
 * A request waits for its line, so nobody may hold that up for long: the
 * descriptor doesn't block.  What can't be written is told when it can.
 */
static void put_line(const struct filesystem_config *config, char *line,
		     size_t size)
{
	const int fd = config->trace_fd;

	(void)pthread_mutex_lock(&output.lock);
	if (!push_cut(fd) || !push_missing(fd, config->trace_json) ||
	    !push_cut(fd)) {
		output.missing++;
		free(line);
	} else if (!push_line(fd, line, size)) {
		output.missing++;
	}
	(void)pthread_mutex_unlock(&output.lock);
}

void trace_denial(const struct filesystem *fs, const struct denial *denial)
{
	const struct access_caller *who = fs->config.judge;
	char path[NAME_ROOM], caller[256];
	char *line = NULL;
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
	if (fclose(out) == 0)
		put_line(&fs->config, line, len);
	else
		free(line);
}
