/* SPDX-License-Identifier: GPL-2.0-or-later */
/* podman run --userns=keep-id and nomap. */
#include "idshift/podman_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "idshift/number.h"

int podman_keep_id_parse(const char *text, struct podman_keep_id *ret,
			 struct error *error)
{
	static const char *const names[] = { "uid", "gid", "size" };
	struct podman_keep_id options = { 0 };
	const char *at = text + strcspn(text, ":");

	if (strncmp(text, "keep-id", 7) != 0 || at != text + 7)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': not a keep-id", text);
	while (*at != '\0') {
		size_t name = strcspn(++at, "=,");
		const char *value = at + name + (at[name] == '=');
		size_t len = strcspn(value, ",");
		size_t which = 0;
		uint32_t number;

		while (which < 3 && (strlen(names[which]) != name ||
				     memcmp(at, names[which], name) != 0))
			which++;
		if (which == 3 || at[name] != '=')
			return error_set(error, EXIT_STATUS_MAP,
					 "userns '%s': must be "
					 "keep-id[:uid=U,gid=G,size=S]",
					 text);
		if (number_parse_id(value, len, &number) < 0)
			return error_set(error, EXIT_STATUS_MAP,
					 "userns '%s': %s must be 0..%u", text,
					 names[which], ID_MAX);
		if (which == 0) {
			options.has_uid = true;
			options.uid = number;
		} else if (which == 1) {
			options.has_gid = true;
			options.gid = number;
		} else {
			options.size = number;
		}
		at = value + len;
	}
	*ret = options;
	return 0;
}

/* How many intermediate ids there are beside 0, the user's own. */
static uint32_t subordinate_count(const struct extent_list *parent)
{
	uint64_t total = 0;

	for (size_t i = 0; i < parent->count; i++)
		total += parent->items[i].count;
	if (total == 0)
		return 0;
	return total - 1 > ID_MAX ? ID_MAX : (uint32_t)(total - 1);
}

static int keep_one(const char *subject, bool group, uint32_t own,
		    uint32_t size, const struct podman_parent *parent,
		    struct extent_list *ret, struct error *error)
{
	const struct extent_list *ids = group ? &parent->gid : &parent->uid;
	_cleanup_extents_ struct extent_list list = { 0 };
	uint32_t others = subordinate_count(ids);
	int r = 0;

	if (size > 0 && others > size - 1)
		others = size - 1;
	if (own > 0 && others > 0)
		r = extent_list_append(&list, 0, 1,
				       own < others ? own : others);
	if (r == 0)
		r = extent_list_append(&list, own, 0, 1);
	if (r == 0 && others > own)
		r = extent_list_append(&list, own + 1, own + 1, others - own);
	if (r < 0)
		return error_no_memory(error);
	return podman_map_check(subject, group, parent, &list, ret, error);
}

/* Root's: podman leaves all ids as they are. */
static int copy_parent(const struct podman_parent *parent,
		       struct podman_map *map, struct error *error)
{
	int r = extent_list_append_identity(&map->uid, &parent->uid);

	if (r == 0)
		r = extent_list_append_identity(&map->gid, &parent->gid);
	if (r < 0)
		r = error_no_memory(error);
	return r;
}

int podman_map_keep_id(const struct podman_keep_id *options, uint32_t uid,
		       uint32_t gid, const struct podman_parent *parent,
		       struct podman_map *ret, struct error *error)
{
	struct podman_map map = { 0 };
	int r;

	if (options->has_uid)
		uid = options->uid;
	if (options->has_gid)
		gid = options->gid;
	if (!parent->rootless)
		r = copy_parent(parent, &map, error);
	else
		r = keep_one("userns 'keep-id'", false, uid, options->size,
			     parent, &map.uid, error);
	if (r == 0 && parent->rootless)
		r = keep_one("userns 'keep-id'", true, gid, options->size,
			     parent, &map.gid, error);
	if (r < 0) {
		podman_map_destroy(&map);
		return r;
	}
	*ret = map;
	return 0;
}

int podman_map_nomap(const struct podman_parent *parent, struct podman_map *ret,
		     struct error *error)
{
	_cleanup_extents_ struct extent_list uids = { 0 };
	_cleanup_extents_ struct extent_list gids = { 0 };
	uint32_t uid_count = subordinate_count(&parent->uid);
	uint32_t gid_count = subordinate_count(&parent->gid);
	struct podman_map map = { 0 };
	int r;

	if (!parent->rootless)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns 'nomap': not for root, as in podman; "
				 "run it as an ordinary user");
	if (uid_count == 0 || gid_count == 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns 'nomap': needs subordinate ids in "
				 "/etc/subuid and /etc/subgid");
	r = extent_list_append(&uids, 0, 1, uid_count);
	if (r == 0)
		r = extent_list_append(&gids, 0, 1, gid_count);
	if (r < 0)
		return error_no_memory(error);
	r = podman_map_check("userns 'nomap'", false, parent, &uids, &map.uid,
			     error);
	if (r == 0)
		r = podman_map_check("userns 'nomap'", true, parent, &gids,
				     &map.gid, error);
	if (r < 0) {
		podman_map_destroy(&map);
		return r;
	}
	*ret = map;
	return 0;
}
