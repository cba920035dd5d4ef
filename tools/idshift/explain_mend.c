/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would mend a denial: a command that the mounting user may run, if any.
 */
#include <ctype.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/backing.h"

#include "explain.h"
#include "message.h"

const char *access_letters(unsigned int wanted)
{
	static const char *const all[] = { "",	"x",  "w",  "wx",
					   "r", "rx", "rw", "rwx" };

	return all[wanted & 7];
}

/* Would it be granted to the same caller, were these the object's owners? */
static bool would_grant(const struct question *q, const struct verdict *v,
			struct container_id uid, struct container_id gid)
{
	const struct access_object object = {
		.uid = uid,
		.gid = gid,
		.mode = v->object->view.mode,
		.acl = v->object->acl,
	};

	return access_check(&q->caller, &object, v->wanted, NULL) == 0;
}

static bool group_would_do(const struct question *q, const struct verdict *v)
{
	return would_grant(q, v, v->object->view.uid, q->caller.gid);
}

static bool owner_would_do(const struct question *q, const struct verdict *v)
{
	return would_grant(q, v, q->caller.uid, v->object->view.gid);
}

/* Does the mount, and idshift, change its owner and mode? */
static bool is_ours(const struct question *q, const struct object *o)
{
	struct disk_owner disk = backing_owner(&o->stx);

	return view_is_ours(&q->target->policy, &disk);
}

static void say_word(FILE *out, const char *word)
{
	const char *p = word;

	while (isalnum((unsigned char)*p) ||
	       (*p != '\0' && strchr("-_=:,./@+", *p) != NULL))
		p++;
	(void)fputc(' ', out);
	if (*p == '\0' && p != word)
		(void)fputs(word, out);
	else
		print_shell_word(out, word);
}

/* With the maps that the question was asked with. */
static void say_command(FILE *out, const struct question *q,
			const char *command)
{
	(void)fprintf(out, "idshift %s", command);
	for (size_t i = 0; i < q->option_count; i++)
		say_word(out, q->options[i]);
	(void)fputc(' ', out);
}

static void say_directory_of(FILE *out, const struct object *o)
{
	char *path = strdup(o->path);

	print_shell_path(out, path != NULL ? dirname(path) : o->path);
	free(path);
}

/* What is another's on disk only that user can change, or root. */
static void mend_on_disk(FILE *out, const struct question *q,
			 const struct object *o)
{
	unsigned int me = q->target->policy.acting.uid.value;

	(void)fprintf(out,
		      "give it to uid %u on the host, as root: chown -h %u ",
		      me, me);
	print_shell_path(out, o->path);
}

/* What the class lacks of what is wanted; -1: no class by itself. */
static void mend_chmod(FILE *out, const struct question *q, const char *who,
		       int shift, unsigned int wanted,
		       const struct object *object)
{
	unsigned int has =
		shift < 0 ? 0 : (unsigned int)(object->view.mode >> shift & 7);

	/* An ACL may deny what the mode grants. */
	if ((wanted & ~has) != 0)
		wanted &= ~has;
	if (is_ours(q, object)) {
		(void)fputs("change it with: ", out);
		say_command(out, q, "chmod");
	} else {
		(void)fprintf(out,
			      "have its owner, uid %u on disk, run: chmod ",
			      object->stx.stx_uid);
	}
	(void)fprintf(out, "%s+%s ", who, access_letters(wanted));
	print_shell_path(out, object->path);
}

/* A link itself, where it is the object. */
static void say_chown(FILE *out, const struct question *q,
		      const struct object *o)
{
	say_command(out, q, S_ISLNK(o->stx.stx_mode) ? "chown -h" : "chown");
}

static void say_owner(FILE *out, const struct owner_spec *to)
{
	bool uid = container_id_is_mapped(to->uid);
	bool gid = container_id_is_mapped(to->gid);

	if (uid)
		(void)fprintf(out, "%u", to->uid.value);
	if (gid)
		(void)fprintf(out, ":%u", to->gid.value);
	(void)fputs(uid || gid ? " " : "U:G ", out);
}

