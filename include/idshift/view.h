/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of ownership: what a container sees of a file (its view), and
 * what of a wanted view goes to the disk and what into a record.
 *
 * The host is the authority; a record only refines what the disk cannot say.
 * Pure: no I/O.  A policy is immutable once set up and shared by all threads.
 */
#ifndef IDSHIFT_VIEW_H
#define IDSHIFT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "idshift/acl.h"
#include "idshift/idmap.h"
#include "idshift/ids.h"
#include "idshift/override_stat.h"

/* Permission bits with setuid, setgid and sticky: what chmod(2) sets. */
#define MODE_BITS ((mode_t)07777)

/* As whom the daemon acts on the disk. */
struct acting_user {
	struct disk_id uid;
	struct disk_id gid; /* of what it creates */
	/*
	 * In a user namespace: stat(2) shows every owner without a number
	 * there as the overflow id, which is also the number of one.
	 */
	bool in_userns;
	/* Root of it: every mapped owner's files are ours. */
	bool userns_root;
	/* Effective and supplementary groups, sorted by value. */
	struct disk_id *groups;
	size_t group_count;
};

struct view_policy {
	struct userns_map userns_uid;
	struct userns_map userns_gid;
	struct owner_map owner_uid;
	struct owner_map owner_gid;
	/* What owners outside the owner map show as; ID_NONE: as unmapped. */
	struct container_id unmapped;
	/* chown=disk: owners and modes are the disk's own, nothing is kept. */
	bool real_owners;
	struct acting_user acting;
};

/* Owner and mode as the disk has them; mode includes S_IFMT. */
struct disk_owner {
	struct disk_id uid;
	struct disk_id gid;
	mode_t mode;
};

/*
 * Owner and mode as the container sees them; mode includes S_IFMT.  An id of
 * ID_NONE: the owner has no id in the container (it shows as the overflow id).
 */
struct view {
	struct container_id uid;
	struct container_id gid;
	mode_t mode;
	/*
	 * Recorded access ACL (container ids), where the disk can't carry it;
	 * its owner, mask and other entries agree with the mode.  NULL: none
	 * is recorded, the disk may still have one.  Not owned.
	 */
	const struct acl *acl;
};

/* How to bring a file on disk to a wanted view. */
struct view_plan {
	struct disk_id uid;	     /* the owner to have on disk */
	struct disk_id gid;	     /* the group to have on disk */
	mode_t mode;		     /* the mode to have on disk, 0..07777 */
	bool recorded;		     /* a record is needed; else remove any */
	struct override_stat record; /* what it says, all fields */
};

void view_policy_destroy(struct view_policy *policy);

/* Is the acting user a member of this on-disk group? */
bool acting_user_in_group(const struct acting_user *acting, struct disk_id gid);

/*
 * Who is shown for an owner on disk; ID_NONE for one who has no id in the
 * container, and in a user namespace for the overflow id: it may be anybody's,
 * and whoever has that number in the container must not be taken for him.
 */
struct container_id view_uid_shown(const struct view_policy *policy,
				   struct disk_id uid);
struct container_id view_gid_shown(const struct view_policy *policy,
				   struct disk_id gid);

/*
 * Its owner or group has no id, but travels as the number of one that has: the
 * kernel's verdict is not enough.
 */
bool view_is_strange(const struct view_policy *policy, const struct view *view);

/* Ours: a record on the file counts, and chown and chmod are served. */
bool view_is_ours(const struct view_policy *policy,
		  const struct disk_owner *disk);

/*
 * The on-disk counterpart of a container gid that the acting user is a member
 * of.  false: the gid is not backed; *ret is untouched.
 */
bool view_gid_backed(const struct view_policy *policy, struct container_id gid,
		     struct disk_id *ret);

/* How the group on disk relates to the group in the view. */
enum group_backing {
	GROUP_RECORDED, /* the view's group is only recorded */
	GROUP_FOREIGN,	/* the disk's group, but the acting user's no member */
	GROUP_BACKED,	/* the disk's group, and the acting user's a member */
};

/*
 * The mode that a file has on disk for a mode in the view, both 0..07777:
 * never more open than the view to anyone but the acting user, who always has
 * u+rw (directories u+rwx), since the daemon works with that user's rights.
 * setuid never reaches the disk (CVE-2021-41091), setgid only on directories
 * whose group is backed (the kernel drops it for a chmod by a non-member).
 * One that the host gave to a directory stays there nevertheless, as long as
 * the view has it and no other bit of the disk's mode is to change.
 */
mode_t disk_mode(mode_t view_mode, mode_t file_type, enum group_backing group);

/*
 * What the container sees.  record: NULL for a file without one; acl: the
 * recorded access ACL, NULL for none.  ret->acl is `acl` if it counts: only
 * while its mode is the record's.
 */
void view_of_recorded(const struct view_policy *policy,
		      const struct disk_owner *disk,
		      const struct override_stat *record, const struct acl *acl,
		      struct view *ret);
/* Without an ACL. */
void view_of(const struct view_policy *policy, const struct disk_owner *disk,
	     const struct override_stat *record, struct view *ret);

/*
 * With real owners an id without a counterpart on disk is -EOVERFLOW, as on a
 * kernel idmapped mount; else there is always a plan.
 *
 * What to do on disk so that the container sees `want` (its S_IFMT is that of
 * `disk`).  `disk` is the state to start from; but with real owners
 * an id of ID_NONE in `want` leaves that id as the disk has it.  The file is
 * ours.
 */
int view_plan(const struct view_policy *policy, const struct disk_owner *disk,
	      const struct view *want, struct view_plan *ret);

/*
 * Ids on the wire.  An owner without a container id travels as its disk id:
 * the daemon's user namespace is the one that made the mount, and the kernel
 * shows the id to the container as it would on a plain bind mount.
 */
struct wire_id view_uid_to_wire(const struct view_policy *policy,
				struct container_id uid, struct disk_id disk);
struct wire_id view_gid_to_wire(const struct view_policy *policy,
				struct container_id gid, struct disk_id disk);

#endif
