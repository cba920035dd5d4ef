/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/access.h"

#include <errno.h>
#include <sys/stat.h>

static int decide(int verdict, enum access_rule rule,
		  enum access_rule *ret_rule)
{
	if (ret_rule != NULL)
		*ret_rule = rule;
	return verdict;
}

/* ID_NONE is nobody's: two unmapped ids are not known to be the same. */
static bool same_id(struct container_id a, struct container_id b)
{
	return container_id_is_mapped(a) && container_id_equal(a, b);
}

bool access_in_group(const struct access_caller *caller,
		     struct container_id gid)
{
	if (same_id(caller->gid, gid))
		return true;
	for (size_t i = 0; i < caller->group_count; i++) {
		if (same_id(caller->groups[i], gid))
			return true;
	}
	return false;
}

static bool has_cap(const struct access_caller *caller, unsigned int cap)
{
	return (caller->caps & cap) != 0;
}

static bool both_mapped(const struct access_object *object)
{
	return container_id_is_mapped(object->uid) &&
	       container_id_is_mapped(object->gid);
}

/* The kernel's capable_wrt_inode_uidgid(). */
static bool capable(const struct access_caller *caller,
		    const struct access_object *object, unsigned int cap)
{
	return has_cap(caller, cap) && both_mapped(object);
}

static int decide_class(unsigned int granted, unsigned int wanted,
			enum access_rule rule, enum access_rule *ret_rule)
{
	return decide((wanted & ~granted) != 0 ? -EACCES : 0, rule, ret_rule);
}

/*
 * An entry that matches the caller.  Rights that it lacks by itself are
 * reported of the entry, rights that only the mask lacks of the mask.
 */
static int decide_masked(const struct acl *acl, size_t at, unsigned int wanted,
			 enum access_rule rule, enum access_rule *ret_rule)
{
	unsigned int granted = acl->entries[at].perm;

	for (size_t i = at + 1; i < acl->count; i++) {
		unsigned int mask = acl->entries[i].perm;

		if (acl->entries[i].tag != ACL_MASK)
			continue;
		if ((wanted & ~granted) == 0 && (wanted & ~mask) != 0)
			rule = ACCESS_RULE_MASK;
		granted &= mask;
		break;
	}
	return decide_class(granted, wanted, rule, ret_rule);
}

/*
 * posix_acl_permission().  Of groups, one entry must grant all that is
 * wanted; being in any group that does not keeps the caller from "other".
 */
static int check_acl(const struct access_caller *caller,
		     const struct access_object *object, unsigned int wanted,
		     enum access_rule *ret_rule)
{
	const struct acl *acl = object->acl;
	enum access_rule group_rule = ACCESS_RULE_NOTHING;

	for (size_t i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entries[i];
		struct container_id id = CONTAINER_ID(entry->id);
		enum access_rule rule;

		switch (entry->tag) {
		case ACL_USER_OBJ:
		case ACL_MASK:
			continue;
		case ACL_USER:
			if (same_id(caller->uid, id))
				return decide_masked(acl, i, wanted,
						     ACCESS_RULE_NAMED_USER,
						     ret_rule);
			continue;
		case ACL_GROUP_OBJ:
			id = object->gid;
			rule = ACCESS_RULE_OWNING_GROUP;
			break;
		case ACL_GROUP:
			rule = ACCESS_RULE_NAMED_GROUP;
			break;
		case ACL_OTHER:
			if (group_rule != ACCESS_RULE_NOTHING)
				return decide(-EACCES, group_rule, ret_rule);
			return decide_class(entry->perm, wanted,
					    ACCESS_RULE_OTHER, ret_rule);
		default:
			return decide(-EIO, ACCESS_RULE_BAD_ACL, ret_rule);
		}
		if (!access_in_group(caller, id))
			continue;
		if ((wanted & ~(unsigned int)entry->perm) == 0)
			return decide_masked(acl, i, wanted, rule, ret_rule);
		if (group_rule == ACCESS_RULE_NOTHING)
			group_rule = rule;
	}
	return decide(-EIO, ACCESS_RULE_BAD_ACL, ret_rule);
}

