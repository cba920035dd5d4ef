/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift explain: would this call succeed in the container, and why not. */
#include "explain.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "idshift/cleanup.h"

#include "command.h"
#include "message.h"

enum { OPT_AS, OPT_CAP, OPT_SOURCE, OPT_JSON };

static const struct command_option options[] = {
	[OPT_AS] = { "as", '\0', OPTION_VALUE },
	[OPT_CAP] = { "cap", '\0', OPTION_OPTIONAL },
	[OPT_SOURCE] = { "source", '\0', OPTION_VALUE },
	[OPT_JSON] = { "json", '\0', OPTION_FLAG },
	{ NULL, '\0', OPTION_FLAG },
};

static const char *const operations[] = {
	[OP_READ] = "read",	    [OP_WRITE] = "write",
	[OP_EXEC] = "exec",	    [OP_LIST] = "list",
	[OP_TRAVERSE] = "traverse", [OP_CREATE] = "create",
	[OP_DELETE] = "delete",	    [OP_CHOWN] = "chown",
	[OP_CHMOD] = "chmod",
};

#define EXIT_DENIED 1

/* OP, or chown=U[:G] */
static int read_operation(const char *text, struct question *question,
			  struct error *error)
{
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]);
	     i++) {
		if (strlen(operations[i]) != len ||
		    memcmp(operations[i], text, len) != 0)
			continue;
		question->operation = (enum operation)i;
		if (text[len] == '\0')
			return 0;
		if (question->operation == OP_CHOWN)
			return owner_spec_parse(text + len + 1, "chown",
						&question->owner, error);
	}
	return error_set(error, EXIT_STATUS_USAGE,
			 "operation '%s': must be read, write, create, delete, "
			 "exec, chown, chown=U[:G], chmod, list or traverse",
			 text);
}

static int read_capability(const char *name, size_t len, unsigned int *caps)
{
	static const struct {
		const char *name;
		unsigned int caps;
	} names[] = {
		{ "all", ACCESS_CAP_ALL },
		{ "none", 0 },
		{ "chown", ACCESS_CAP_CHOWN },
		{ "dac_override", ACCESS_CAP_DAC_OVERRIDE },
		{ "dac_read_search", ACCESS_CAP_DAC_READ_SEARCH },
		{ "fowner", ACCESS_CAP_FOWNER },
		{ "fsetid", ACCESS_CAP_FSETID },
	};

	if (len > 4 && strncasecmp(name, "cap_", 4) == 0) {
		name += 4;
		len -= 4;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) != len ||
		    strncasecmp(names[i].name, name, len) != 0)
			continue;
		*caps |= names[i].caps;
		return 0;
	}
	return -EINVAL;
}

/* Names at commas.  text NULL: not given, what a container's user has. */
static int read_capabilities(const char *text, struct access_caller *caller,
			     struct error *error)
{
	unsigned int caps = 0;

	if (text == NULL || *text == '\0') {
		caller->caps = text != NULL || caller->uid.value == 0 ?
				       ACCESS_CAP_ALL :
				       0;
		return 0;
	}
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ",");

		if (read_capability(p, len, &caps) < 0)
			return error_set(error, EXIT_STATUS_USAGE,
					 "cap '%s': must be all, none, chown, "
					 "dac_override, dac_read_search, "
					 "fowner, fsetid, or several at commas",
					 text);
		p += len;
		if (*p == '\0')
			break;
	}
	caller->caps = caps;
	return 0;
}

/* --as U:G[:GROUP...], groups at colons or commas. */
static int read_caller(const char *text, struct mapspec_caller *ret,
		       struct error *error)
{
	_cleanup_free_ char *copy = strdup(text);

	if (copy == NULL)
		return error_no_memory(error);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == ',')
			*p = ':';
	if (mapspec_parse_caller(copy, ret, NULL) < 0)
		return error_set(error, EXIT_STATUS_USAGE,
				 "as '%s': must be U:G[:GROUP...], container "
				 "ids",
				 text);
	return 0;
}

