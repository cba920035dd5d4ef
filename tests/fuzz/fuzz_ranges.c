/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a /proc/PID/uid_map ('p' first), or the spans of /etc/subuid as
 * libsubid hands them on: pairs of 8 bytes, first the user's own id.
 */
#include "fuzz.h"
#include "idshift/subid.h"

#define SPANS_MAX 64

static void check(const struct extent_list *list)
{
	struct extent_list other = { 0 };
	uint32_t id;

	for (size_t i = 0; i < list->count; i++)
		must(id_extent_check(&list->items[i]) == 0);
	if (!extent_list_from_overlap(list, &id) &&
	    !extent_list_to_overlap(list, &id)) {
		must(extent_list_reverse(list, &other) == 0);
		must(other.count == list->count);
		extent_list_destroy(&other);
	}
	(void)extent_list_proc_size(list);
}

static void fuzz_subids(const uint8_t *data, size_t size)
{
	struct subid_span spans[SPANS_MAX];
	struct extent_list list = { 0 };
	size_t count = size / sizeof(spans[0]);
	uint32_t own, id;

	if (size < sizeof(own))
		return;
	memcpy(&own, data, sizeof(own));
	count = (size - sizeof(own)) / sizeof(spans[0]);
	count = count > SPANS_MAX ? SPANS_MAX : count;
	memcpy(spans, data + sizeof(own), count * sizeof(spans[0]));
	if (subid_to_extents(own, spans, count, &list, &id) == 0) {
		must(!extent_list_from_overlap(&list, &id));
		must(!extent_list_to_overlap(&list, &id));
		must(list.items[0].from == 0 && list.items[0].to == own);
		check(&list);
		extent_list_destroy(&list);
	}
	must(subid_normalize(spans, count) <= count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct extent_list list = { 0 };

	if (size < 1)
		return 0;
	if (data[0] != 'p') {
		fuzz_subids(data + 1, size - 1);
	} else if (extent_list_parse_proc((const char *)data + 1, size - 1,
					  &list) == 0) {
		check(&list);
		extent_list_destroy(&list);
	}
	return 0;
}