static void mend_owner(FILE *out, const struct question *q,
		       const struct object *o)
{
	if (!is_ours(q, o)) {
		mend_on_disk(out, q, o);
		return;
	}
	(void)fputs("make the caller the owner with: ", out);
	say_chown(out, q, o);
	(void)fprintf(out, "%u ", q->caller.uid.value);
	print_shell_path(out, o->path);
}

static void mend_group(FILE *out, const struct object *o)
{
	if (container_id_is_mapped(o->view.gid))
		(void)fprintf(out,
			      "give the process the group %u (podman run "
			      "--group-add %u), or ",
			      o->view.gid.value, o->view.gid.value);
	else
		(void)fprintf(
			out,
			"show the group, gid %u on disk, in the container "
			"(mount with --map=g:%u:ID) and give the process "
			"ID (podman run --group-add ID), or ",
			o->stx.stx_gid, o->stx.stx_gid);
}

/* The caller falls under "other": is it nearly in a better class? */
static void mend_other(FILE *out, const struct question *q,
		       const struct verdict *v)
{
	const struct object *o = v->object;

	if (group_would_do(q, v) &&
	    (!o->strange || container_id_is_mapped(o->view.gid))) {
		mend_group(out, o);
	} else if (owner_would_do(q, v) && is_ours(q, o)) {
		mend_owner(out, q, o);
		(void)fputs(", or ", out);
	}
	mend_chmod(out, q, "o", 0, v->wanted, o);
}

/* The first with this tag, and of a named one this id. */
static const struct acl_entry *find_entry(const struct acl *acl, uint16_t tag,
					  uint32_t id)
{
	for (size_t i = 0; acl != NULL && i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entries[i];

		if (entry->tag == tag &&
		    (entry->id == id || (tag != ACL_USER && tag != ACL_GROUP)))
			return entry;
	}
	return NULL;
}

/*
 * Add what is wanted to an entry and to the mask, which setfacl(1) is told so
 * that it doesn't make one that lets all other entries count.  `name`: of the
 * entry, "" for the mask alone.
 */
static void mend_acl(FILE *out, const struct verdict *v,
		     const struct acl_entry *entry, const char *name)
{
	const struct object *o = v->object;
	const struct acl_entry *mask = find_entry(o->acl, ACL_MASK, ID_NONE);

	(void)fputs("in the container, run: setfacl -m ", out);
	if (name[0] != '\0')
		(void)fprintf(out, "%s:%s,", name,
			      access_letters(entry->perm | v->wanted));
	(void)fprintf(
		out, "m::%s ",
		access_letters((mask != NULL ? mask->perm : 0U) | v->wanted));
	print_shell_path(out, o->path);
}

static void mend_acl_by_hand(FILE *out, const struct object *o)
{
	(void)fputs("mend its ACL with getfacl and setfacl: ", out);
	print_shell_path(out, o->path);
}

/* With a mask chmod(1)'s group bits are the mask's, not the group's. */
static void mend_owning_group(FILE *out, const struct question *q,
			      const struct verdict *v)
{
	const struct object *o = v->object;

	if (find_entry(o->acl, ACL_MASK, ID_NONE) == NULL)
		mend_chmod(out, q, "g", 3, v->wanted, o);
	else if (is_ours(q, o))
		mend_acl(out, v, find_entry(o->acl, ACL_GROUP_OBJ, ID_NONE),
			 "g:");
	else
		mend_acl_by_hand(out, o);
}

static void mend_named_user(FILE *out, const struct question *q,
			    const struct verdict *v)
{
	const struct object *o = v->object;
	char name[16];

	(void)snprintf(name, sizeof(name), "u:%u", q->caller.uid.value);
	if (is_ours(q, o))
		mend_acl(out, v,
			 find_entry(o->acl, ACL_USER, q->caller.uid.value),
			 name);
	else
		mend_acl_by_hand(out, o);
}

