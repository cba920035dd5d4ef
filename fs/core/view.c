/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

void view_policy_destroy(struct view_policy *policy)
{
	userns_map_destroy(&policy->userns_uid);
	userns_map_destroy(&policy->userns_gid);
	owner_map_destroy(&policy->owner_uid);
	owner_map_destroy(&policy->owner_gid);
	free(policy->acting.groups);
	*policy = (struct view_policy){ 0 };
}

bool acting_user_in_group(const struct acting_user *acting, struct disk_id gid)
{
	size_t low = 0, high = acting->group_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (acting->groups[middle].value == gid.value)
			return true;
		if (acting->groups[middle].value < gid.value)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool view_is_ours(const struct view_policy *policy,
		  const struct disk_owner *disk)
{
	if (policy->real_owners)
		return true;
	/* A file of the overflow id's can't be told from a stranger's. */
	if (policy->acting.userns_root)
		return disk->uid.value != ID_OVERFLOW;
	return disk_id_equal(disk->uid, policy->acting.uid);
}

bool view_gid_backed(const struct view_policy *policy, struct container_id gid,
		     struct disk_id *ret)
{
	struct disk_id found;

	if (!owner_map_to_disk(&policy->owner_gid, gid, &found))
		return false;
	if (!acting_user_in_group(&policy->acting, found))
		return false;
	*ret = found;
	return true;
}

mode_t disk_mode(mode_t view_mode, mode_t file_type, enum group_backing group)
{
	mode_t mode = view_mode & (S_ISVTX | 0777);

	if (group == GROUP_RECORDED)
		mode &= ~(mode_t)S_IRWXG | ((view_mode & S_IRWXO) << 3);
	if (!S_ISDIR(file_type))
		return mode | S_IRUSR | S_IWUSR;
	if (group == GROUP_BACKED)
		mode |= view_mode & S_ISGID;
	return mode | S_IRWXU;
}

/*
 * Mode bits to put on disk in place of a recorded ACL that leads to
 * `view_mode`: they grant to the group and to others only what the ACL grants
 * to each whom it might stand for.
 */
static mode_t mode_for_disk(mode_t view_mode, const struct acl *acl)
{
	mode_t mask = S_IRWXO, group = S_IRWXO, all = S_IRWXO;

	if (acl == NULL)
		return view_mode;
	for (size_t i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entries[i];

		switch (entry->tag) {
		case ACL_GROUP_OBJ:
			group = entry->perm;
			break;
		case ACL_MASK:
			mask = entry->perm;
			break;
		case ACL_USER:
		case ACL_GROUP:
			all &= entry->perm;
			break;
		default:
			break;
		}
	}
	/* Whom an entry names may on the host be in the group, or another. */
	all &= mask;
	return (view_mode & ~(mode_t)(S_IRWXG | S_IRWXO)) | (group & all) << 3 |
	       (view_mode & all);
}

/*
 * What disk_mode() says, with a directory's setgid that the disk and the view
 * have both: no chmod need take it away, and where we aren't in the group none
 * of ours could set it again.
 */
static mode_t disk_mode_from(mode_t now, mode_t view_mode,
			     const struct acl *acl, enum group_backing group)
{
	mode_t mode = disk_mode(mode_for_disk(view_mode, acl), now, group);

	if (S_ISDIR(now) && (view_mode & S_ISGID) != 0 &&
	    (now & MODE_BITS) == (mode | S_ISGID))
		mode |= S_ISGID;
	return mode;
}

/*
 * With chown=disk owners are shown as they are: the overflow id may be a real
 * one there.
 */
static struct container_id shown(const struct view_policy *policy,
				 const struct owner_map *map, struct disk_id id)
{
	bool anybody = policy->acting.in_userns && !policy->real_owners &&
		       id.value == ID_OVERFLOW;
	struct container_id found;

	if (!owner_map_to_container(map, id, &found) ||
	    (anybody && found.value == ID_OVERFLOW))
		return policy->unmapped;
	return found;
}

struct container_id view_uid_shown(const struct view_policy *policy,
				   struct disk_id uid)
{
	return shown(policy, &policy->owner_uid, uid);
}

struct container_id view_gid_shown(const struct view_policy *policy,
				   struct disk_id gid)
{
	return shown(policy, &policy->owner_gid, gid);
}

bool view_is_strange(const struct view_policy *policy, const struct view *view)
{
	return policy->acting.in_userns &&
	       (!container_id_is_mapped(view->uid) ||
		!container_id_is_mapped(view->gid));
}

/* What the disk alone says. */
static void base_view(const struct view_policy *policy,
		      const struct disk_owner *disk, struct view *ret)
{
	ret->mode = disk->mode;
	ret->acl = NULL;
	ret->uid = view_uid_shown(policy, disk->uid);
	ret->gid = view_gid_shown(policy, disk->gid);
}

static enum group_backing group_backing(const struct view_policy *policy,
					const struct disk_owner *disk,
					const struct view *base,
					struct container_id gid)
{
	struct disk_id counterpart;
	bool on_disk = container_id_equal(base->gid, gid);

	if (!on_disk && view_gid_backed(policy, gid, &counterpart))
		on_disk = disk_id_equal(counterpart, disk->gid);
	if (!on_disk)
		return GROUP_RECORDED;
	return acting_user_in_group(&policy->acting, disk->gid) ? GROUP_BACKED :
								  GROUP_FOREIGN;
}

/* A recorded gid yields once the disk could say it but says another. */
static bool recorded_gid_counts(const struct view_policy *policy,
				const struct disk_owner *disk,
				const struct override_stat *record)
{
	struct disk_id counterpart;

	if (!record->has_gid)
		return false;
	if (!view_gid_backed(policy, record->gid, &counterpart))
		return true;
	return disk_id_equal(counterpart, disk->gid);
}

void view_of(const struct view_policy *policy, const struct disk_owner *disk,
	     const struct override_stat *record, struct view *ret)
{
	view_of_recorded(policy, disk, record, NULL, ret);
}

void view_of_recorded(const struct view_policy *policy,
		      const struct disk_owner *disk,
		      const struct override_stat *record, const struct acl *acl,
		      struct view *ret)
{
	struct view base;
	enum group_backing group;
	mode_t type = disk->mode & S_IFMT;

	base_view(policy, disk, &base);
	*ret = base;
	if (record == NULL || policy->real_owners ||
	    !view_is_ours(policy, disk))
		return;
	if (record->has_uid)
		ret->uid = record->uid;
	if (recorded_gid_counts(policy, disk, record))
		ret->gid = record->gid;
	if (!record->has_mode || S_ISLNK(type))
		return;
	/* Of another record's time. */
	if (acl != NULL && acl_mode_bits(acl) != (record->mode & 0777))
		acl = NULL;
	group = group_backing(policy, disk, &base, ret->gid);
	if (disk_mode_from(disk->mode, record->mode, acl, group) !=
	    (disk->mode & MODE_BITS))
		return;
	ret->mode = type | (record->mode & MODE_BITS);
	ret->acl = acl;
}

/* An id that is seen already stays the one on disk: many show as one. */
static int plan_real(const struct view_policy *policy,
		     const struct disk_owner *disk, const struct view *want,
		     struct view_plan *ret)
{
	struct view_plan plan = { .uid = disk->uid,
				  .gid = disk->gid,
				  .mode = want->mode & MODE_BITS };
	struct view base;

	base_view(policy, disk, &base);
	if (!container_id_equal(base.uid, want->uid) &&
	    !owner_map_to_disk(&policy->owner_uid, want->uid, &plan.uid))
		return -EOVERFLOW;
	if (!container_id_equal(base.gid, want->gid) &&
	    !owner_map_to_disk(&policy->owner_gid, want->gid, &plan.gid))
		return -EOVERFLOW;
	*ret = plan;
	return 0;
}

int view_plan(const struct view_policy *policy, const struct disk_owner *disk,
	      const struct view *want, struct view_plan *ret)
{
	struct disk_owner after = *disk;
	struct view base;
	enum group_backing group;
	mode_t type = disk->mode & S_IFMT;
	mode_t mode = want->mode & MODE_BITS;
	struct container_id uid = want->uid, gid = want->gid;

	if (policy->real_owners)
		return plan_real(policy, disk, want, ret);
	base_view(policy, disk, &base);
	if (!container_id_is_mapped(uid))
		uid = base.uid;
	if (!container_id_is_mapped(gid))
		gid = base.gid;
	if (!container_id_equal(base.gid, gid))
		(void)view_gid_backed(policy, gid, &after.gid);
	if (!S_ISLNK(type)) {
		base_view(policy, &after, &base);
		group = group_backing(policy, &after, &base, gid);
		after.mode = type |
			     disk_mode_from(disk->mode, mode, want->acl, group);
	}
	base_view(policy, &after, &base);

	ret->uid = after.uid;
	ret->gid = after.gid;
	ret->mode = after.mode & MODE_BITS;
	ret->recorded = want->acl != NULL ||
			!container_id_equal(base.uid, uid) ||
			!container_id_equal(base.gid, gid) ||
			(base.mode & MODE_BITS) != mode;
	ret->record = (struct override_stat){
		.has_uid = container_id_is_mapped(uid),
		.has_gid = container_id_is_mapped(gid),
		.has_mode = true,
		.uid = uid,
		.gid = gid,
		.mode = mode,
	};
	return 0;
}

static struct wire_id to_wire(const struct userns_map *map,
			      struct container_id id, struct disk_id disk)
{
	struct wire_id wire;

	if (!container_id_is_mapped(id))
		return WIRE_ID(disk.value);
	if (userns_to_wire(map, id, &wire))
		return wire;
	/* Recorded under a larger map than today's. */
	return WIRE_ID(ID_OVERFLOW);
}

struct wire_id view_uid_to_wire(const struct view_policy *policy,
				struct container_id uid, struct disk_id disk)
{
	return to_wire(&policy->userns_uid, uid, disk);
}

struct wire_id view_gid_to_wire(const struct view_policy *policy,
				struct container_id gid, struct disk_id disk)
{
	return to_wire(&policy->userns_gid, gid, disk);
}
