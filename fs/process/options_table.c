/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each option: its name, its field, and how its value is read. */
#include "options_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/number.h"

#define TIMEOUT_MAX 31536000 /* a year */

static void *field_of(struct options *options, const struct option_def *def)
{
	return (char *)options + def->offset;
}

static int set_flag(struct options *options, const struct option_def *def,
		    const char *value, struct error *error)
{
	bool *field = field_of(options, def);

	(void)value;
	(void)error;
	*field = def->flag_value;
	return 0;
}

static int set_choice(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	/* gcc and clang: an enum without negative values is an unsigned int. */
	unsigned int *field = field_of(options, def);
	char list[64] = "";
	size_t len = 0;

	for (unsigned int i = 0; def->choices[i] != NULL; i++) {
		const char *word = def->choices[i];
		const char *link = def->choices[i + 1] == NULL ? " or " : ", ";

		if (strcmp(word, value) == 0) {
			*field = i;
			return 0;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i == 0 ? "" : link, word);
	}
	return error_set(error, EXIT_STATUS_USAGE, "%s '%s': must be %s",
			 def->name, value, list);
}

static int set_number(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	unsigned int *field = field_of(options, def);
	uint64_t number;

	if (number_parse(value, strlen(value), def->max, &number) < 0 ||
	    number < def->min)
		return error_set(error, EXIT_STATUS_USAGE,
				 "%s '%s': must be %u..%u", def->name, value,
				 (unsigned int)def->min,
				 (unsigned int)def->max);
	*field = (unsigned int)number;
	return 0;
}

/* Seconds with at most nine decimals. */
static int set_seconds(struct options *options, const struct option_def *def,
		       const char *value, struct error *error)
{
	double *field = field_of(options, def);
	size_t whole_len = strcspn(value, ".");
	const char *decimals = value + whole_len;
	uint64_t whole;
	uint64_t part = 0;
	double scale = 1;
	int r = number_parse(value, whole_len, TIMEOUT_MAX, &whole);

	if (r == 0 && *decimals == '.') {
		decimals++;
		r = number_parse(decimals, strlen(decimals), 999999999, &part);
		for (size_t i = 0; r == 0 && decimals[i] != '\0'; i++)
			scale *= 10;
	}
	if (r < 0)
		return error_set(error, EXIT_STATUS_USAGE,
				 "%s '%s': must be seconds, 0..%d, such as 1 "
				 "or 0.5",
				 def->name, value, TIMEOUT_MAX);
	*field = (double)whole + (double)part / scale;
	return 0;
}

static int set_string(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	char **field = field_of(options, def);
	char *copy;

	if (*value == '\0')
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '%s': its value is empty", def->name);
	copy = strdup(value);
	if (copy == NULL)
		return error_no_memory(error);
	free(*field);
	*field = copy;
	return 0;
}

static int add_string(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	struct string_list *list = field_of(options, def);
	char **items;

	if (list->count == STRING_LIST_MAX)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '%s': given more than %d times",
				 def->name, STRING_LIST_MAX);
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (items == NULL)
		return error_no_memory(error);
	list->items = items;
	items[list->count] = strdup(value);
	if (items[list->count] == NULL)
		return error_no_memory(error);
	list->count++;
	return 0;
}

static int set_map(struct options *options, const struct option_def *def,
		   const char *value, struct error *error)
{
	struct mapspec ignored;
	int r = mapspec_parse_map(value, NULL, &ignored, error);

	return r < 0 ? r : add_string(options, def, value, error);
}

static int set_owner(struct options *options, const struct option_def *def,
		     const char *value, struct error *error)
{
	int r = mapspec_parse_owner(value, &options->owner_uid,
				    &options->owner_gid, error);

	(void)def;
	if (r == 0)
		options->has_owner = true;
	return r;
}

static int set_unmapped(struct options *options, const struct option_def *def,
			const char *value, struct error *error)
{
	(void)def;
	return mapspec_parse_unmapped(value, &options->unmapped, error);
}

static int set_caller(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	struct mapspec_caller caller;
	int r = mapspec_parse_caller(value, &caller, error);

	(void)def;
	if (r < 0)
		return r;
	mapspec_caller_destroy(&options->caller);
	options->caller = caller;
	options->has_caller = true;
	return 0;
}

