/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: first what the container's kernel says of the view, then what the
 * daemon can do on disk with the rights of the user whom it acts as.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "idshift/backing.h"

#include "explain.h"

static struct access_object access_object_of(const struct object *object)
{
	return (struct access_object){
		.uid = object->view.uid,
		.gid = object->view.gid,
		.mode = object->view.mode,
		.acl = object->acl,
	};
}

static bool is_ours(const struct question *q, const struct object *object)
{
	struct disk_owner disk = backing_owner(&object->stx);

	return view_is_ours(&q->target->policy, &disk);
}

static void decide(struct verdict *ret, int result, enum why why,
		   const struct object *object)
{
	ret->result = result;
	ret->why = why;
	ret->object = object;
}

/*
 * On files of ours the daemon widens the owner's bits where the view lets a
 * caller pass; on others' it has the rights that the disk gives it.
 */
static bool disk_grants(const struct question *q, const struct object *object,
			unsigned int wanted)
{
	int mode = ((wanted & ACCESS_READ) != 0 ? R_OK : 0) |
		   ((wanted & ACCESS_WRITE) != 0 ? W_OK : 0) |
		   ((wanted & ACCESS_EXEC) != 0 ? X_OK : 0);

	return is_ours(q, object) ||
	       faccessat(object->fd, "", mode, AT_EACCESS | AT_EMPTY_PATH) == 0;
}

static void judge_access(const struct question *q, const struct object *object,
			 unsigned int wanted, struct verdict *ret)
{
	struct access_object seen = access_object_of(object);

	ret->wanted = wanted;
	decide(ret, access_check(&q->caller, &seen, wanted, &ret->rule),
	       WHY_RULE, object);
	if (ret->result == 0 && !disk_grants(q, object, wanted))
		decide(ret, -EACCES, WHY_DISK, object);
}

void explain_judge_search(const struct question *question,
			  const struct object *dir, struct verdict *ret)
{
	judge_access(question, dir, ACCESS_EXEC, ret);
}

static void judge_create(const struct question *q, const struct way *way,
			 struct verdict *ret)
{
	if (!way->is_new)
		decide(ret, -EEXIST, WHY_EXISTS,
		       way->final.fd >= 0 ? &way->final : &way->dir);
	else
		judge_access(q, &way->dir, ACCESS_WRITE | ACCESS_EXEC, ret);
}

static void judge_delete(const struct question *q, const struct way *way,
			 struct verdict *ret)
{
	struct access_object dir = access_object_of(&way->dir);
	struct access_object victim = access_object_of(&way->final);
	uid_t me = q->target->policy.acting.uid.value;

	if (way->final.fd < 0) {
		decide(ret, -EBUSY, WHY_NO_NAME, &way->dir);
		return;
	}
	judge_access(q, &way->dir, ACCESS_WRITE | ACCESS_EXEC, ret);
	if (ret->result < 0)
		return;
	decide(ret, access_delete(&q->caller, &dir, &victim, &ret->rule),
	       WHY_RULE, &way->final);
	if (ret->result == 0 && me != 0 && !is_ours(q, &way->dir) &&
	    (way->dir.stx.stx_mode & S_ISVTX) != 0 &&
	    way->final.stx.stx_uid != me)
		decide(ret, -EPERM, WHY_DISK_STICKY, &way->final);
}

static void judge_chown(const struct question *q, const struct object *object,
			struct verdict *ret)
{
	struct access_object seen = access_object_of(object);
	struct owner_spec to = q->owner;

	/* Without an owner given: away from whoever has it. */
	if (!container_id_is_mapped(to.uid) && !container_id_is_mapped(to.gid))
		to.uid = CONTAINER_ID(seen.uid.value == 0 ? 1 : 0);
	decide(ret,
	       access_chown(&q->caller, &seen, to.uid, to.gid, NULL,
			    &ret->rule),
	       WHY_RULE, object);
	if (ret->result == 0 && !is_ours(q, object))
		decide(ret, -EPERM, WHY_NOT_OURS, object);
	else if (ret->result == 0 && q->target->options.chown == CHOWN_DENY)
		decide(ret, -EPERM, WHY_CHOWN_DENY, object);
}

static void judge_chmod(const struct question *q, const struct object *object,
			struct verdict *ret)
{
	struct access_object seen = access_object_of(object);

	decide(ret, access_owner(&q->caller, &seen, &ret->rule), WHY_RULE,
	       object);
	if (ret->result == 0 && !is_ours(q, object))
		decide(ret, -EPERM, WHY_NOT_OURS, object);
}

/* Does the file system change?  What is written to a fifo isn't kept in it. */
static bool changes(enum operation operation, const struct way *way,
		    const struct object *object)
{
	mode_t mode = object->stx.stx_mode;

	switch (operation) {
	case OP_WRITE:
		return S_ISREG(mode) || S_ISDIR(mode);
	case OP_CREATE:
		return way->is_new;
	case OP_DELETE:
	case OP_CHOWN:
	case OP_CHMOD:
		return true;
	default:
		return false;
	}
}

static void judge_directory(const struct question *q,
			    const struct object *object, unsigned int wanted,
			    struct verdict *ret)
{
	if (S_ISDIR(object->stx.stx_mode))
		judge_access(q, object, wanted, ret);
	else
		decide(ret, -ENOTDIR, WHY_NOT_DIRECTORY, object);
}

static void judge_exec(const struct question *q, const struct object *object,
		       struct verdict *ret)
{
	if (!S_ISREG(object->stx.stx_mode))
		decide(ret, -EACCES, WHY_NOT_REGULAR, object);
	else if (q->target->options.noexec)
		decide(ret, -EACCES, WHY_NO_EXEC, object);
	else
		judge_access(q, object, ACCESS_EXEC, ret);
}

void explain_judge(const struct question *question, const struct way *way,
		   struct verdict *ret)
{
	/* The source itself is its own last name. */
	const struct object *object =
		way->final.fd >= 0 ? &way->final : &way->dir;

	if (changes(question->operation, way, object) &&
	    question->target->options.read_only) {
		decide(ret, -EROFS, WHY_READ_ONLY, object);
		return;
	}
	switch (question->operation) {
	case OP_READ:
		judge_access(question, object, ACCESS_READ, ret);
		break;
	case OP_WRITE:
		judge_access(question, object, ACCESS_WRITE, ret);
		break;
	case OP_EXEC:
		judge_exec(question, object, ret);
		break;
	case OP_LIST:
		judge_directory(question, object, ACCESS_READ, ret);
		break;
	case OP_TRAVERSE:
		judge_directory(question, object, ACCESS_EXEC, ret);
		break;
	case OP_CREATE:
		judge_create(question, way, ret);
		break;
	case OP_DELETE:
		judge_delete(question, way, ret);
		break;
	case OP_CHOWN:
		judge_chown(question, object, ret);
		break;
	case OP_CHMOD:
		judge_chmod(question, object, ret);
		break;
	}
}
