/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"

/* Before Linux 5.9, when few are open. */
#define OPEN_MAX_GUESS 1024

void descriptors_open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close_fd(fd);
}

/* Up to FD_SETSIZE: shells and supervisors give low numbers. */
static fd_set inherited;

static void note(uint64_t fd)
{
	if (fd > STDERR_FILENO && fd < FD_SETSIZE &&
	    fcntl((int)fd, F_GETFD) == 0)
		FD_SET((int)fd, &inherited);
}

/* What this program opens is close-on-exec. */
void descriptors_note_inherited(void)
{
	DIR *list = opendir("/proc/self/fd");
	const int own = list != NULL ? dirfd(list) : -1;
	const struct dirent *entry;
	uint64_t fd;

	/* Without /proc all numbers are asked for. */
	for (fd = 0; list == NULL && fd < FD_SETSIZE; fd++)
		note(fd);
	while (list != NULL && (entry = readdir(list)) != NULL)
		if (number_parse(entry->d_name, strlen(entry->d_name), INT_MAX,
				 &fd) == 0 &&
		    (int)fd != own)
			note(fd);
	if (list != NULL)
		(void)closedir(list);
}

void descriptors_close_inherited(int spare)
{
	for (int fd = STDERR_FILENO + 1; fd < FD_SETSIZE; fd++)
		if (fd != spare && FD_ISSET(fd, &inherited))
			(void)close(fd);
}

/* The lowest of them from `from` on; UINT_MAX: none. */
static unsigned int next_kept(const int *keep, size_t count, unsigned int from)
{
	unsigned int lowest = UINT_MAX;

	for (size_t i = 0; i < count; i++) {
		const unsigned int fd = (unsigned int)keep[i];

		if (keep[i] >= 0 && fd >= from && fd < lowest)
			lowest = fd;
	}
	return lowest;
}

static void close_up_to(unsigned int first, unsigned int end)
{
	if (first == end || close_range(first, end - 1, 0) == 0)
		return;
	for (; first < end && first < OPEN_MAX_GUESS; first++)
		(void)close((int)first);
}

void descriptors_close_others(const int *keep, size_t count)
{
	unsigned int from = 0, kept;

	while ((kept = next_kept(keep, count, from)) != UINT_MAX) {
		close_up_to(from, kept);
		from = kept + 1;
	}
	close_up_to(from, UINT_MAX);
}