/* Recorded under a larger map: that id can't be mapped, but replaced. */
static void mend_record(FILE *out, const struct question *q,
			const struct object *o)
{
	(void)fputs("record another owner with: ", out);
	say_chown(out, q, o);
	say_owner(out, &q->owner);
	print_shell_path(out, o->path);
	(void)fputs(", or forget what is recorded with: ", out);
	say_command(out, q, "clear");
	print_shell_path(out, o->path);
}

/* Capabilities don't count for what has no id in the container. */
static void mend_unmapped(FILE *out, const struct question *q,
			  const struct verdict *v)
{
	const struct object *o = v->object;
	bool changes = q->operation == OP_CHOWN || q->operation == OP_CHMOD;
	bool user = !container_id_is_mapped(o->view.uid);

	if (o->strange) {
		mend_record(out, q, o);
		return;
	}
	if (changes && !is_ours(q, o)) {
		mend_on_disk(out, q, o);
		return;
	}
	if (user && !changes && container_id_is_mapped(o->view.gid) &&
	    group_would_do(q, v))
		mend_group(out, o);
	(void)fprintf(out,
		      "give %cid %u of the disk an id in the container: mount "
		      "with --map=%c:%u:ID",
		      user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid,
		      user ? 'u' : 'g', user ? o->stx.stx_uid : o->stx.stx_gid);
}

static void mend_give_away(FILE *out, const struct question *q,
			   const struct object *o)
{
	if (!is_ours(q, o)) {
		mend_on_disk(out, q, o);
		return;
	}
	if (o->strange) {
		mend_record(out, q, o);
		return;
	}
	(void)fputs("do it as the container's root, or from here with: ", out);
	say_chown(out, q, o);
	say_owner(out, &q->owner);
	print_shell_path(out, o->path);
}

static void mend_rule(FILE *out, const struct question *q,
		      const struct verdict *v)
{
	const struct object *o = v->object;

	switch (v->rule) {
	case ACCESS_RULE_OWNER:
		mend_chmod(out, q, "u", 6, v->wanted, o);
		break;
	case ACCESS_RULE_OWNING_GROUP:
		mend_owning_group(out, q, v);
		break;
	case ACCESS_RULE_OTHER:
		mend_other(out, q, v);
		break;
	case ACCESS_RULE_NAMED_USER:
		mend_named_user(out, q, v);
		break;
	case ACCESS_RULE_MASK:
		if (is_ours(q, o))
			mend_acl(out, v, NULL, "");
		else
			mend_acl_by_hand(out, o);
		break;
	case ACCESS_RULE_NAMED_GROUP:
	case ACCESS_RULE_BAD_ACL:
		mend_acl_by_hand(out, o);
		break;
	case ACCESS_RULE_UNMAPPED:
		mend_unmapped(out, q, v);
		break;
	case ACCESS_RULE_NO_EXEC_BIT:
		mend_chmod(out, q, "a", -1, ACCESS_EXEC, o);
		break;
	case ACCESS_RULE_NOT_OWNER:
		/* Who owns it may still not give it away. */
		if (q->operation == OP_CHOWN)
			mend_give_away(out, q, o);
		else
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
		(void)fputs(", or take t from the directory: ", out);
		say_command(out, q, "chmod");
		(void)fputs("-t ", out);
		say_directory_of(out, o);
		break;
	default:
		(void)fputs("run it as the container's root", out);
		break;
	}
}

void explain_mend(FILE *out, const struct question *q, const struct verdict *v)
{
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
		mend_on_disk(out, q, v->object);
		break;
	case WHY_DISK:
		(void)fprintf(out,
			      "on the host, its owner lets you: setfacl -m "
			      "u:%u:%s ",
			      q->target->policy.acting.uid.value,
			      access_letters(v->wanted));
		print_shell_path(out, v->object->path);
		break;
	default:
		(void)fputs("name another path", out);
		break;
	}
}
