/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/print_map.h"

#include <errno.h>

#include <jansson.h>

/* The four tables; `from` is the container id in each. */
struct tables {
	struct extent_list userns_uid; /* to host ids */
	struct extent_list userns_gid;
	struct extent_list owner_uid; /* to disk ids */
	struct extent_list owner_gid;
};

static void tables_destroy(struct tables *tables)
{
	extent_list_destroy(&tables->userns_uid);
	extent_list_destroy(&tables->userns_gid);
	extent_list_destroy(&tables->owner_uid);
	extent_list_destroy(&tables->owner_gid);
}

/* Wire ids are the program's own; lead them on to its parent namespace. */
static int userns_table(const struct userns_map *map,
			const struct situation *situation,
			const struct extent_list *ns, struct extent_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->to_wire.count; i++) {
		_cleanup_extents_ struct extent_list part = { 0 };
		_cleanup_extents_ struct extent_list hosts = { 0 };
		const struct id_extent *e = &map->to_wire.extents[i];
		uint32_t missing;

		r = extent_list_append(&part, e->from, e->to, e->count);
		if (r == 0 && situation->child_userns)
			r = extent_list_compose(&part, ns, &hosts, &missing);
		if (r == 0)
			r = extent_list_append_all(
				ret, situation->child_userns ? &hosts : &part);
		if (r == -ENOENT)
			r = 0;
	}
	extent_list_merge(ret);
	return r;
}

static int owner_table(const struct owner_map *map, struct extent_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->to_container.count; i++) {
		const struct id_extent *e = &map->to_container.extents[i];

		r = extent_list_append(ret, e->to, e->from, e->count);
	}
	extent_list_merge(ret);
	return r;
}

static int make_tables(const struct view_policy *policy,
		       const struct situation *situation, struct tables *tables)
{
	int r = userns_table(&policy->userns_uid, situation, &situation->ns_uid,
			     &tables->userns_uid);

	if (r == 0)
		r = userns_table(&policy->userns_gid, situation,
				 &situation->ns_gid, &tables->userns_gid);
	if (r == 0)
		r = owner_table(&policy->owner_uid, &tables->owner_uid);
	if (r == 0)
		r = owner_table(&policy->owner_gid, &tables->owner_gid);
	return r;
}

static void print_table(FILE *out, const char *heading,
			const struct extent_list *list)
{
	fprintf(out, "%s\n", heading);
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "%10u %10u %10u\n", list->items[i].from,
			list->items[i].to, list->items[i].count);
}

static void print_text(FILE *out, const struct tables *tables)
{
	print_table(out, "userns uid: container, host, count",
		    &tables->userns_uid);
	print_table(out, "userns gid: container, host, count",
		    &tables->userns_gid);
	print_table(out, "owner uid: container, disk, count",
		    &tables->owner_uid);
	print_table(out, "owner gid: container, disk, count",
		    &tables->owner_gid);
}

/* NULL without memory; jansson's _new functions take NULL and fail. */
static json_t *table_to_json(const struct extent_list *list, bool owner)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		json_int_t container = list->items[i].from;
		json_int_t other = list->items[i].to;
		json_int_t count = list->items[i].count;
		json_t *object = owner ? json_pack("{s:I,s:I,s:I}", "disk",
						   other, "container",
						   container, "count", count) :
					 json_pack("{s:I,s:I,s:I}", "container",
						   container, "host", other,
						   "count", count);

		if (json_array_append_new(array, object) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *pair_to_json(const struct extent_list *uid,
			    const struct extent_list *gid, bool owner)
{
	json_t *pair = json_object();

	if (json_object_set_new(pair, "uid", table_to_json(uid, owner)) < 0 ||
	    json_object_set_new(pair, "gid", table_to_json(gid, owner)) < 0) {
		json_decref(pair);
		return NULL;
	}
	return pair;
}

static int print_json(FILE *out, const struct tables *tables)
{
	json_t *root = json_object();
	int r = 0;

	if (json_object_set_new(root, "userns",
				pair_to_json(&tables->userns_uid,
					     &tables->userns_gid, false)) < 0 ||
	    json_object_set_new(root, "owner",
				pair_to_json(&tables->owner_uid,
					     &tables->owner_gid, true)) < 0)
		r = -ENOMEM;
	else if (json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) <
		 0)
		r = -EIO;
	json_decref(root);
	if (r == 0)
		fputc('\n', out);
	return r;
}

int print_map(FILE *out, const struct view_policy *policy,
	      const struct situation *situation, bool json, struct error *error)
{
	struct tables tables = { 0 };
	int r = make_tables(policy, situation, &tables);

	if (r == 0 && json)
		r = print_json(out, &tables);
	else if (r == 0)
		print_text(out, &tables);
	tables_destroy(&tables);
	if (r == 0 && (fflush(out) != 0 || ferror(out)))
		r = -EIO;
	if (r == -ENOMEM)
		r = error_no_memory(error);
	else if (r < 0)
		r = error_set(error, EXIT_STATUS_OTHER,
			      "the maps can't be written");
	return r;
}
