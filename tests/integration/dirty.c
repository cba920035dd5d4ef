/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty FILE mapped|written: store "stored" in FILE, a new one, through a
 * mapping or by write(2), print its process id, and keep it open for good.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT "stored"
#define SIZE (sizeof(TEXT) - 1)

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int store_mapped(int fd)
{
	char *page;

	if (ftruncate(fd, SIZE) < 0)
		return -1;
	page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -1;
	memcpy(page, TEXT, SIZE);
	return 0;
}

static int store_written(int fd)
{
	return write(fd, TEXT, SIZE) == (ssize_t)SIZE ? 0 : -1;
}

int main(int argc, char **argv)
{
	int fd, r;

	if (argc != 3)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return fail("open");
	r = strcmp(argv[2], "mapped") == 0 ? store_mapped(fd) :
					     store_written(fd);
	if (r < 0)
		return fail("store");
	printf("%d\n", getpid());
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