/* `path` without `above`, which it begins with; NULL: it does not. */
static const char *below(const char *path, const char *above)
{
	size_t len = strlen(above);

	while (len > 0 && above[len - 1] == '/')
		len--;
	if (strncmp(path, above, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

/* A path as it is written, made absolute. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *cwd = NULL;
	char *joined;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL || asprintf(&joined, "%s/%s", cwd, path) < 0)
		return NULL;
	return joined;
}

/*
 * The part of PATH that is judged: below the source, which is the present
 * directory where none is given.
 */
static int relate(const char *source, const char *path, char **ret_rest,
		  struct error *error)
{
	_cleanup_free_ char *full = absolute(path), *real = NULL;
	_cleanup_free_ char *full_source = NULL;
	const char *rest = NULL;

	if (source == NULL) {
		if (path[0] == '/')
			return error_set(error, EXIT_STATUS_USAGE,
					 "'%s': name the source directory "
					 "with --source=DIR, and give the path "
					 "that it has there on the host",
					 path);
		rest = path;
	} else {
		full_source = absolute(source);
		real = realpath(source, NULL);
		rest = below(path, source);
		if (rest == NULL && full != NULL && full_source != NULL)
			rest = below(full, full_source);
		if (rest == NULL && full != NULL && real != NULL)
			rest = below(full, real);
	}
	if (rest == NULL && path[0] == '/')
		return error_set(error, EXIT_STATUS_USAGE,
				 "'%s': is not below the source '%s'; give "
				 "the path that it has on the host",
				 path, source);
	if (rest == NULL)
		return error_set(error, EXIT_STATUS_USAGE,
				 "'%s': is not below the source '%s'; did you "
				 "mean '%s/%s'?",
				 path, source, source, path);
	*ret_rest = strdup(rest);
	return *ret_rest == NULL ? error_no_memory(error) : 0;
}

/* The exit code is *ret_code; -EINVAL or -ENOMEM with a reason. */
static int answer(struct question *question, const struct command_line *line,
		  int *ret_code, struct error *error)
{
	const char *path = line->operands[1];
	const char *source = line->values[OPT_SOURCE];
	_cleanup_free_ char *rest = NULL;
	struct owner_spec self = { question->caller.uid, question->caller.gid };
	struct verdict verdict;
	struct way way;
	int r;

	r = owner_spec_check(&self, &question->target->policy, error);
	if (r == 0)
		r = owner_spec_check(&question->owner,
				     &question->target->policy, error);
	if (r == 0)
		r = relate(source, path, &rest, error);
	if (r < 0)
		return r;
	r = explain_walk(question, source != NULL ? source : ".", rest, &way,
			 &verdict, error);
	if (r == 0 && verdict.result == 0)
		explain_judge(question, &way, &verdict);
	if (r == 0) {
		*ret_code = verdict.result == 0 ? 0 : EXIT_DENIED;
		if (line->values[OPT_JSON] == NULL)
			explain_print(question, line->operands[0], path,
				      &verdict);
		else if (explain_print_json(question, line->operands[0], path,
					    &verdict) < 0)
			r = error_set(error, EXIT_STATUS_OTHER,
				      "the answer can't be written");
	}
	way_destroy(&way);
	return r;
}

static int read_question(const struct command_line *line,
			 struct mapspec_caller *caller,
			 struct question *question, struct error *error)
{
	int r;

	if (line->values[OPT_AS] == NULL || line->operand_count != 2)
		return error_set(error, EXIT_STATUS_USAGE,
				 "--as=U:G, OP and PATH are needed; see "
				 "'idshift explain --help'");
	r = read_operation(line->operands[0], question, error);
	if (r == 0)
		r = read_caller(line->values[OPT_AS], caller, error);
	if (r < 0)
		return r;
	question->caller = (struct access_caller){
		.uid = caller->uid,
		.gid = caller->gid,
		.groups = caller->groups,
		.group_count = caller->group_count,
	};
	question->options = line->mount_argv + COMMAND_LINE_GIVEN;
	question->option_count = (size_t)line->mount_argc - COMMAND_LINE_GIVEN;
	return read_capabilities(line->values[OPT_CAP], &question->caller,
				 error);
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_USAGE };
	struct mapspec_caller caller = { .groups = NULL };
	struct target target;
	struct question question = {
		.target = &target,
		.owner = { { ID_NONE }, { ID_NONE } },
	};
	int code = 0;
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0)
		r = read_question(&line, &caller, &question, &error);
	if (r == 0) {
		r = target_open(&line, &target, &error);
		if (r == 0) {
			r = answer(&question, &line, &code, &error);
			target_close(&target);
		}
	}
	mapspec_caller_destroy(&caller);
	if (r < 0) {
		(void)complain("explain", &error);
		return EXIT_STATUS_USAGE; /* 1 would mean: denied */
	}
	return fflush(stdout) != 0 ? EXIT_STATUS_USAGE : code;
}

const struct command command_explain = {
	.name = "explain",
	.run = run,
	.summary = "would this call succeed in the container, and why not",
	.help = "usage: idshift explain --as=U:G[:GROUP...] [--cap[=NAMES]] "
		"[--source=DIR]\n"
		"                       [--json] [MAP OPTIONS] OP PATH\n"
		"\n"
		"Judges OP on PATH, a path of the source directory on the "
		"host, as if a process\n"
		"of the container with these ids did it in a mount: every "
		"directory on the way,\n"
		"then the operation; says what denies it, by which rule, and "
		"what would mend it.\n"
		"Permissions are judged, not whether a directory is empty or a "
		"disk full.\n"
		"\n"
		"  OP: read, write, create, delete, exec, chown, chown=U[:G], "
		"chmod, list,\n"
		"      traverse\n"
		"\n"
		"      --as=U:G[:GROUP...]  the process's container ids\n"
		"      --cap[=NAME,...]     its capabilities: all, none, "
		"chown, "
		"dac_override,\n"
		"                           dac_read_search, fowner, fsetid; "
		"not given: all for\n"
		"                           uid 0, none for others\n"
		"      --json               the answer as JSON\n"
		"      --source=DIR         the mounted directory, below which "
		"PATH is; else the\n"
		"                           present "
		"directory\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0 allowed, 1 denied, 2 it can't be judged.\n",
};