/* acl_permission_check(): what mode and ACL say, capabilities aside. */
static int check_classes(const struct access_caller *caller,
			 const struct access_object *object,
			 unsigned int wanted, enum access_rule *ret_rule)
{
	if (same_id(caller->uid, object->uid))
		return decide_class(object->mode >> 6, wanted,
				    ACCESS_RULE_OWNER, ret_rule);
	/*
	 * Without group bits (an empty mask) the kernel does not look at the
	 * ACL at all: named users and groups then fall under "other".
	 */
	if (object->acl != NULL && (object->mode & S_IRWXG) != 0)
		return check_acl(caller, object, wanted, ret_rule);
	if (access_in_group(caller, object->gid))
		return decide_class(object->mode >> 3, wanted,
				    ACCESS_RULE_OWNING_GROUP, ret_rule);
	return decide_class(object->mode, wanted, ACCESS_RULE_OTHER, ret_rule);
}

int access_check(const struct access_caller *caller,
		 const struct access_object *object, unsigned int wanted,
		 enum access_rule *ret_rule)
{
	bool read_search, override;
	enum access_rule rule;
	int r;

	wanted &= ACCESS_READ | ACCESS_WRITE | ACCESS_EXEC;
	if (wanted == 0)
		return decide(0, ACCESS_RULE_NOTHING, ret_rule);
	r = check_classes(caller, object, wanted, &rule);
	if (r != -EACCES)
		return decide(r, rule, ret_rule);
	if (S_ISDIR(object->mode)) {
		read_search = (wanted & ACCESS_WRITE) == 0;
		override = true;
	} else {
		read_search = wanted == ACCESS_READ;
		override = (wanted & ACCESS_EXEC) == 0 ||
			   (object->mode & 0111) != 0;
	}
	if (!override && has_cap(caller, ACCESS_CAP_DAC_OVERRIDE))
		return decide(r, ACCESS_RULE_NO_EXEC_BIT, ret_rule);
	read_search =
		read_search && has_cap(caller, ACCESS_CAP_DAC_READ_SEARCH);
	override = override && has_cap(caller, ACCESS_CAP_DAC_OVERRIDE);
	if (!read_search && !override)
		return decide(r, rule, ret_rule);
	if (!both_mapped(object))
		return decide(r, ACCESS_RULE_UNMAPPED, ret_rule);
	return decide(0,
		      read_search ? ACCESS_RULE_CAP_DAC_READ_SEARCH :
				    ACCESS_RULE_CAP_DAC_OVERRIDE,
		      ret_rule);
}

int access_owner(const struct access_caller *caller,
		 const struct access_object *object, enum access_rule *ret_rule)
{
	if (same_id(caller->uid, object->uid))
		return decide(0, ACCESS_RULE_OWNER, ret_rule);
	if (!has_cap(caller, ACCESS_CAP_FOWNER))
		return decide(-EPERM, ACCESS_RULE_NOT_OWNER, ret_rule);
	if (!container_id_is_mapped(object->uid))
		return decide(-EPERM, ACCESS_RULE_UNMAPPED, ret_rule);
	return decide(0, ACCESS_RULE_CAP_FOWNER, ret_rule);
}

/* in_group_or_capable(): who may make or keep something setgid. */
static bool may_setgid(const struct access_caller *caller,
		       const struct access_object *object,
		       struct container_id gid)
{
	return access_in_group(caller, gid) ||
	       capable(caller, object, ACCESS_CAP_FSETID);
}

int access_chmod(const struct access_caller *caller,
		 const struct access_object *object, mode_t mode,
		 mode_t *ret_mode, enum access_rule *ret_rule)
{
	int r = access_owner(caller, object, ret_rule);

	if (r < 0)
		return r;
	mode &= 07777;
	if (!may_setgid(caller, object, object->gid))
		mode &= ~(mode_t)S_ISGID;
	if (ret_mode != NULL)
		*ret_mode = mode;
	return 0;
}

/* chown_ok() and chgrp_ok() for one id; `allowed`: to the owner. */
static int check_chown(const struct access_caller *caller,
		       const struct access_object *object, bool allowed,
		       enum access_rule denied_rule, enum access_rule *ret_rule)
{
	bool owner = same_id(caller->uid, object->uid);

