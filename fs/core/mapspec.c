/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/mapspec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"

/* LOGIN_NAME_MAX is 256; a longer name is no one's. */
#define NAME_SIZE 256
/* NGROUPS_MAX. */
#define CALLER_MAX_GROUPS 65536

struct field {
	const char *text;
	size_t len;
};

/*
 * Divide at colons: how many fields there are, of which the first `max` are
 * written to `fields`.
 */
static size_t split_fields(const char *text, struct field *fields, size_t max)
{
	size_t count = 0;

	for (;;) {
		size_t len = strcspn(text, ":");

		if (count < max)
			fields[count] = (struct field){ text, len };
		count++;
		if (text[len] == '\0')
			return count;
		text += len + 1;
	}
}

static int parse_container_id(const char *option, const char *text,
			      const struct field *field, const char *what,
			      struct container_id *ret, struct error *error)
{
	uint32_t id;

	if (number_parse_id(field->text, field->len, &id) < 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "%s '%s': %s must be 0..%u", option, text,
				 what, ID_MAX);
	*ret = CONTAINER_ID(id);
	return 0;
}

/* DISK of a map: an id or the name of a user or group. */
static int parse_disk(const char *text, const struct field *field, bool group,
		      const struct name_resolver *resolver, struct disk_id *ret,
		      struct error *error)
{
	char name[NAME_SIZE];
	uint32_t id = 0;
	int r;

	if (field->len == 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "map '%s': the disk id is missing", text);
	if (number_is_digits(field->text, field->len)) {
		r = number_parse_id(field->text, field->len, &id);
		if (r < 0)
			return error_set(error, EXIT_STATUS_MAP,
					 "map '%s': disk id must be 0..%u",
					 text, ID_MAX);
		*ret = DISK_ID(id);
		return 0;
	}
	r = -ENOENT;
	if (field->len < sizeof(name)) {
		memcpy(name, field->text, field->len);
		name[field->len] = '\0';
		r = resolver == NULL ? 0 :
				       resolver->lookup(resolver->context, name,
							group, &id);
	}
	if (r < 0)
		return error_set(
			error, EXIT_STATUS_MAP,
			r == -ENOENT ? "map '%s': there is no %s '%.*s'" :
			r == -ERANGE ? "map '%s': the %s '%.*s' has no number "
				       "in this user namespace; mount on the "
				       "host instead" :
				       "map '%s': looking up the %s '%.*s' "
				       "failed",
			text, group ? "group" : "user",
			(int)(field->len < NAME_SIZE ? field->len : NAME_SIZE),
			field->text);
	if (id > ID_MAX)
		return error_set(error, EXIT_STATUS_MAP,
				 "map '%s': disk id must be 0..%u", text,
				 ID_MAX);
	*ret = DISK_ID(id);
	return 0;
}

/* first..first+count-1 are ids. */
static bool range_fits(uint32_t first, uint32_t count)
{
	return count <= UINT32_MAX - first;
}

static int check_ranges(const char *text, const struct mapspec *spec,
			struct error *error)
{
	const char *side = NULL;

	if (!range_fits(spec->container.value, spec->count))
		side = "container";
	if ((spec->has_uid && !range_fits(spec->uid.value, spec->count)) ||
	    (spec->has_gid && !range_fits(spec->gid.value, spec->count)))
		side = "disk";
	if (side == NULL)
		return 0;
	return error_set(error, EXIT_STATUS_MAP,
			 "map '%s': the %s ids reach beyond %u", text, side,
			 ID_MAX);
}

int mapspec_parse_map(const char *text, const struct name_resolver *resolver,
		      struct mapspec *ret, struct error *error)
{
	struct mapspec spec = { .count = 1 };
	struct field fields[4];
	size_t count = split_fields(text, fields, 4);
	uint64_t number;
	int r;

