/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peers ioctl FILE      what ioctls of file systems answer on it
 * peers direct FILE     a mapping of a file that is opened with O_DIRECT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 8192

static void say(const char *what, int r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "done");
}

static int ioctls(const char *path)
{
	/* How many there are, without a list of them. */
	struct fiemap fiemap = { .fm_length = SIZE };
	struct file_clone_range range = { 0 };
	struct fsxattr attributes = { 0 };
	int fd = open(path, O_RDWR), flags = 0;

	if (fd < 0)
		return 1;
	range.src_fd = fd;
	range.src_length = SIZE / 2;
	range.dest_offset = SIZE;
	say("FIEMAP", ioctl(fd, FS_IOC_FIEMAP, &fiemap));
	say("FICLONE", ioctl(fd, FICLONE, fd));
	say("FICLONERANGE", ioctl(fd, FICLONERANGE, &range));
	say("GETFLAGS", ioctl(fd, FS_IOC_GETFLAGS, &flags));
	say("SETFLAGS", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	say("FSGETXATTR", ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
	say("FSSETXATTR", ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
	(void)close(fd);
	return 0;
}

static int direct(const char *path)
{
	static char text[SIZE];
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0644);
	int plain = open(path, O_RDWR);
	char *page;

	if (fd < 0 || plain < 0 || ftruncate(plain, SIZE) < 0)
		return 1;
	page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 1;
	memcpy(page + 100, "mapped", 6);
	say("msync", msync(page, SIZE, MS_SYNC));
	say("fsync", fsync(fd));
	memset(page + 5000, 'x', 3);
	say("munmap", munmap(page, SIZE));
	say("close", close(fd));
	say("read", pread(plain, text, SIZE, 0) == SIZE ? 0 : -1);
	printf("text: %.6s %.3s\n", text + 100, text + 5000);
	return close(plain) < 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "ioctl") == 0)
		return ioctls(argv[2]);
	if (argc == 3 && strcmp(argv[1], "direct") == 0)
		return direct(argv[2]);
	(void)fputs("usage: peers ioctl|direct FILE\n", stderr);
	return 2;
}
