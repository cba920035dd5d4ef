/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "idshift/podman_map.h"
#include "idshift/subid.h"

/* What resolve_policy() puts together; `from` is the container id. */
struct work {
	const struct options *options;
	const struct situation *situation;
	struct extent_list uid; /* to the wire id */
	struct extent_list gid;
	struct error *error;
};

static int list_failed(int r, struct error *error)
{
	if (r == -ENOMEM)
		return error_no_memory(error);
	return error_set(error, EXIT_STATUS_MAP,
			 "the id maps have too many parts");
}

static int all_ids(struct extent_list *ret)
{
	return extent_list_append(ret, 0, 0, UINT32_MAX);
}

/* The ids that exist in the program's own namespace. */
static int own_namespace(struct work *work)
{
	const struct situation *s = work->situation;
	int r;

	if (s->child_userns) {
		r = extent_list_append_identity(&work->uid, &s->ns_uid);
		if (r == 0)
			r = extent_list_append_identity(&work->gid, &s->ns_gid);
	} else {
		r = all_ids(&work->uid);
		if (r == 0)
			r = all_ids(&work->gid);
	}
	return r < 0 ? list_failed(r, work->error) : 0;
}

static int no_subordinate_ids(const struct work *work)
{
	const struct situation *s = work->situation;
	unsigned long long first = s->free_subids,
			   last = first + SUBID_USUAL - 1;
	char number[16];
	const char *user = s->user;

	if (user == NULL) {
		(void)snprintf(number, sizeof(number), "%u",
			       (unsigned int)s->uid);
		user = number;
	}
	return error_set(work->error, EXIT_STATUS_MAP,
			 "user '%s' has no subordinate %s: add them as "
			 "root with 'usermod --add-subuids %llu-%llu "
			 "--add-subgids %llu-%llu %s', or do without them by "
			 "--userns=host",
			 user,
			 s->has_subuids ? "gids in /etc/subgid" :
			 s->has_subgids ? "uids in /etc/subuid" :
					  "ids in /etc/subuid and /etc/subgid",
			 first, last, first, last, user);
}

static int auto_namespace(struct work *work)
{
	const struct situation *s = work->situation;
	int r;

	if (s->child_userns)
		return own_namespace(work);
	if (!s->has_subuids || !s->has_subgids)
		return s->uid == 0 ? own_namespace(work) :
				     no_subordinate_ids(work);
	r = extent_list_append_all(&work->uid, &s->rootless_uid);
	if (r == 0)
		r = extent_list_append_all(&work->gid, &s->rootless_gid);
	return r < 0 ? list_failed(r, work->error) : 0;
}

static int process_namespace(struct work *work)
{
	int r = extent_list_append_all(&work->uid,
				       &work->situation->process_uid);

	if (r == 0)
		r = extent_list_append_all(&work->gid,
					   &work->situation->process_gid);
	return r < 0 ? list_failed(r, work->error) : 0;
}

/* What podman takes for its intermediate ids here. */
static int podman_parent(const struct work *work, struct podman_parent *ret)
{
	const struct situation *s = work->situation;
	int r;

	if (s->child_userns) {
		ret->rootless = true;
		r = extent_list_append_all(&ret->uid, &s->ns_uid);
		if (r == 0)
			r = extent_list_append_all(&ret->gid, &s->ns_gid);
	} else if (s->uid == 0) {
		r = all_ids(&ret->uid);
		if (r == 0)
			r = all_ids(&ret->gid);
	} else {
		ret->rootless = true;
		r = extent_list_append_all(&ret->uid, &s->rootless_uid);
		if (r == 0)
			r = extent_list_append_all(&ret->gid, &s->rootless_gid);
	}
	return r < 0 ? list_failed(r, work->error) : 0;
}

static void podman_parent_destroy(struct podman_parent *parent)
{
	extent_list_destroy(&parent->uid);
	extent_list_destroy(&parent->gid);
}

/* Whose id is kept: the one that podman's user has outside. */
static uint32_t outside_id(const struct work *work,
			   const struct extent_list *ns, uint32_t own)
{
	const struct id_extent *e = extent_list_find(ns, 0);

	if (!work->situation->child_userns || e == NULL)
		return own;
	return e->to;
}

static int make_podman_map(const struct work *work,
			   const struct podman_parent *parent,
			   struct podman_map *ret)
{
	const struct options *o = work->options;
	const struct situation *s = work->situation;

	if (o->userns == USERNS_NOMAP)
		return podman_map_nomap(parent, ret, work->error);
	if (o->userns == USERNS_KEEP_ID)
		return podman_map_keep_id(&o->keep_id,
					  outside_id(work, &s->ns_uid, s->uid),
					  outside_id(work, &s->ns_gid, s->gid),
					  parent, ret, work->error);
	return podman_map_parse((const char *const *)o->uidmap.items,
				o->uidmap.count,
				(const char *const *)o->gidmap.items,
				o->gidmap.count, parent, ret, work->error);
}