static int set_userns(struct options *options, const struct option_def *def,
		      const char *value, struct error *error)
{
	static const struct {
		const char *word;
		enum userns_mode mode;
	} words[] = {
		{ "auto", USERNS_AUTO },
		{ "host", USERNS_HOST },
		{ "nomap", USERNS_NOMAP },
		{ "podman", USERNS_PODMAN },
	};
	const size_t word_count = sizeof(words) / sizeof(words[0]);
	uint64_t pid;
	size_t i = 0;
	int r;

	while (i < word_count && strcmp(words[i].word, value) != 0)
		i++;
	if (i < word_count) {
		options->userns = words[i].mode;
	} else if (strncmp(value, "pid:", 4) == 0) {
		if (number_parse(value + 4, strlen(value + 4), INT32_MAX,
				 &pid) < 0 ||
		    pid == 0)
			return error_set(error, EXIT_STATUS_MAP,
					 "userns '%s': pid must be 1..%d",
					 value, INT32_MAX);
		options->pid = (pid_t)pid;
		options->userns = USERNS_PID;
	} else if (strncmp(value, "keep-id", 7) == 0 &&
		   (value[7] == '\0' || value[7] == ':')) {
		r = podman_keep_id_parse(value, &options->keep_id, error);
		if (r < 0)
			return r;
		options->userns = USERNS_KEEP_ID;
	} else {
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': must be auto, host, keep-id, "
				 "nomap, pid:PID or podman",
				 value);
	}
	return set_string(options, def, value, error);
}

static const char *const cache_words[] = { "auto", "none", "always", NULL };
static const char *const chown_words[] = { "record", "disk", "ignore", "deny",
					   NULL };
static const char *const locks_words[] = { "host", "local", NULL };
static const char *const passthrough_words[] = { "auto", "off", NULL };
static const char *const sandbox_words[] = { "on", "off", NULL };
static const char *const xattr_words[] = { "rw", "none", NULL };

#define FIELD(name) offsetof(struct options, name)
#define FLAG(text, field, value)                                         \
	{                                                                \
		.name = (text), .set = set_flag, .offset = FIELD(field), \
		.flag = true, .flag_value = (value)                      \
	}
#define LONG_FLAG(text, field)                                           \
	{                                                                \
		.name = (text), .set = set_flag, .offset = FIELD(field), \
		.flag = true, .flag_value = true, .long_only = true      \
	}
#define VALUE(text, setter, field)                                      \
	{                                                               \
		.name = (text), .set = (setter), .offset = FIELD(field) \
	}
#define CHOICE(text, field, words)                                         \
	{                                                                  \
		.name = (text), .set = set_choice, .offset = FIELD(field), \
		.choices = (words)                                         \
	}
#define NUMBER(text, field, least, most)                                   \
	{                                                                  \
		.name = (text), .set = set_number, .offset = FIELD(field), \
		.min = (least), .max = (most)                              \
	}

static const struct option_def definitions[] = {
	VALUE("userns", set_userns, userns_text),
	VALUE("uidmap", add_string, uidmap),
	VALUE("gidmap", add_string, gidmap),
	VALUE("map", set_map, map),
	VALUE("owner", set_owner, owner_uid),
	VALUE("unmapped", set_unmapped, unmapped),
	CHOICE("chown", chown, chown_words),
	VALUE("caller", set_caller, caller),
	VALUE("run-as", set_string, run_as),
	VALUE("state", set_string, state),
	VALUE("trace", set_string, trace),
	VALUE("resume", set_string, resume),
	FLAG("public", public_mount, true),
	FLAG("ro", read_only, true),
	FLAG("rw", read_only, false),
	FLAG("noexec", noexec, true),
	FLAG("exec", noexec, false),
	CHOICE("xattr", xattr, xattr_words),
	CHOICE("cache", cache, cache_words),
	CHOICE("locks", locks, locks_words),
	CHOICE("sandbox", sandbox, sandbox_words),
	CHOICE("passthrough", passthrough, passthrough_words),
	VALUE("attr_timeout", set_seconds, attr_timeout),
	VALUE("entry_timeout", set_seconds, entry_timeout),
	VALUE("negative_timeout", set_seconds, negative_timeout),
	NUMBER("threads", threads, 1, 256),
	NUMBER("max_fds", max_fds, 16, 1048576),
	LONG_FLAG("json", json),
	LONG_FLAG("foreground", foreground),
	LONG_FLAG("debug", debug),
};

const struct option_def *option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]);
	     i++) {
		const struct option_def *def = &definitions[i];

		if (strlen(def->name) == len &&
		    memcmp(def->name, name, len) == 0)
			return def;
	}
	return NULL;
}
