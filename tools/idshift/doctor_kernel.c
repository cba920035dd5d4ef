/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's FUSE offers, asked of itself: a mount in a namespace of
 * our own, whose first request says it, and which ends with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"

#include "doctor.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* linux/fuse.h of Linux 6.9; of older headers it may be missing. */
#define FLAG_PASSTHROUGH (UINT64_C(1) << 37)
#define FLAG_KILLPRIV_V2 (UINT64_C(1) << 28)
#define FLAG_POSIX_ACL (UINT64_C(1) << 20)
#define FLAG_INIT_EXT (UINT64_C(1) << 30)

struct answer {
	int result;
	uint64_t flags;
};

static int write_text(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int become_root(uid_t uid, gid_t gid)
{
	char map[32];
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	(void)write_text("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	r = write_text("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	return r < 0 ? r : write_text("/proc/self/gid_map", map);
}

/* The request FUSE_INIT, as the kernel sends it unasked. */
static int read_flags(int fuse, uint64_t *ret)
{
	struct request {
		struct fuse_in_header header;
		struct fuse_init_in init;
	};
	_cleanup_free_ struct request *request =
		calloc(1, FUSE_MIN_READ_BUFFER);
	struct pollfd ready = { .fd = fuse, .events = POLLIN };
	ssize_t len;

	if (request == NULL)
		return -ENOMEM;
	if (poll(&ready, 1, 2000) != 1)
		return -ETIMEDOUT;
	len = read(fuse, request, FUSE_MIN_READ_BUFFER);
	if (len < 0)
		return -errno;
	if (request->header.opcode != FUSE_INIT)
		return -EPROTO;
	*ret = request->init.flags;
	/* The second half came with Linux 5.17. */
	if ((*ret & FLAG_INIT_EXT) != 0 &&
	    (size_t)len >= sizeof(struct request))
		*ret |= (uint64_t)request->init.flags2 << 32;
	return 0;
}

static int ask(uid_t uid, gid_t gid, uint64_t *ret)
{
	int fuse, r = become_root(uid, gid);
	char options[96];

	if (r < 0)
		return r;
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return -errno;
	(void)snprintf(options, sizeof(options),
		       "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	r = mount("idshift", "/proc", "fuse", MS_NOSUID | MS_NODEV, options) <
			    0 ?
		    -errno :
		    read_flags(fuse, ret);
	close_fd(fuse);
	return r;
}

static struct answer ask_in_child(const struct doctor *doctor)
{
	struct answer answer = { .result = -ECHILD };
	int fds[2], status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return answer;
	child = fork();
	if (child == 0) {
		answer.result = ask(doctor->uid, doctor->gid, &answer.flags);
		_exit(write(fds[1], &answer, sizeof(answer)) < 0);
	}
	close_fd(fds[1]);
	if (child > 0 &&
	    read(fds[0], &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		answer.result = -ECHILD;
	close_fd(fds[0]);
	if (child > 0)
		(void)waitpid(child, &status, 0);
	return answer;
}

static void check_fuse_features(struct doctor *doctor)
{
	static const struct {
		const char *what;
		uint64_t flag;
		const char *without;
	} features[] = {
		{ "kernel: FUSE ACLs", FLAG_POSIX_ACL,
		  "ACLs in mounts need Linux 4.9" },
		{ "kernel: FUSE KILLPRIV_V2", FLAG_KILLPRIV_V2,
		  "not there: each write asks for capabilities first; Linux "
		  "5.11 has it" },
		{ "kernel: FUSE passthrough", FLAG_PASSTHROUGH,
		  "not there: reads and writes go through the daemon; Linux "
		  "6.9 has it, for root's mounts" },
	};
	struct answer answer = ask_in_child(doctor);

	if (answer.result < 0) {
		doctor_ok(doctor, "kernel: FUSE features",
			  "not known: a trial mount in a user namespace says: "
			  "%s",
			  strerror(-answer.result));
		return;
	}
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		doctor_ok(doctor, features[i].what, "%s",
			  (answer.flags & features[i].flag) != 0 ?
				  "is there" :
				  features[i].without);
}

void doctor_check_kernel(struct doctor *doctor)
{
	check_fuse_features(doctor);
	if (syscall(SYS_fchmodat2, -1, "", 0, AT_EMPTY_PATH) < 0 &&
	    errno == ENOSYS)
		doctor_ok(doctor, "kernel: fchmodat2",
			  "not there: /proc serves instead; Linux 6.6 has it");
	else
		doctor_ok(doctor, "kernel: fchmodat2", "is there");
}