static int podman_namespace(struct work *work)
{
	struct podman_parent parent = { 0 };
	struct podman_map map = { 0 };
	uint32_t missing;
	int r = podman_parent(work, &parent);

	if (r == 0)
		r = make_podman_map(work, &parent, &map);
	if (r == 0 && work->situation->child_userns) {
		/* Intermediate ids are what a mount made here calls wire. */
		work->uid = extent_list_take(&map.uid);
		work->gid = extent_list_take(&map.gid);
	} else if (r == 0) {
		r = extent_list_compose(&map.uid, &parent.uid, &work->uid,
					&missing);
		if (r == 0)
			r = extent_list_compose(&map.gid, &parent.gid,
						&work->gid, &missing);
		if (r < 0)
			r = list_failed(r, work->error);
	}
	podman_map_destroy(&map);
	podman_parent_destroy(&parent);
	return r;
}

static int container_namespace(struct work *work)
{
	const struct options *o = work->options;

	if (o->uidmap.count > 0 || o->gidmap.count > 0)
		return podman_namespace(work);
	switch (o->userns) {
	case USERNS_HOST:
		return own_namespace(work);
	case USERNS_KEEP_ID:
	case USERNS_NOMAP:
		return podman_namespace(work);
	case USERNS_PID:
	case USERNS_PODMAN:
		return process_namespace(work);
	case USERNS_AUTO:
		break;
	}
	return auto_namespace(work);
}

static int init_userns(const struct work *work, bool group,
		       const struct extent_list *list, struct userns_map *ret)
{
	int r = userns_map_init(ret, list->items, list->count);

	if (r == -ENOMEM)
		return error_no_memory(work->error);
	if (r < 0)
		return error_set(work->error, EXIT_STATUS_MAP,
				 r == -E2BIG ?
					 "the %s map has more than 340 lines" :
					 "the %s map has an id twice",
				 group ? "gid" : "uid");
	if (list->count == 0)
		return error_set(work->error, EXIT_STATUS_MAP,
				 "the %s map of the user namespace is empty",
				 group ? "gid" : "uid");
	return 0;
}

/* What the user asked to show must exist in the container. */
static int check_shown(const struct work *work, bool group, uint32_t first,
		       uint32_t count, const char *option, const char *text)
{
	const struct extent_list *list = group ? &work->gid : &work->uid;
	uint32_t missing;

	if (extent_list_covers(list, first, count, &missing))
		return 0;
	return error_set(work->error, EXIT_STATUS_MAP,
			 "%s '%s': the container has no %s %u; see what it has "
			 "with --print-map",
			 option, text, group ? "gid" : "uid", missing);
}

/* A disk id that the daemon can't see apart can't be mapped. */
static int check_disk(const struct work *work, bool group, uint32_t first,
		      uint32_t count, const char *text)
{
	const struct situation *s = work->situation;
	uint32_t missing;

	if (!s->child_userns ||
	    extent_list_covers(group ? &s->ns_gid : &s->ns_uid, first, count,
			       &missing))
		return 0;
	return error_set(work->error, EXIT_STATUS_MAP,
			 "map '%s': disk %s %u has no number in this user "
			 "namespace; mount on the host instead",
			 text, group ? "gid" : "uid", missing);
}

static int add_map_entry(const struct work *work, bool group, const char *text,
			 const struct mapspec *spec, struct extent_list *owner)
{
	uint32_t disk = group ? spec->gid.value : spec->uid.value;
	int r;

	if (group ? !spec->has_gid : !spec->has_uid)
		return 0;
	r = check_disk(work, group, disk, spec->count, text);
	if (r == 0)
		r = check_shown(work, group, spec->container.value, spec->count,
				"map", text);
	if (r < 0)
		return r;
	r = extent_list_append(owner, disk, spec->container.value, spec->count);
	return r < 0 ? list_failed(r, work->error) : 0;
}

static int add_owner(const struct work *work, bool group,
		     struct extent_list *owner)
{
	const struct options *o = work->options;
	uint32_t shown = group ? o->owner_gid.value : o->owner_uid.value;
	uint32_t disk = group ? work->situation->gid : work->situation->uid;
	char text[32];
	int r;

	if (!o->has_owner)
		return 0;
	(void)snprintf(text, sizeof(text), "%u:%u", o->owner_uid.value,
		       o->owner_gid.value);
	r = check_shown(work, group, shown, 1, "owner", text);
	if (r < 0)
		return r;
	r = extent_list_append(owner, disk, shown, 1);
	return r < 0 ? list_failed(r, work->error) : 0;
}

/*
 * The name services number users and groups as the host does, also for a
 * process in a user namespace; there an id is known by another number.
 */
struct translating {
	const struct situation *situation;
	const struct name_resolver *names;
};

