/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idshift/cleanup.h>

static int write_map(pid_t pid, const char *which)
{
	static const char map[] = "0 0 4294967295\n";
	char path[64];
	_cleanup_fd_ int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, map, sizeof(map) - 1) < 0)
		return -errno;
	return 0;
}

/* A descriptor of a new user namespace with the map, or -errno. */
static int identity_userns(void)
{
	_cleanup_fd_ int ready = -1;
	char path[64];
	int pair[2];
	pid_t pid;
	char byte;
	int r = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) == 0)
			(void)!write(pair[1], "", 1);
		else
			_exit(1);
		(void)pause();
		_exit(0);
	}
	ready = pair[0];
	close_fd(pair[1]);
	if (pid < 0)
		return -errno;
	if (read(ready, &byte, 1) != 1)
		r = -EPERM;
	if (r == 0)
		r = write_map(pid, "uid_map");
	if (r == 0)
		r = write_map(pid, "gid_map");
	if (r == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user",
			       (int)pid);
		r = open(path, O_RDONLY | O_CLOEXEC);
		if (r < 0)
			r = -errno;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

int idmapped_mount(const char *source, const char *target)
{
	_cleanup_fd_ int userns = identity_userns();
	_cleanup_fd_ int tree = -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (userns < 0)
		return userns;
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, source,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	attr.userns_fd = (__u64)userns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
		    sizeof(attr)) < 0)
		return -errno;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target,
		    MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}
