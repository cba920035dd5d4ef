/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree at first, and what may be done with it. */
#include "callers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void set_all(const char *path)
{
	bool dir = strpbrk(path, ".de") != NULL && strpbrk(path, "flp") == NULL;
	char blob[80];

	must(fchownat(root, path, any_id(), any_id(), AT_SYMLINK_NOFOLLOW),
	     "chown", path);
	if (strchr(path, 'l') != NULL)
		return;
	/*
	 * No lookup goes before what is done with the root itself, and the
	 * kernel judges setgid and ACLs by its own caller.
	 */
	if (strcmp(path, ".") == 0) {
		must(fchmodat(root, path, any_mode(true) & ~02000U, 0), "chmod",
		     path);
		return;
	}
	must(fchmodat(root, path, any_mode(dir), 0), "chmod", path);
	if (below(3) == 0 &&
	    setxattr(below_root(path), "system.posix_acl_access", blob,
		     any_acl(blob, false), 0) < 0 &&
	    errno != EOPNOTSUPP)
		must(-1, "setfacl", path);
	if (dir && below(4) == 0 &&
	    setxattr(below_root(path), "system.posix_acl_default", blob,
		     any_acl(blob, below(2) == 0), 0) < 0 &&
	    errno != EOPNOTSUPP)
		must(-1, "setfacl -d", path);
}

static void make_one(const char *path, const char *name)
{
	static const char *const targets[] = { "f0", "d1", "../d0/f1", "e0/f1",
					       "nothing" };
	int r;

	if (name[0] == 'd' || name[0] == 'e')
		r = mkdirat(root, path, 0700);
	else if (name[0] == 'l')
		r = symlinkat(targets[below(5)], root, path);
	else if (name[0] == 'p')
		r = mkfifoat(root, path, 0600);
	else
		r = openat(root, path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	must(r, "make", path);
	if (name[0] == 'f') {
		must((int)write(r, "x\n", 2), "write", path);
		(void)close(r);
	}
}

/* What is there at first, parents before what is in them. */
static size_t first_paths(char paths[][16])
{
	static const char *const dirs[] = {
		"", "d0/", "d1/", "d2/", "d3/", "d0/e0/", "d1/e1/", "d2/e0/"
	};
	static const char *const names[] = { "d0", "d1", "d2", "d3", "e0", "e1",
					     "f0", "f1", "f2", "l0", "p0" };
	size_t n = 0;

	for (size_t d = 0; d < 8; d++)
		for (size_t i = 0; i < 11; i++) {
			size_t depth = (strlen(dirs[d]) + 1) / 3;
			char type = names[i][0];

			if ((type == 'd' && depth != 0) ||
			    (type == 'e' && depth != 1) ||
			    (type == 'l' && guarded))
				continue;
			(void)snprintf(paths[n++], 16, "%s%s", dirs[d],
				       names[i]);
		}
	(void)snprintf(paths[n++], 16, ".");
	return n;
}

void make_tree(void)
{
	char paths[128][16];
	size_t n = first_paths(paths);

	for (size_t i = 0; i + 1 < n; i++)
		make_one(paths[i], strrchr(paths[i], '/') != NULL ?
					   strrchr(paths[i], '/') + 1 :
					   paths[i]);
	for (size_t i = 0; i < n; i++)
		set_all(paths[i]);
	if (below(2) == 0)
		must(fchmodat(root, ".", 0777, 0), "chmod", ".");
}

void ask_about_tree(void)
{
	static const struct {
		const char *name, *types;
		int mode;
	} questions[] = {
		{ "read", "f", R_OK },	    { "write", "f", W_OK },
		{ "exec", "f", X_OK },	    { "list", "de", R_OK },
		{ "traverse", "de", X_OK }, { "create", "de", W_OK | X_OK },
	};
	char paths[128][16];
	size_t n = first_paths(paths);

	for (size_t i = 0; i + 1 < n; i++) {
		size_t length = strlen(paths[i]);
		size_t q = below(6);
		bool yes;

		if (strchr(questions[q].types, paths[i][length - 2]) == NULL)
			continue;
		yes = faccessat(root, paths[i], questions[q].mode, 0) == 0;
		printf("%s %s%s %s\n", questions[q].name, paths[i],
		       q == 5 ? "/new" : "", yes ? "yes" : "no");
	}
}
