/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The permission engine: may this container id do that to an object?  Decided
 * as Linux decides for a process in a user namespace on an ordinary file
 * system (fs/namei.c, fs/attr.c, fs/posix_acl.c of Linux 6.18;
 * path_resolution(7), capabilities(7), user_namespaces(7)), and answered with
 * the rule that decided.
 *
 * Verdicts are 0, -EACCES or -EPERM, and -EIO for an ACL that acl_validate()
 * refuses.  What else makes a call fail (ENOTDIR, EEXIST, EROFS, immutable
 * files, ...) is not judged here.  Every output may be NULL; *ret_rule is set
 * with every verdict, other outputs only with 0.
 *
 * Pure and thread-safe.
 */
#ifndef IDSHIFT_ACCESS_H
#define IDSHIFT_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "idshift/acl.h"
#include "idshift/ids.h"

/* The capabilities that count for files, in the caller's user namespace. */
enum {
	ACCESS_CAP_CHOWN = 1 << 0,
	ACCESS_CAP_DAC_OVERRIDE = 1 << 1,
	ACCESS_CAP_DAC_READ_SEARCH = 1 << 2,
	ACCESS_CAP_FOWNER = 1 << 3,
	ACCESS_CAP_FSETID = 1 << 4,
	ACCESS_CAP_ALL = (1 << 5) - 1, /* what a container's root has */
};

/* What to ask access_check() for: the values of access(2). */
enum {
	ACCESS_EXEC = 1, /* of a directory: search */
	ACCESS_WRITE = 2,
	ACCESS_READ = 4,
};

/* The ids are the ones that file access goes by: fsuid and fsgid. */
struct access_caller {
	struct container_id uid;
	struct container_id gid;
	const struct container_id *groups; /* supplementary, in any order */
	size_t group_count;
	unsigned int caps; /* ACCESS_CAP_* */
};

/*
 * An owner of ID_NONE has no id in the container: nobody there owns the
 * object or is in its group, and capabilities do not count for it.
 */
struct access_object {
	struct container_id uid;
	struct container_id gid;
	mode_t mode; /* with S_IFMT */
	/* Access ACL with container ids, valid; NULL: none. */
	const struct acl *acl;
};

/* What decided.  access_rule_text() has a sentence for each. */
enum access_rule {
	ACCESS_RULE_NOTHING,
	ACCESS_RULE_OWNER,
	ACCESS_RULE_NAMED_USER,
	ACCESS_RULE_OWNING_GROUP,
	ACCESS_RULE_NAMED_GROUP,
	ACCESS_RULE_MASK,
	ACCESS_RULE_OTHER,
	ACCESS_RULE_BAD_ACL,
	ACCESS_RULE_CAP_DAC_OVERRIDE,
	ACCESS_RULE_CAP_DAC_READ_SEARCH,
	ACCESS_RULE_CAP_CHOWN,
	ACCESS_RULE_CAP_FOWNER,
	ACCESS_RULE_UNMAPPED,
	ACCESS_RULE_NO_EXEC_BIT,
	ACCESS_RULE_NOT_OWNER,
	ACCESS_RULE_GIVE_AWAY,
	ACCESS_RULE_NOT_IN_GROUP,
	ACCESS_RULE_STICKY,
	ACCESS_RULE_UNSAFE_LINK,
	ACCESS_RULE_COUNT,
};

/* One sentence, static; NULL for what is no rule. */
const char *access_rule_text(enum access_rule rule);

/* Is it the caller's group or one of the supplementary ones? */
bool access_in_group(const struct access_caller *caller,
		     struct container_id gid);

/*
 * Read, write, execute or search, an OR of ACCESS_*; 0 asks for nothing and
 * is granted.  The kernel's generic_permission().
 */
int access_check(const struct access_caller *caller,
		 const struct access_object *object, unsigned int wanted,
		 enum access_rule *ret_rule);

/*
 * What only the owner may (inode_owner_or_capable): besides chmod(2) and
 * utimensat(2), set and remove ACLs, open with O_NOATIME.  CAP_FOWNER counts
 * here where the user is mapped, whether the group is or not.
 */
int access_owner(const struct access_caller *caller,
		 const struct access_object *object,
		 enum access_rule *ret_rule);

/* *ret_mode: the mode set, 0..07777; setgid is lost to non-members. */
int access_chmod(const struct access_caller *caller,
		 const struct access_object *object, mode_t mode,
		 mode_t *ret_mode, enum access_rule *ret_rule);

/*
 * An id of ID_NONE stays as it is.  *ret_mode: the mode afterwards, 0..07777,
 * since chown(2) clears setuid and setgid on all but directories.
 */
int access_chown(const struct access_caller *caller,
		 const struct access_object *object, struct container_id uid,
		 struct container_id gid, mode_t *ret_mode,
		 enum access_rule *ret_rule);

/*
 * to_now: both times to the current time, which write permission is enough
 * for; with both times omitted nothing is to be asked.
 */
int access_utimes(const struct access_caller *caller,
		  const struct access_object *object, bool to_now,
		  enum access_rule *ret_rule);

/* A new name in a directory: create, mkdir, mknod, symlink, link. */
int access_create(const struct access_caller *caller,
		  const struct access_object *dir, enum access_rule *ret_rule);

/*
 * The group and mode (S_IFMT included in both modes) of a new object, before
 * umask and default ACL; granted as such.  setgid directories hand on their
 * group, and a file with setgid and g+x loses setgid to non-members there
 * (mode_strip_sgid).
 */
void access_create_result(const struct access_caller *caller,
			  const struct access_object *dir, mode_t mode,
			  struct container_id *ret_gid, mode_t *ret_mode);

/* Remove a name: unlink, rmdir. */
int access_delete(const struct access_caller *caller,
		  const struct access_object *dir,
		  const struct access_object *victim,
		  enum access_rule *ret_rule);

struct access_rename {
	const struct access_object *old_dir;
	const struct access_object *source;
	const struct access_object *new_dir;
	const struct access_object *target; /* NULL: no such name yet */
	bool same_dir;
	bool exchange; /* RENAME_EXCHANGE: there is a target */
};

/* *ret_object: which of the four decided. */
int access_rename(const struct access_caller *caller,
		  const struct access_rename *move,
		  const struct access_object **ret_object,
		  enum access_rule *ret_rule);

/*
 * May the object get another name, where fs.protected_hardlinks is 1, as
 * distributions set it (proc(5)); the new name itself is access_create()'s.
 */
int access_link(const struct access_caller *caller,
		const struct access_object *object, enum access_rule *ret_rule);

#endif
