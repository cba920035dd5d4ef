/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict in words: what, where, by which rule, and what would mend it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "idshift/cleanup.h"

#include "explain.h"
#include "message.h"

static void say_path(FILE *out, const char *text, const struct object *object)
{
	(void)fputs(text, out);
	print_quoted(out, object->path);
}

static void print_why(FILE *out, const struct question *q,
		      const struct verdict *v)
{
	unsigned int me = q->target->policy.acting.uid.value;
	unsigned int uid = v->object->stx.stx_uid;

	switch (v->why) {
	case WHY_RULE:
		(void)fputs(access_rule_text(v->rule), out);
		break;
	case WHY_READ_ONLY:
		(void)fputs("The mount is read-only (ro).", out);
		break;
	case WHY_NO_EXEC:
		(void)fputs("The mount is noexec.", out);
		break;
	case WHY_CHOWN_DENY:
		(void)fputs("The mount allows no chown (chown=deny).", out);
		break;
	case WHY_NOT_OURS:
		(void)fprintf(out,
			      "On disk it belongs to uid %u, and the mount "
			      "changes only what belongs to uid %u.",
			      uid, me);
		break;
	case WHY_DISK:
		(void)fprintf(out,
			      "The mount acts as uid %u, who has no %s on it "
			      "on disk, where it belongs to uid %u.",
			      me, access_letters(v->wanted), uid);
		break;
	case WHY_DISK_STICKY:
		(void)fprintf(out,
			      "On disk the directory is sticky, and what is in "
			      "it belongs to uid %u.",
			      uid);
		break;
	case WHY_MISSING:
		(void)fputs("There is no such name in it.", out);
		break;
	case WHY_EXISTS:
		(void)fputs("It exists already.", out);
		break;
	case WHY_NO_NAME:
		(void)fputs("The path ends in no name that could be removed.",
			    out);
		break;
	case WHY_NOT_DIRECTORY:
		(void)fputs("It is not a directory.", out);
		break;
	case WHY_NOT_REGULAR:
		(void)fputs("Only a regular file can be executed.", out);
		break;
	case WHY_LOOP:
		(void)fputs("Too many symbolic links lead on from here.", out);
		break;
	case WHY_COUNT:
		break;
	}
}

static void print_id(struct container_id id)
{
	(void)printf("%u", container_id_is_mapped(id) ? id.value : ID_OVERFLOW);
}

void explain_print(const struct question *question, const char *operation,
		   const char *path, const struct verdict *verdict)
{
	bool allowed = verdict->result == 0;

	(void)printf("%s: %u:%u %s %s ", allowed ? "allowed" : "denied",
		     question->caller.uid.value, question->caller.gid.value,
		     allowed ? "may" : "may not", operation);
	print_quoted(stdout, path);
	if (allowed)
		(void)fputc('\n', stdout);
	else
		(void)printf(": %s (%s)\n", strerrorname_np(-verdict->result),
			     strerror(-verdict->result));
	say_path(stdout, "  at ", verdict->object);
	(void)fputs(", which shows as ", stdout);
	print_id(verdict->object->view.uid);
	(void)fputc(':', stdout);
	print_id(verdict->object->view.gid);
	(void)printf(" %04o: ", verdict->object->view.mode & MODE_BITS);
	print_why(stdout, question, verdict);
	(void)fputc('\n', stdout);
	if (allowed)
		return;
	(void)fputs("  to mend it, ", stdout);
	explain_mend(stdout, question, verdict);
	(void)fputc('\n', stdout);
}

/* What `print` writes, as JSON; a path in it needn't be UTF-8. */
static json_t *words(void (*print)(FILE *, const struct question *,
				   const struct verdict *),
		     const struct question *question,
		     const struct verdict *verdict)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	print(out, question, verdict);
	return fclose(out) == 0 ? text_to_json(text) : NULL;
}

static json_t *shown(struct container_id id)
{
	return json_integer(container_id_is_mapped(id) ? id.value :
							 ID_OVERFLOW);
}

int explain_print_json(const struct question *question, const char *operation,
		       const char *path, const struct verdict *verdict)
{
	const struct object *at = verdict->object;
	bool allowed = verdict->result == 0;
	char mode[8];
	json_t *line;
	int r;

	(void)snprintf(mode, sizeof(mode), "%04o", at->view.mode & MODE_BITS);
	line = json_pack(
		"{s:b,s:s,s:o,s:I,s:I,s:o,s:{s:o,s:o,s:o,s:s},s:o,s:o}",
		"allowed", allowed, "operation", operation, "path",
		text_to_json(path), "uid",
		(json_int_t)question->caller.uid.value, "gid",
		(json_int_t)question->caller.gid.value, "error",
		allowed ? json_null() :
			  json_string(strerrorname_np(-verdict->result)),
		"at", "path", text_to_json(at->path), "uid",
		shown(at->view.uid), "gid", shown(at->view.gid), "mode", mode,
		"why", words(print_why, question, verdict), "mend",
		allowed ? json_null() : words(explain_mend, question, verdict));
	if (line == NULL)
		return -ENOMEM;
	r = json_dumpf(line, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(line);
	(void)fputc('\n', stdout);
	return r < 0 ? -EIO : 0;
}
