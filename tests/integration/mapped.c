/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapped FILE OTHER OFFSET: write to FILE through a mapping, msync(2), and
 * print what OTHER, the same file by another way, has there; then the other
 * way round, by write(2), with the mapping made anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static char *map_page(int fd, off_t at)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
}

int main(int argc, char **argv)
{
	char text[8] = "";
	char *page;
	off_t at;
	int fd, other;

	if (argc != 4)
		return 2;
	at = strtol(argv[3], NULL, 10);
	fd = open(argv[1], O_RDWR);
	other = open(argv[2], O_RDWR);
	if (fd < 0 || other < 0)
		return fail("open");
	page = map_page(fd, at);
	if (page == MAP_FAILED)
		return fail("mmap");
	memcpy(page, "mapped", 6);
	if (msync(page, PAGE, MS_SYNC) < 0 || pread(other, text, 6, at) < 0)
		return fail("read");
	printf("%s\n", text);
	(void)munmap(page, PAGE);
	(void)close(fd);
	if (pwrite(other, "WRITES", 6, at) != 6)
		return fail("write");
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		return fail("open");
	page = map_page(fd, at);
	if (page == MAP_FAILED)
		return fail("mmap");
	printf("%.6s\n", page);
	return 0;
}
