/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The users of the namespace: making it, and a process for each of them. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define ALL_CAPABILITIES UINT64_MAX
#define CAPS_DAC (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH))
#define CAPS_CHOWN (BIT(CAP_CHOWN) | BIT(CAP_FSETID))
#define CAPS_FOWNER (BIT(CAP_FOWNER) | BIT(CAP_SETFCAP))

/* Two users share group 2000, one has it as its primary group. */
const struct identity identities[IDENTITIES] = {
	{ "root", 0, 0, 0, { 0 }, 0, 0, false },
	{ "u1000", 1000, 1000, 0, { 0 }, 0, 0, false },
	{ "u1001", 1001, 1001, 0, { 0 }, 0, 0, false },
	{ "u5", 5, 60, 0, { 0 }, 0, 0, false },
	{ "u1000+2000,60", 1000, 1000, 2, { 2000, 60 }, 0, 0, false },
	{ "u1001+2000", 1001, 1001, 1, { 2000 }, 0, 0, false },
	{ "u1002:2000+1000", 1002, 2000, 1, { 1000 }, 0, 0, false },
	/* As podman run --cap-drop, --cap-add with --user. */
	{ "root-all", 0, 0, 0, { 0 }, ALL_CAPABILITIES, 0, false },
	{ "root-all+2000", 0, 0, 1, { 2000 }, ALL_CAPABILITIES, 0, false },
	{ "root-fsetid", 0, 0, 0, { 0 }, BIT(CAP_FSETID), 0, false },
	{ "root-fowner", 0, 0, 0, { 0 }, BIT(CAP_FOWNER), 0, false },
	{ "root-chown", 0, 0, 0, { 0 }, BIT(CAP_CHOWN), 0, false },
	{ "root-dac", 0, 0, 0, { 0 }, CAPS_DAC, 0, false },
	{ "u1000+chown", 1000, 1000, 0, { 0 }, 0, CAPS_CHOWN, false },
	{ "u1001+dac", 1001, 1001, 0, { 0 }, 0, BIT(CAP_DAC_OVERRIDE), false },
	{ "u5+fowner", 5, 60, 0, { 0 }, 0, CAPS_FOWNER, false },
	/* Its capabilities count for its own files, if for any. */
	{ "u1001-nested+2000", 1001, 1001, 1, { 2000 }, 0, 0, true },
};

static int wait_byte(int fd)
{
	char byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : -EPIPE;
}

static int send_byte(int fd)
{
	ssize_t sent;

	do
		sent = write(fd, "x", 1);
	while (sent < 0 && errno == EINTR);
	return sent == 1 ? 0 : -EPIPE;
}

