/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/resume.h"
#include "options_table.h"

#define DEFAULT_THREADS 10
#define TIMEOUT_UNSET (-1.0)
/* cache=always: nobody else changes the source. */
#define TIMEOUT_ALWAYS 86400.0
#define NEGATIVE_TIMEOUT_AUTO 0.1

static int unknown(const char *name, size_t len, struct error *error)
{
	/* The second half of userns=keep-id:uid=U,gid=G. */
	if ((len == 3 &&
	     (memcmp(name, "gid", 3) == 0 || memcmp(name, "uid", 3) == 0)) ||
	    (len == 4 && memcmp(name, "size", 4) == 0))
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '%.*s': unknown; if it is part of "
				 "userns=, write its comma as '\\,' or use "
				 "--userns=VALUE",
				 (int)len, name);
	return error_set(error, EXIT_STATUS_USAGE,
			 "option '%.*s': unknown; see idshift-mount --help",
			 (int)(len < 200 ? len : 200), name);
}

/*
 * What mount(8), systemd and fstab(5) hand through without meaning us, and
 * what users of other FUSE programs say that always holds here: nosuid,
 * nodev, allow_other and default_permissions (so dev and suid change nothing).
 */
static bool is_noise(const char *item)
{
	static const char *const words[] = {
		"defaults",   "nofail",	     "_netdev",
		"auto",	      "noauto",	     "user",
		"nouser",     "users",	     "owner",
		"group",      "nosuid",	     "suid",
		"nodev",      "dev",	     "atime",
		"noatime",    "relatime",    "diratime",
		"norelatime", "nodiratime",  "lazytime",
		"nolazytime", "strictatime", "nostrictatime",
		"async",      "allow_other", "default_permissions",
		"silent",     "loud",	     "iversion",
		"noiversion", "mand",	     "nomand",
	};
	static const char *const prefixes[] = { "x-", "X-",
						"comment=", "user=" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(item, words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(item, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static int apply(struct options *options, const char *name, size_t len,
		 const char *value, bool in_o, struct error *error)
{
	const struct option_def *def = option_find(name, len);

	if (def == NULL || (in_o && def->long_only))
		return unknown(name, len, error);
	if (def->flag && value != NULL)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '%s': takes no value", def->name);
	if (!def->flag && value == NULL)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '%s': needs a value", def->name);
	return def->set(options, def, value, error);
}

/* One item of -o, its escapes undone. */
static int apply_item(struct options *options, const char *item,
		      struct error *error)
{
	size_t len = strcspn(item, "=");

	if (*item == '\0' || is_noise(item))
		return 0;
	return apply(options, item, len,
		     item[len] == '=' ? item + len + 1 : NULL, true, error);
}

static int apply_o(struct options *options, const char *text,
		   struct error *error)
{
	_cleanup_free_ char *item = malloc(strlen(text) + 1);
	size_t len = 0;

	if (item == NULL)
		return error_no_memory(error);
	for (;; text++) {
		int r;

		if (*text == '\\' && (text[1] == ',' || text[1] == '\\')) {
			item[len++] = *++text;
			continue;
		}
		if (*text != ',' && *text != '\0') {
			item[len++] = *text;
			continue;
		}
		item[len] = '\0';
		len = 0;
		r = apply_item(options, item, error);
		if (r < 0 || *text == '\0')
			return r;
	}
}

/* Where the reader is in argv. */
struct arguments {
	int argc;
	char *const *argv;
	int next;
};

static const char *next_argument(struct arguments *arguments)
{
	if (arguments->next >= arguments->argc)
		return NULL;
	return arguments->argv[arguments->next++];
}

/* Actions other than mounting; help and version win over all else. */
static bool apply_action(struct options *options, const char *name)
{
	static const struct {
		const char *name;
		enum options_action action;
	} actions[] = {
		{ "print-map", ACTION_PRINT_MAP },
		{ "help", ACTION_HELP },
		{ "version", ACTION_VERSION },
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		options->action = actions[i].action;
		return true;
	}
	return false;
}

static int apply_long(struct options *options, struct arguments *arguments,
		      const char *text, struct error *error)
{
	size_t len = strcspn(text, "=");
	const char *value = text[len] == '=' ? text + len + 1 : NULL;
	const struct option_def *def = option_find(text, len);

	if (apply_action(options, text))
		return 0;
	if (def != NULL && !def->flag && value == NULL)
		value = next_argument(arguments);
	return apply(options, text, len, value, false, error);
}

/* -fdVh in one word, or -o with its text behind it or as the next word. */
static int apply_short(struct options *options, struct arguments *arguments,
		       const char *text, struct error *error)
{
	for (; *text != '\0'; text++) {
		char name[] = { '-', *text, '\0' };

		switch (*text) {
		case 'f':
			options->foreground = true;
			break;
		case 'd':
			options->debug = true;
			break;
		case 'h':
			options->action = ACTION_HELP;
			return 0;
		case 'V':
			options->action = ACTION_VERSION;
			return 0;
		case 'o':
			text++;
			if (*text == '\0')
				text = next_argument(arguments);
			if (text == NULL)
				return error_set(error, EXIT_STATUS_USAGE,
						 "option '-o': needs a value");
			return apply_o(options, text, error);
		default:
			return unknown(name, 2, error);
		}
	}
	return 0;
}

static int apply_operand(struct options *options, const char *text,
			 struct error *error)
{
	char **place = options->source == NULL ? &options->source :
						 &options->mountpoint;

	if (*place != NULL)
		return error_set(error, EXIT_STATUS_USAGE,
				 "operand '%s': one too many; see "
				 "idshift-mount --help",
				 text);
	*place = strdup(text);
	return *place == NULL ? error_no_memory(error) : 0;
}

/* What only all options together show, and what follows from them. */
static int finish(struct options *options, struct error *error)
{
	double timeout = 1.0;

	if (options->json && options->action != ACTION_PRINT_MAP)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option 'json': only with --print-map");
	if (options->has_caller && options->userns != USERNS_HOST)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option 'caller': needs userns=host");
	if (options->trace != NULL && !options->has_caller)
		return error_set(error, EXIT_STATUS_USAGE,
				 "option 'trace': needs caller=; without it "
				 "the kernel judges, and tells nobody");
	if ((options->uidmap.count > 0 || options->gidmap.count > 0) &&
	    options->userns != USERNS_AUTO)
		return error_set(error, EXIT_STATUS_USAGE,
				 "userns '%s': not together with uidmap or "
				 "gidmap",
				 options->userns_text);
	if (options->action == ACTION_MOUNT && options->mountpoint == NULL)
		return error_set(error, EXIT_STATUS_USAGE,
				 "%s missing; see idshift-mount --help",
				 options->source == NULL ?
					 "SOURCE and MOUNTPOINT are" :
					 "MOUNTPOINT is");
	if (options->resume != NULL && options->action == ACTION_MOUNT &&
	    !resume_is_descriptor(options->mountpoint))
		return error_set(error, EXIT_STATUS_USAGE,
				 "option 'resume': MOUNTPOINT must be a "
				 "descriptor of the mount, /dev/fd/N");
	if (options->cache == CACHE_NONE)
		timeout = 0.0;
	else if (options->cache == CACHE_ALWAYS)
		timeout = TIMEOUT_ALWAYS;
	if (options->attr_timeout < 0)
		options->attr_timeout = timeout;
	if (options->entry_timeout < 0)
		options->entry_timeout = timeout;
	options->negative_given = options->negative_timeout >= 0;
	/* What the host makes is waited for more often than looked at again. */
	if (options->cache == CACHE_AUTO)
		timeout = NEGATIVE_TIMEOUT_AUTO < options->entry_timeout ?
				  NEGATIVE_TIMEOUT_AUTO :
				  options->entry_timeout;
	if (!options->negative_given)
		options->negative_timeout = timeout;
	if (options->debug)
		options->foreground = true;
	return 0;
}

static bool is_final(const struct options *options)
{
	return options->action == ACTION_HELP ||
	       options->action == ACTION_VERSION;
}

int options_parse(int argc, char *const argv[], struct options *ret,
		  struct error *error)
{
	struct options options = {
		.unmapped = CONTAINER_ID(ID_NONE),
		.threads = DEFAULT_THREADS,
		.attr_timeout = TIMEOUT_UNSET,
		.entry_timeout = TIMEOUT_UNSET,
		.negative_timeout = TIMEOUT_UNSET,
	};
	struct arguments arguments = { argc, argv, 1 };
	bool only_operands = false;
	const char *text;
	int r = 0;

	while (r == 0 && !is_final(&options) &&
	       (text = next_argument(&arguments)) != NULL) {
		if (only_operands || text[0] != '-' || text[1] == '\0')
			r = apply_operand(&options, text, error);
		else if (strcmp(text, "--") == 0)
			only_operands = true;
		else if (text[1] == '-')
			r = apply_long(&options, &arguments, text + 2, error);
		else
			r = apply_short(&options, &arguments, text + 1, error);
	}
	if (r == 0 && !is_final(&options))
		r = finish(&options, error);
	if (r < 0) {
		options_destroy(&options);
		return r;
	}
	*ret = options;
	return 0;
}

static void string_list_destroy(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void options_destroy(struct options *options)
{
	string_list_destroy(&options->uidmap);
	string_list_destroy(&options->gidmap);
	string_list_destroy(&options->map);
	mapspec_caller_destroy(&options->caller);
	free(options->source);
	free(options->mountpoint);
	free(options->userns_text);
	free(options->run_as);
	free(options->state);
	free(options->trace);
	free(options->resume);
	*options = (struct options){ 0 };
}
