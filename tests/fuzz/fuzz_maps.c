/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first byte chooses the grammar; lines are values of one option each. */
#include "fuzz.h"
#include "idshift/mapspec.h"
#include "idshift/podman_map.h"

#define LINES_MAX 16

static void check_list(const struct extent_list *list)
{
	struct userns_map map;

	for (size_t i = 0; i < list->count; i++)
		must(id_extent_check(&list->items[i]) == 0);
	if (userns_map_init(&map, list->items, list->count) == 0)
		userns_map_destroy(&map);
}

static void check_podman(struct podman_map *map)
{
	uint32_t id;

	check_list(&map->uid);
	check_list(&map->gid);
	must(!extent_list_from_overlap(&map->uid, &id));
	must(!extent_list_to_overlap(&map->uid, &id));
	podman_map_destroy(map);
}

static void fuzz_podman(char **lines, size_t count, bool rootless)
{
	struct podman_parent parent = { .rootless = rootless };
	size_t half = count / 2;
	struct podman_keep_id keep;
	struct podman_map map;

	must(extent_list_append(&parent.uid, 0, 1000, 1) == 0);
	must(extent_list_append(&parent.uid, 1, 100000, 65536) == 0);
	must(extent_list_append_all(&parent.gid, &parent.uid) == 0);
	if (podman_map_parse((const char *const *)lines, half,
			     (const char *const *)lines + half, count - half,
			     &parent, &map, NULL) == 0)
		check_podman(&map);
	if (count > 0 && podman_keep_id_parse(lines[0], &keep, NULL) == 0 &&
	    podman_map_keep_id(&keep, 1000, 1000, &parent, &map, NULL) == 0)
		check_podman(&map);
	extent_list_destroy(&parent.uid);
	extent_list_destroy(&parent.gid);
}

static void fuzz_mapspec(const char *text)
{
	struct mapspec_caller caller;
	struct container_id uid, gid;
	struct mapspec map;
	struct error error;

	if (mapspec_parse_map(text, NULL, &map, &error) == 0) {
		must(map.has_uid || map.has_gid);
		must(map.count > 0 &&
		     UINT32_MAX - map.container.value >= map.count);
	} else {
		must(strchr(error.text, '\n') == NULL);
	}
	(void)mapspec_parse_owner(text, &uid, &gid, &error);
	(void)mapspec_parse_unmapped(text, &uid, &error);
	if (mapspec_parse_caller(text, &caller, &error) == 0) {
		for (size_t i = 1; i < caller.group_count; i++)
			must(caller.groups[i - 1].value <
			     caller.groups[i].value);
		mapspec_caller_destroy(&caller);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[LINES_MAX], *text, *at;
	size_t count = 0;

	if (size < 1)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	for (at = text; at != NULL && count < LINES_MAX;)
		lines[count++] = strsep(&at, "\n");
	if (data[0] == 'm') {
		for (size_t i = 0; i < count; i++)
			fuzz_mapspec(lines[i]);
	} else {
		fuzz_podman(lines, count, data[0] == 'r');
	}
	free(text);
	return 0;
}