	if (owner && allowed)
		return decide(0, ACCESS_RULE_OWNER, ret_rule);
	if (capable(caller, object, ACCESS_CAP_CHOWN))
		return decide(0, ACCESS_RULE_CAP_CHOWN, ret_rule);
	if (has_cap(caller, ACCESS_CAP_CHOWN))
		return decide(-EPERM, ACCESS_RULE_UNMAPPED, ret_rule);
	return decide(-EPERM, owner ? denied_rule : ACCESS_RULE_NOT_OWNER,
		      ret_rule);
}

/* The mode after a chown: chown_common() and setattr_should_drop_sgid(). */
static mode_t chown_mode(const struct access_caller *caller,
			 const struct access_object *object,
			 struct container_id new_gid)
{
	mode_t mode = object->mode & 07777;

	if (S_ISDIR(object->mode))
		return mode;
	if ((mode & S_ISGID) != 0 &&
	    ((mode & S_IXGRP) != 0 || !may_setgid(caller, object, object->gid)))
		mode &= ~(mode_t)S_ISGID;
	/*
	 * Once a bit falls it is a change of mode, and setattr_prepare() then
	 * asks for setgid again, of the new group.
	 */
	mode &= ~(mode_t)S_ISUID;
	if (mode != (object->mode & 07777) &&
	    !may_setgid(caller, object, new_gid))
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

int access_chown(const struct access_caller *caller,
		 const struct access_object *object, struct container_id uid,
		 struct container_id gid, mode_t *ret_mode,
		 enum access_rule *ret_rule)
{
	bool to_uid = container_id_is_mapped(uid);
	bool to_gid = container_id_is_mapped(gid);
	struct container_id new_gid = to_gid ? gid : object->gid;
	enum access_rule rule = ACCESS_RULE_NOTHING;
	mode_t mode = chown_mode(caller, object, new_gid);
	int r;

	if (to_uid) {
		r = check_chown(caller, object, same_id(uid, object->uid),
				ACCESS_RULE_GIVE_AWAY, &rule);
		if (r < 0)
			return decide(r, rule, ret_rule);
	}
	if (to_gid && rule != ACCESS_RULE_CAP_CHOWN) {
		r = check_chown(caller, object,
				same_id(gid, object->gid) ||
					access_in_group(caller, gid),
				ACCESS_RULE_NOT_IN_GROUP, &rule);
		if (r < 0)
			return decide(r, rule, ret_rule);
	}
	/* To clear a bit is a chmod: CAP_CHOWN alone is not enough for it. */
	if (mode != (object->mode & 07777)) {
		enum access_rule owner_rule;

		r = access_owner(caller, object, &owner_rule);
		if (r < 0)
			return decide(r, owner_rule, ret_rule);
	}
	if (ret_mode != NULL)
		*ret_mode = mode;
	return decide(0, rule, ret_rule);
}

int access_utimes(const struct access_caller *caller,
		  const struct access_object *object, bool to_now,
		  enum access_rule *ret_rule)
{
	enum access_rule rule;
	int r = access_owner(caller, object, &rule);

	if (r == 0 || !to_now)
		return decide(r, rule, ret_rule);
	return access_check(caller, object, ACCESS_WRITE, ret_rule);
}

int access_create(const struct access_caller *caller,
		  const struct access_object *dir, enum access_rule *ret_rule)
{
	return access_check(caller, dir, ACCESS_WRITE | ACCESS_EXEC, ret_rule);
}

void access_create_result(const struct access_caller *caller,
			  const struct access_object *dir, mode_t mode,
			  struct container_id *ret_gid, mode_t *ret_mode)
{
	struct container_id gid = caller->gid;

	/* mkdir(2) takes no setuid or setgid from the caller. */
	if (S_ISDIR(mode))
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
	if ((dir->mode & S_ISGID) != 0) {
		gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !may_setgid(caller, dir, dir->gid))
			mode &= ~(mode_t)S_ISGID;
	}
	if (ret_gid != NULL)
		*ret_gid = gid;
	if (ret_mode != NULL)
		*ret_mode = mode;
}

