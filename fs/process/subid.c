/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/subid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shadow/subid.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"

static int compare_spans(const void *a, const void *b)
{
	const struct subid_span *x = a;
	const struct subid_span *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->count > y->count) - (x->count < y->count);
}

size_t subid_normalize(struct subid_span *spans, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(spans, count, sizeof(*spans), compare_spans);
	for (size_t i = 0; i < count; i++) {
		if (spans[i].count == 0)
			continue;
		if (kept > 0 && compare_spans(&spans[kept - 1], &spans[i]) == 0)
			continue;
		spans[kept++] = spans[i];
	}
	return kept;
}

/* subuid(5): OWNER:START:COUNT.  false: something else. */
static bool read_line(const char *line, struct subid_span *ret)
{
	const char *start = strchr(line, ':');
	const char *count = start != NULL ? strchr(start + 1, ':') : NULL;

	return count != NULL &&
	       number_parse(start + 1, (size_t)(count - start - 1), UINT32_MAX,
			    &ret->start) == 0 &&
	       number_parse(count + 1, strcspn(count + 1, "\n"), UINT32_MAX,
			    &ret->count) == 0;
}

static size_t read_file(const char *file, struct subid_span *spans, size_t room)
{
	_cleanup_file_ FILE *stream = fopen(file, "re");
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0, found = 0;

	while (stream != NULL && found < room &&
	       getline(&line, &capacity, stream) > 0)
		found += read_line(line, &spans[found]);
	return found;
}

uint64_t subid_first_free(const char *subuid, const char *subgid)
{
	_cleanup_free_ struct subid_span *taken =
		calloc(2 * SUBID_MAX_SPANS, sizeof(*taken));
	uint64_t start = SUBID_FIRST;
	size_t count;

	if (taken == NULL)
		return start;
	count = read_file(subuid, taken, SUBID_MAX_SPANS);
	count += read_file(subgid, taken + count, SUBID_MAX_SPANS);
	count = subid_normalize(taken, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t end = taken[i].start + taken[i].count;

		if (taken[i].start < start + SUBID_USUAL && end > start)
			start = end;
	}
	return start;
}

int subid_to_extents(uint32_t own_id, const struct subid_span *spans,
		     size_t count, struct extent_list *ret, uint32_t *ret_id)
{
	_cleanup_extents_ struct extent_list list = { 0 };
	_cleanup_free_ struct subid_span *sorted = NULL;
	uint32_t next = 1;
	int r;

	sorted = malloc(count * sizeof(*sorted) + 1);
	if (sorted == NULL)
		return -ENOMEM;
	if (count > 0)
		memcpy(sorted, spans, count * sizeof(*sorted));
	count = subid_normalize(sorted, count);
	r = extent_list_append(&list, 0, own_id, 1);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct subid_span *s = &sorted[i];

		if (s->start > ID_MAX || s->count > UINT32_MAX - s->start ||
		    s->count > UINT32_MAX - next)
			return -ERANGE;
		r = extent_list_append(&list, next, (uint32_t)s->start,
				       (uint32_t)s->count);
		next += (uint32_t)s->count;
	}
	if (r < 0)
		return r == -EINVAL ? -ERANGE : r;
	if (extent_list_to_overlap(&list, ret_id))
		return -EEXIST;
	*ret = extent_list_take(&list);
	return 0;
}

/* libsubid writes to stderr unless told otherwise, and keeps the stream. */
static void silence_libsubid(void)
{
	static FILE *null_stream;

	if (null_stream != NULL)
		return;
	null_stream = fopen("/dev/null", "we");
	if (null_stream != NULL)
		(void)subid_init("idshift", null_stream);
}

/* Append one answer of libsubid; -EIO when it gave none. */
static int append_ranges(enum subid_kind kind, const char *owner,
			 struct subid_span **spans, size_t *count)
{
	struct subid_range *ranges = NULL;
	struct subid_span *grown;
	int found = kind == SUBID_UID ? subid_get_uid_ranges(owner, &ranges) :
					subid_get_gid_ranges(owner, &ranges);
	size_t number;

	if (found <= 0 || ranges == NULL) {
		free(ranges);
		return found < 0 ? -EIO : 0;
	}
	number = (size_t)found;
	if (number > SUBID_MAX_SPANS - *count) {
		free(ranges);
		return -E2BIG;
	}
	grown = realloc(*spans, (*count + number) * sizeof(*grown));
	if (grown == NULL) {
		free(ranges);
		return -ENOMEM;
	}
	for (size_t i = 0; i < number; i++)
		grown[*count + i] = (struct subid_span){
			.start = ranges[i].start,
			.count = ranges[i].count,
		};
	*spans = grown;
	*count += number;
	free(ranges);
	return 0;
}

/* Without the file libsubid fails, though nothing is amiss: no one has ids. */
static bool file_is_missing(enum subid_kind kind)
{
	return access(kind == SUBID_UID ? "/etc/subuid" : "/etc/subgid", F_OK) <
		       0 &&
	       errno == ENOENT;
}

int subid_lookup(enum subid_kind kind, const char *user, uid_t uid,
		 struct subid_span **ret, size_t *ret_count)
{
	_cleanup_free_ struct subid_span *spans = NULL;
	size_t count = 0;
	char number[16];
	int by_name = -EIO;
	int by_uid;

	silence_libsubid();
	if (user != NULL)
		by_name = append_ranges(kind, user, &spans, &count);
	if (by_name < 0 && by_name != -EIO)
		return by_name;
	/* A plug-in need not know the number as an owner: not an error. */
	(void)snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	by_uid = append_ranges(kind, number, &spans, &count);
	if (by_uid < 0 && by_uid != -EIO)
		return by_uid;
	if (by_name < 0 && by_uid < 0)
		return file_is_missing(kind) ? -ENOENT : -EIO;
	count = subid_normalize(spans, count);
	if (count == 0)
		return -ENOENT;
	*ret = spans;
	spans = NULL;
	*ret_count = count;
	return 0;
}
