/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/situation.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/subid.h"
#include "situation_process.h"

/* Bounds what a name service can make us hold. */
#define NAME_BUFFER_MAX ((size_t)1 << 20)
#define GROUPS_MAX 65536

/* An entry of passwd(5); its texts are in `buffer`. */
struct passwd_entry {
	struct passwd entry;
	char *buffer;
};

/* By name, or where that is NULL by uid. */
static int find_passwd(const char *name, uid_t uid, struct passwd_entry *ret)
{
	for (size_t size = 1024; size <= NAME_BUFFER_MAX; size *= 2) {
		char *buffer = malloc(size);
		struct passwd *found = NULL;
		int r;

		if (buffer == NULL)
			return -ENOMEM;
		if (name != NULL)
			r = getpwnam_r(name, &ret->entry, buffer, size, &found);
		else
			r = getpwuid_r(uid, &ret->entry, buffer, size, &found);
		if (r == 0 && found != NULL) {
			ret->buffer = buffer;
			return 0;
		}
		free(buffer);
		/* These too mean "not there": getpwnam(3), NOTES. */
		if (r == 0 || r == ENOENT || r == ESRCH || r == EBADF ||
		    r == EPERM)
			return -ENOENT;
		if (r != ERANGE)
			return -r;
	}
	return -ERANGE;
}

static int find_group(const char *name, uint32_t *ret_id)
{
	for (size_t size = 1024; size <= NAME_BUFFER_MAX; size *= 2) {
		_cleanup_free_ char *buffer = malloc(size);
		struct group *found = NULL;
		struct group group;
		int r;

		if (buffer == NULL)
			return -ENOMEM;
		r = getgrnam_r(name, &group, buffer, size, &found);
		if (r == 0 && found != NULL) {
			*ret_id = group.gr_gid;
			return 0;
		}
		if (r == 0 || r == ENOENT || r == ESRCH || r == EBADF ||
		    r == EPERM)
			return -ENOENT;
		if (r != ERANGE)
			return -r;
	}
	return -ERANGE;
}

static int look_up_name(void *context, const char *name, bool group,
			uint32_t *ret_id)
{
	struct passwd_entry user;
	int r;

	(void)context;
	if (group)
		return find_group(name, ret_id);
	r = find_passwd(name, 0, &user);
	if (r < 0)
		return r;
	*ret_id = user.entry.pw_uid;
	free(user.buffer);
	return 0;
}

const struct name_resolver situation_names = { .lookup = look_up_name };

static int read_namespace(struct situation *s, struct error *error)
{
	int r = situation_read_map(AT_FDCWD, "/proc/self/uid_map", &s->ns_uid);

	if (r == 0)
		r = situation_read_map(AT_FDCWD, "/proc/self/gid_map",
				       &s->ns_gid);
	if (r < 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "'/proc/self/uid_map': can't be read: %s",
				 strerror(-r));
	s->child_userns = !situation_is_identity(&s->ns_uid) ||
			  !situation_is_identity(&s->ns_gid);
	return 0;
}

static int read_groups(struct situation *s, struct error *error)
{
	size_t kept = 0;
	int count = getgroups(0, NULL);

	if (count < 0 || count > GROUPS_MAX)
		return error_set(error, EXIT_STATUS_OTHER,
				 "the supplementary groups can't be read");
	s->groups = calloc((size_t)count + 1, sizeof(*s->groups));
	if (s->groups == NULL)
		return error_no_memory(error);
	count = getgroups(count, s->groups);
	if (count < 0)
		return error_set(error, EXIT_STATUS_OTHER,
				 "the supplementary groups can't be read");
	/*
	 * Groups without a number in a child namespace all show as the
	 * overflow id: no claim to the group that has this number there.
	 */
	for (size_t i = 0; i < (size_t)count; i++)
		if (!s->child_userns || s->groups[i] != ID_OVERFLOW)
			s->groups[kept++] = s->groups[i];
	s->group_count = kept;
	return 0;
}

static int read_own_ids(struct situation *s, struct error *error)
{
	struct passwd_entry user;
	int r;

	s->uid = geteuid();
	s->gid = getegid();
	r = find_passwd(NULL, s->uid, &user);
	if (r == 0) {
		s->user = strdup(user.entry.pw_name);
		free(user.buffer);
		if (s->user == NULL)
			return error_no_memory(error);
	} else if (r == -ENOMEM) {
		return error_no_memory(error);
	}
	return read_groups(s, error);
}

static int read_groups_of(struct situation *s, struct error *error)
{
	int count = 64;
	int capacity;

	do {
		gid_t *groups;

		capacity = count;
		groups = realloc(s->groups, (size_t)count * sizeof(*groups));
		if (groups == NULL)
			return error_no_memory(error);
		s->groups = groups;
		if (getgrouplist(s->user, s->gid, groups, &count) >= 0) {
			s->group_count = (size_t)count;
			return 0;
		}
	} while (count > capacity && count <= GROUPS_MAX);
	return error_set(error, EXIT_STATUS_OTHER,
			 "run-as '%s': the user's groups can't be read",
			 s->user);
}

