/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "caller.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "trace.h"

/* An object as the engine sees it. */
struct seen {
	struct view view;
	struct access_object object;
	struct acl *acl;
};

static void seen_done(struct seen *seen)
{
	acl_free(seen->acl);
}
#define _cleanup_seen_ __attribute__((cleanup(seen_done)))

static int see_fd(const struct filesystem *fs, int fd, struct seen *ret)
{
	struct statx stx;
	int r = backing_stat(fd, &stx);

	if (r == 0)
		r = records_view(&fs->records, fd, &stx, &ret->view);
	if (r == 0)
		r = records_acl_judged(&fs->records, fd, &stx, &ret->acl);
	if (r < 0)
		return r;
	ret->object = (struct access_object){
		.uid = ret->view.uid,
		.gid = ret->view.gid,
		.mode = ret->view.mode,
		.acl = ret->acl,
	};
	return 0;
}

static int see_child(const struct filesystem *fs, const struct node_ref *dir,
		     const char *name, struct seen *ret)
{
	_cleanup_fd_ int fd = backing_open_child(dir->fd, name);

	return fd < 0 ? fd : see_fd(fs, fd, ret);
}

/*
 * Whom the engine is to judge.  An id that the object's owner or group hasn't
 * says nothing about the caller's namespace; that capabilities don't count for
 * it the engine knows.
 */
static int judged_caller(const struct filesystem *fs,
			 const struct caller *caller, const struct seen *seen,
			 struct caller_rights *ret)
{
	struct view reach = seen->view;

	if (!container_id_is_mapped(reach.uid))
		reach.uid = caller->uid;
	if (!container_id_is_mapped(reach.gid))
		reach.gid = caller->gid;
	return caller_rights(fs, caller, &reach, ret);
}

static int verdict(const struct filesystem *fs, int r, const char *op,
		   const struct node_ref *where, const char *name,
		   enum access_rule rule)
{
	const struct denial denial = {
		.op = op,
		.where = where,
		.name = name,
		.error = r,
		.reason = access_rule_text(rule),
	};

	if (r < 0)
		trace_denial(fs, &denial);
	return r;
}

int judge_disk(const struct filesystem *fs, int r, const char *op,
	       const struct node_ref *where, const char *name)
{
	const struct denial denial = {
		.op = op,
		.where = where,
		.name = name,
		.error = r,
		.reason = "The user who mounted may not do it in the source.",
	};

	if (r == -EACCES || r == -EPERM)
		trace_denial(fs, &denial);
	return r;
}

int judge_access(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *node, unsigned int wanted,
		 const char *op)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_seen_ struct seen seen = { .acl = NULL };
	enum access_rule rule = ACCESS_RULE_NOTHING;
	int r;

	if (!is_judged(fs) && !is_strange(fs, node))
		return 0;
	r = see_fd(fs, node->fd, &seen);
	/* Whoever it is: there is no need to ask. */
	if (r == 0 && !is_judged(fs) && seen.acl == NULL &&
	    mode_grants_all(seen.view.mode, wanted))
		return 0;
	if (r == 0)
		r = judged_caller(fs, caller, &seen, &rights);
	if (r < 0)
		return r;
	r = access_check(&rights.who, &seen.object, wanted, &rule);
	return verdict(fs, r, op, node, NULL, rule);
}

/* A rule about one object. */
typedef int judge_fn(const struct access_caller *caller,
		     const struct access_object *object,
		     enum access_rule *ret_rule);

static int judge_by(const struct filesystem *fs, const struct caller *caller,
		    const struct node_ref *node, const char *name,
		    judge_fn *rule_of, const char *op)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_seen_ struct seen seen = { .acl = NULL };
	enum access_rule rule = ACCESS_RULE_NOTHING;
	int r;

	if (!is_judged(fs) && !is_strange(fs, node))
		return 0;
	r = see_fd(fs, node->fd, &seen);
	if (r == 0)
		r = judged_caller(fs, caller, &seen, &rights);
	if (r < 0)
		return r;
	r = rule_of(&rights.who, &seen.object, &rule);
	return verdict(fs, r, op, node, name, rule);
}

int judge_owner(const struct filesystem *fs, const struct caller *caller,
		const struct node_ref *node, const char *op)
{
	return judge_by(fs, caller, node, NULL, access_owner, op);
}

int judge_create(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *dir, const char *name, const char *op)
{
	return judge_by(fs, caller, dir, name, access_create, op);
}

int judge_mode(const struct filesystem *fs, const struct caller *caller,
	       const struct view *dir, mode_t *mode)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	const struct seen seen = { .view = *dir };
	struct access_object object = {
		.uid = dir->uid,
		.gid = dir->gid,
		.mode = dir->mode,
	};
	int r;

	if (!is_judged(fs) && !view_is_strange(fs->policy, dir))
		return 0;
	r = judged_caller(fs, caller, &seen, &rights);
	if (r == 0)
		access_create_result(&rights.who, &object, *mode, NULL, mode);
	return r;
}

int judge_capability(const struct filesystem *fs, const struct node_ref *node)
{
	return is_strange(fs, node) ? -EPERM : 0;
}

/* xattr_permission() of Linux's fs/xattr.c, of user.* */
static int set_xattr_rule(const struct access_caller *caller,
			  const struct access_object *object,
			  enum access_rule *ret_rule)
{
	int r = 0;

	if (S_ISDIR(object->mode) && (object->mode & S_ISVTX) != 0)
		r = access_owner(caller, object, ret_rule);
	return r < 0 ? r : access_check(caller, object, ACCESS_WRITE, ret_rule);
}

