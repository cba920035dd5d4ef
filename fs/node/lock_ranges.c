/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/lock_table.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 4

bool lock_ranges_overlap(const struct lock_range *a, const struct lock_range *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* The first that ends at position or behind it; count when there is none. */
static size_t first_from(const struct lock_ranges *ranges, uint64_t position)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].end < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct lock_range *lock_ranges_conflict(const struct lock_ranges *ranges,
					      const struct lock_range *wanted)
{
	const struct lock_range *found = NULL;

	for (size_t i = first_from(ranges, wanted->start);
	     i < ranges->count && ranges->items[i].start <= wanted->end; i++) {
		const struct lock_range *item = &ranges->items[i];

		if (item->type != F_WRLCK && wanted->type != F_WRLCK)
			continue;
		if (item->start == wanted->start && item->end == wanted->end)
			return item;
		if (found == NULL)
			found = item;
	}
	return found;
}

/* What is too much of a shrunken list is given back: -1 without memory. */
static int resize(struct lock_ranges *ranges, size_t count)
{
	size_t capacity = ranges->capacity;
	struct lock_range *items;

	if (count == 0) {
		lock_ranges_clear(ranges);
		return 0;
	}
	if (capacity < CAPACITY_MIN)
		capacity = CAPACITY_MIN;
	while (capacity < count)
		capacity *= 2;
	while (capacity > CAPACITY_MIN && count <= capacity / 4)
		capacity /= 2;
	if (capacity == ranges->capacity)
		return 0;
	items = reallocarray(ranges->items, capacity, sizeof(*items));
	if (items == NULL)
		return capacity < ranges->capacity ? 0 : -1;
	ranges->items = items;
	ranges->capacity = capacity;
	return 0;
}

/* Put these in the place of those from first on, up to last without it. */
static void replace(struct lock_ranges *ranges, size_t first, size_t last,
		    const struct lock_range *pieces, size_t count)
{
	size_t behind = ranges->count - last;
	size_t total = first + count + behind;

	if (count > last - first && resize(ranges, total) < 0) {
		count = last - first;
		total = ranges->count;
	}
	if (behind > 0)
		memmove(&ranges->items[first + count], &ranges->items[last],
			behind * sizeof(*pieces));
	if (count > 0)
		memcpy(&ranges->items[first], pieces, count * sizeof(*pieces));
	ranges->count = total;
	(void)resize(ranges, total);
}

void lock_ranges_set(struct lock_ranges *ranges, const struct lock_range *range,
		     size_t room)
{
	struct lock_range pieces[3], left = { 0 }, right = { 0 };
	struct lock_range middle = *range;
	size_t first, last, count = 0;
	bool keep_left = false, keep_right = false;

	/* With the neighbours, which one of the same type is merged with. */
	first = first_from(ranges, range->start - (range->start > 0));
	for (last = first; last < ranges->count &&
			   ranges->items[last].start <= range->end + 1;)
		last++;
	if (first < last && ranges->items[first].start < range->start) {
		left = ranges->items[first];
		keep_left = left.type != range->type;
		if (!keep_left)
			middle.start = left.start;
		else if (left.end >= range->start)
			left.end = range->start - 1;
	}
	if (first < last && ranges->items[last - 1].end > range->end) {
		right = ranges->items[last - 1];
		keep_right = right.type != range->type;
		if (!keep_right)
			middle.end = right.end;
		else if (right.start <= range->end)
			right.start = range->end + 1;
	}
	if (keep_left)
		pieces[count++] = left;
	if (range->type != F_UNLCK)
		pieces[count++] = middle;
	if (keep_right)
		pieces[count++] = right;
	if (count > last - first && count - (last - first) > room)
		count = last - first + room;
	replace(ranges, first, last, pieces, count);
}

void lock_ranges_clear(struct lock_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct lock_ranges){ 0 };
}
