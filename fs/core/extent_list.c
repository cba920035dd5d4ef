/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/extent_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/number.h"

void extent_list_destroy(struct extent_list *list)
{
	free(list->items);
	*list = (struct extent_list){ 0 };
}

struct extent_list extent_list_take(struct extent_list *list)
{
	struct extent_list taken = *list;

	*list = (struct extent_list){ 0 };
	return taken;
}

int extent_list_append(struct extent_list *list, uint32_t from, uint32_t to,
		       uint32_t count)
{
	struct id_extent extent = { .from = from, .to = to, .count = count };
	int r = id_extent_check(&extent);

	if (r < 0)
		return r;
	if (list->count == EXTENT_LIST_MAX)
		return -E2BIG;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
		struct id_extent *items =
			realloc(list->items, capacity * sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = extent;
	return 0;
}

int extent_list_append_all(struct extent_list *list,
			   const struct extent_list *other)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct id_extent *e = &other->items[i];
		int r = extent_list_append(list, e->from, e->to, e->count);

		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_from(const void *a, const void *b)
{
	const struct id_extent *x = a;
	const struct id_extent *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static void sort_by_from(struct extent_list *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items),
		      compare_from);
}

void extent_list_merge(struct extent_list *list)
{
	size_t kept = 0;

	sort_by_from(list);
	for (size_t i = 1; i < list->count; i++) {
		struct id_extent *last = &list->items[kept];
		const struct id_extent *e = &list->items[i];

		/* No sum wraps: no side of an extent passes ID_MAX. */
		if (last->from + last->count == e->from &&
		    last->to + last->count == e->to)
			last->count += e->count;
		else
			list->items[++kept] = *e;
	}
	if (list->count > 0)
		list->count = kept + 1;
}

int extent_list_append_identity(struct extent_list *list,
				const struct extent_list *other)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < other->count; i++)
		r = extent_list_append(list, other->items[i].from,
				       other->items[i].from,
				       other->items[i].count);
	return r;
}

const struct id_extent *extent_list_find(const struct extent_list *list,
					 uint32_t id)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct id_extent *e = &list->items[i];

		if (id >= e->from && id - e->from < e->count)
			return e;
	}
	return NULL;
}

const struct id_extent *extent_list_find_to(const struct extent_list *list,
					    uint32_t id)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct id_extent *e = &list->items[i];

		if (id >= e->to && id - e->to < e->count)
			return e;
	}
	return NULL;
}

/* How many ids from `id` on are in the extent that holds it. */
static uint32_t left_in(const struct id_extent *e, uint32_t id)
{
	return e->count - (id - e->from);
}

bool extent_list_covers(const struct extent_list *list, uint32_t first,
			uint32_t count, uint32_t *ret_missing)
{
	while (count > 0) {
		const struct id_extent *e = extent_list_find(list, first);
		uint32_t left;

		if (e == NULL) {
			*ret_missing = first;
			return false;
		}
		left = left_in(e, first);
		if (left >= count)
			return true;
		first += left;
		count -= left;
	}
	return true;
}

bool extent_list_from_overlap(const struct extent_list *list, uint32_t *ret_id)
{
	struct extent_list sorted = { 0 };
	bool found = false;

	/* Without memory nothing is said to be sound. */
	if (extent_list_append_all(&sorted, list) < 0) {
		extent_list_destroy(&sorted);
		*ret_id = list->items[0].from;
		return true;
	}
	sort_by_from(&sorted);
	/* Of sorted ranges that overlap, two neighbours do. */
	for (size_t i = 1; i < sorted.count && !found; i++) {
		const struct id_extent *before = &sorted.items[i - 1];
		uint32_t from = sorted.items[i].from;

		if (from - before->from < before->count) {
			*ret_id = from;
			found = true;
		}
	}
	extent_list_destroy(&sorted);
	return found;
}

bool extent_list_to_overlap(const struct extent_list *list, uint32_t *ret_id)
{
	struct extent_list reversed = { 0 };
	bool found;

	if (extent_list_reverse(list, &reversed) < 0) {
		*ret_id = list->items[0].to;
		return true;
	}
	found = extent_list_from_overlap(&reversed, ret_id);
	extent_list_destroy(&reversed);
	return found;
}

static int lead_on(const struct extent_list *a, const struct extent_list *b,
		   bool keep_to, struct extent_list *ret, uint32_t *ret_missing)
{
	_cleanup_extents_ struct extent_list list = { 0 };

	for (size_t i = 0; i < a->count; i++) {
		struct id_extent rest = a->items[i];

		while (rest.count > 0) {
			const struct id_extent *e =
				extent_list_find(b, rest.to);
			uint32_t count;
			int r;

			if (e == NULL) {
				*ret_missing = rest.to;
				return -ENOENT;
			}
			count = left_in(e, rest.to);
			if (count > rest.count)
				count = rest.count;
			r = extent_list_append(
				&list, rest.from,
				keep_to ? rest.to : e->to + (rest.to - e->from),
				count);
			if (r < 0)
				return r;
			rest.from += count;
			rest.to += count;
			rest.count -= count;
		}
	}
	*ret = extent_list_take(&list);
	return 0;
}

