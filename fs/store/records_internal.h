/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the records: what of an object is recorded now. */
#ifndef IDSHIFT_RECORDS_INTERNAL_H
#define IDSHIFT_RECORDS_INTERNAL_H

#include "idshift/records.h"
#include "idshift/records_side.h"

/* Other writers pad or extend the text; beyond this it is malformed. */
#define RECORD_READ_MAX 256

struct recorded {
	char text[RECORD_READ_MAX]; /* override_stat as stored */
	size_t len;		    /* 0: none */
	struct acl *acl;	    /* the recorded access ACL, owned */
	struct view view;	    /* view.acl is acl or NULL */
};

/*
 * Read the record, unless it is known to be absent (a side's bit), and the ACL
 * where the mode depends on it or with_acl asks for it.  For an object that is
 * not ours there is nothing recorded.  -EACCES when the disk's mode hides the
 * record; *ret is then as without a record.
 */
int recorded_read(const struct records *records, int path_fd,
		  const struct statx *stx, unsigned int absent, bool with_acl,
		  struct recorded *ret);
void recorded_done(struct recorded *recorded);
#define _cleanup_recorded_ __attribute__((cleanup(recorded_done)))

/* What to do with the disk's own access ACL. */
struct disk_acl_change {
	const struct acl *set; /* disk ids; NULL: none is to be set */
	bool remove;
};

/*
 * records_apply() in full.  forget_acl: no recorded ACL is to stay (want->acl
 * is NULL then).
 */
int records_change(const struct records *records, int path_fd,
		   const struct statx *stx, unsigned int absent,
		   const struct view *want, bool forget_acl,
		   const struct disk_acl_change *disk_acl);

/*
 * A recorded ACL, container ids; *ret NULL for none.  One that makes no sense
 * counts as none.  -EACCES when the disk's mode hides it.
 */
int acl_read_side(const struct records *records, int path_fd,
		  const struct statx *stx, enum side side, struct acl **ret);
/* Read a whole ACL attribute; *ret NULL for none, -errno. */
int acl_read_disk(int path_fd, const char *name, struct acl **ret);
int acl_write_disk(int path_fd, const char *name, const struct acl *acl);

#endif
