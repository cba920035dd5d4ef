/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/resume.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/init_flags.h"
#include "idshift/number.h"

/* Linux 6.9; include/uapi/linux/fuse.h. */
#define NOTIFY_RESEND 7

/* What the kernel wants room for at least: FUSE_MIN_READ_BUFFER. */
#define READ_MIN 8192

#define ALONE_TRIES 30
#define ALONE_PAUSE_NS 100000000L

#define DESCRIPTOR_PREFIX "/dev/fd/"

bool resume_is_descriptor(const char *mountpoint)
{
	return strncmp(mountpoint, DESCRIPTOR_PREFIX,
		       sizeof(DESCRIPTOR_PREFIX) - 1) == 0;
}

int resume_descriptor(const char *mountpoint)
{
	const char *text = mountpoint + sizeof(DESCRIPTOR_PREFIX) - 1;
	uint64_t fd;

	if (!resume_is_descriptor(mountpoint) ||
	    number_parse(text, strlen(text), INT_MAX, &fd) < 0)
		return -1;
	return (int)fd;
}

static bool is_init(const struct resume *resume)
{
	struct fuse_in_header header;

	if (resume->size < sizeof(header))
		return false;
	memcpy(&header, resume->init, sizeof(header));
	return header.opcode == FUSE_INIT && header.len == resume->size;
}

/* The file: the epoch as a uint32_t of this machine, then the INIT. */
static int load(struct resume *resume)
{
	struct {
		uint32_t epoch;
		unsigned char init[RESUME_INIT_MAX];
	} file;
	ssize_t got = pread(resume->fd, &file, sizeof(file), 0);

	if (got < 0)
		return -errno;
	/* Its daemon died before it had one: that is the first start again. */
	if ((size_t)got <= sizeof(file.epoch))
		return 0;
	resume->epoch = file.epoch + 1;
	resume->size = (size_t)got - sizeof(file.epoch);
	memcpy(resume->init, file.init, resume->size);
	return is_init(resume) ? 0 : -EINVAL;
}

static int save(const struct resume *resume)
{
	ssize_t put;

	if (resume->fd < 0)
		return 0;
	put = pwrite(resume->fd, &resume->epoch, sizeof(resume->epoch), 0);
	if (put == sizeof(resume->epoch))
		put = pwrite(resume->fd, resume->init, resume->size,
			     sizeof(resume->epoch));
	if (put < 0)
		return -errno;
	return (size_t)put == resume->size ? 0 : -EIO;
}

/*
 * Two that serve one mount at a time would answer by handles that the other
 * doesn't know.  One that was killed just now may not have ended yet.
 */
static int take_alone(int fd)
{
	const struct timespec pause = { .tv_nsec = ALONE_PAUSE_NS };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		/* It isn't known everywhere. */
		if (errno != EWOULDBLOCK)
			return 0;
		if (i == ALONE_TRIES)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int resume_open(const char *path, struct resume *ret, struct error *error)
{
	struct resume resume = RESUME_NONE;
	int r;

	resume.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = resume.fd < 0 ? -errno : take_alone(resume.fd);
	if (r == 0)
		r = load(&resume);
	if (r == 0 && resume.size > 0)
		r = save(&resume);
	if (r == -EINVAL)
		(void)error_set(error, EXIT_STATUS_OTHER,
				"resume '%s': holds no INIT; name a new file "
				"for a new mount",
				path);
	else if (r == -EBUSY)
		(void)error_set(error, EXIT_STATUS_OTHER,
				"resume '%s': the daemon before still runs; "
				"the next one is for when it has ended",
				path);
	else if (r < 0)
		(void)error_set(error, EXIT_STATUS_OTHER, "resume '%s': %s",
				path, strerror(-r));
	if (r < 0) {
		close_fd(resume.fd);
		return r;
	}
	*ret = resume;
	return 0;
}

/* Requests that were in flight come again, with bit 63 in their number. */
static int ask_again(struct fuse_session *session)
{
	const struct fuse_out_header again = { .len = sizeof(again),
					       .error = NOTIFY_RESEND };

	if (write(fuse_session_fd(session), &again, sizeof(again)) < 0)
		return errno == EINVAL ? 0 : -errno; /* before Linux 6.9 */
	return 0;
}

/*
 * A daemon that died before it had kept the INIT may have read it: the kernel
 * is asked for it again too, which does nothing where it was not said yet.
 */
static int first_init(struct resume *resume, struct fuse_session *session)
{
	_cleanup_free_ void *buffer = malloc(READ_MIN);
	struct pollfd device = { .fd = fuse_session_fd(session),
				 .events = POLLIN };
	ssize_t got;
	int r;

	if (buffer == NULL)
		return -ENOMEM;
	r = resume->fd >= 0 ? ask_again(session) : 0;
	if (r < 0)
		return r;
	/* A daemon before us may have left it nonblocking. */
	if (poll(&device, 1, -1) < 0)
		return -errno;
	got = read(fuse_session_fd(session), buffer, READ_MIN);
	if (got < 0)
		return -errno;
	if ((size_t)got > sizeof(resume->init))
		return -EPROTO;
	memcpy(resume->init, buffer, (size_t)got);
	resume->size = (size_t)got;
	if (!is_init(resume))
		return -EPROTO;
	/* Kept before it is answered: the kernel says it once. */
	return save(resume);
}

int resume_begin(struct resume *resume, struct fuse_session *session)
{
	bool answered = resume->size > 0;
	int r = answered ? 0 : first_init(resume, session);

	if (r < 0)
		return r;
	r = init_flags_serve(session, resume->init, resume->size, answered);
	return r < 0 || !answered ? r : ask_again(session);
}
