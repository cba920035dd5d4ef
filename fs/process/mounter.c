/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mounter.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/own_mount.h"
#include "mount_fuse.h"

/* From the mounter, with the descriptor of /dev/fuse where it has mounted. */
struct answer {
	int result; /* 0 or -errno, with the reason */
	struct error error;
	uint64_t dev;
};

/* Room for one descriptor, aligned as cmsg(3) wants it. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static int send_answer(int socket, const struct answer *answer, int fuse_fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)answer,
			      .iov_len = sizeof(*answer) };
	union control control = { .room = { 0 } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header = &control.header;

	if (fuse_fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fuse_fd, sizeof(fuse_fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The descriptor, or -errno. */
static int receive_answer(int socket, struct answer *ret)
{
	struct iovec part = { .iov_base = ret, .iov_len = sizeof(*ret) };
	union control control = { .room = { 0 } };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header = &control.header;
	ssize_t got;
	int fd;

	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (got != sizeof(*ret))
		return -EPIPE;
	if (ret->result < 0)
		return ret->result;
	if (message.msg_controllen < sizeof(*header) ||
	    header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void mount_and_watch(const struct options *options,
			    const struct acting_user *user, int target,
			    int socket, const struct watcher_side *side)
{
	struct answer answer = { .result = 0 };
	struct fuse_session *session = NULL;
	struct own_mount mount;
	char word;

	/* Nobody wants it any more. */
	if (read(socket, &word, 1) != 1)
		return;
	watcher_ignore_signals();
	answer.result =
		mount_fuse_session(options, NULL, &session, &answer.error);
	if (answer.result == 0)
		answer.result =
			mount_fuse(session, options, target, &answer.error);
	if (answer.result < 0) {
		(void)send_answer(socket, &answer, -1);
		return;
	}
	own_mount_learn(options->mountpoint, user->uid.value, user->gid.value,
			&mount);
	answer.dev = mount.dev;
	/* Whom this doesn't reach has ended, which the watcher sees. */
	(void)send_answer(socket, &answer, fuse_session_fd(session));
	watcher_watch(side, &mount, fuse_session_fd(session),
		      options->trace == NULL);
}

int mounter_start(const struct options *options, const struct acting_user *user,
		  int target, struct mounter *ret)
{
	_cleanup_fd_ int near = -1, far = -1;
	struct watcher watcher;
	struct watcher_side side = { .end = -1, .flushed = -1 };
	int sockets[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	near = sockets[0];
	far = sockets[1];
	r = watcher_fork(&watcher, &side);
	if (r < 0)
		return r;
	if (r > 0) {
		/* Or the daemon's end would not be heard of. */
		close_fd(take_fd(&near));
		mount_and_watch(options, user, target, far, &side);
		_exit(0);
	}
	*ret = (struct mounter){ .socket = take_fd(&near), .watcher = watcher };
	return 0;
}

int mounter_mount(struct mounter *mounter, uint64_t *ret_dev,
		  struct watcher *ret_watcher, struct error *error)
{
	struct answer answer = { .result = 0 };
	int fd = -EPIPE;

	if (send(mounter->socket, "m", 1, MSG_NOSIGNAL) == 1)
		fd = receive_answer(mounter->socket, &answer);
	if (fd < 0 && answer.result < 0)
		*error = answer.error;
	else if (fd < 0)
		(void)error_set(error, EXIT_STATUS_OTHER,
				"the process that mounts: %s", strerror(-fd));
	if (fd < 0)
		return fd;
	*ret_dev = answer.dev;
	*ret_watcher = mounter->watcher;
	mounter->watcher = WATCHER_NONE;
	return fd;
}

void mounter_give_up(struct mounter *mounter)
{
	close_fd(take_fd(&mounter->socket));
	watcher_give_up(&mounter->watcher);
}
