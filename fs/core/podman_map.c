/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/podman_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "idshift/number.h"

/* One of the two options, read for one of the two kinds of ids. */
struct reading {
	const char *option; /* as the user wrote it: "uidmap" or "gidmap" */
	const char *kind;   /* "uid" or "gid" */
	bool group;
	const struct podman_parent *parent;
	const struct extent_list *ids; /* the parent's of this kind */
	struct extent_list list;
	bool fill;
	struct error *error;
};

/* A triple, taken apart. */
struct triple {
	bool extends;
	bool wanted; /* for this kind of ids */
	bool host_is_parent;
	uint32_t container;
	uint32_t host;
	uint32_t count;
};

struct text {
	const char *start;
	size_t len;
};

void podman_map_destroy(struct podman_map *map)
{
	extent_list_destroy(&map->uid);
	extent_list_destroy(&map->gid);
}

__attribute__((format(printf, 3, 4))) static int refuse(
	const struct reading *reading, const struct text *spec,
	const char *format, ...)
{
	char reason[200];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(reason, sizeof(reason), format, arguments) < 0)
		reason[0] = '\0';
	va_end(arguments);
	return error_set(reading->error, EXIT_STATUS_MAP, "%s '%.*s': %s",
			 reading->option,
			 (int)(spec->len < 200 ? spec->len : 200), spec->start,
			 reason);
}

/* What podman calls the ids on the right-hand side. */
static const char *host_word(bool rootless)
{
	return rootless ? "intermediate" : "host";
}

static int list_failed(int r, struct error *error)
{
	if (r == -ENOMEM)
		return error_no_memory(error);
	(void)error_set(error, EXIT_STATUS_OTHER,
			"the id maps have too many parts");
	return r;
}

static int break_and_insert(struct extent_list *list,
			    const struct id_extent *extension)
{
	_cleanup_extents_ struct extent_list broken = { 0 };
	int r;

	r = extent_list_carve(list, extension, &broken);
	if (r == 0)
		r = extent_list_append(&broken, extension->from, extension->to,
				       extension->count);
	if (r < 0)
		return r;
	extent_list_destroy(list);
	*list = extent_list_take(&broken);
	return 0;
}

static int add_extent(struct reading *reading, bool extends, uint32_t from,
		      uint32_t to, uint32_t count)
{
	struct id_extent extent = { from, to, count };
	int r;

	if (!extends)
		r = extent_list_append(&reading->list, from, to, count);
	else {
		if (reading->list.count == 0 && reading->parent->rootless)
			reading->fill = true;
		r = break_and_insert(&reading->list, &extent);
	}
	return r < 0 ? list_failed(r, reading->error) : 0;
}

/* @HOST: find the intermediate ids; the run ends where the parent's does. */
static int add_host_ids(struct reading *reading, const struct text *spec,
			const struct triple *triple)
{
	_cleanup_extents_ struct extent_list hosts = { 0 };
	struct triple rest = *triple;
	int r = extent_list_reverse(reading->ids, &hosts);

	if (r < 0)
		return list_failed(r, reading->error);
	while (rest.count > 0) {
		const struct id_extent *e = extent_list_find(&hosts, rest.host);
		uint32_t skip;
		uint32_t count;

		if (e == NULL)
			return refuse(reading, spec,
				      "host %s %u is not delegated to you: add "
				      "it to /etc/sub%s",
				      reading->kind, rest.host, reading->kind);
		skip = rest.host - e->from;
		count = e->count - skip;
		if (count > rest.count)
			count = rest.count;
		r = add_extent(reading, rest.extends, rest.container,
			       e->to + skip, count);
		if (r < 0)
			return r;
		rest.container += count;
		rest.host += count;
		rest.count -= count;
	}
	return 0;
}

static int parse_flags(struct reading *reading, const struct text *spec,
		       struct text *container, struct triple *ret)
{
	bool for_user = false;
	bool for_group = false;

	while (container->len > 0 && !number_is_digits(container->start, 1)) {
		char flag = *container->start;

		if (flag == '+')
			ret->extends = true;
		else if (flag == 'u')
			for_user = true;
		else if (flag == 'g')
			for_group = true;
		else
			break;
		container->start++;
		container->len--;
	}
	/* Like podman: that is a flag only if the field ends in a digit. */
	if (container->len > 0 && !number_is_digits(container->start, 1) &&
	    number_is_digits(container->start + container->len - 1, 1))
		return refuse(reading, spec,
			      "unknown flag '%c': the flags are +, u and g",
			      *container->start);
	ret->wanted = reading->group ? for_group || !for_user :
				       for_user || !for_group;
	return 0;
}

static int parse_triple(struct reading *reading, const struct text *spec,
			struct text fields[3], struct triple *ret)
{
	struct triple triple = { 0 };
	struct text *host = &fields[1];
	uint64_t count;
	int r = parse_flags(reading, spec, &fields[0], &triple);

