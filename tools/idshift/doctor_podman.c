/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do mounts made here reach rootless podman's mount namespace?  Its pause
 * process keeps that; it is a slave of ours (mount_namespaces(7)) if / was
 * shared when it was made.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "idshift/cleanup.h"
#include "idshift/mountpoint.h"
#include "idshift/number.h"
#include "idshift/situation.h"

#include "doctor.h"

/* A line of mountinfo (proc(5)). */
struct mount {
	const char *point; /* octal escapes as they are */
	size_t point_len;
	bool is_ours;
	uint64_t shared; /* peer groups; 0: none */
	uint64_t master;
};

/* The word at *text, which is moved behind it. */
static const char *word(const char **text, size_t *ret_len)
{
	const char *start = *text;

	*ret_len = strcspn(start, " \n");
	*text = start + *ret_len;
	if (**text == ' ')
		(*text)++;
	return start;
}

static void peer_group(const char *text, size_t len, const char *prefix,
		       uint64_t *ret)
{
	size_t skip = strlen(prefix);

	if (len > skip && memcmp(text, prefix, skip) == 0)
		(void)number_parse(text + skip, len - skip, UINT64_MAX, ret);
}

static void parse_mount(const char *line, struct mount *ret)
{
	static const char type[] = MOUNTPOINT_FSTYPE;
	const char *text;
	size_t len;

	*ret = (struct mount){ .shared = 0 };
	for (int i = 0; i < 4; i++)
		(void)word(&line, &len);
	ret->point = word(&line, &ret->point_len);
	(void)word(&line, &len);
	for (;;) {
		text = word(&line, &len);
		if (len == 0 || (len == 1 && *text == '-'))
			break;
		peer_group(text, len, "shared:", &ret->shared);
		peer_group(text, len, "master:", &ret->master);
	}
	text = word(&line, &len);
	ret->is_ours = len == sizeof(type) - 1 && memcmp(text, type, len) == 0;
}

/* Is the mount point that directory, or one above it? */
static bool covers(const struct mount *mount, const char *path)
{
	size_t len = mount->point_len;

	if (len == 1)
		return true;
	return strncmp(path, mount->point, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* The peer group of the mount that a path is on; 0: it is private. */
static uint64_t group_of(const char *path)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0, best = 0;
	uint64_t group = 0;

	while (file != NULL && getline(&line, &room, file) > 0) {
		struct mount mount;

		parse_mount(line, &mount);
		/* Of several on one point the last is on top. */
		if (covers(&mount, path) && mount.point_len >= best) {
			best = mount.point_len;
			group = mount.shared;
		}
	}
	return group;
}

/* Does a namespace have what the callback looks for? */
static int find_mount(const char *mountinfo,
		      bool (*match)(const struct mount *, const void *),
		      const void *context)
{
	_cleanup_file_ FILE *file = fopen(mountinfo, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	if (file == NULL)
		return -errno;
	while (getline(&line, &room, file) > 0) {
		struct mount mount;

		parse_mount(line, &mount);
		if (match(&mount, context))
			return 1;
	}
	return 0;
}

static bool receives(const struct mount *mount, const void *group)
{
	const uint64_t *wanted = group;

	return mount->master == *wanted || mount->shared == *wanted;
}

static bool is_same(const struct mount *mount, const void *other)
{
	const struct mount *wanted = other;

	return mount->is_ours && mount->point_len == wanted->point_len &&
	       memcmp(mount->point, wanted->point, wanted->point_len) == 0;
}

/* Mounts of ours here that podman's namespace lacks. */
static bool check_mounts(struct doctor *doctor, const char *theirs)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	bool well = true;

	while (file != NULL && getline(&line, &room, file) > 0) {
		struct mount mount;

		parse_mount(line, &mount);
		if (!mount.is_ours || find_mount(theirs, is_same, &mount) != 0)
			continue;
		doctor_fail(doctor, "mounts in podman's namespace",
			    "'%.*s' is not there: containers would see the "
			    "directory below it; run 'podman system migrate', "
			    "then start the containers again",
			    (int)mount.point_len, mount.point);
		well = false;
	}
	return well;
}

/* The pause process of the user's podman; 0: none is running. */
static pid_t find_pause(const struct doctor *doctor)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	size_t place = 0;
	pid_t pid;

	while ((pid = situation_pause_pid(doctor->uid, runtime, &place)) > 0) {
		char proc[32];
		struct stat st;

		(void)snprintf(proc, sizeof(proc), "/proc/%d", (int)pid);
		if (stat(proc, &st) == 0 && st.st_uid == doctor->uid)
			break;
	}
	return pid;
}

static void check_pause(struct doctor *doctor, pid_t pause, uint64_t group,
			const char *path)
{
	static const char what[] = "podman's mount namespace";
	char theirs[48];
	int r;

	(void)snprintf(theirs, sizeof(theirs), "/proc/%d/mountinfo",
		       (int)pause);
	r = find_mount(theirs, receives, &group);
	if (r < 0)
		doctor_warn(doctor, what,
			    "of pause process %d, can't be read: %s; run this "
			    "as the user who runs podman",
			    (int)pause, strerror(-r));
	else if (r == 0)
		doctor_fail(doctor, what,
			    "pause process %d was started before mounts on "
			    "'%s' were shared and sees none of them: run "
			    "'podman system migrate'",
			    (int)pause, path);
	else if (check_mounts(doctor, theirs))
		doctor_ok(doctor, what,
			  "sees what is mounted on '%s' (pause process %d)",
			  path, (int)pause);
}

void doctor_check_podman(struct doctor *doctor)
{
	static const char what[] = "mount propagation";
	_cleanup_free_ char *path = NULL;
	const char *home = getenv("HOME");
	uint64_t group;
	pid_t pause;

	if (doctor->child_userns || doctor->uid == 0) {
		doctor_ok(doctor, what,
			  "not needed: containers start from here");
		return;
	}
	path = realpath(doctor->source != NULL ? doctor->source :
			home != NULL	       ? home :
						 "/",
			NULL);
	if (path == NULL)
		path = strdup("/");
	group = path != NULL ? group_of(path) : 0;
	if (group == 0) {
		doctor_fail(doctor, what,
			    "'%s' is on a private mount, so that containers "
			    "already started see no new mounts on it: as "
			    "root, 'mount --make-rshared /', then 'podman "
			    "system migrate'",
			    path != NULL ? path : "");
		return;
	}
	doctor_ok(doctor, what, "mounts on '%s' are shared", path);
	pause = find_pause(doctor);
	if (pause > 0)
		check_pause(doctor, pause, group, path);
	else
		doctor_ok(doctor, "podman's mount namespace",
			  "no rootless podman of yours is running: the next "
			  "one sees all mounts");
}