static int read_run_as(struct situation *s, const char *name,
		       struct error *error)
{
	struct passwd_entry user;
	int r = find_passwd(name, 0, &user);

	if (r == -ENOMEM)
		return error_no_memory(error);
	if (r == -ENOENT)
		return error_set(error, EXIT_STATUS_USAGE,
				 "run-as '%s': there is no such user", name);
	if (r < 0)
		return error_set(error, EXIT_STATUS_OTHER, "run-as '%s': %s",
				 name, strerror(-r));
	s->uid = user.entry.pw_uid;
	s->gid = user.entry.pw_gid;
	s->user = strdup(user.entry.pw_name);
	free(user.buffer);
	if (s->user == NULL)
		return error_no_memory(error);
	if (geteuid() != 0 && geteuid() != s->uid)
		return error_set(error, EXIT_STATUS_USAGE,
				 "run-as '%s': only root can become another "
				 "user",
				 name);
	return read_groups_of(s, error);
}

static int rootless_failed(const struct situation *s, enum subid_kind kind,
			   int r, uint32_t id, struct error *error)
{
	const char *word = kind == SUBID_UID ? "uid" : "gid";
	const char *user = s->user == NULL ? "" : s->user;

	if (r == -ENOMEM)
		return error_no_memory(error);
	if (r == -EEXIST)
		return error_set(error, EXIT_STATUS_MAP,
				 "subordinate %ss of user '%s': %u is there "
				 "twice; podman can't use them either: mend "
				 "/etc/sub%s",
				 word, user, id, word);
	if (r == -ERANGE)
		return error_set(error, EXIT_STATUS_MAP,
				 "subordinate %ss of user '%s': they reach "
				 "beyond 4294967294; mend /etc/sub%s",
				 word, user, word);
	if (r == -E2BIG)
		return error_set(error, EXIT_STATUS_MAP,
				 "subordinate %ss of user '%s': too many "
				 "ranges; mend /etc/sub%s",
				 word, user, word);
	return error_set(error, EXIT_STATUS_MAP,
			 "subordinate %ss of user '%s': the look-up failed; "
			 "check /etc/sub%s and 'subid' in /etc/nsswitch.conf",
			 word, user, word);
}

static int read_rootless(struct situation *s, enum subid_kind kind,
			 struct error *error)
{
	_cleanup_free_ struct subid_span *spans = NULL;
	bool *has = kind == SUBID_UID ? &s->has_subuids : &s->has_subgids;
	size_t count = 0;
	uint32_t id = 0;
	int r = subid_lookup(kind, s->user, s->uid, &spans, &count);

	if (r < 0 && r != -ENOENT)
		return rootless_failed(s, kind, r, id, error);
	*has = r == 0;
	if (!*has)
		s->free_subids = subid_first_free("/etc/subuid", "/etc/subgid");
	r = subid_to_extents(
		kind == SUBID_UID ? s->uid : s->gid, spans, count,
		kind == SUBID_UID ? &s->rootless_uid : &s->rootless_gid, &id);
	return r < 0 ? rootless_failed(s, kind, r, id, error) : 0;
}

/* Root needs no subordinate ids, and userns=host asks for none. */
static bool wants_rootless(const struct options *options,
			   const struct situation *s)
{
	if (s->child_userns || options->userns == USERNS_HOST)
		return false;
	return s->uid != 0 || options->userns == USERNS_AUTO;
}

static int read_all(const struct options *options, struct situation *s,
		    struct error *error)
{
	int r = read_namespace(s, error);

	if (r == 0)
		r = options->run_as == NULL ?
			    read_own_ids(s, error) :
			    read_run_as(s, options->run_as, error);
	if (r == 0 && wants_rootless(options, s)) {
		r = read_rootless(s, SUBID_UID, error);
		if (r == 0)
			r = read_rootless(s, SUBID_GID, error);
	}
	if (r == 0 && options->userns == USERNS_PID)
		r = situation_read_process(s, options->pid,
					   options->userns_text, error);
	if (r == 0 && options->userns == USERNS_PODMAN)
		r = situation_read_podman(s, options->run_as == NULL, error);
	return r;
}

int situation_read(const struct options *options, struct situation *ret,
		   struct error *error)
{
	struct situation situation = { 0 };
	int r = read_all(options, &situation, error);

	if (r < 0) {
		situation_destroy(&situation);
		return r;
	}
	*ret = situation;
	return 0;
}

void situation_destroy(struct situation *situation)
{
	free(situation->groups);
	free(situation->user);
	extent_list_destroy(&situation->ns_uid);
	extent_list_destroy(&situation->ns_gid);
	extent_list_destroy(&situation->rootless_uid);
	extent_list_destroy(&situation->rootless_gid);
	extent_list_destroy(&situation->process_uid);
	extent_list_destroy(&situation->process_gid);
	*situation = (struct situation){ 0 };
}
