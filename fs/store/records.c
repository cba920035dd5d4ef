/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/records.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <syslog.h>

#include "idshift/backing.h"

/* Other writers pad or extend the text; beyond this it is malformed. */
#define RECORD_READ_MAX 256

/* A record as stored; len 0: none. */
struct raw_record {
	size_t len;
	char text[RECORD_READ_MAX];
};

bool records_xattr_is_ours(const char *name)
{
	return strcmp(name, OVERRIDE_STAT_XATTR) == 0 ||
	       strncmp(name, IDSHIFT_XATTR_PREFIX,
		       strlen(IDSHIFT_XATTR_PREFIX)) == 0;
}

static bool holds_xattrs(const struct statx *stx)
{
	return S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode);
}

static int db_read(const struct records *records, int path_fd,
		   const struct statx *stx, struct raw_record *ret)
{
	struct backing_key key;
	ssize_t len;

	if (backing_key(path_fd, stx, &key) < 0)
		return 0; /* none could have been made */
	len = records_db_get(records->db, RECORDS_DB_OVERRIDE_STAT, &key,
			     ret->text, sizeof(ret->text));
	if (len >= 0)
		ret->len = (size_t)len;
	return len < 0 && len != -ENOENT && len != -ERANGE ? (int)len : 0;
}

static int raw_read(const struct records *records, int path_fd,
		    const struct statx *stx, struct raw_record *ret)
{
	ssize_t len;

	ret->len = 0;
	if (!holds_xattrs(stx))
		return db_read(records, path_fd, stx, ret);
	len = backing_getxattr(path_fd, OVERRIDE_STAT_XATTR, ret->text,
			       sizeof(ret->text));
	switch (len) {
	case -ENODATA:
	case -ERANGE:
		return 0;
	case -EOPNOTSUPP:
		return db_read(records, path_fd, stx, ret);
	default:
		if (len < 0)
			return (int)len;
		ret->len = (size_t)len;
		return 0;
	}
}

static int db_write(const struct records *records, int path_fd,
		    const struct statx *stx, const struct raw_record *record)
{
	struct backing_key key;
	int r = backing_key(path_fd, stx, &key);

	if (r < 0)
		return record->len == 0 ? 0 : r;
	if (record->len == 0)
		return records_db_remove(records->db, RECORDS_DB_OVERRIDE_STAT,
					 &key);
	return records_db_set(records->db, RECORDS_DB_OVERRIDE_STAT, &key,
			      record->text, record->len);
}

static int raw_write(const struct records *records, int path_fd,
		     const struct statx *stx, const struct raw_record *record)
{
	int r;

	if (!holds_xattrs(stx))
		return db_write(records, path_fd, stx, record);
	if (record->len > 0)
		r = backing_setxattr(path_fd, OVERRIDE_STAT_XATTR, record->text,
				     record->len, 0);
	else
		r = backing_removexattr(path_fd, OVERRIDE_STAT_XATTR);
	if (r == -ENODATA)
		return 0;
	if (r == -EOPNOTSUPP)
		return db_write(records, path_fd, stx, record);
	return r;
}

static void log_malformed(const struct statx *stx)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&logged))
		syslog(LOG_DEBUG,
		       "inode %llu: malformed " OVERRIDE_STAT_XATTR
		       " ignored (said once)",
		       (unsigned long long)stx->stx_ino);
}

static void view_from_raw(const struct records *records,
			  const struct statx *stx, const struct raw_record *raw,
			  struct view *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct override_stat record;
	bool recorded = false;

	if (raw->len > 0) {
		recorded =
			override_stat_parse(raw->text, raw->len, &record) == 0;
		if (!recorded)
			log_malformed(stx);
	}
	view_of(records->policy, &disk, recorded ? &record : NULL, ret);
}

int records_view(const struct records *records, int path_fd,
		 const struct statx *stx, struct view *ret)
{
	struct disk_owner disk = backing_owner(stx);
	struct raw_record raw = { .len = 0 };
	int r = 0;

	/* Strangers' records don't count: don't even look. */
	if (view_is_ours(records->policy, &disk))
		r = raw_read(records, path_fd, stx, &raw);
	if (r < 0 && r != -EACCES)
		return r;
	view_from_raw(records, stx, &raw, ret);
	return 0;
}

