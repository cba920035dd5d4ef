/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user namespaces that podman makes: podman-run(1) --uidmap, --gidmap and
 * --userns, with the meaning that podman 5 gives them.
 *
 * podman maps twice: container ids to intermediate ids by these options, and
 * intermediate ids to host ids by the user's subordinate ids (rootless: 0 is
 * the user, 1.. the ranges; root: the same numbers).
 *
 * Pure.  Refusals are -EINVAL (or -ENOMEM) with a reason in *error (which may
 * be NULL); results are new lists and untouched on failure.
 */
#ifndef IDSHIFT_PODMAN_MAP_H
#define IDSHIFT_PODMAN_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/error.h"
#include "idshift/extent_list.h"

/* What the kernel takes in a uid_map (user_namespaces(7)). */
#define PODMAN_MAP_MAX_SIZE 4096

struct podman_parent {
	struct extent_list uid; /* from intermediate to host */
	struct extent_list gid;
	bool rootless; /* podman's rule for the gaps (`+` first) holds */
};

/* From container to intermediate, sorted, divided where the parent's end. */
struct podman_map {
	struct extent_list uid;
	struct extent_list gid;
};

void podman_map_destroy(struct podman_map *map);

/*
 * uidmap and gidmap: the options' values, each one or several (at commas) of
 * [+ug]CONTAINER:[@]HOST[:COUNT], or such triples joined by colons.
 *
 *   @   HOST is a host id: the intermediate id that stands for it is meant
 *   +   what the earlier ones say of these ids, on either side, gives way; as
 *       the first one, rootless: the ids left over fill the gaps from 0 up
 *   u g only for uids, only for gids (both letters or none: for both)
 *
 * Where only one of the options is given it counts for both kinds; rootless,
 * a kind for which nothing remains then gets all ids in order.
 */
int podman_map_parse(const char *const *uidmap, size_t uidmap_count,
		     const char *const *gidmap, size_t gidmap_count,
		     const struct podman_parent *parent, struct podman_map *ret,
		     struct error *error);

/*
 * What the kernel would refuse of a finished map: ids that the parent lacks,
 * too many lines or bytes once it is divided where the parent's extents end.
 * `subject` begins the message: the option and its value.
 */
int podman_map_check(const char *subject, bool group,
		     const struct podman_parent *parent,
		     const struct extent_list *list, struct extent_list *ret,
		     struct error *error);

/* keep-id[:uid=U,gid=G,size=S] */
struct podman_keep_id {
	bool has_uid; /* else: the user's own */
	bool has_gid;
	uint32_t uid;
	uint32_t gid;
	uint32_t size; /* 0: all subordinate ids */
};

/* `text` is the value of userns=, with or without a part after "keep-id". */
int podman_keep_id_parse(const char *text, struct podman_keep_id *ret,
			 struct error *error);

/*
 * The user's own ids stay `uid` and `gid` inside unless `options` has others;
 * the subordinate ids are around them.  Root (not rootless): all as it is.
 */
int podman_map_keep_id(const struct podman_keep_id *options, uint32_t uid,
		       uint32_t gid, const struct podman_parent *parent,
		       struct podman_map *ret, struct error *error);

/* The user's own ids are left out: the subordinate ids from 0 on. */
int podman_map_nomap(const struct podman_parent *parent, struct podman_map *ret,
		     struct error *error);

#endif
