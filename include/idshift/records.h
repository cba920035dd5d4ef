/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of objects in the source: read as the container sees it, changed
 * so that the container sees what it asked for.  The rules are view.h's; here
 * they meet the disk.  What the disk can't say is kept by records_side.h.
 *
 * Changes to one object are to be serialised by the caller (two at once mix
 * their halves); reads may run beside them.
 */
#ifndef IDSHIFT_RECORDS_H
#define IDSHIFT_RECORDS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "idshift/acl.h"
#include "idshift/records_cache.h"
#include "idshift/records_db.h"
#include "idshift/view.h"

struct records {
	const struct view_policy *policy;
	struct records_db *db;
	/* NULL: a SIGKILL between the steps of a change leaves it half done */
	struct intents *intents;
	/* NULL: nobody else changes records (turns.h) */
	struct turns *turns;
	struct records_cache *cache; /* NULL: all is read each time */
	/*
	 * backing_dev() of the file system that is known to keep user.*
	 * attributes: what isn't listed there isn't in the database either.
	 * 0: none is.
	 */
	uint64_t xattr_dev;
};

/*
 * What the container sees of the object behind a path fd, whose statx is
 * `stx`; ret->acl is NULL.  A record that is malformed counts as none, one
 * that can't be read (the host took u+r away) likewise.
 */
int records_view(const struct records *records, int path_fd,
		 const struct statx *stx, struct view *ret);
/*
 * The same, and what stands beside it (the sides of records_side.h); moment is
 * records_moment() from before the statx.  settled: for a caller that will
 * change it; a look of a moment ago is not good enough.
 */
int records_look(const struct records *records, int path_fd,
		 const struct records_moment *moment, const struct statx *stx,
		 bool settled, struct records_seen *ret);

/*
 * The same of an entry of a directory, without opening it; stx is what
 * backing_stat_child() said, dir_dev the directory's backing_dev().
 *
 * note is for a caller that notices if a name in there changes hands: what may
 * be put into the cache if none did.  Others give NULL.
 *
 * -EAGAIN  it did so, or the record needs a closer look: open it
 */
int records_look_child(const struct records *records, int dir_fd,
		       uint64_t dir_dev, const char *name,
		       const struct records_moment *moment,
		       const struct statx *stx,
		       struct records_cache_entry *note,
		       struct records_seen *ret);

/*
 * The sides that an object has not which nobody else has seen yet: all but the
 * disk's own ACLs, which it may inherit; none where the database may have some
 * of what had its inode's number before.
 */
unsigned int records_absent_of_new(const struct records *records,
				   const struct statx *stx);

/*
 * We have just made the object, with nothing beside it but, if it was recorded
 * (by records_apply()), its record: nobody needs to look at once.  moment is
 * from before others could see it.
 */
void records_made(const struct records *records,
		  const struct records_moment *moment, const struct statx *stx,
		  const struct view *view, bool recorded);

/*
 * Bring the object to the wanted view (ids of ID_NONE stay as they are seen):
 * group and mode on disk, record made or removed, ctime moved.  A recorded
 * ACL follows the mode as chmod(2) makes it, or is replaced by want->acl
 * unless that is NULL.  *stx is the state before, `absent` the sides that the
 * caller has just seen it not to have (records_look()), 0: he hasn't looked;
 * stat again afterwards.  On failure all is as before, as far as the disk lets
 * us.
 *
 * -EPERM  the object is not ours
 */
int records_apply(const struct records *records, int path_fd,
		  const struct statx *stx, unsigned int absent,
		  const struct view *want);

/*
 * May what is recorded of an object of this S_IFMT and device be there when it
 * is gone?
 */
bool records_may_outlive(const struct records *records, mode_t type,
			 uint64_t dev);
/* The object is gone for good (no name left, last reference dropped). */
void records_forget(const struct records *records, int path_fd,
		    const struct statx *stx);

/*
 * POSIX ACLs, with wire ids: what FUSE carries and the kernel enforces.
 */
enum acl_which { RECORDS_ACL_ACCESS, RECORDS_ACL_DEFAULT };

/*
 * *ret NULL: none.  *ret_on_disk (may be NULL): the source itself has it, so
 * that its file system passes a default ACL on.
 *
 * -EOPNOTSUPP  the source has no ACLs
 */
int records_acl_get(const struct records *records, int path_fd,
		    const struct statx *stx, enum acl_which type,
		    struct acl **ret, bool *ret_on_disk);

/*
 * The access ACL as the container's kernel goes by it, with container ids;
 * whoever has none is ID_NONE.  *ret NULL: none, or it can't be read.
 */
int records_acl_judged(const struct records *records, int path_fd,
		       const struct statx *stx, struct acl **ret);

/*
 * acl NULL removes; else it is valid.  An access ACL changes the mode as well
 * and, with drop_setgid, takes setgid away (CVE-2016-7097).  Kept on disk
 * where that can carry it, with the disk's ids.
 *
 * -EINVAL  an id outside the map; -EPERM, -EOPNOTSUPP
 */
int records_acl_set(const struct records *records, int path_fd,
		    const struct statx *stx, enum acl_which type,
		    const struct acl *acl, bool drop_setgid);

/*
 * What a new object inherits of a recorded default ACL of its directory: that
 * ACL with container ids; NULL: none is recorded, or it does not count.
 *
 * Not vouched: anybody who could write the directory may have set it, which
 * on a plain one only its owner can.  It must not make a new object more open
 * than its creator does, so the umask counts.
 */
int records_acl_inherited(const struct records *records, int dir_fd,
			  const struct statx *dir, struct acl **ret,
			  bool *ret_vouched);
/* Record a default ACL (container ids) for a new directory. */
int records_acl_hand_on(const struct records *records, int path_fd,
			const struct statx *stx, const struct acl *acl,
			bool vouched);

/*
 * File capabilities, as security.capability carries them (capabilities(7)),
 * the root id numbered on the wire; kept with a container id, never where the
 * host would honour them.  An empty value is one too.  Lengths as
 * getxattr(2), flags as setxattr(2); -ENODATA for none.
 */
ssize_t records_capability_get(const struct records *records, int path_fd,
			       const struct statx *stx, void *value,
			       size_t size);
int records_capability_set(const struct records *records, int path_fd,
			   const struct statx *stx, const void *value,
			   size_t size, int flags);
int records_capability_remove(const struct records *records, int path_fd,
			      const struct statx *stx);

#endif
