/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that name ids: map=, owner=, unmapped=, caller=.  Pure: names
 * are looked up by a callback.  Refusals are -EINVAL (or -ENOMEM) with a
 * reason in *error (which may be NULL); *ret is untouched then.
 */
#ifndef IDSHIFT_MAPSPEC_H
#define IDSHIFT_MAPSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/error.h"
#include "idshift/extent_list.h"
#include "idshift/ids.h"

/*
 * How names become ids: 0, -ENOENT for no such user or group, -ERANGE for an
 * id without a number here, -errno.
 */
struct name_resolver {
	int (*lookup)(void *context, const char *name, bool group,
		      uint32_t *ret_id);
	void *context;
};

/* map=: the owners from `uid` and `gid` on show from `container` on. */
struct mapspec {
	bool has_uid;
	bool has_gid;
	struct disk_id uid;
	struct disk_id gid;
	struct container_id container;
	uint32_t count;
};

/*
 * u:DISK:CONTAINER[:COUNT], g: for groups, b: for both.  DISK is an id or a
 * name; with b: the name of a user and of a group.
 * resolver: NULL to check the form only; a name's disk id is 0 then.
 */
int mapspec_parse_map(const char *text, const struct name_resolver *resolver,
		      struct mapspec *ret, struct error *error);

/* U:G, container ids. */
int mapspec_parse_owner(const char *text, struct container_id *ret_uid,
			struct container_id *ret_gid, struct error *error);

/* An id. */
int mapspec_parse_unmapped(const char *text, struct container_id *ret,
			   struct error *error);

/* caller=: as whom the permission engine judges every request. */
struct mapspec_caller {
	struct container_id uid;
	struct container_id gid;
	struct container_id *groups; /* sorted, without duplicates */
	size_t group_count;
};

/* UID:GID[:GROUP...]; destroy the result with mapspec_caller_destroy(). */
int mapspec_parse_caller(const char *text, struct mapspec_caller *ret,
			 struct error *error);
void mapspec_caller_destroy(struct mapspec_caller *caller);

#endif