static int lookup_inside(void *context, const char *name, bool group,
			 uint32_t *ret_id)
{
	const struct translating *t = context;
	const struct situation *s = t->situation;
	const struct extent_list *map = group ? &s->ns_gid : &s->ns_uid;
	const struct id_extent *e;
	uint32_t outside;
	int r = t->names->lookup(t->names->context, name, group, &outside);

	if (r < 0)
		return r;
	e = extent_list_find_to(map, outside);
	if (e == NULL)
		return -ERANGE;
	*ret_id = e->from + (outside - e->to);
	return 0;
}

static int init_owner(const struct work *work, bool group,
		      const struct name_resolver *names, struct owner_map *ret)
{
	const struct options *o = work->options;
	const struct extent_list *userns = group ? &work->gid : &work->uid;
	_cleanup_extents_ struct extent_list owner = { 0 };
	_cleanup_extents_ struct extent_list plain = { 0 };
	struct translating context = { work->situation, names };
	const struct name_resolver inside = { lookup_inside, &context };
	int r = 0;

	if (work->situation->child_userns && names != NULL)
		names = &inside;

	for (size_t i = 0; i < o->map.count; i++) {
		struct mapspec spec;

		r = mapspec_parse_map(o->map.items[i], names, &spec,
				      work->error);
		if (r == 0)
			r = add_map_entry(work, group, o->map.items[i], &spec,
					  &owner);
		if (r < 0)
			return r;
	}
	r = add_owner(work, group, &owner);
	if (r < 0)
		return r;
	r = extent_list_reverse(userns, &plain);
	if (r == 0)
		r = extent_list_append_all(&owner, &plain);
	if (r == 0)
		r = owner_map_init(ret, owner.items, owner.count);
	return r < 0 ? list_failed(r, work->error) : 0;
}

static int check_unmapped(const struct work *work)
{
	uint32_t id = work->options->unmapped.value;
	char text[16];
	int r;

	if (id == ID_NONE)
		return 0;
	(void)snprintf(text, sizeof(text), "%u", id);
	r = check_shown(work, false, id, 1, "unmapped", text);
	if (r == 0)
		r = check_shown(work, true, id, 1, "unmapped", text);
	return r;
}

static int compare_groups(const void *a, const void *b)
{
	uint32_t x = ((const struct disk_id *)a)->value;
	uint32_t y = ((const struct disk_id *)b)->value;

	return (x > y) - (x < y);
}

static int init_acting(const struct work *work, struct acting_user *ret)
{
	const struct situation *s = work->situation;
	struct disk_id *groups = calloc(s->group_count + 1, sizeof(*groups));
	size_t kept = 0;

	if (groups == NULL)
		return error_no_memory(work->error);
	groups[0] = DISK_ID(s->gid);
	for (size_t i = 0; i < s->group_count; i++)
		groups[i + 1] = DISK_ID(s->groups[i]);
	qsort(groups, s->group_count + 1, sizeof(*groups), compare_groups);
	for (size_t i = 0; i <= s->group_count; i++)
		if (kept == 0 || !disk_id_equal(groups[kept - 1], groups[i]))
			groups[kept++] = groups[i];
	*ret = (struct acting_user){
		.uid = DISK_ID(s->uid),
		.gid = DISK_ID(s->gid),
		.in_userns = s->child_userns,
		.userns_root = s->child_userns && s->uid == 0,
		.groups = groups,
		.group_count = kept,
	};
	return 0;
}

int resolve_policy(const struct options *options,
		   const struct situation *situation,
		   const struct name_resolver *names, struct view_policy *ret,
		   struct error *error)
{
	struct work work = { options, situation, { 0 }, { 0 }, error };
	struct view_policy policy = {
		.unmapped = options->unmapped,
		.real_owners = options->chown == CHOWN_DISK,
	};
	int r = 0;

	if (options->chown == CHOWN_DISK && situation->uid != 0)
		r = error_set(error, EXIT_STATUS_USAGE,
			      "chown 'disk': only for root, or root of a user "
			      "namespace: run it in 'podman unshare'");
	if (r == 0)
		r = container_namespace(&work);
	if (r == 0)
		r = init_userns(&work, false, &work.uid, &policy.userns_uid);
	if (r == 0)
		r = init_userns(&work, true, &work.gid, &policy.userns_gid);
	if (r == 0)
		r = check_unmapped(&work);
	if (r == 0)
		r = init_owner(&work, false, names, &policy.owner_uid);
	if (r == 0)
		r = init_owner(&work, true, names, &policy.owner_gid);
	if (r == 0)
		r = init_acting(&work, &policy.acting);
	extent_list_destroy(&work.uid);
	extent_list_destroy(&work.gid);
	if (r < 0) {
		view_policy_destroy(&policy);
		return r;
	}
	*ret = policy;
	return 0;
}