	if (fields[0].len == 1 && strchr("ub", *fields[0].text) != NULL)
		spec.has_uid = true;
	if (fields[0].len == 1 && strchr("gb", *fields[0].text) != NULL)
		spec.has_gid = true;
	if (!spec.has_uid && !spec.has_gid)
		return error_set(error, EXIT_STATUS_MAP,
				 "map '%s': must begin with u:, g: or b: "
				 "(uids, gids, both)",
				 text);
	if (count != 3 && count != 4)
		return error_set(error, EXIT_STATUS_MAP,
				 "map '%s': must be %c:DISK:CONTAINER[:COUNT]",
				 text, *text);
	if (spec.has_uid) {
		r = parse_disk(text, &fields[1], false, resolver, &spec.uid,
			       error);
		if (r < 0)
			return r;
	}
	if (spec.has_gid) {
		r = parse_disk(text, &fields[1], true, resolver, &spec.gid,
			       error);
		if (r < 0)
			return r;
	}
	r = parse_container_id("map", text, &fields[2], "container id",
			       &spec.container, error);
	if (r < 0)
		return r;
	if (count == 4) {
		r = number_parse(fields[3].text, fields[3].len, UINT32_MAX,
				 &number);
		if (r < 0 || number == 0)
			return error_set(error, EXIT_STATUS_MAP,
					 "map '%s': count must be 1..%u", text,
					 UINT32_MAX);
		spec.count = (uint32_t)number;
	}
	r = check_ranges(text, &spec, error);
	if (r < 0)
		return r;
	*ret = spec;
	return 0;
}

int mapspec_parse_owner(const char *text, struct container_id *ret_uid,
			struct container_id *ret_gid, struct error *error)
{
	struct container_id uid = { 0 };
	struct container_id gid = { 0 };
	struct field fields[2];
	int r;

	if (split_fields(text, fields, 2) != 2)
		return error_set(error, EXIT_STATUS_MAP,
				 "owner '%s': must be U:G, two container ids",
				 text);
	r = parse_container_id("owner", text, &fields[0], "container uid", &uid,
			       error);
	if (r < 0)
		return r;
	r = parse_container_id("owner", text, &fields[1], "container gid", &gid,
			       error);
	if (r < 0)
		return r;
	*ret_uid = uid;
	*ret_gid = gid;
	return 0;
}

int mapspec_parse_unmapped(const char *text, struct container_id *ret,
			   struct error *error)
{
	struct field field = { text, strlen(text) };

	return parse_container_id("unmapped", text, &field, "container id", ret,
				  error);
}

static int compare_groups(const void *a, const void *b)
{
	uint32_t x = ((const struct container_id *)a)->value;
	uint32_t y = ((const struct container_id *)b)->value;

	return (x > y) - (x < y);
}

/* `text`: what follows UID:GID:. */
static int parse_groups(const char *whole, const char *text,
			struct mapspec_caller *caller, struct error *error)
{
	size_t count = split_fields(text, NULL, 0);
	size_t kept = 0;

	if (count > CALLER_MAX_GROUPS)
		return error_set(error, EXIT_STATUS_USAGE,
				 "caller: more than %d groups",
				 CALLER_MAX_GROUPS);
	caller->groups = calloc(count, sizeof(*caller->groups));
	if (caller->groups == NULL)
		return error_no_memory(error);
	for (size_t i = 0; i < count; i++) {
		struct field field = { text, strcspn(text, ":") };
		int r = parse_container_id("caller", whole, &field, "group",
					   &caller->groups[i], error);

		if (r < 0)
			return r;
		text += field.len + 1;
	}
	qsort(caller->groups, count, sizeof(*caller->groups), compare_groups);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !container_id_equal(caller->groups[kept - 1],
						     caller->groups[i]))
			caller->groups[kept++] = caller->groups[i];
	caller->group_count = kept;
	return 0;
}

int mapspec_parse_caller(const char *text, struct mapspec_caller *ret,
			 struct error *error)
{
	struct mapspec_caller caller = { 0 };
	struct field fields[3];
	size_t count = split_fields(text, fields, 3);
	int r;

	if (count < 2)
		return error_set(error, EXIT_STATUS_MAP,
				 "caller '%s': must be UID:GID[:GROUP...], "
				 "container ids",
				 text);
	r = parse_container_id("caller", text, &fields[0], "uid", &caller.uid,
			       error);
	if (r == 0)
		r = parse_container_id("caller", text, &fields[1], "gid",
				       &caller.gid, error);
	if (r == 0 && count > 2)
		r = parse_groups(text, fields[2].text, &caller, error);
	if (r < 0) {
		mapspec_caller_destroy(&caller);
		return r;
	}
	*ret = caller;
	return 0;
}

void mapspec_caller_destroy(struct mapspec_caller *caller)
{
	free(caller->groups);
	*caller = (struct mapspec_caller){ 0 };
}
