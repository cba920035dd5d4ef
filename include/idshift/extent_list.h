/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of extents while a map is being put together: what parsers make and
 * userns_map_init() and owner_map_init() take.  Zeroed is empty.  An extent
 * in a list is well-formed (id_extent_check()).  Pure.
 */
#ifndef IDSHIFT_EXTENT_LIST_H
#define IDSHIFT_EXTENT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/idmap.h"

/* Bounds what a user's options or a name service can make us hold. */
#define EXTENT_LIST_MAX 16384

struct extent_list {
	struct id_extent *items;
	size_t count;
	size_t capacity;
};

void extent_list_destroy(struct extent_list *list);

static inline void cleanup_extent_list_impl(struct extent_list *list)
{
	extent_list_destroy(list);
}

#define _cleanup_extents_ __attribute__((cleanup(cleanup_extent_list_impl)))

/* Hand a list on: the variable is empty then. */
struct extent_list extent_list_take(struct extent_list *list);

/* -EINVAL malformed; -E2BIG more than EXTENT_LIST_MAX; -ENOMEM. */
int extent_list_append(struct extent_list *list, uint32_t from, uint32_t to,
		       uint32_t count);
int extent_list_append_all(struct extent_list *list,
			   const struct extent_list *other);

/* Sort by `from`, then join extents that continue each other on both sides. */
void extent_list_merge(struct extent_list *list);

/* The ids of the `from` side, each its own counterpart. */
int extent_list_append_identity(struct extent_list *list,
				const struct extent_list *other);

/* The extent whose `from` (`to`) side holds the id, or NULL. */
const struct id_extent *extent_list_find(const struct extent_list *list,
					 uint32_t id);
const struct id_extent *extent_list_find_to(const struct extent_list *list,
					    uint32_t id);

/*
 * Are all of first..first+count-1 on the `from` side?  When not, *ret_missing
 * is the first that isn't.
 */
bool extent_list_covers(const struct extent_list *list, uint32_t first,
			uint32_t count, uint32_t *ret_missing);

/* Two extents that share an id of the `from` (`to`) side: the first shared. */
bool extent_list_from_overlap(const struct extent_list *list, uint32_t *ret_id);
bool extent_list_to_overlap(const struct extent_list *list, uint32_t *ret_id);

/*
 * The ids of `a`, each led on by `b`: from a's `from` to b's `to`, divided
 * where b's extents end.  -ENOENT: `b` lacks an id; it is *ret_missing.
 * `ret` is a new list, to be destroyed by the caller.
 */
int extent_list_compose(const struct extent_list *a,
			const struct extent_list *b, struct extent_list *ret,
			uint32_t *ret_missing);

/* As compose, but `to` stays a's: `a` divided where b's extents end. */
int extent_list_split(const struct extent_list *a, const struct extent_list *b,
		      struct extent_list *ret, uint32_t *ret_missing);

/* The list without the ids that `extent` has, be it on either side. */
int extent_list_carve(const struct extent_list *list,
		      const struct id_extent *extent, struct extent_list *ret);

/* `from` and `to` changed over. */
int extent_list_reverse(const struct extent_list *list,
			struct extent_list *ret);

/* The number of bytes that the list takes in a write to /proc/PID/uid_map. */
size_t extent_list_proc_size(const struct extent_list *list);

/*
 * Read the text of a /proc/PID/uid_map: lines of three numbers.  Lines whose
 * outside ids have no number for the reader (4294967295, user_namespaces(7))
 * are left out.  -EINVAL malformed.
 */
int extent_list_parse_proc(const char *text, size_t len,
			   struct extent_list *ret);

#endif