/* A change under way, and what it has to undo. */
struct change {
	const struct records *records;
	int path_fd;
	const struct statx *stx;
	struct raw_record old;
	mode_t mode; /* on disk now */
	bool moved_group;
	bool wrote_record;
	bool moved_ctime;
};

static int change_mode(struct change *c, mode_t mode)
{
	int r;

	if (c->mode == mode)
		return 0;
	r = backing_chmod(c->path_fd, mode);
	if (r < 0)
		return r;
	c->mode = mode;
	c->moved_ctime = true;
	return 0;
}

static int change_group(struct change *c, struct disk_id gid, mode_t final)
{
	int r;

	if (gid.value == c->stx->stx_gid)
		return 0;
	/* The new group must not gain, for a moment, what is only the old's. */
	r = change_mode(c, c->mode & (final | S_IRWXU));
	if (r < 0)
		return r;
	r = backing_chgrp(c->path_fd, gid);
	if (r < 0)
		return r;
	c->moved_group = true;
	c->moved_ctime = true;
	return 0;
}

static int change_record(struct change *c, const struct raw_record *record)
{
	int r;

	if (record->len == c->old.len &&
	    memcmp(record->text, c->old.text, record->len) == 0)
		return 0;
	r = raw_write(c->records, c->path_fd, c->stx, record);
	if (r < 0)
		return r;
	c->wrote_record = true;
	c->moved_ctime = c->moved_ctime || holds_xattrs(c->stx);
	return 0;
}

static void change_undo(struct change *c)
{
	if (c->wrote_record)
		(void)raw_write(c->records, c->path_fd, c->stx, &c->old);
	if (c->moved_group)
		(void)backing_chgrp(c->path_fd, DISK_ID(c->stx->stx_gid));
	if (c->mode != (c->stx->stx_mode & MODE_BITS))
		(void)backing_chmod(c->path_fd, c->stx->stx_mode & MODE_BITS);
}

static int change_run(struct change *c, const struct view_plan *plan)
{
	struct raw_record record = { .len = 0 };
	int r;

	if (plan->recorded)
		record.len = override_stat_format(
			&plan->record, c->stx->stx_mode & S_IFMT, record.text);
	r = change_group(c, plan->gid, plan->mode);
	if (r < 0)
		return r;
	/*
	 * The record first: it counts only once the disk's mode is the one
	 * that it leads to, so what shows flips with the chmod.
	 */
	r = change_record(c, &record);
	if (r == 0 && !S_ISLNK(c->stx->stx_mode))
		r = change_mode(c, plan->mode);
	if (r == 0 && !c->moved_ctime)
		r = backing_touch_ctime(c->path_fd, c->stx);
	return r;
}

int records_apply(const struct records *records, int path_fd,
		  const struct statx *stx, const struct view *want)
{
	struct disk_owner disk = backing_owner(stx);
	struct change c = {
		.records = records,
		.path_fd = path_fd,
		.stx = stx,
		.mode = stx->stx_mode & MODE_BITS,
	};
	struct view full = *want, now;
	struct view_plan plan;
	int r;

	if (!view_is_ours(records->policy, &disk))
		return -EPERM;
	r = raw_read(records, path_fd, stx, &c.old);
	if (holds_xattrs(stx) && (r == -EACCES || (c.mode & S_IWUSR) == 0)) {
		/* user.* xattrs need the owner's r and w on the object. */
		r = change_mode(&c, c.mode | S_IRUSR | S_IWUSR);
		if (r == 0)
			r = raw_read(records, path_fd, stx, &c.old);
	}
	if (r < 0) {
		change_undo(&c);
		return r;
	}
	view_from_raw(records, stx, &c.old, &now);
	if (!container_id_is_mapped(full.uid))
		full.uid = now.uid;
	if (!container_id_is_mapped(full.gid))
		full.gid = now.gid;
	view_plan(records->policy, &disk, &full, &plan);
	r = change_run(&c, &plan);
	if (r < 0)
		change_undo(&c);
	return r;
}

void records_forget(const struct records *records, int path_fd,
		    const struct statx *stx)
{
	struct backing_key key;

	if (!holds_xattrs(stx) && backing_key(path_fd, stx, &key) == 0)
		(void)records_db_remove(records->db, RECORDS_DB_OVERRIDE_STAT,
					&key);
}
