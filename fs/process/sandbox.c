/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/sandbox.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "sandbox_parts.h"

/* Before Linux 5.11 there is no close_range(2) that only marks. */
#define INHERITED_MAX 1024

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

/* What the C library loads or reads on first use, while it still can. */
static void load_late_parts(void)
{
	void *frame;

	/* libgcc_s, for pthread_cancel(3); see the notes of backtrace(3). */
	(void)backtrace(&frame, 1);
	/* /etc/localtime, for syslog(3). */
	tzset();
}

static int no_core_dumps(const struct sandbox *sandbox)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };

	(void)sandbox;
	(void)setrlimit(RLIMIT_CORE, &none);
	/*
	 * A core_pattern with a pipe asks for no limit.  This makes /proc/self
	 * another's, but own threads pass all the same (proc_fd_permission(),
	 * __ptrace_may_access()), so /proc/self/fd goes on to work.
	 */
	return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

static int close_on_exec(const struct sandbox *sandbox)
{
	(void)sandbox;
	if (close_range(0, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	for (int fd = 0; fd < INHERITED_MAX; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static int no_new_privileges(const struct sandbox *sandbox)
{
	(void)sandbox;
	return result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

bool sandbox_enter(const struct sandbox *sandbox, char lacks[SANDBOX_LACKS_MAX])
{
	/* In this order: each takes what those after it don't need. */
	static const struct {
		const char *name;
		int (*enter)(const struct sandbox *sandbox);
	} parts[] = {
		{ "close-on-exec", close_on_exec },
		{ "no core dumps", no_core_dumps },
		{ "dropping capabilities", sandbox_capabilities },
		{ "no_new_privs", no_new_privileges },
		{ "landlock", sandbox_landlock },
		{ "seccomp", sandbox_seccomp },
	};
	size_t len = 0;

	lacks[0] = '\0';
	if (SANITIZED) {
		/* They write reports and stop threads by ptrace(2). */
		(void)snprintf(lacks, SANDBOX_LACKS_MAX,
			       "all, in a sanitizer's build");
		return false;
	}
	load_late_parts();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int r = parts[i].enter(sandbox);
		int n = 0;

		if (r < 0)
			n = snprintf(lacks + len, SANDBOX_LACKS_MAX - len,
				     "%s%s (%s)", len > 0 ? ", " : "",
				     parts[i].name, strerror(-r));
		if (n > 0 && (size_t)n < SANDBOX_LACKS_MAX - len)
			len += (size_t)n;
	}
	return len == 0;
}
