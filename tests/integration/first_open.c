/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * first_open DIR COUNT: of COUNT files "fN" in DIR that were never opened
 * through it, each is opened and read by two threads while a third truncates
 * or rewrites it by its path.  Once all are done, its size and content are as
 * the third one left them, for who opened it before, too; a line for each that
 * isn't.
 *
 * first_open FILE: what its first byte is, for who opens and then locks it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 6000
#define CUT 100

enum change { TRUNCATE, REWRITE, REPLACE, CHANGES };

static char path[4096];
static int change;
static pthread_barrier_t begin, end;
static bool finished;

static bool wait_for_round(void)
{
	(void)pthread_barrier_wait(&begin);
	return !finished;
}

/* Leaves it open. */
static void *reader(void *fd)
{
	char content[SIZE + 1];
	int *file = fd;

	while (wait_for_round()) {
		*file = open(path, O_RDONLY);
		for (int i = 0; *file >= 0 && i < 3; i++)
			(void)!pread(*file, content, sizeof(content), 0);
		(void)pthread_barrier_wait(&end);
	}
	return NULL;
}

static void put(int flags, size_t size)
{
	char content[SIZE];
	int fd = open(path, O_WRONLY | flags);

	memset(content, 'n', sizeof(content));
	if (fd < 0 || write(fd, content, size) != (ssize_t)size)
		perror(path);
	(void)close(fd);
}

static void *changer(void *unused)
{
	while (wait_for_round()) {
		if (change == REWRITE)
			put(0, SIZE);
		else if (truncate(path, CUT) < 0)
			perror(path);
		if (change == REPLACE)
			put(O_TRUNC, CUT);
		(void)pthread_barrier_wait(&end);
	}
	return unused;
}

static int check(int fd)
{
	const size_t size = change == REWRITE ? SIZE : CUT;
	const char wanted = change == TRUNCATE ? 'o' : 'n';
	char content[SIZE + 1];
	ssize_t got = fd < 0 ? -1 : pread(fd, content, sizeof(content), 0);
	size_t same = 0;
	struct stat st;

	while (got > 0 && same < (size_t)got && content[same] == wanted)
		same++;
	if (fstat(fd, &st) < 0)
		st.st_size = -1;
	(void)close(fd);
	if (got == (ssize_t)size && same == size && st.st_size == got)
		return 0;
	printf("%s, change %d: size %lld, read %zd, of them %zu right\n", path,
	       change, (long long)st.st_size, got, same);
	return 1;
}

static int read_under_lock(const char *file)
{
	const struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(file, O_RDONLY);
	char byte;

	if (fd < 0 || fcntl(fd, F_SETLK, &all) < 0 || read(fd, &byte, 1) != 1) {
		perror(file);
		return 1;
	}
	printf("%c\n", byte);
	return 0;
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = { reader, reader, changer };
	enum { WORKERS = sizeof(work) / sizeof(work[0]) };
	pthread_t threads[WORKERS];
	int fds[WORKERS], wrong = 0;
	long count;

	if (argc == 2)
		return read_under_lock(argv[1]);
	if (argc != 3)
		return 2;
	count = strtol(argv[2], NULL, 10);
	(void)pthread_barrier_init(&begin, NULL, WORKERS + 1);
	(void)pthread_barrier_init(&end, NULL, WORKERS + 1);
	for (int i = 0; i < WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, work[i], &fds[i]) != 0)
			return 2;
	}
	for (long i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/f%ld", argv[1], i);
		change = (int)(i % CHANGES);
		(void)pthread_barrier_wait(&begin);
		(void)pthread_barrier_wait(&end);
		wrong += check(fds[0]) + check(fds[1]);
		wrong += check(open(path, O_RDONLY));
	}
	finished = true;
	(void)pthread_barrier_wait(&begin);
	for (int i = 0; i < WORKERS; i++)
		(void)pthread_join(threads[i], NULL);
	return wrong > 0;
}
