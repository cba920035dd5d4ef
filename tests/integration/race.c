/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * race swap DIR OUTSIDE SECONDS   entries of DIR change places, all the time
 * race use DIR SECONDS            work in DIR, never following a link itself
 *
 * "t" is in turn a directory, a link to OUTSIDE, a file and a link to
 * OUTSIDE/f; so is what is in the directory.  The number of calls that
 * succeeded is printed.  Exit code 3: what is in OUTSIDE/f was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define CANARY "canary"

static unsigned long done;

static int count(int r)
{
	done += r >= 0;
	return r;
}

static int until(const char *seconds)
{
	static time_t end;

	if (end == 0)
		end = time(NULL) + strtol(seconds, NULL, 10);
	return time(NULL) < end;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_NOFOLLOW, 0666);

	if (fd >= 0)
		(void)close(fd);
}

static void exchange(int dir, const char *a, const char *b)
{
	(void)count(renameat2(dir, a, dir, b, RENAME_EXCHANGE));
}

static void make_link(int dir, const char *name, const char *target)
{
	(void)count(symlinkat(target, dir, name));
}

/* Into what is a directory just now: a link we must not follow either. */
static int enter(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/* What "t" is exchanged for; anything of it may be there already. */
static void prepare(int dir, const char *outside, const char *file)
{
	int sub;

	(void)mkdirat(dir, "t", 0777);
	(void)mkdirat(dir, "t.dir", 0777);
	make_link(dir, "t.link", outside);
	make_link(dir, "t.file-link", file);
	make_file(dir, "t.file");
	sub = enter(dir, "t.dir");
	if (sub < 0)
		return;
	(void)mkdirat(sub, "sub", 0777);
	make_link(sub, "sub.link", outside);
	make_file(sub, "f");
	make_link(sub, "f.link", file);
	(void)close(sub);
}

static void exchange_below(int dir, const char *name)
{
	int sub = enter(dir, name);

	if (sub < 0)
		return;
	exchange(sub, "f", "f.link");
	exchange(sub, "sub", "sub.link");
	(void)close(sub);
}

static int swap(int dir, const char *outside, const char *seconds)
{
	static const char *const others[] = { "t.dir", "t.link", "t.file",
					      "t.file-link" };
	char file[4096];

	(void)snprintf(file, sizeof(file), "%s/f", outside);
	while (until(seconds)) {
		prepare(dir, outside, file);
		for (unsigned int i = 0; i < 64; i++) {
			exchange(dir, "t", others[i % 4]);
			exchange_below(dir, "t");
			exchange_below(dir, "t.dir");
			exchange(dir, "t", "t.dir");
		}
		/* Only what one may write can be linked to. */
		if (linkat(AT_FDCWD, file, dir, "t.hard", 0) == 0)
			return 4;
	}
	return 0;
}

static int leaks(int fd)
{
	char text[64] = "";

	if (fd >= 0 && count((int)pread(fd, text, sizeof(text) - 1, 0)) < 0)
		text[0] = '\0';
	return strstr(text, CANARY) != NULL;
}

/* The calls on an entry; 1 if the canary was read. */
static int work(int dir, const char *name, unsigned int turn)
{
	int fd = count(openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0666));
	int leak = leaks(fd);
	char path[64];
	char value[64] = "";

	if (fd >= 0) {
		(void)count((int)pwrite(fd, "x", 1, 0));
		(void)count(fchmod(fd, turn % 2 ? 0666 : 0600));
		(void)count(fsetxattr(fd, "user.race", "x", 1, 0));
		if (fgetxattr(fd, "user.canary", value, sizeof(value)) >= 0)
			leak = 1;
		(void)close(fd);
	}
	(void)count(
		fchownat(dir, name, turn % 7, turn % 5, AT_SYMLINK_NOFOLLOW));
	(void)count(utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	(void)count(lsetxattr(path, "user.race", "y", 1, 0));
	if (lgetxattr(path, "user.canary", value, sizeof(value)) >= 0)
		leak = 1;
	if (turn % 16 == 0) {
		(void)count(linkat(dir, name, dir, "hard", 0));
		(void)count(renameat(dir, "hard", dir, "moved"));
		(void)count(unlinkat(dir, "moved", 0));
		(void)count(unlinkat(dir, name, 0));
	}
	return leak;
}

static int use(int dir, const char *seconds)
{
	int leak = 0;

	for (unsigned int turn = 0; !leak && until(seconds); turn++) {
		int t = count(
			openat(dir, "t", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));

		if (t < 0) {
			leak = work(dir, "t", 1 + turn % 15);
			continue;
		}
		leak = work(t, "f", turn);
		(void)count(mkdirat(t, "new", 0777));
		(void)count(symlinkat("x", t, "new/link"));
		(void)count(unlinkat(t, "new/link", 0));
		(void)count(unlinkat(t, "new", AT_REMOVEDIR));
		(void)close(t);
	}
	return leak ? 3 : 0;
}

int main(int argc, char **argv)
{
	int dir = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY) : -1;
	int r = 2;

	(void)umask(0);
	if (dir < 0)
		perror("race");
	else if (argc == 5 && strcmp(argv[1], "swap") == 0)
		r = swap(dir, argv[3], argv[4]);
	else if (argc == 4 && strcmp(argv[1], "use") == 0)
		r = use(dir, argv[3]);
	(void)printf("%lu\n", done);
	return r;
}
