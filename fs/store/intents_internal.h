/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the store: intents as changes and creations have them. */
#ifndef IDSHIFT_INTENTS_INTERNAL_H
#define IDSHIFT_INTENTS_INTERNAL_H

#include "idshift/backing.h"
#include "idshift/intents.h"
#include "records_internal.h"

struct intent {
	struct view want; /* ids of ID_NONE stay as seen; acl NULL: none */
	struct disk_acl_change disk_acl;
	/* On disk, at first and at last; of what is made, the mode at first. */
	struct disk_owner before;
	struct disk_owner after;
	/* Likewise; old NULL: it couldn't be read, both may be anything. */
	const char *old_record, *new_record;
	size_t old_len, new_len;
	/* Of a creation, in a directory: */
	const char *name; /* NULL: the object itself is changed */
	bool disk_default_acl;
	const struct acl *default_acl; /* to hand on; NULL: none */
	bool default_acl_vouched;
};

#define INTENT_NONE (-1)

/*
 * For the object behind a path fd, or with a name for an entry of that
 * directory; stx is its state.  INTENT_NONE, where it can't be written down,
 * is no reason not to go on.
 */
int intent_begin(const struct records *records, int path_fd,
		 const struct statx *stx, const struct intent *intent);
void intent_end(const struct records *records, int handle);

/* The source's root, as intents name it. */
struct intent_root {
	int fd;
	uint64_t dev;
	struct backing_key key;
};

/* A place in a file of intents is so large. */
#define INTENT_SIZE_MAX ((size_t)16 << 10)
/* Zeroes in place of so many bytes strike one out. */
#define INTENT_HEAD_SIZE 16

/*
 * The bytes of an intent; their number, or -errno.  -EXDEV: it has no name
 * below the source.
 */
ssize_t intent_encode(const struct records *records,
		      const struct intent_root *root, int path_fd,
		      const struct statx *stx, const struct intent *intent,
		      char buf[INTENT_SIZE_MAX]);

enum intent_fate {
	INTENT_DONE,	/* or void: it can go */
	INTENT_TRY,	/* of this source, still to be done */
	INTENT_FOREIGN, /* another source's, or of another way to run */
};

/* Of bytes that may be anything. */
enum intent_fate intent_judge(const struct records *records,
			      const struct intent_root *root, const char *buf,
			      size_t size);
/* By when (nanoseconds) its object's times have moved for our sake. */
void intent_mark(char *buf, size_t size, int64_t latest);

/* The place in its file of one that is redone. */
struct intent_place {
	int fd;
	off_t offset;
	char *buf; /* what is there */
	size_t size;
};

/*
 * Do what intent_judge() lets try: 0 also where there is nothing to do.  Who
 * is killed at it leaves the place as one that was tried just now.
 */
int intent_redo(const struct records *records, const struct intent_root *root,
		const struct intent_place *place);

#endif
