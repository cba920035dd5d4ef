/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift map: the maps, and one id through all three kinds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "idshift/number.h"
#include "idshift/print_map.h"

#include "command.h"
#include "message.h"
#include "target.h"

enum { OPT_JSON };

static const struct command_option options[] = {
	[OPT_JSON] = { "json", '\0', OPTION_FLAG },
	{ NULL, '\0', OPTION_FLAG },
};

/* One id in all kinds; ID_NONE: it has none of that kind. */
struct translation {
	uint32_t container;
	uint32_t wire;
	uint32_t host; /* wire in the parent user namespace; else the same */
	uint32_t disk;
};

struct maps {
	const struct userns_map *userns;
	const struct owner_map *owner;
	const struct extent_list *ns; /* NULL: wire ids are the host's */
};

static struct maps maps_of(const struct target *target, bool group)
{
	const struct view_policy *policy = &target->policy;
	const struct situation *situation = &target->situation;

	return (struct maps){
		.userns = group ? &policy->userns_gid : &policy->userns_uid,
		.owner = group ? &policy->owner_gid : &policy->owner_uid,
		.ns = !situation->child_userns ? NULL :
		      group		       ? &situation->ns_gid :
						 &situation->ns_uid,
	};
}

static uint32_t host_of(const struct maps *maps, uint32_t wire)
{
	const struct id_extent *e;

	if (maps->ns == NULL || wire == ID_NONE)
		return wire;
	e = extent_list_find(maps->ns, wire);
	return e != NULL ? e->to + (wire - e->from) : ID_NONE;
}

static struct translation from_container(const struct maps *maps, uint32_t id)
{
	struct translation all = { id, ID_NONE, ID_NONE, ID_NONE };
	struct wire_id wire;
	struct disk_id disk;

	if (userns_to_wire(maps->userns, CONTAINER_ID(id), &wire))
		all.wire = wire.value;
	else
		all.container = ID_NONE; /* no process can have it */
	if (owner_map_to_disk(maps->owner, CONTAINER_ID(id), &disk))
		all.disk = disk.value;
	all.host = host_of(maps, all.wire);
	return all;
}

static struct translation from_wire(const struct maps *maps, uint32_t id)
{
	struct translation all = { ID_NONE, id, host_of(maps, id), ID_NONE };
	struct container_id container;

	if (userns_to_container(maps->userns, WIRE_ID(id), &container)) {
		all = from_container(maps, container.value);
		all.wire = id;
	}
	return all;
}

static struct translation from_disk(const struct target *target,
				    const struct maps *maps, uint32_t id)
{
	struct translation all = { ID_NONE, ID_NONE, ID_NONE, id };
	struct container_id container = target->policy.unmapped;

	(void)owner_map_to_container(maps->owner, DISK_ID(id), &container);
	if (container_id_is_mapped(container)) {
		all = from_container(maps, container.value);
		all.disk = id;
	}
	return all;
}

static void print_id(const char *label, uint32_t id)
{
	if (id == ID_NONE)
		(void)printf("  %s -", label);
	else
		(void)printf("  %s %u", label, id);
}

static void print_line(const char *kind, uint32_t id, const char *as,
		       const struct translation *all, bool with_wire)
{
	(void)printf("%s %u as %s:", kind, id, as);
	print_id("container", all->container);
	if (with_wire)
		print_id("wire", all->wire);
	print_id("host", all->host);
	print_id("disk", all->disk);
	(void)fputs(all->container == ID_NONE ? "  (not in the container)\n" :
		    all->disk == ID_NONE      ? "  (recorded only)\n" :
						"\n",
		    stdout);
}

static json_t *id_to_json(uint32_t id)
{
	return id == ID_NONE ? json_null() : json_integer(id);
}

static json_t *to_json(const struct translation *all)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "container",
			 id_to_json(all->container), "wire",
			 id_to_json(all->wire), "host", id_to_json(all->host),
			 "disk", id_to_json(all->disk));
}

static void translate(const struct target *target, bool group, uint32_t id,
		      json_t *array)
{
	const char *kind = group ? "gid" : "uid";
	struct maps maps = maps_of(target, group);
	struct translation container = from_container(&maps, id);
	struct translation wire = from_wire(&maps, id);
	struct translation disk = from_disk(target, &maps, id);

	if (array == NULL) {
		bool child = maps.ns != NULL;

		print_line(kind, id, "container id", &container, child);
		print_line(kind, id, child ? "wire id" : "host id", &wire,
			   child);
		print_line(kind, id, "disk id", &disk, child);
		return;
	}
	(void)json_array_append_new(
		array, json_pack("{s:s,s:I,s:o,s:o,s:o}", "kind", kind, "id",
				 (json_int_t)id, "as_container",
				 to_json(&container), "as_wire", to_json(&wire),
				 "as_disk", to_json(&disk)));
}

/* u:ID, g:ID, or ID for both. */
static int translate_text(const struct target *target, const char *text,
			  json_t *array, struct error *error)
{
	bool only = (text[0] == 'u' || text[0] == 'g') && text[1] == ':';
	const char *digits = only ? text + 2 : text;
	uint32_t id;

	if (number_parse_id(digits, strlen(digits), &id) < 0)
		return error_set(error, EXIT_STATUS_USAGE,
				 "id '%s': must be ID, u:ID or g:ID, "
				 "0..4294967294",
				 text);
	if (!only || text[0] == 'u')
		translate(target, false, id, array);
	if (!only || text[0] == 'g')
		translate(target, true, id, array);
	return 0;
}

static int translate_all(const struct command_line *line,
			 const struct target *target, struct error *error)
{
	json_t *array = line->values[OPT_JSON] != NULL ? json_array() : NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < line->operand_count; i++)
		r = translate_text(target, line->operands[i], array, error);
	if (r == 0 && array != NULL) {
		(void)json_dumpf(array, stdout,
				 JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		(void)fputc('\n', stdout);
	}
	json_decref(array);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = error_set(error, EXIT_STATUS_OTHER,
			      "the output can't be written");
	return r;
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct target target;
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0)
		r = target_open_maps(&line, &target, &error);
	if (r != 0)
		return complain("map", &error);
	if (line.operand_count == 0)
		r = print_map(stdout, &target.policy, &target.situation,
			      line.values[OPT_JSON] != NULL, &error);
	else
		r = translate_all(&line, &target, &error);
	target_close(&target);
	return r < 0 ? complain("map", &error) : 0;
}

const struct command command_map = {
	.name = "map",
	.run = run,
	.summary = "the maps of ids, or what an id is on each side",
	.help = "usage: idshift map [--json] [MAP OPTIONS] [ID...]\n"
		"\n"
		"Without an ID: both maps, as 'idshift-mount --print-map' "
		"prints them.\n"
		"With one (u:ID for users, g:ID for groups, ID for both): what "
		"it stands for\n"
		"as an id of the container, of the host's processes and of an "
		"owner on disk;\n"
		"'-' where it stands for nothing.\n"
		"\n"
		"      --json  as JSON\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0, 2 usage, 3 map, 1 other.\n",
};
