/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An intent as bytes: a head and its parts. */
#ifndef IDSHIFT_INTENTS_BYTES_H
#define IDSHIFT_INTENTS_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "intents_internal.h"

enum intent_part {
	INTENT_SOURCE, /* backing_key() of the source's root */
	INTENT_PATH,   /* below it; the directory's of what is made */
	INTENT_NAME,   /* of what is made */
	INTENT_ACL,
	INTENT_DISK_ACL,
	INTENT_DEFAULT_ACL,
	INTENT_OLD_RECORD,
	INTENT_NEW_RECORD,
	INTENT_PARTS
};

/* The parts follow.  Of one machine and one build: not for others to read. */
struct intent_head {
	uint64_t sum; /* of all that follows */
	uint32_t magic;
	uint32_t size; /* with the parts */
	uint32_t parts[INTENT_PARTS];
	/* Who may do it. */
	uint32_t acting_uid;
	uint8_t real_owners;
	/* What is to be done. */
	uint8_t disk_default_acl;
	uint8_t default_acl_vouched;
	uint8_t remove_disk_acl;
	uint8_t knows_record;
	/* The object, or the directory of what is made. */
	uint8_t same_dev; /* as the root's */
	uint64_t ino;
	int64_t birth;
	int64_t began;
	int64_t latest;
	struct view want; /* acl NULL */
	struct disk_owner before, after;
};

/* false: torn, or none at all.  What it lets through can be asked for below. */
bool intent_read(const char *buf, size_t size, struct intent_head *ret);
const char *intent_part(const struct intent_head *head, const char *buf,
			enum intent_part part);
/* *ret NULL: there is none. */
int intent_read_acl(const struct intent_head *head, const char *buf,
		    enum intent_part part, struct acl **ret);

/* Times of files, in nanoseconds. */
#define INTENT_SECOND_NS INT64_C(1000000000)
int64_t intent_ns(const struct statx_timestamp *time);
/* 0: the file system doesn't know. */
int64_t intent_birth(const struct statx *stx);

#endif
