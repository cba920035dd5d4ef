/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict in words: what, where, by which rule, and what would mend it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "idshift/cleanup.h"

#include "explain.h"
#include "message.h"

static const char *letters(unsigned int wanted)
{
	static const char *const all[] = { "",	"x",  "w",  "wx",
					   "r", "rx", "rw", "rwx" };

	return all[wanted & 7];
}

static bool class_grants(mode_t mode, int shift, unsigned int wanted)
{
	return (wanted & ~(unsigned int)(mode >> shift & 7)) == 0;
}

static void say_path(FILE *out, const char *text, const struct object *object)
{
	(void)fputs(text, out);
	print_quoted(out, object->path);
}

/* What the class lacks of what is wanted; -1: no class by itself. */
static void mend_chmod(FILE *out, const char *who, int shift,
		       unsigned int wanted, const struct object *object)
{
	unsigned int has =
		shift < 0 ? 0 : (unsigned int)(object->view.mode >> shift & 7);

	/* An ACL may deny what the mode grants. */
	if ((wanted & ~has) != 0)
		wanted &= ~has;
	(void)fprintf(out, "change it with: idshift chmod %s+%s ", who,
		      letters(wanted));
	print_quoted(out, object->path);
}

/* The caller falls under "other": is it nearly in a better class? */
static void mend_other(FILE *out, const struct question *q,
		       const struct verdict *v)
{
	const struct object *o = v->object;
	mode_t mode = o->view.mode;

	if (class_grants(mode, 3, v->wanted)) {
		if (container_id_is_mapped(o->view.gid))
			(void)fprintf(out,
				      "give the process the group %u (podman "
				      "run --group-add %u), or ",
				      o->view.gid.value, o->view.gid.value);
		else
			(void)fprintf(out,
				      "show the group, gid %u on disk, in the "
				      "container (mount with --map=g:%u:ID) "
				      "and give the process ID (podman run "
				      "--group-add ID), or ",
				      o->stx.stx_gid, o->stx.stx_gid);
	} else if (class_grants(mode, 6, v->wanted)) {
		(void)fprintf(out,
			      "make the caller the owner with: idshift chown "
			      "%u ",
			      q->caller.uid.value);
		print_quoted(out, o->path);
		(void)fputs(", or ", out);
	}
	mend_chmod(out, "o", 0, v->wanted, o);
}

static void mend_unmapped(FILE *out, const struct object *o)
{
	bool user = !container_id_is_mapped(o->view.uid);

	(void)fprintf(out,
		      "give %cid %u of the disk an id in the container: mount "
		      "with --map=%c:%u:ID",
		      user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid,
		      user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid);
}

static void mend_owner(FILE *out, const struct question *q,
		       const struct object *o)
{
	(void)fprintf(out, "make the caller the owner with: idshift chown %u ",
		      q->caller.uid.value);
	print_quoted(out, o->path);
}

static void mend_give_away(FILE *out, const struct question *q,
			   const struct object *o)
{
	struct owner_spec to = q->owner;

	(void)fputs("do it as the container's root, or from here with: "
		    "idshift chown ",
		    out);
	if (container_id_is_mapped(to.uid))
		(void)fprintf(out, "%u", to.uid.value);
	if (container_id_is_mapped(to.gid))
		(void)fprintf(out, ":%u", to.gid.value);
	if (!container_id_is_mapped(to.uid) && !container_id_is_mapped(to.gid))
		(void)fputs("U:G", out);
	(void)fputc(' ', out);
	print_quoted(out, o->path);
}

static void mend_rule(FILE *out, const struct question *q,
		      const struct verdict *v)
{
	const struct object *o = v->object;

	switch (v->rule) {
	case ACCESS_RULE_OWNER:
		mend_chmod(out, "u", 6, v->wanted, o);
		break;
	case ACCESS_RULE_OWNING_GROUP:
		mend_chmod(out, "g", 3, v->wanted, o);
		break;
	case ACCESS_RULE_OTHER:
		mend_other(out, q, v);
		break;
	case ACCESS_RULE_NAMED_USER:
		(void)fprintf(out, "in the container, run: setfacl -m u:%u:%s ",
			      q->caller.uid.value, letters(v->wanted));
		print_quoted(out, o->path);
		break;
	case ACCESS_RULE_NAMED_GROUP:
	case ACCESS_RULE_MASK:
	case ACCESS_RULE_BAD_ACL:
		say_path(out, "mend its ACL with getfacl and setfacl: ", o);
		break;
	case ACCESS_RULE_UNMAPPED:
		mend_unmapped(out, o);
		break;
	case ACCESS_RULE_NO_EXEC_BIT:
		mend_chmod(out, "a", -1, ACCESS_EXEC, o);
		break;
	case ACCESS_RULE_NOT_OWNER:
		mend_owner(out, q, o);
		break;
	case ACCESS_RULE_GIVE_AWAY:
		mend_give_away(out, q, o);
		break;
	case ACCESS_RULE_NOT_IN_GROUP:
		(void)fprintf(out,
			      "give the process the group %u: podman run "
			      "--group-add %u",
			      q->owner.gid.value, q->owner.gid.value);
		break;
	case ACCESS_RULE_STICKY:
		mend_owner(out, q, o);
		(void)fputs(", or take t from the directory: idshift chmod -t",
			    out);
		break;
	default:
		(void)fputs("run it as the container's root", out);
		break;
	}
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
			      me, letters(v->wanted), uid);
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
	case WHY_LOOP:
		(void)fputs("Too many symbolic links lead on from here.", out);
		break;
	case WHY_COUNT:
		break;
	}
}

static void print_mend(FILE *out, const struct question *q,
		       const struct verdict *v)
{
	unsigned int me = q->target->policy.acting.uid.value;

	switch (v->why) {
	case WHY_RULE:
		mend_rule(out, q, v);
		break;
	case WHY_READ_ONLY:
		(void)fputs("mount without ro", out);
		break;
	case WHY_NO_EXEC:
		(void)fputs("mount without noexec", out);
		break;
	case WHY_CHOWN_DENY:
		(void)fputs("mount without chown=deny", out);
		break;
	case WHY_NOT_OURS:
	case WHY_DISK_STICKY:
		(void)fprintf(out,
			      "give it to uid %u on the host, as root: chown "
			      "-h %u ",
			      me, me);
		print_quoted(out, v->object->path);
		break;
	case WHY_DISK:
		(void)fprintf(out,
			      "on the host, its owner lets you: setfacl -m "
			      "u:%u:%s ",
			      me, letters(v->wanted));
		print_quoted(out, v->object->path);
		break;
	default:
		(void)fputs("name another path", out);
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
	print_mend(stdout, question, verdict);
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
		allowed ? json_null() : words(print_mend, question, verdict));
	if (line == NULL)
		return -ENOMEM;
	r = json_dumpf(line, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(line);
	(void)fputc('\n', stdout);
	return r < 0 ? -EIO : 0;
}
