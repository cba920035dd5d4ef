/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "idshift/cleanup.h"

ssize_t small_file_read(int dir, const char *path, char *buf, size_t size)
{
	_cleanup_fd_ int fd =
		openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;

	if (fd < 0)
		return -errno;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			buf[len] = '\0';
			return (ssize_t)len;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}
