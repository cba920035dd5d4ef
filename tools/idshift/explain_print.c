/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict in words: what, where, by which rule, and what would mend it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static void say_path(const char *text, const struct object *object)
{
	(void)fputs(text, stdout);
	print_quoted(stdout, object->path);
}

static void mend_chmod(const char *who, const char *op, const char *bits,
		       const struct object *object)
{
	(void)printf("change it with: idshift chmod %s%s%s ", who, op, bits);
	print_quoted(stdout, object->path);
}

/* The caller falls under "other": is it nearly in a better class? */
static void mend_other(const struct question *q, const struct verdict *v)
{
	const struct object *o = v->object;
	mode_t mode = o->view.mode;

	if (class_grants(mode, 3, v->wanted)) {
		if (container_id_is_mapped(o->view.gid))
			(void)printf("give the process the group %u (podman "
				     "run --group-add %u), or ",
				     o->view.gid.value, o->view.gid.value);
		else
			(void)printf("show the group, gid %u on disk, in the "
				     "container (mount with --map=g:%u:ID) "
				     "and give the process ID (podman run "
				     "--group-add ID), or ",
				     o->stx.stx_gid, o->stx.stx_gid);
	} else if (class_grants(mode, 6, v->wanted)) {
		(void)printf("make the caller the owner with: idshift chown "
			     "%u ",
			     q->caller.uid.value);
		print_quoted(stdout, o->path);
		(void)fputs(", or ", stdout);
	}
	mend_chmod("o", "+", letters(v->wanted), o);
}

static void mend_unmapped(const struct object *o)
{
	bool user = !container_id_is_mapped(o->view.uid);

	(void)printf("give %cid %u of the disk an id in the container: mount "
		     "with --map=%c:%u:ID",
		     user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid,
		     user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid);
}

static void mend_owner(const struct question *q, const struct object *o)
{
	(void)printf("make the caller the owner with: idshift chown %u ",
		     q->caller.uid.value);
	print_quoted(stdout, o->path);
}

static void mend_rule(const struct question *q, const struct verdict *v)
{
	const struct object *o = v->object;

	switch (v->rule) {
	case ACCESS_RULE_OWNER:
		mend_chmod("u", "+", letters(v->wanted), o);
		break;
	case ACCESS_RULE_OWNING_GROUP:
		mend_chmod("g", "+", letters(v->wanted), o);
		break;
	case ACCESS_RULE_OTHER:
		mend_other(q, v);
		break;
	case ACCESS_RULE_NAMED_USER:
		(void)printf("in the container, run: setfacl -m u:%u:%s ",
			     q->caller.uid.value, letters(v->wanted));
		print_quoted(stdout, o->path);
		break;
	case ACCESS_RULE_NAMED_GROUP:
	case ACCESS_RULE_MASK:
	case ACCESS_RULE_BAD_ACL:
		say_path("mend its ACL with getfacl and setfacl: ", o);
		break;
	case ACCESS_RULE_UNMAPPED:
		mend_unmapped(o);
		break;
	case ACCESS_RULE_NO_EXEC_BIT:
		mend_chmod("a", "+", "x", o);
		break;
	case ACCESS_RULE_NOT_OWNER:
		mend_owner(q, o);
		break;
	case ACCESS_RULE_GIVE_AWAY:
		say_path("do it as the container's root, or from here with: "
			 "idshift chown U:G ",
			 o);
		break;
	case ACCESS_RULE_NOT_IN_GROUP:
		(void)printf("give the process the group %u: podman run "
			     "--group-add %u",
			     q->owner.gid.value, q->owner.gid.value);
		break;
	case ACCESS_RULE_STICKY:
		mend_owner(q, o);
		(void)fputs(", or take t from the directory: idshift chmod -t",
			    stdout);
		break;
	default:
		(void)fputs("run it as the container's root", stdout);
		break;
	}
}

static void print_why(const struct question *q, const struct verdict *v)
{
	unsigned int me = q->target->policy.acting.uid.value;
	unsigned int uid = v->object->stx.stx_uid;

	switch (v->why) {
	case WHY_RULE:
		(void)fputs(access_rule_text(v->rule), stdout);
		break;
	case WHY_READ_ONLY:
		(void)fputs("The mount is read-only (ro).", stdout);
		break;
	case WHY_NO_EXEC:
		(void)fputs("The mount is noexec.", stdout);
		break;
	case WHY_CHOWN_DENY:
		(void)fputs("The mount allows no chown (chown=deny).", stdout);
		break;
	case WHY_NOT_OURS:
		(void)printf("On disk it belongs to uid %u, and the mount "
			     "changes only what belongs to uid %u.",
			     uid, me);
		break;
	case WHY_DISK:
		(void)printf("The mount acts as uid %u, who has no %s on it "
			     "on disk, where it belongs to uid %u.",
			     me, letters(v->wanted), uid);
		break;
	case WHY_DISK_STICKY:
		(void)printf("On disk the directory is sticky, and what is in "
			     "it belongs to uid %u.",
			     uid);
		break;
	case WHY_MISSING:
		(void)fputs("There is no such name in it.", stdout);
		break;
	case WHY_EXISTS:
		(void)fputs("It exists already.", stdout);
		break;
	case WHY_NO_NAME:
		(void)fputs("The path ends in no name that could be removed.",
			    stdout);
		break;
	case WHY_NOT_DIRECTORY:
		(void)fputs("It is not a directory.", stdout);
		break;
	case WHY_LOOP:
		(void)fputs("Too many symbolic links lead on from here.",
			    stdout);
		break;
	case WHY_COUNT:
		break;
	}
}

static void print_mend(const struct question *q, const struct verdict *v)
{
	unsigned int me = q->target->policy.acting.uid.value;

	switch (v->why) {
	case WHY_RULE:
		mend_rule(q, v);
		break;
	case WHY_READ_ONLY:
		(void)fputs("mount without ro", stdout);
		break;
	case WHY_NO_EXEC:
		(void)fputs("mount without noexec", stdout);
		break;
	case WHY_CHOWN_DENY:
		(void)fputs("mount without chown=deny", stdout);
		break;
	case WHY_NOT_OURS:
	case WHY_DISK_STICKY:
		(void)printf("give it to uid %u on the host, as root: chown "
			     "-h %u ",
			     me, me);
		print_quoted(stdout, v->object->path);
		break;
	case WHY_DISK:
		(void)printf("on the host, its owner lets you: setfacl -m "
			     "u:%u:%s ",
			     me, letters(v->wanted));
		print_quoted(stdout, v->object->path);
		break;
	default:
		(void)fputs("name another path", stdout);
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
	say_path("  at ", verdict->object);
	(void)fputs(", which shows as ", stdout);
	print_id(verdict->object->view.uid);
	(void)fputc(':', stdout);
	print_id(verdict->object->view.gid);
	(void)printf(" %04o: ", verdict->object->view.mode & MODE_BITS);
	print_why(question, verdict);
	(void)fputc('\n', stdout);
	if (allowed)
		return;
	(void)fputs("  to mend it, ", stdout);
	print_mend(question, verdict);
	(void)fputc('\n', stdout);
}