	if (r < 0)
		return r;
	if (number_parse_id(fields[0].start, fields[0].len, &triple.container) <
	    0)
		return refuse(reading, spec, "container id must be 0..%u",
			      ID_MAX);
	if (host->len > 0 && *host->start == '@') {
		triple.host_is_parent = true;
		host->start++;
		host->len--;
	}
	if (number_parse_id(host->start, host->len, &triple.host) < 0)
		return refuse(reading, spec, "host id must be 0..%u", ID_MAX);
	if (number_parse(fields[2].start, fields[2].len, UINT32_MAX, &count) <
	    0)
		return refuse(reading, spec, "count must be 0..%u", UINT32_MAX);
	triple.count = (uint32_t)count;
	if (triple.count > UINT32_MAX - triple.container)
		return refuse(reading, spec,
			      "the container ids reach beyond %u", ID_MAX);
	if (triple.count > UINT32_MAX - triple.host)
		return refuse(reading, spec, "the host ids reach beyond %u",
			      ID_MAX);
	*ret = triple;
	return 0;
}

static int add_triple(struct reading *reading, const struct text *spec,
		      struct text fields[3])
{
	struct triple triple = { 0 };
	int r = parse_triple(reading, spec, fields, &triple);

	if (r < 0)
		return r;
	if (!triple.wanted || triple.count == 0)
		return 0;
	if (triple.host_is_parent)
		return add_host_ids(reading, spec, &triple);
	return add_extent(reading, triple.extends, triple.container,
			  triple.host, triple.count);
}

/* Triples joined by colons; of two fields alone the count is 1. */
static int add_spec(struct reading *reading, const struct text *spec)
{
	static const char one[] = "1";
	const char *end = spec->start + spec->len;
	struct text fields[3];
	const char *at = spec->start;
	size_t colons = 0;
	size_t have = 0;

	for (size_t i = 0; i < spec->len; i++)
		colons += spec->start[i] == ':';
	if (colons != 1 && colons % 3 != 2)
		return refuse(reading, spec,
			      "must be [+ug]CONTAINER:[@]HOST[:COUNT]");
	for (;;) {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		const char *stop = colon == NULL ? end : colon;

		fields[have++] = (struct text){ at, (size_t)(stop - at) };
		if (colons == 1 && have == 2)
			fields[have++] = (struct text){ one, 1 };
		if (have == 3) {
			int r = add_triple(reading, spec, fields);

			if (r < 0)
				return r;
			have = 0;
		}
		if (colon == NULL)
			return 0;
		at = colon + 1;
	}
}

/* The option's value: specs at commas; podman skips empty ones. */
static int add_value(struct reading *reading, const char *value)
{
	for (;;) {
		struct text spec = { value, strcspn(value, ",") };

		if (spec.len > 0) {
			int r = add_spec(reading, &spec);

			if (r < 0)
				return r;
		}
		if (value[spec.len] == '\0')
			return 0;
		value += spec.len + 1;
	}
}

/* The intermediate ids that the list doesn't use, sorted. */
static int available_ids(const struct extent_list *parent,
			 const struct extent_list *list,
			 struct extent_list *ret)
{
	/* from and to are the same intermediate id. */
	int r = extent_list_append_identity(ret, parent);

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		_cleanup_extents_ struct extent_list rest = { 0 };
		struct id_extent used = { list->items[i].to, list->items[i].to,
					  list->items[i].count };

		r = extent_list_carve(ret, &used, &rest);
		extent_list_destroy(ret);
		*ret = extent_list_take(&rest);
	}
	extent_list_merge(ret);
	return r;
}

/* Give the gaps of the container's ids, from 0 up, what is available. */
static int fill_gaps(struct extent_list *list, const struct extent_list *parent)
{
	_cleanup_extents_ struct extent_list available = { 0 };
	_cleanup_extents_ struct extent_list filled = { 0 };
	size_t piece = 0;
	uint32_t next = 0;
	int r = available_ids(parent, list, &available);

	extent_list_merge(list);
	for (size_t i = 0; r == 0 && i < available.count;) {
		struct id_extent *a = &available.items[i];
		uint32_t room = UINT32_MAX - next;
		uint32_t count;

		if (piece < list->count)
			room = list->items[piece].from - next;
		if (room == 0 && piece == list->count)
			break;
		if (room == 0) {
			next += list->items[piece++].count;
			continue;
		}
		count = a->count < room ? a->count : room;
		r = extent_list_append(&filled, next, a->from, count);
		next += count;
		a->from += count;
		a->count -= count;
		if (a->count == 0)
			i++;
	}
	if (r == 0)
		r = extent_list_append_all(list, &filled);
	return r;
}