/* Become root of a new user namespace; the parent writes its maps. */
int namespace_enter(const struct options *options, int to_parent,
		    int from_parent)
{
	int flags = CLONE_NEWUSER;

	if (options->tree_b_command != NULL)
		flags |= CLONE_NEWNS;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(options->gid, options->gid, options->gid) < 0 ||
	    setresuid(options->uid, options->uid, options->uid) < 0 ||
	    unshare(flags) < 0)
		return -errno;
	if (send_byte(to_parent) < 0 || wait_byte(from_parent) < 0)
		return -EPIPE;
	if (setresgid(0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresuid(0, 0, 0) < 0)
		return -errno;
	/* Else /proc/self belongs to the host's root. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

int namespace_map(const struct options *options, pid_t pid)
{
	const char *const files[] = { "uid_map", "gid_map" };
	char path[64], text[128];
	int length;

	for (size_t i = 0; i < 2; i++) {
		uint32_t own = i == 0 ? options->uid : options->gid;
		ssize_t wrote;
		int fd;

		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid,
			       files[i]);
		length = snprintf(text, sizeof(text), "0 %u 1\n1 %u %u\n", own,
				  options->sub_first, options->sub_count);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		wrote = write(fd, text, (size_t)length);
		if (wrote != length) {
			int error = errno;

			(void)close(fd);
			return -error;
		}
		(void)close(fd);
	}
	return 0;
}

/* Close all slots, then open the tree of this epoch. */
int actor_reset(struct actor *actor, const char *epoch)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", epoch, CAGE);
	for (size_t tree = 0; tree < TREES; tree++) {
		for (size_t i = 0; i < SLOTS; i++) {
			if (actor->slots[tree][i] >= 0)
				(void)close(actor->slots[tree][i]);
			actor->slots[tree][i] = -1;
		}
		if (actor->dir[tree] >= 0)
			(void)close(actor->dir[tree]);
		actor->dir[tree] = -1;
		if (epoch[0] == '\0')
			continue;
		actor->dir[tree] = openat(actor->top[tree], path,
					  O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (actor->dir[tree] < 0)
			return -errno;
	}
	return 0;
}

static void actor_call(struct shared *shared, struct actor *actor)
{
	const struct op *op = &shared->op;

	if (op->kind == OP_RESET) {
		int error = actor_reset(actor, shared->epoch);

		shared->results[TREE_A].ret = error;
		return;
	}
	op_execute(op, actor, TREE_A, &shared->results[TREE_A]);
	op_execute(op, actor, TREE_B, &shared->results[TREE_B]);
}

static int set_capabilities(uint64_t lost, uint64_t given)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t had = data[i].permitted & ~(uint32_t)(lost >> i * 32);

		if (given != 0)
			had &= (uint32_t)(given >> i * 32);
		data[i].permitted = had;
		data[i].effective = had;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t wrote = fd < 0 ? -1 : write(fd, text, strlen(text));
	int error = errno;

	if (fd >= 0)
		(void)close(fd);
	return wrote < 0 ? -error : 0;
}

/* As anybody may: one id, and no setgroups(2). */
static int enter_nested(const struct identity *identity)
{
	char map[32];
	int error;

	(void)prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	(void)snprintf(map, sizeof(map), "0 %u 1\n", identity->uid);
	error = write_file("/proc/self/uid_map", map);
	if (error == 0)
		error = write_file("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1\n", identity->gid);
	return error < 0 ? error : write_file("/proc/self/gid_map", map);
}

static int become(const struct identity *identity)
{
	if (setgroups(identity->group_count, identity->groups) < 0 ||
	    setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, identity->given != 0) < 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return -errno;
	if (identity->nested)
		return enter_nested(identity);
	if (identity->lost == 0 && identity->given == 0)
		return 0;
	return set_capabilities(identity->lost, identity->given);
}

static void worker(struct driver *driver, const struct identity *identity,
		   int in, int out)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (become(identity) < 0)
		_exit(1);
	/* Cleared by setresuid(). */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 1);
	while (wait_byte(in) == 0) {
		actor_call(driver->shared, &driver->self);
		if (send_byte(out) < 0)
			break;
	}
	_exit(0);
}

int workers_start(struct driver *driver)
{
	for (size_t i = 1; i < IDENTITIES; i++) {
		int in[2], out[2];
		pid_t pid;

		if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
			return -errno;
		pid = fork();
		if (pid < 0)
			return -errno;
		if (pid == 0) {
			(void)close(in[1]);
			(void)close(out[0]);
			worker(driver, &identities[i], in[0], out[1]);
		}
		(void)close(in[0]);
		(void)close(out[1]);
		driver->to_worker[i] = in[1];
		driver->from_worker[i] = out[0];
	}
	return 0;
}

/* Have the call made in both trees; false: the worker is gone. */
bool driver_call(struct driver *driver, const struct op *op)
{
	driver->shared->op = *op;
	if (op->who == 0) {
		actor_call(driver->shared, &driver->self);
		return true;
	}
	return send_byte(driver->to_worker[op->who]) == 0 &&
	       wait_byte(driver->from_worker[op->who]) == 0;
}
