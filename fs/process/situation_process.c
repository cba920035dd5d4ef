/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "situation_process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"
#include "idshift/small_file.h"

int situation_read_map(int dir, const char *path, struct extent_list *ret)
{
	_cleanup_free_ char *buf = malloc(MAP_TEXT_MAX);
	ssize_t len;

	if (buf == NULL)
		return -ENOMEM;
	len = small_file_read(dir, path, buf, MAP_TEXT_MAX);
	if (len < 0)
		return (int)len;
	return extent_list_parse_proc(buf, (size_t)len, ret);
}

bool situation_is_identity(const struct extent_list *map)
{
	return map->count == 1 && map->items[0].from == 0 &&
	       map->items[0].to == 0 && map->items[0].count == UINT32_MAX;
}

bool situation_has_host_uids(void)
{
	_cleanup_extents_ struct extent_list map = { 0 };

	return situation_read_map(AT_FDCWD, "/proc/self/uid_map", &map) == 0 &&
	       situation_is_identity(&map);
}

/* One of the ids that the user has or was given. */
static bool is_users(const struct situation *s, uid_t uid)
{
	/* All uids without a number here show as the overflow id. */
	if (s->child_userns)
		return uid != ID_OVERFLOW &&
		       extent_list_find(&s->ns_uid, uid) != NULL;
	return s->uid == 0 || uid == s->uid ||
	       extent_list_find_to(&s->rootless_uid, uid) != NULL;
}

/* Is the process in our own user namespace?  -errno when it can't be seen. */
static int same_namespace(int dir)
{
	char own[64];
	char other[64];
	ssize_t own_len = readlink("/proc/self/ns/user", own, sizeof(own));
	ssize_t other_len;

	if (own_len < 0)
		return -errno;
	other_len = readlinkat(dir, "ns/user", other, sizeof(other));
	if (other_len < 0)
		return -errno;
	return own_len == other_len && memcmp(own, other, (size_t)own_len) == 0;
}

/*
 * The outside ids of a uid_map are numbered in the reader's namespace, or, if
 * the process is in that very namespace, in its parent (user_namespaces(7)).
 */
static int read_maps(struct situation *s, int dir)
{
	int same = 0;
	int r;

	if (s->child_userns)
		same = same_namespace(dir);
	if (same < 0)
		return same;
	r = situation_read_map(dir, "uid_map", &s->process_uid);
	if (r == 0)
		r = situation_read_map(dir, "gid_map", &s->process_gid);
	if (r < 0 || same == 0)
		return r;
	for (size_t i = 0; i < s->process_uid.count; i++)
		s->process_uid.items[i].to = s->process_uid.items[i].from;
	for (size_t i = 0; i < s->process_gid.count; i++)
		s->process_gid.items[i].to = s->process_gid.items[i].from;
	return 0;
}

int situation_read_process(struct situation *situation, pid_t pid,
			   const char *value, struct error *error)
{
	_cleanup_fd_ int dir = -1;
	struct stat st;
	char path[32];
	int r;

	/*
	 * The descriptor stays with this process: another that is given the
	 * number after it has ended isn't seen through it.
	 */
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': there is no process %d", value,
				 (int)pid);
	if (!is_users(situation, st.st_uid))
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': process %d belongs to uid %u, "
				 "which is none of yours",
				 value, (int)pid, (unsigned int)st.st_uid);
	r = read_maps(situation, dir);
	if (r < 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': the maps of process %d can't be "
				 "read: %s",
				 value, (int)pid, strerror(-r));
	if (situation->process_uid.count == 0 ||
	    situation->process_gid.count == 0)
		return error_set(error, EXIT_STATUS_MAP,
				 "userns '%s': the ids of process %d have no "
				 "numbers here",
				 value, (int)pid);
	return 0;
}

/* The number in a pid file; 0: there is none. */
static pid_t read_pid(const char *path)
{
	uint64_t pid = 0;
	char buf[32];

	if (small_file_read(AT_FDCWD, path, buf, sizeof(buf)) < 0 ||
	    number_parse(buf, strcspn(buf, "\n"), INT32_MAX, &pid) < 0)
		return 0;
	return (pid_t)pid;
}

pid_t situation_pause_pid(uid_t uid, const char *runtime, size_t *place)
{
	static const char *const directories[] = {
		"/run/user/",
		"/tmp/podman-run-",
		"/tmp/storage-run-",
	};
	const size_t count = sizeof(directories) / sizeof(directories[0]);
	pid_t pid = 0;

	while (pid == 0 && *place <= count) {
		size_t i = (*place)++;
		char path[PATH_MAX];
		int len;

		if (i > 0)
			len = snprintf(path, sizeof(path),
				       "%s%u/libpod/tmp/pause.pid",
				       directories[i - 1], (unsigned int)uid);
		else if (runtime != NULL && *runtime == '/')
			len = snprintf(path, sizeof(path),
				       "%s/libpod/tmp/pause.pid", runtime);
		else
			continue;
		if (len < 0 || (size_t)len >= sizeof(path))
			continue;
		/* These directories are the user's, and what links in them
		 * name is read with no more than the user's rights. */
		(void)setfsuid(uid);
		pid = read_pid(path);
		(void)setfsuid(geteuid());
	}
	return pid;
}

int situation_read_podman(struct situation *situation, bool environment,
			  struct error *error)
{
	const char *runtime = environment ? getenv("XDG_RUNTIME_DIR") : NULL;
	size_t place = 0;
	pid_t pid = situation_pause_pid(situation->uid, runtime, &place);

	if (pid > 0)
		return situation_read_process(situation, pid, "podman", error);
	return error_set(error, EXIT_STATUS_MAP,
			 "userns 'podman': no podman of yours is running; "
			 "start it with 'podman unshare true'");
}
