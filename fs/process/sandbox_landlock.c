/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock(7), by its system calls: Debian 12 has no library for it. */
#include "sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "idshift/cleanup.h"

/* Newer than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define NET_BIND_AND_CONNECT_TCP 3ULL
#define SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS 3ULL

#define ABI_REFER 2
#define ABI_TRUNCATE 3
#define ABI_NET 4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPE 6

/* Its size may be that of the newest while what is new in it is zero. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |     \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |   \
	 LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)

static long probe_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION);
}

static int create_ruleset(long abi)
{
	struct ruleset_attr attr = {
		.handled_access_fs = READING | WRITING |
				     LANDLOCK_ACCESS_FS_EXECUTE |
				     LANDLOCK_ACCESS_FS_IOCTL_DEV,
		.handled_access_net = NET_BIND_AND_CONNECT_TCP,
		.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS,
	};
	long fd;

	if (abi < ABI_TRUNCATE)
		attr.handled_access_fs &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi < ABI_NET)
		attr.handled_access_net = 0;
	if (abi < ABI_IOCTL_DEV)
		attr.handled_access_fs &= ~LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi < ABI_SCOPE)
		attr.scoped = 0;
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return fd < 0 ? -errno : (int)fd;
}

static int allow(int ruleset, int dir_fd, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = dir_fd,
	};

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Opening /proc/self/fd/N is a matter of what N leads to; the rule is for
 * /proc/PID/task/TID/status.  What ptrace(2) guards there landlock refuses.
 */
static int allow_proc(int ruleset)
{
	_cleanup_fd_ int proc = open("/proc", O_PATH | O_CLOEXEC);

	return proc < 0 ? 0 :
			  allow(ruleset, proc, LANDLOCK_ACCESS_FS_READ_FILE);
}

/*
 * The database needs no rule: LMDB has opened all it uses, and maps it anew
 * through the same descriptors when it grows.
 */
int sandbox_landlock(const struct sandbox *sandbox)
{
	uint64_t source = sandbox->read_only ? READING : READING | WRITING;
	_cleanup_fd_ int ruleset = -1;
	long abi = probe_abi();
	int r;

	if (abi < 0)
		return -errno;
	/* The first one refuses renames and links between directories. */
	if (abi < ABI_REFER)
		return -EOPNOTSUPP;
	if (abi < ABI_TRUNCATE)
		source &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	/*
	 * The kernel opens what it passes through as us (backing_file_open()),
	 * for execve(2) of others too.  Ours is forbidden by seccomp(2).
	 */
	if (sandbox->passthrough_fd >= 0)
		source |= LANDLOCK_ACCESS_FS_EXECUTE;
	ruleset = create_ruleset(abi);
	if (ruleset < 0)
		return ruleset;
	r = allow(ruleset, sandbox->source_fd, source);
	if (r == 0)
		r = allow_proc(ruleset);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r;
}