int judge_set_xattr(const struct filesystem *fs, const struct caller *caller,
		    const struct node_ref *node, const char *op)
{
	return judge_by(fs, caller, node, NULL, set_xattr_rule, op);
}

int judge_link(const struct filesystem *fs, const struct caller *caller,
	       const struct node_ref *node)
{
	return judge_by(fs, caller, node, NULL, access_link, "link");
}

int judge_delete(const struct filesystem *fs, const struct caller *caller,
		 const struct node_ref *dir, const char *name,
		 const struct node_ref *known, const char *op)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_seen_ struct seen parent = { .acl = NULL };
	_cleanup_seen_ struct seen victim = { .acl = NULL };
	enum access_rule rule = ACCESS_RULE_NOTHING;
	int r;

	if (!is_judged(fs) && !is_strange(fs, dir) && !is_strange(fs, known))
		return 0;
	r = see_fd(fs, dir->fd, &parent);
	if (r == 0)
		r = see_child(fs, dir, name, &victim);
	if (r == 0)
		r = judged_caller(fs, caller, &victim, &rights);
	if (r < 0)
		return r;
	r = access_delete(&rights.who, &parent.object, &victim.object, &rule);
	return verdict(fs, r, op, dir, name, rule);
}

int judge_rename(const struct filesystem *fs, const struct caller *caller,
		 const struct judged_rename *move)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_seen_ struct seen old_dir = { .acl = NULL };
	_cleanup_seen_ struct seen new_dir = { .acl = NULL };
	_cleanup_seen_ struct seen source = { .acl = NULL };
	_cleanup_seen_ struct seen target = { .acl = NULL };
	struct access_rename access = {
		.old_dir = &old_dir.object,
		.source = &source.object,
		.new_dir = &new_dir.object,
		.target = &target.object,
		.same_dir = move->from->id == move->to->id,
		.exchange = move->exchange,
	};
	const struct access_object *decided = NULL;
	enum access_rule rule = ACCESS_RULE_NOTHING;
	bool at_target;
	int r;

	if (!is_judged(fs) && !is_strange(fs, move->from) &&
	    !is_strange(fs, move->to) && !is_strange(fs, move->source) &&
	    !is_strange(fs, move->target))
		return 0;
	r = see_fd(fs, move->from->fd, &old_dir);
	if (r == 0)
		r = see_fd(fs, move->to->fd, &new_dir);
	if (r == 0)
		r = see_child(fs, move->from, move->name, &source);
	if (r == 0)
		r = judged_caller(fs, caller, &source, &rights);
	if (r < 0)
		return r;
	r = see_child(fs, move->to, move->new_name, &target);
	if (r == -ENOENT)
		access.target = NULL;
	else if (r < 0)
		return r;
	r = access_rename(&rights.who, &access, &decided, &rule);
	at_target = decided == &new_dir.object || decided == &target.object;
	return verdict(fs, r, "rename", at_target ? move->to : move->from,
		       at_target ? move->new_name : move->name, rule);
}

#define TIMES_NOW (FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW)
#define TIMES_ANY (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | TIMES_NOW)

/*
 * An open file was judged when it was opened, but not for O_TRUNC, which the
 * kernel deals with afterwards, even if it is open for reading only.
 */
static bool is_writable(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

int judge_setattr(const struct filesystem *fs, const struct caller *caller,
		  const struct node_ref *node, int to_set, int handle_fd,
		  const struct view *now, struct view *want)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	_cleanup_seen_ struct seen seen = { .acl = NULL };
	const struct access_caller *who = &rights.who;
	struct container_id keep = CONTAINER_ID(ID_NONE);
	enum access_rule rule = ACCESS_RULE_NOTHING;
	const char *op = "chown";
	mode_t mode;
	int r;

	if (!is_judged(fs) && !is_strange(fs, node))
		return 0;
	r = see_fd(fs, node->fd, &seen);
	if (r == 0)
		r = judged_caller(fs, caller, &seen, &rights);
	if (r == 0 && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
		r = access_chown(
			who, &seen.object,
			(to_set & FUSE_SET_ATTR_UID) != 0 ? want->uid : keep,
			(to_set & FUSE_SET_ATTR_GID) != 0 ? want->gid : keep,
			&mode, &rule);
		if (r == 0 && (to_set & FUSE_SET_ATTR_MODE) == 0)
			want->mode = (now->mode & S_IFMT) | mode;
	}
	if (r == 0 && (to_set & FUSE_SET_ATTR_MODE) != 0) {
		op = "chmod";
		r = access_chmod(who, &seen.object, want->mode & MODE_BITS,
				 &mode, &rule);
		if (r == 0)
			want->mode = (now->mode & S_IFMT) | mode;
	}
	if (r == 0 && (to_set & FUSE_SET_ATTR_SIZE) != 0 &&
	    !is_writable(handle_fd)) {
		op = "truncate";
		r = access_check(who, &seen.object, ACCESS_WRITE, &rule);
	}
	/* A truncation sets times as well, and is judged as a write. */
	if (r == 0 && (to_set & TIMES_ANY) != 0 &&
	    (to_set & FUSE_SET_ATTR_SIZE) == 0) {
		op = "utimes";
		r = access_utimes(who, &seen.object,
				  (to_set & TIMES_NOW) == TIMES_NOW, &rule);
	}
	return verdict(fs, r, op, node, NULL, rule);
}
