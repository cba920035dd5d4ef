/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a file has holes: see fsops.h.  No file here is larger before than
 * when it is mapped: what ext4 allocates for a page that a mapping dirties
 * goes by the size of the folio that it still has of earlier writes.
 */
#include "fsops.h"

#include <sys/mman.h>

#define PAGE 4096L
#define PAGES 64L
#define CROWD 12
#define ROUNDS 25

/* All data as [from, to), in pages and bytes. */
static void say_layout(const char *what, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	off_t at = 0;

	printf("%s: %ld bytes", what, (long)end);
	while (at < end) {
		off_t data = lseek(fd, at, SEEK_DATA);

		if (data < 0)
			break;
		at = lseek(fd, data, SEEK_HOLE);
		if (at < 0)
			break;
		printf(" [%ld+%ld, %ld+%ld)", data / PAGE, data % PAGE,
		       at / PAGE, at % PAGE);
	}
	printf(" %s\n", at < end ? error_name(errno) : "to its end");
}

static void say_seeks(const char *what, int fd)
{
	static const off_t places[] = { 0,	    1,	       PAGE - 1,
					PAGE,	    5 * PAGE,  5 * PAGE + 7,
					6 * PAGE,   20 * PAGE, 21 * PAGE - 1,
					63 * PAGE,  64 * PAGE, -1,
					100 * PAGE, 1L << 40 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		off_t data = lseek(fd, places[i], SEEK_DATA);
		off_t hole;

		printf("%s, data from %ld: %ld %s\n", what, (long)places[i],
		       (long)data, data < 0 ? error_name(errno) : "");
		hole = lseek(fd, places[i], SEEK_HOLE);
		printf("%s, hole from %ld: %ld %s\n", what, (long)places[i],
		       (long)hole, hole < 0 ? error_name(errno) : "");
	}
}

static char *map_file(int fd, long pages)
{
	char *map = mmap(NULL, (size_t)(pages * PAGE), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	must("mmap", map == MAP_FAILED ? -1 : 0);
	return map;
}

/* Nothing is written back but by who asks for data and holes. */
static void check_mapped(void)
{
	int fd = new_file("f", "");
	int reader = must("reader", open("f", O_RDONLY));
	char byte = 0;
	char *map;

	say("ftruncate", ftruncate(fd, PAGES * PAGE));
	map = map_file(fd, PAGES);
	say_layout("mapped", fd);
	map[5 * PAGE + 100] = 'x';
	say_seeks("one page", fd);
	map[20 * PAGE] = 'y';
	say_layout("two, by a reader", reader);
	map[6 * PAGE] = 'z';
	map[63 * PAGE + 1] = 'e';
	say_seeks("four", reader);
	say_layout("four", reader);
	/* The mapping goes on as it was. */
	say("is kept", map[5 * PAGE + 100] == 'x' && map[20 * PAGE] == 'y');
	map[5 * PAGE + 101] = 'w';
	say("read", pread(reader, &byte, 1, 5 * PAGE + 101));
	say("is there", byte == 'w');
	(void)close(fd);
	map[40 * PAGE] = 'c';
	say_layout("after close", reader);
	say("munmap", munmap(map, (size_t)(PAGES * PAGE)));
	say_layout("after munmap", reader);
	(void)close(reader);
}

static void fill(int fd, long pages)
{
	char buf[PAGE];

	memset(buf, 'f', sizeof(buf));
	for (long i = 0; i < pages; i++)
		must("fill", (int)pwrite(fd, buf, sizeof(buf), i * PAGE));
}

static void check_punched(void)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int fd = new_file("f", "");

	fill(fd, PAGES);
	say_layout("filled", fd);
	say("punch", fallocate(fd, punch, 4 * PAGE, 2 * PAGE));
	say_layout("punched", fd);
	say("punch parts", fallocate(fd, punch, 10 * PAGE + 5, 3 * PAGE));
	say_layout("parts", fd);
	say("punch the end", fallocate(fd, punch, 60 * PAGE, 100 * PAGE));
	say_layout("the end", fd);
	say("fsync", fsync(fd));
	say("zero", fallocate(fd, FALLOC_FL_ZERO_RANGE, 30 * PAGE, 4 * PAGE));
	say_layout("zeroed", fd);
	say("write into it", pwrite(fd, "w", 1, 31 * PAGE));
	say_layout("written", fd);
	say("zero over the end",
	    fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 63 * PAGE,
		      3 * PAGE));
	say_layout("over the end", fd);
	say("and further",
	    fallocate(fd, FALLOC_FL_ZERO_RANGE, 63 * PAGE, 3 * PAGE));
	say_layout("further", fd);
	say("truncate", ftruncate(fd, 5 * PAGE + 10));
	say_layout("truncated", fd);
	say("extend", ftruncate(fd, PAGES * PAGE));
	say_seeks("extended", fd);
	say("punch all", fallocate(fd, punch, 0, PAGES * PAGE));
	say_layout("none", fd);
	say("size kept", lseek(fd, 0, SEEK_END));
	(void)close(fd);
}

/* The i-th of the crowd: whatever the others do, its own pages are data. */
static int follow_own(int i)
{
	char name[16];
	char *map;
	int fd;

	(void)snprintf(name, sizeof(name), "f%d", i);
	fd = must(name, open(name, O_RDWR | O_CREAT, 0644));
	must(name, ftruncate(fd, PAGES * PAGE));
	map = map_file(fd, PAGES);
	for (long page = 1; page < ROUNDS; page++) {
		off_t at = 2 * page * PAGE;
		off_t data, hole;

		map[at] = (char)page;
		data = lseek(fd, at - PAGE + 1, SEEK_DATA);
		hole = lseek(fd, at, SEEK_HOLE);
		if (data > at || data < 0 || hole <= at)
			return 1;
	}
	(void)munmap(map, (size_t)(PAGES * PAGE));
	(void)close(fd);
	return 0;
}

static void check_crowd(void)
{
	int bad = 0;

	(void)fflush(stdout);
	for (int i = 0; i < CROWD; i++)
		if (fork() == 0)
			_exit(follow_own(i));
	for (int i = 0; i < CROWD; i++) {
		int status = 1;

		(void)wait(&status);
		bad += status != 0;
	}
	say("of a crowd, missed data", bad);
}

int main(int argc, char **argv)
{
	static const struct check checks[] = {
		{ "mapped", check_mapped },
		{ "punched", check_punched },
		{ "crowd", check_crowd },
	};

	return run_checks(argc, argv, checks,
			  sizeof(checks) / sizeof(checks[0]));
}
