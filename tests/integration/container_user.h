/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For a test that root runs: as whom it looks into a mount, and processes that
 * are a container's root (subordinate ids from 100000) or another user.
 */
#ifndef CONTAINER_USER_H
#define CONTAINER_USER_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who mounted, and owns all on disk; set by the test. */
static uid_t disk_uid;

/* The container has no id for root: in the mount we are its own root. */
static void see_as(uid_t uid)
{
	(void)setfsgid(uid);
	(void)setfsuid(uid);
}

static bool write_map(pid_t child, const char *name)
{
	char path[64], map[64];
	int fd, len;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
	len = snprintf(map, sizeof(map), "0 %u 1\n1 100000 65536\n", disk_uid);
	see_as(0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	see_as(disk_uid);
	return fd >= 0 && write(fd, map, (size_t)len) == len && close(fd) == 0;
}

static bool become(uid_t uid)
{
	(void)umask(0);
	return setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0;
}

static int await(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return EBADRQC;
	return WEXITSTATUS(status);
}

/* In a process of that user; 0 or an errno. */
static int as_user(int (*run)(void), uid_t uid)
{
	pid_t child = fork();

	if (child == 0) {
		if (!become(uid))
			_exit(EBADRQC);
		_exit(run() < 0 ? errno : 0);
	}
	return await(child);
}

/* In a process that is root of the container's user namespace. */
static int as_root(int (*run)(void))
{
	int there[2], back[2];
	char byte = 0;
	pid_t child;

	if (pipe(there) < 0 || pipe(back) < 0)
		return EBADRQC;
	child = fork();
	if (child == 0) {
		if (!become(disk_uid) || unshare(CLONE_NEWUSER) < 0 ||
		    write(back[1], &byte, 1) != 1 ||
		    read(there[0], &byte, 1) != 1 || byte != 1)
			_exit(EBADRQC);
		_exit(run() < 0 ? errno : 0);
	}
	(void)close(back[1]);
	byte = read(back[0], &byte, 1) == 1 && write_map(child, "uid_map") &&
	       write_map(child, "gid_map");
	if (write(there[1], &byte, 1) != 1)
		perror("faults");
	(void)close(back[0]);
	(void)close(there[0]);
	(void)close(there[1]);
	return await(child);
}

#endif