/* check_sticky() of fs/namei.c. */
static int check_sticky(const struct access_caller *caller,
			const struct access_object *dir,
			const struct access_object *victim,
			enum access_rule *ret_rule)
{
	if (same_id(caller->uid, victim->uid) || same_id(caller->uid, dir->uid))
		return decide(0, ACCESS_RULE_OWNER, ret_rule);
	if (capable(caller, victim, ACCESS_CAP_FOWNER))
		return decide(0, ACCESS_RULE_CAP_FOWNER, ret_rule);
	return decide(-EPERM,
		      has_cap(caller, ACCESS_CAP_FOWNER) ?
			      ACCESS_RULE_UNMAPPED :
			      ACCESS_RULE_STICKY,
		      ret_rule);
}

/* may_delete(), with the object that decided. */
static int check_delete(const struct access_caller *caller,
			const struct access_object *dir,
			const struct access_object *victim,
			const struct access_object **ret_object,
			enum access_rule *ret_rule)
{
	int r = access_create(caller, dir, ret_rule);

	*ret_object = dir;
	if (r < 0 || (dir->mode & S_ISVTX) == 0)
		return r;
	*ret_object = victim;
	return check_sticky(caller, dir, victim, ret_rule);
}

int access_delete(const struct access_caller *caller,
		  const struct access_object *dir,
		  const struct access_object *victim,
		  enum access_rule *ret_rule)
{
	const struct access_object *object;

	return check_delete(caller, dir, victim, &object, ret_rule);
}

static int check_search(const struct access_caller *caller,
			const struct access_object *dir,
			const struct access_object **ret_object,
			enum access_rule *ret_rule)
{
	*ret_object = dir;
	return access_check(caller, dir, ACCESS_EXEC, ret_rule);
}

/* A directory that gets another parent is written to: its ".." changes. */
static int check_reparent(const struct access_caller *caller,
			  const struct access_object *moved,
			  const struct access_object **ret_object,
			  enum access_rule *ret_rule)
{
	*ret_object = moved;
	return access_check(caller, moved, ACCESS_WRITE, ret_rule);
}

/* Where nothing is refused, what the old directory says is the reason. */
static int check_rename(const struct access_caller *caller,
			const struct access_rename *move,
			const struct access_object **object,
			enum access_rule *rule)
{
	const struct access_object *ok_object;
	enum access_rule ok_rule;
	int r;

	/* The walk to the new name comes before what is asked of the old. */
	r = check_search(caller, move->old_dir, object, rule);
	if (r == 0)
		r = check_search(caller, move->new_dir, object, rule);
	if (r == 0)
		r = check_delete(caller, move->old_dir, move->source, object,
				 rule);
	if (r < 0)
		return r;
	ok_object = *object;
	ok_rule = *rule;
	if (move->target != NULL) {
		r = check_delete(caller, move->new_dir, move->target, object,
				 rule);
	} else {
		*object = move->new_dir;
		r = access_create(caller, move->new_dir, rule);
	}
	if (r == 0 && !move->same_dir && S_ISDIR(move->source->mode))
		r = check_reparent(caller, move->source, object, rule);
	if (r == 0 && !move->same_dir && move->exchange &&
	    move->target != NULL && S_ISDIR(move->target->mode))
		r = check_reparent(caller, move->target, object, rule);
	if (r < 0)
		return r;
	*object = ok_object;
	*rule = ok_rule;
	return 0;
}

int access_rename(const struct access_caller *caller,
		  const struct access_rename *move,
		  const struct access_object **ret_object,
		  enum access_rule *ret_rule)
{
	const struct access_object *object;
	enum access_rule rule;
	int r = check_rename(caller, move, &object, &rule);

	if (ret_object != NULL)
		*ret_object = object;
	return decide(r, rule, ret_rule);
}

int access_link(const struct access_caller *caller,
		const struct access_object *object, enum access_rule *ret_rule)
{
	bool setid =
		(object->mode & S_ISUID) != 0 ||
		(object->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	enum access_rule rule;
	int r;

	r = access_owner(caller, object, &rule);
	if (r == 0)
		return decide(0, rule, ret_rule);
	if (S_ISREG(object->mode) && !setid &&
	    access_check(caller, object, ACCESS_READ | ACCESS_WRITE, &rule) ==
		    0)
		return decide(0, rule, ret_rule);
	return decide(-EPERM, ACCESS_RULE_UNSAFE_LINK, ret_rule);
}
