/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two maps that join the three kinds of ids (ids.h).
 *
 *   userns map  container <-> wire.  One to one: the user namespace of the
 *               containers, as /proc/PID/uid_map states it.
 *   owner map   disk <-> container.  Many disk ids may show as one container
 *               id; a container id leads to at most one disk id, and only to
 *               one that shows as that same container id.
 *
 * Both are immutable once initialised and may be read by any number of
 * threads.  Look-ups are binary searches: O(log extents).
 */
#ifndef IDSHIFT_IDMAP_H
#define IDSHIFT_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/ids.h"

/* user_namespaces(7): at most 340 lines in a uid_map. */
#define USERNS_MAP_MAX_EXTENTS 340

/*
 * One range of ids: `from + i` corresponds to `to + i` for i in 0..count-1.
 * What "from" and "to" are is said where an extent is used.
 */
struct id_extent {
	uint32_t from;
	uint32_t to;
	uint32_t count;
};

/* Extents sorted by `from`, their `from` ranges disjoint. */
struct id_table {
	struct id_extent *extents;
	size_t count;
};

struct userns_map {
	struct id_table to_wire;      /* from container to wire */
	struct id_table to_container; /* from wire to container */
};

struct owner_map {
	struct id_table to_container; /* from disk to container */
	struct id_table to_disk;      /* from container to disk */
};

/*
 * 0 when the extent is well-formed, else -EINVAL: count of zero, or a side
 * that reaches 4294967295 or wraps around.
 */
int id_extent_check(const struct id_extent *extent);

/*
 * Build a userns map.  `from` is the container id, `to` the wire id.  Extents
 * may come in any order; adjacent ones are merged.
 *
 * -EINVAL  a malformed extent, or two that overlap on either side
 * -E2BIG   more than USERNS_MAP_MAX_EXTENTS after merging
 * -ENOMEM
 * On failure *map is untouched.
 */
int userns_map_init(struct userns_map *map, const struct id_extent *extents,
		    size_t count);
void userns_map_destroy(struct userns_map *map);

/* false: the id is not in the map; *ret is untouched then. */
bool userns_to_wire(const struct userns_map *map, struct container_id id,
		    struct wire_id *ret);
bool userns_to_container(const struct userns_map *map, struct wire_id id,
			 struct container_id *ret);

/*
 * Build an owner map.  `from` is the disk id, `to` the container id.  Order is
 * priority: where two extents cover one disk id, the earlier says what it
 * shows as.  A container id leads to the disk id of the earliest extent that
 * names it and whose disk id really shows as it.
 *
 * -EINVAL  a malformed extent
 * -ENOMEM
 * On failure *map is untouched.
 */
int owner_map_init(struct owner_map *map, const struct id_extent *extents,
		   size_t count);
void owner_map_destroy(struct owner_map *map);

/* false: the id is not in the map; *ret is untouched then. */
bool owner_map_to_container(const struct owner_map *map, struct disk_id id,
			    struct container_id *ret);
bool owner_map_to_disk(const struct owner_map *map, struct container_id id,
		       struct disk_id *ret);

#endif
