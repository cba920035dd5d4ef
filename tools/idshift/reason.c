/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reason.h"

#include <errno.h>
#include <sys/stat.h>

#include "idshift/backing.h"
#include "idshift/records_side.h"

#include "target.h"

static const struct {
	const char *word;
	const char *text;
} texts[REASON_COUNT] = {
	[REASON_DISK] = { "disk", "the disk's, through the owner map" },
	[REASON_RECORD] = { "record", "recorded: a container changed it" },
	[REASON_RECORD_UNMAPPED] = { "record-unmapped",
				     "recorded, but the container has no such "
				     "id: it shows as 65534" },
	[REASON_UNMAPPED] = { "unmapped", "the disk's, which has no id in the "
					  "container: it shows as 65534" },
	[REASON_UNMAPPED_OPTION] = { "unmapped=",
				     "the disk's is in no map: unmapped= says "
				     "what shows" },
	[REASON_NOT_OURS] = { "not-ours",
			      "the disk's: a record does not count on a file "
			      "that is not yours" },
	[REASON_HOST_CHGRP] = { "host-chgrp",
				"the disk's: the group was changed on the host "
				"after it was recorded" },
	[REASON_HOST_CHMOD] = { "host-chmod",
				"the disk's: the mode was changed on the host "
				"after it was recorded" },
	[REASON_MALFORMED] = { "malformed",
			       "the disk's: the record is malformed" },
	[REASON_HIDDEN] = { "hidden",
			    "the disk's: its mode does not let you read the "
			    "record" },
	[REASON_LINK] = { "link", "a symbolic link's mode means nothing" },
};

const char *reason_word(enum reason reason)
{
	return texts[reason].word;
}

const char *reason_text(enum reason reason)
{
	return texts[reason].text;
}

static enum reason reason_of_disk(const struct view_policy *policy,
				  const struct owner_map *map, uint32_t id,
				  struct container_id shown)
{
	struct container_id mapped;

	if (owner_map_to_container(map, DISK_ID(id), &mapped) &&
	    container_id_equal(mapped, shown))
		return REASON_DISK;
	return container_id_is_mapped(policy->unmapped) ?
		       REASON_UNMAPPED_OPTION :
		       REASON_UNMAPPED;
}

/* Without a record that counts. */
static void reason_without(const struct view_policy *policy,
			   const struct statx *stx, struct explained *e)
{
	e->uid = reason_of_disk(policy, &policy->owner_uid, stx->stx_uid,
				view_uid_shown(policy, DISK_ID(stx->stx_uid)));
	e->gid = reason_of_disk(policy, &policy->owner_gid, stx->stx_gid,
				view_gid_shown(policy, DISK_ID(stx->stx_gid)));
	e->mode = S_ISLNK(stx->stx_mode) ? REASON_LINK : REASON_DISK;
}

static void set_all(struct explained *e, enum reason reason)
{
	e->uid = e->gid = e->mode = reason;
}

/* A record of ours: does each of its fields show? */
static void reason_recorded(const struct override_stat *record,
			    struct explained *e)
{
	if (record->has_uid)
		e->uid = REASON_RECORD;
	if (record->has_gid)
		e->gid = container_id_equal(record->gid, e->view.gid) ?
				 REASON_RECORD :
				 REASON_HOST_CHGRP;
	if (record->has_mode && e->mode != REASON_LINK)
		e->mode = (record->mode & MODE_BITS) ==
					  (e->view.mode & MODE_BITS) ?
				  REASON_RECORD :
				  REASON_HOST_CHMOD;
}

/* Recorded under a larger map than today's. */
static void reason_strange(const struct view_policy *policy,
			   struct explained *e)
{
	const struct view recorded = e->view;

	if (!target_forget_strange_ids(policy, &e->view))
		return;
	if (!container_id_equal(recorded.uid, e->view.uid))
		e->uid = REASON_RECORD_UNMAPPED;
	if (!container_id_equal(recorded.gid, e->view.gid))
		e->gid = REASON_RECORD_UNMAPPED;
}

int reason_find(const struct records *records, int path_fd,
		const struct statx *stx, struct explained *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct explained e = { .where = "extended attribute" };
	struct override_stat record;
	ssize_t len = side_read(records->db, path_fd, stx, SIDE_OVERRIDE_STAT,
				e.text, sizeof(e.text) - 1);
	ssize_t kept = -EOPNOTSUPP;
	int r = records_view(records, path_fd, stx, &e.view);

	if (r < 0)
		return r;
	reason_without(records->policy, stx, &e);
	if (side_in_xattr(stx))
		kept = backing_getxattr(path_fd, OVERRIDE_STAT_XATTR, NULL, 0);
	/* Other than xattr(7) foresees: the source has none. */
	if (kept == -EOPNOTSUPP)
		e.where = "database";
	e.empty = kept == 0;
	e.too_long = len == -ERANGE;
	if (len > 0) {
		e.len = (size_t)len;
		e.text[len] = '\0';
	}
	if (!view_is_ours(records->policy, &disk)) {
		if (len > 0)
			set_all(&e, REASON_NOT_OURS);
	} else if (len == -EACCES) {
		set_all(&e, REASON_HIDDEN);
	} else if (len > 0 || len == -ERANGE) {
		if (len > 0 && override_stat_parse(e.text, e.len, &record) == 0)
			reason_recorded(&record, &e);
		else
			set_all(&e, REASON_MALFORMED);
	}
	reason_strange(records->policy, &e);
	*ret = e;
	return 0;
}
