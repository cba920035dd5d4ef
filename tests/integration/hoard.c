/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hoard [-u] DIR COUNT COMMAND...: open new files in DIR until there are COUNT
 * or one fails, say how many there are and why there are no more, and run the
 * command while they are open.  -u: unlink each.  The files stay otherwise.
 * The exit code is the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 4096

static int open_next(const char *dir, int i, bool to_unlink)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/hoard%d", dir, i);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && to_unlink && unlink(path) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	bool to_unlink = argc > 1 && strcmp(argv[1], "-u") == 0;
	int count, opened = 0, status;
	pid_t child;

	argv += to_unlink;
	argc -= to_unlink;
	if (argc < 4)
		return 2;
	count = (int)strtol(argv[2], NULL, 10);
	errno = 0;
	while (opened < count && opened < COUNT_MAX &&
	       open_next(argv[1], opened, to_unlink) >= 0)
		opened++;
	(void)printf("%d opened: %s\n", opened,
		     opened == count ? "all" : strerrorname_np(errno));
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)execvp(argv[3], argv + 3);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
