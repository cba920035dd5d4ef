/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/extent_list.h"
#include "idshift/number.h"
#include "idshift/small_file.h"

/* A map of a process as its text; -errno. */
static ssize_t read_map(const char *who, const char *name, char *buf)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", who, name);
	return small_file_read(AT_FDCWD, path, buf, MAP_TEXT_MAX);
}

/*
 * Has the wire id a number in the caller's namespace?  Outside ids show as
 * those of the reader's namespace, which are wire ids, but to a reader in the
 * very same one as those of its parent: then the text is that of our own map.
 */
static bool has_number(const char *pid, const char *name, struct wire_id id)
{
	_cleanup_free_ char *text = malloc(MAP_TEXT_MAX);
	_cleanup_free_ char *own = malloc(MAP_TEXT_MAX);
	_cleanup_extents_ struct extent_list map = { 0 };
	ssize_t len;

	if (text == NULL || own == NULL)
		return false;
	len = read_map(pid, name, text);
	if (len <= 0)
		return false;
	if (read_map("self", name, own) == len && strcmp(text, own) == 0)
		return true;
	return extent_list_parse_proc(text, (size_t)len, &map) == 0 &&
	       extent_list_find_to(&map, id.value) != NULL;
}

static bool in_reach(const struct view_policy *policy, const char *pid,
		     const struct view *object)
{
	const struct disk_id none = DISK_ID(ID_OVERFLOW);

	return container_id_is_mapped(object->uid) &&
	       container_id_is_mapped(object->gid) &&
	       has_number(pid, "uid_map",
			  view_uid_to_wire(policy, object->uid, none)) &&
	       has_number(pid, "gid_map",
			  view_gid_to_wire(policy, object->gid, none));
}

/* "Groups:\t2000 60 \n", wire ids. */
static int add_groups(const struct view_policy *policy, const char *text,
		      struct caller_rights *ret)
{
	struct container_id *groups;
	size_t count = 0;

	/* Each takes two characters at least. */
	groups = calloc(strlen(text) / 2 + 1, sizeof(*groups));
	if (groups == NULL)
		return -ENOMEM;
	while (*text != '\0') {
		size_t len = strcspn(text, " \t\n");
		uint32_t id;

		if (number_parse_id(text, len, &id) == 0 &&
		    userns_to_container(&policy->userns_gid, WIRE_ID(id),
					&groups[count]))
			count++;
		text += len + (text[len] != '\0');
	}
	free(ret->groups);
	ret->groups = groups;
	ret->who.groups = groups;
	ret->who.group_count = count;
	return 0;
}

/* "CapEff:\t000001ffffffffff\n" */
static uint64_t parse_caps(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t set = 0;

	for (text += strspn(text, " \t"); *text != '\0'; text++) {
		const char *digit = strchr(digits, *text);

		if (digit == NULL)
			break;
		set = set << 4 | (uint64_t)(digit - digits);
	}
	return set;
}

static unsigned int access_caps(uint64_t set)
{
	static const struct {
		unsigned int number, cap;
	} known[] = {
		{ CAP_CHOWN, ACCESS_CAP_CHOWN },
		{ CAP_DAC_OVERRIDE, ACCESS_CAP_DAC_OVERRIDE },
		{ CAP_DAC_READ_SEARCH, ACCESS_CAP_DAC_READ_SEARCH },
		{ CAP_FOWNER, ACCESS_CAP_FOWNER },
		{ CAP_FSETID, ACCESS_CAP_FSETID },
	};
	unsigned int caps = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if ((set >> known[i].number & 1) != 0)
			caps |= known[i].cap;
	}
	return caps;
}

/* -ENOENT: nothing is known of the caller. */
static int read_status(const struct view_policy *policy, const char *pid,
		       struct caller_rights *ret, uint64_t *ret_caps)
{
	static const char groups[] = "Groups:", caps[] = "CapEff:";
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char path[64];
	FILE *file;
	int r = -ENOENT;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return r;
	while (r == -ENOENT && getline(&line, &size, file) > 0) {
		if (strncmp(line, groups, sizeof(groups) - 1) == 0 &&
		    add_groups(policy, line + sizeof(groups) - 1, ret) < 0)
			r = -ENOMEM;
		/* It comes after the groups. */
		if (strncmp(line, caps, sizeof(caps) - 1) == 0) {
			*ret_caps = parse_caps(line + sizeof(caps) - 1);
			r = 0;
		}
	}
	(void)fclose(file);
	return r;
}

#define PID_TEXT_MAX 16

static void name_process(const struct caller *caller,
			 char ret[static PID_TEXT_MAX])
{
	(void)snprintf(ret, PID_TEXT_MAX, "%d",
		       (int)fuse_req_ctx(caller->req)->pid);
}

int caller_rights(const struct filesystem *fs, const struct caller *caller,
		  const struct view *object, struct caller_rights *ret)
{
	struct caller_rights rights = {
		.who = { .uid = caller->uid, .gid = caller->gid },
	};
	uint64_t caps = 0;
	char pid[PID_TEXT_MAX];
	int r;

	if (fs->config.judge != NULL) {
		rights.who = *fs->config.judge;
		*ret = rights;
		return 0;
	}
	name_process(caller, pid);
	r = read_status(fs->policy, pid, &rights, &caps);
	if (r == -ENOMEM) {
		caller_rights_done(&rights);
		return r;
	}
	/* Of another pid namespace, or hidden (hidepid= of proc(5)). */
	if (r < 0 && caller->uid.value == 0)
		rights.who.caps = ACCESS_CAP_ALL;
	else if (access_caps(caps) != 0 && in_reach(fs->policy, pid, object))
		rights.who.caps = access_caps(caps);
	*ret = rights;
	return 0;
}

bool caller_is_admin(const struct filesystem *fs, const struct caller *caller)
{
	_cleanup_rights_ struct caller_rights rights = { .groups = NULL };
	struct wire_id last = WIRE_ID(ID_MAX);
	uint64_t caps = 0;
	char pid[PID_TEXT_MAX];

	name_process(caller, pid);
	return read_status(fs->policy, pid, &rights, &caps) == 0 &&
	       (caps >> CAP_SYS_ADMIN & 1) != 0 &&
	       has_number(pid, "uid_map", WIRE_ID(0)) &&
	       has_number(pid, "uid_map", last);
}

void caller_rights_done(struct caller_rights *rights)
{
	free(rights->groups);
	*rights = (struct caller_rights){ 0 };
}
