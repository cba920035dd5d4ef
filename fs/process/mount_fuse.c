/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mount_fuse.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/filesystem.h"
#include "idshift/mountpoint.h"
#include "idshift/session_io.h"

/* What default_permissions and nosuid,nodev rest on is not negotiable. */
#define FIXED_OPTIONS "nosuid,nodev"
/* With caller= only the mounting user enters, and we judge. */
#define SHARED_OPTIONS ",allow_other,default_permissions"
#define SUBTYPE "idshift-mount"

/* `value` with what separates mount options escaped; allocated. */
static char *escape_commas(const char *value)
{
	char *escaped = malloc(2 * strlen(value) + 1), *out = escaped;

	if (escaped == NULL)
		return NULL;
	for (; *value != '\0'; value++) {
		if (*value == ',' || *value == '\\')
			*out++ = '\\';
		*out++ = *value;
	}
	*out = '\0';
	return escaped;
}

static char *mount_options(const struct options *options)
{
	_cleanup_free_ char *source = escape_commas(options->source);
	char *text;

	if (source == NULL ||
	    asprintf(&text,
		     FIXED_OPTIONS ",subtype=" SUBTYPE ",fsname=%s%s%s%s%s",
		     source, options->has_caller ? "" : SHARED_OPTIONS,
		     options->read_only ? ",ro" : "",
		     options->noexec ? ",noexec" : "",
		     options->debug ? ",debug" : "") < 0)
		return NULL;
	return text;
}

int mount_fuse_session(const struct options *options, struct filesystem *fs,
		       struct fuse_session **ret, struct error *error)
{
	const struct fuse_lowlevel_ops *ops = filesystem_operations();
	_cleanup_free_ char *text = mount_options(options);
	char name[] = SUBTYPE, dash_o[] = "-o";
	char *argv[] = { name, dash_o, text, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *session = NULL;

	session_io_keep_quiet(true);
	if (text != NULL)
		session = fuse_session_new(&args, ops, sizeof(*ops), fs);
	session_io_keep_quiet(false);
	fuse_opt_free_args(&args);
	/* The options are ours: there is no other reason. */
	if (session == NULL)
		return error_no_memory(error);
	*ret = session;
	return 0;
}

/* The first line that was printed, without "fusermount3: ". */
static void first_line(int fd, char *line, size_t size)
{
	static const char prefix[] = "fusermount3: ";
	ssize_t got = pread(fd, line, size - 1, 0);
	char *start;

	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	start = strstr(line, prefix);
	if (start != NULL) {
		start += strlen(prefix);
		memmove(line, start, strlen(start) + 1);
	}
}

int mount_fuse(struct fuse_session *session, const struct options *options,
	       int target, struct error *error)
{
	_cleanup_fd_ int said = memfd_create("stderr", MFD_CLOEXEC);
	_cleanup_fd_ int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	char line[256], path[MOUNTPOINT_FD_PATH_MAX];
	int r;

	mountpoint_fd_path(target, path);
	if (said >= 0 && kept >= 0)
		(void)dup2(said, STDERR_FILENO);
	r = fuse_session_mount(session,
			       target >= 0 ? path : options->mountpoint);
	if (said >= 0 && kept >= 0)
		(void)dup2(kept, STDERR_FILENO);
	/* Out of memory libfuse 3.14 says that it has mounted, and has not. */
	if (r == 0 && fuse_session_fd(session) >= 0)
		return 0;
	if (r == 0)
		return error_no_memory(error);
	first_line(said, line, sizeof(line));
	(void)error_set(error, EXIT_STATUS_FUSE, "mount on '%s': %s",
			options->mountpoint,
			line[0] != '\0' ? line : "FUSE refused it");
	return -EPERM;
}

int mount_fuse_adopt(struct fuse_session *session, int fd, struct error *error)
{
	char path[MOUNTPOINT_FD_PATH_MAX];

	/* That is how libfuse is told of one. */
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	if (fuse_session_mount(session, path) == 0)
		return 0;
	close_fd(fd);
	return error_set(error, EXIT_STATUS_FUSE, "mount '%s': FUSE refused it",
			 path);
}