int podman_map_check(const char *subject, bool group,
		     const struct podman_parent *parent,
		     const struct extent_list *list, struct extent_list *ret,
		     struct error *error)
{
	_cleanup_extents_ struct extent_list divided = { 0 };
	const char *kind = group ? "gid" : "uid";
	uint32_t id = 0;
	int r = extent_list_split(list, group ? &parent->gid : &parent->uid,
				  &divided, &id);

	if (r == -ENOENT)
		return error_set(error, EXIT_STATUS_MAP,
				 "%s: there is no %s %s %u%s: map fewer ids, "
				 "or add to /etc/sub%s",
				 subject, host_word(parent->rootless), kind, id,
				 parent->rootless ? " (0 is you, the others "
						    "your subordinate ids)" :
						    "",
				 kind);
	if (r < 0)
		return list_failed(r, error);
	if (divided.count > USERNS_MAP_MAX_EXTENTS)
		return error_set(error, EXIT_STATUS_MAP,
				 "%s: %zu lines of %s map; the kernel takes %d",
				 subject, divided.count, kind,
				 USERNS_MAP_MAX_EXTENTS);
	if (extent_list_proc_size(&divided) >= PODMAN_MAP_MAX_SIZE)
		return error_set(error, EXIT_STATUS_MAP,
				 "%s: %zu bytes of %s map; the kernel takes %d",
				 subject, extent_list_proc_size(&divided), kind,
				 PODMAN_MAP_MAX_SIZE - 1);
	*ret = extent_list_take(&divided);
	return 0;
}

static int check_overlap(const struct reading *reading, const char *subject)
{
	const char *side = "container";
	bool twice;
	uint32_t id;

	twice = extent_list_from_overlap(&reading->list, &id);
	if (!twice) {
		side = host_word(reading->parent->rootless);
		twice = extent_list_to_overlap(&reading->list, &id);
	}
	if (!twice)
		return 0;
	return error_set(reading->error, EXIT_STATUS_MAP,
			 "%s: %s %s %u is mapped twice; '+' before the later "
			 "one makes the earlier give way",
			 subject, side, reading->kind, id);
}

/* The option with all its values, for messages about the whole. */
static void describe(const struct reading *reading, const char *const *values,
		     size_t count, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%s '", reading->option);

	/* Two bytes are kept for the last quote. */
	for (size_t i = 0; i < count && len < size - 2; i++) {
		int written = snprintf(buf + len, size - 1 - len, "%s%s",
				       i == 0 ? "" : ",", values[i]);

		if (written < 0)
			break;
		len += (size_t)written;
	}
	if (len > size - 2)
		len = size - 2;
	buf[len] = '\'';
	buf[len + 1] = '\0';
}

static int read_kind(struct reading *reading, const char *const *values,
		     size_t count, struct extent_list *ret)
{
	char subject[200];
	int r = 0;

	describe(reading, values, count, subject, sizeof(subject));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_value(reading, values[i]);
	if (r == 0)
		r = check_overlap(reading, subject);
	if (r < 0)
		return r;
	/*
	 * Nothing for this kind (all were `u` or all `g`): all ids in order.
	 * For root, whose ids are the host's, that is each as itself.
	 */
	if (reading->fill || reading->list.count == 0) {
		r = fill_gaps(&reading->list, reading->ids);
		if (r < 0)
			return list_failed(r, reading->error);
	}
	extent_list_merge(&reading->list);
	return podman_map_check(subject, reading->group, reading->parent,
				&reading->list, ret, reading->error);
}

int podman_map_parse(const char *const *uidmap, size_t uidmap_count,
		     const char *const *gidmap, size_t gidmap_count,
		     const struct podman_parent *parent, struct podman_map *ret,
		     struct error *error)
{
	struct podman_map map = { 0 };
	bool uid_copied = uidmap_count == 0;
	bool gid_copied = gidmap_count == 0;
	struct reading uids = {
		.option = uid_copied ? "gidmap" : "uidmap",
		.kind = "uid",
		.parent = parent,
		.ids = &parent->uid,
		.error = error,
	};
	struct reading gids = {
		.option = gid_copied ? "uidmap" : "gidmap",
		.kind = "gid",
		.group = true,
		.parent = parent,
		.ids = &parent->gid,
		.error = error,
	};
	int r = read_kind(&uids, uid_copied ? gidmap : uidmap,
			  uid_copied ? gidmap_count : uidmap_count, &map.uid);

	if (r == 0)
		r = read_kind(&gids, gid_copied ? uidmap : gidmap,
			      gid_copied ? uidmap_count : gidmap_count,
			      &map.gid);
	extent_list_destroy(&uids.list);
	extent_list_destroy(&gids.list);
	if (r < 0) {
		podman_map_destroy(&map);
		return r;
	}
	*ret = map;
	return 0;
}