int extent_list_compose(const struct extent_list *a,
			const struct extent_list *b, struct extent_list *ret,
			uint32_t *ret_missing)
{
	return lead_on(a, b, false, ret, ret_missing);
}

int extent_list_split(const struct extent_list *a, const struct extent_list *b,
		      struct extent_list *ret, uint32_t *ret_missing)
{
	return lead_on(a, b, true, ret, ret_missing);
}

/* The places lo..hi-1 of `mine` that the range of the other covers. */
static void shared_part(uint32_t mine, uint32_t count, uint32_t other,
			uint32_t other_count, uint32_t *lo, uint32_t *hi)
{
	uint64_t start = other > mine ? other : mine;
	uint64_t end = (uint64_t)mine + count;
	uint64_t other_end = (uint64_t)other + other_count;

	if (other_end < end)
		end = other_end;
	*lo = *hi = 0;
	if (start < end) {
		*lo = (uint32_t)(start - mine);
		*hi = (uint32_t)(end - mine);
	}
}

/* Append what is left of `piece` without the ids of `extent`. */
static int append_remains(struct extent_list *list,
			  const struct id_extent *piece,
			  const struct id_extent *extent)
{
	uint32_t lo[2];
	uint32_t hi[2];
	uint32_t at = 0;
	int first;

	shared_part(piece->from, piece->count, extent->from, extent->count,
		    &lo[0], &hi[0]);
	shared_part(piece->to, piece->count, extent->to, extent->count, &lo[1],
		    &hi[1]);
	first = lo[0] <= lo[1] ? 0 : 1;
	for (int i = 0; i < 3; i++) {
		int side = i == 0 ? first : 1 - first;
		uint32_t end = i == 2 ? piece->count : lo[side];
		int r = 0;

		if (end > at)
			r = extent_list_append(list, piece->from + at,
					       piece->to + at, end - at);
		if (r < 0)
			return r;
		if (i < 2 && hi[side] > at)
			at = hi[side];
	}
	return 0;
}

int extent_list_carve(const struct extent_list *list,
		      const struct id_extent *extent, struct extent_list *ret)
{
	_cleanup_extents_ struct extent_list carved = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		int r = append_remains(&carved, &list->items[i], extent);

		if (r < 0)
			return r;
	}
	*ret = extent_list_take(&carved);
	return 0;
}

int extent_list_reverse(const struct extent_list *list, struct extent_list *ret)
{
	_cleanup_extents_ struct extent_list reversed = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		const struct id_extent *e = &list->items[i];
		int r = extent_list_append(&reversed, e->to, e->from, e->count);

		if (r < 0)
			return r;
	}
	*ret = extent_list_take(&reversed);
	return 0;
}

static size_t digits_of(uint32_t value)
{
	size_t digits = 1;

	while (value >= 10) {
		value /= 10;
		digits++;
	}
	return digits;
}

size_t extent_list_proc_size(const struct extent_list *list)
{
	size_t size = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct id_extent *e = &list->items[i];

		/* Two spaces and a newline. */
		size += digits_of(e->from) + digits_of(e->to) +
			digits_of(e->count) + 3;
	}
	return size;
}

/* One line: three numbers and nothing else but blanks. */
static int parse_proc_line(const char *line, size_t len, uint64_t fields[3])
{
	size_t at = 0;

	for (int i = 0; i < 3; i++) {
		size_t start;
		int r;

		while (at < len && (line[at] == ' ' || line[at] == '\t'))
			at++;
		start = at;
		while (at < len && line[at] != ' ' && line[at] != '\t')
			at++;
		r = number_parse(line + start, at - start, UINT32_MAX,
				 &fields[i]);
		if (r < 0)
			return -EINVAL;
	}
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return at == len ? 0 : -EINVAL;
}

int extent_list_parse_proc(const char *text, size_t len,
			   struct extent_list *ret)
{
	_cleanup_extents_ struct extent_list list = { 0 };

	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t line = newline == NULL ? len : (size_t)(newline - text);
		uint64_t fields[3];
		int r = parse_proc_line(text, line, fields);

		if (r < 0)
			return r;
		if (fields[1] != UINT32_MAX) {
			r = extent_list_append(&list, (uint32_t)fields[0],
					       (uint32_t)fields[1],
					       (uint32_t)fields[2]);
			if (r < 0)
				return r;
		}
		if (newline != NULL)
			line++;
		text += line;
		len -= line;
	}
	*ret = extent_list_take(&list);
	return 0;
}
