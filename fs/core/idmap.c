/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/idmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"

/* A stretch of one extent; `priority` is that extent's place in the input. */
struct piece {
	struct id_extent extent;
	size_t priority;
};

int id_extent_check(const struct id_extent *extent)
{
	/* The last id is at most 4294967294, so first + count fits 32 bits. */
	if (extent->count == 0 || extent->count > UINT32_MAX - extent->from ||
	    extent->count > UINT32_MAX - extent->to)
		return -EINVAL;
	return 0;
}

static int check_all(const struct id_extent *extents, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = id_extent_check(&extents[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* malloc(3) of an array; one byte more, since NULL must mean failure. */
static void *alloc_array(size_t count, size_t size)
{
	if (count > (SIZE_MAX - 1) / size)
		return NULL;
	return malloc(count * size + 1);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int compare_extents(const void *a, const void *b)
{
	const struct id_extent *x = a;
	const struct id_extent *y = b;

	return compare_u32(&x->from, &y->from);
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a;
	const struct piece *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

static struct id_extent swapped(struct id_extent extent)
{
	return (struct id_extent){ .from = extent.to,
				   .to = extent.from,
				   .count = extent.count };
}

/* Append an extent that starts at or after the table's end. */
static void table_append(struct id_table *table, const struct id_extent *extent)
{
	if (table->count > 0) {
		struct id_extent *last = &table->extents[table->count - 1];

		/* Checked extents end below 2^32: no difference wraps. */
		if (extent->from - last->from == last->count &&
		    extent->to - last->to == last->count) {
			last->count += extent->count;
			return;
		}
	}
	table->extents[table->count++] = *extent;
}

static bool table_find(const struct id_table *table, uint32_t id, uint32_t *ret)
{
	size_t low = 0;
	size_t high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct id_extent *extent = &table->extents[middle];

		if (id < extent->from) {
			high = middle;
		} else if (id - extent->from < extent->count) {
			*ret = extent->to + (id - extent->from);
			return true;
		} else {
			low = middle + 1;
		}
	}
	return false;
}

/* One direction of a userns map.  -EINVAL when two extents overlap. */
static int build_disjoint(const struct id_extent *extents, size_t count,
			  bool swap, struct id_table *ret)
{
	_cleanup_free_ struct id_extent *sorted = NULL;
	struct id_table table = { 0 };

	sorted = alloc_array(count, sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = swap ? swapped(extents[i]) : extents[i];
	qsort(sorted, count, sizeof(*sorted), compare_extents);
	for (size_t i = 1; i < count; i++) {
		if (sorted[i].from - sorted[i - 1].from < sorted[i - 1].count)
			return -EINVAL;
	}
	table.extents = alloc_array(count, sizeof(*table.extents));
	if (table.extents == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		table_append(&table, &sorted[i]);
	*ret = table;
	return 0;
}

int userns_map_init(struct userns_map *map, const struct id_extent *extents,
		    size_t count)
{
	struct userns_map built = { 0 };
	int r = check_all(extents, count);

	if (r < 0)
		return r;
	r = build_disjoint(extents, count, false, &built.to_wire);
	if (r < 0)
		return r;
	r = build_disjoint(extents, count, true, &built.to_container);
	if (r == 0 && built.to_wire.count > USERNS_MAP_MAX_EXTENTS)
		r = -E2BIG;
	if (r < 0) {
		userns_map_destroy(&built);
		return r;
	}
	*map = built;
	return 0;
}

void userns_map_destroy(struct userns_map *map)
{
	if (map == NULL)
		return;
	free(map->to_wire.extents);
	free(map->to_container.extents);
	*map = (struct userns_map){ 0 };
}

bool userns_to_wire(const struct userns_map *map, struct container_id id,
		    struct wire_id *ret)
{
	return table_find(&map->to_wire, id.value, &ret->value);
}

bool userns_to_container(const struct userns_map *map, struct wire_id id,
			 struct container_id *ret)
{
	return table_find(&map->to_container, id.value, &ret->value);
}

/* Every place where an extent starts or ends, sorted, without repeats. */
static size_t collect_bounds(const struct piece *in, size_t count,
			     uint32_t *bounds)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		bounds[2 * i] = in[i].extent.from;
		bounds[2 * i + 1] = in[i].extent.from + in[i].extent.count;
	}
	qsort(bounds, 2 * count, sizeof(*bounds), compare_u32);
	for (size_t i = 0; i < 2 * count; i++) {
		if (used == 0 || bounds[used - 1] != bounds[i])
			bounds[used++] = bounds[i];
	}
	return used;
}

/* `value` is one of the bounds. */
static size_t find_bound(const uint32_t *bounds, size_t count, uint32_t value)
{
	const uint32_t *found =
		bsearch(&value, bounds, count, sizeof(*bounds), compare_u32);

	return (size_t)(found - bounds);
}

/* The first unpainted interval at or after i; halves paths as it goes. */
static size_t next_unpainted(size_t *next, size_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

/*
 * Cut pieces in order of priority into pieces whose `from` ranges are
 * disjoint, sorted by `from`: the intervals between neighbouring bounds are
 * painted one piece after the other, and a painted one is not painted again.
 * O(count * log(count)); at most 2 * count - 1 pieces result.
 */
static int flatten(const struct piece *in, size_t count, struct piece **ret,
		   size_t *ret_count)
{
	_cleanup_free_ uint32_t *bounds = NULL;
	_cleanup_free_ size_t *next = NULL;
	_cleanup_free_ const struct piece **paint = NULL;
	struct piece *out;
	size_t bound_count;
	size_t used = 0;

	if (count > SIZE_MAX / 4)
		return -ENOMEM;
	bounds = alloc_array(2 * count, sizeof(*bounds));
	next = alloc_array(2 * count, sizeof(*next));
	paint = calloc(2 * count + 1, sizeof(*paint));
	out = alloc_array(2 * count, sizeof(*out));
	if (bounds == NULL || next == NULL || paint == NULL || out == NULL) {
		free(out);
		return -ENOMEM;
	}
	bound_count = collect_bounds(in, count, bounds);
	for (size_t i = 0; i < bound_count; i++)
		next[i] = i;
	for (size_t i = 0; i < count; i++) {
		const struct id_extent *e = &in[i].extent;
		size_t at = find_bound(bounds, bound_count, e->from);
		size_t end =
			find_bound(bounds, bound_count, e->from + e->count);

		while ((at = next_unpainted(next, at)) < end) {
			paint[at] = &in[i];
			next[at] = at + 1;
		}
	}
	for (size_t i = 0; i + 1 < bound_count; i++) {
		if (paint[i] == NULL)
			continue;
		out[used++] = (struct piece){
			.extent = {
				.from = bounds[i],
				.to = paint[i]->extent.to +
				      (bounds[i] - paint[i]->extent.from),
				.count = bounds[i + 1] - bounds[i],
			},
			.priority = paint[i]->priority,
		};
	}
	*ret = out;
	*ret_count = used;
	return 0;
}

static int table_from_pieces(const struct piece *pieces, size_t count,
			     struct id_table *ret)
{
	struct id_table table = { 0 };

	table.extents = alloc_array(count, sizeof(*table.extents));
	if (table.extents == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		table_append(&table, &pieces[i].extent);
	*ret = table;
	return 0;
}

/*
 * The way back from the pieces of disk -> container: only what really shows
 * is among them, so painting them by priority keeps the round trip exact.
 */
static int build_to_disk(struct piece *shown, size_t count,
			 struct id_table *ret)
{
	_cleanup_free_ struct piece *back = NULL;
	size_t back_count = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		shown[i].extent = swapped(shown[i].extent);
	/* Equal priorities are parts of one extent, disjoint on both sides. */
	qsort(shown, count, sizeof(*shown), compare_pieces);
	r = flatten(shown, count, &back, &back_count);
	if (r < 0)
		return r;
	return table_from_pieces(back, back_count, ret);
}

int owner_map_init(struct owner_map *map, const struct id_extent *extents,
		   size_t count)
{
	_cleanup_free_ struct piece *input = NULL;
	_cleanup_free_ struct piece *shown = NULL;
	struct owner_map built = { 0 };
	size_t shown_count = 0;
	int r = check_all(extents, count);

	if (r < 0)
		return r;
	input = alloc_array(count, sizeof(*input));
	if (input == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		input[i] =
			(struct piece){ .extent = extents[i], .priority = i };
	r = flatten(input, count, &shown, &shown_count);
	if (r < 0)
		return r;
	r = table_from_pieces(shown, shown_count, &built.to_container);
	if (r < 0)
		return r;
	r = build_to_disk(shown, shown_count, &built.to_disk);
	if (r < 0) {
		owner_map_destroy(&built);
		return r;
	}
	*map = built;
	return 0;
}

void owner_map_destroy(struct owner_map *map)
{
	if (map == NULL)
		return;
	free(map->to_container.extents);
	free(map->to_disk.extents);
	*map = (struct owner_map){ 0 };
}

bool owner_map_to_container(const struct owner_map *map, struct disk_id id,
			    struct container_id *ret)
{
	return table_find(&map->to_container, id.value, &ret->value);
}

bool owner_map_to_disk(const struct owner_map *map, struct container_id id,
		       struct disk_id *ret)
{
	return table_find(&map->to_disk, id.value, &ret->value);
}
