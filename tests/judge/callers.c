/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random trees and calls, to compare caller= with the kernel.  All that it
 * does follows from the numbers it is given.
 *
 *   callers make SEED DIR                    a tree with owners, modes, ACLs
 *   callers who SEED                         UID:GID[:GROUP...]
 *   callers ask SEED WHO DIR                 what faccessat(2) says of it all
 *   callers calls SEED COUNT WHO DIR         calls, a line with its result each
 *
 * WHO is become first; "-" stays who it is.  A path's last letter but the
 * digit is its type: d and e directories, f files, l links, p fifos.
 */
#include "callers.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int root;
bool guarded;

/* The calls for attributes take no directory to start from. */
const char *below_root(const char *path)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d/%s", root, path);
	return text;
}

void must(int r, const char *what, const char *path)
{
	if (r >= 0)
		return;
	printf("%s %s: %s\n", what, path, strerrorname_np(errno));
	exit(1);
}

static void who(void)
{
	uint32_t groups = below(4);

	printf("%u:%u", below(5) == 0 ? 0 : 1000 + below(3), any_id());
	while (groups-- > 0)
		printf(":%u", any_id());
	printf("\n");
}

static bool take_id(char **text, gid_t *ret)
{
	char *field = strsep(text, ":");
	uint32_t id = 0;

	if (field == NULL)
		return false;
	for (; *field >= '0' && *field <= '9' && id < 100000; field++)
		id = 10 * id + (uint32_t)(*field - '0');
	*ret = id;
	return *field == '\0';
}

static int become(char *who_text)
{
	gid_t uid, gid, groups[8];
	size_t n = 0;

	if (strcmp(who_text, "-") == 0)
		return 0;
	if (!take_id(&who_text, &uid) || !take_id(&who_text, &gid))
		return -1;
	while (n < 8 && take_id(&who_text, &groups[n]))
		n++;
	if (setgroups(n, groups) < 0 || setresgid(gid, gid, gid) < 0)
		return -1;
	return setresuid(uid, uid, uid);
}

static bool is_set(const char *name)
{
	char path[64], value = '0';
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/sys/fs/protected_%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!read(fd, &value, 1);
		(void)close(fd);
	}
	return value != '0';
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	if (argc < 3 || argc != (strcmp(what, "who") == 0  ? 3 :
				 strcmp(what, "make") == 0 ? 4 :
				 strcmp(what, "ask") == 0  ? 5 :
							     6)) {
		(void)fprintf(stderr, "usage: see callers.c\n");
		return 2;
	}
	random_state = strtoull(argv[2], NULL, 10);
	guarded = is_set("regular") || is_set("fifos") || is_set("symlinks");
	(void)umask(022);
	if (strcmp(what, "who") == 0) {
		who();
		return 0;
	}
	/* Kept across the change of ids: the root's mode may be anything. */
	root = open(argv[argc - 1], O_PATH | O_DIRECTORY);
	must(root, "open", argv[argc - 1]);
	must(become(strcmp(what, "make") == 0 ? (char[]){ "-" } :
						argv[argc - 2]),
	     "become", argv[argc - 2]);
	if (strcmp(what, "make") == 0)
		make_tree();
	else if (strcmp(what, "ask") == 0)
		ask_about_tree();
	else
		for (unsigned long i = 1; i <= count; i++) {
			printf("%lu ", i);
			one_call();
			(void)fflush(stdout);
		}
	return 0;
}
