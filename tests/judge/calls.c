/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One random call each, printed with its result. */
#include "callers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void show(int r)
{
	printf(" = %s\n", r < 0 ? strerrorname_np(errno) : "ok");
}

static void show_stat(const struct stat *st)
{
	printf(" = %o %u:%u", st->st_mode, st->st_uid, st->st_gid);
	/* A directory's size and links are its file system's matter. */
	if (!S_ISDIR(st->st_mode))
		printf(" %ju %ju", (uintmax_t)st->st_nlink,
		       (uintmax_t)st->st_size);
	printf("\n");
}

static void call_access(const char *path)
{
	int mode = (int)below(8), flags = below(2) == 0 ? AT_EACCESS : 0;

	printf("access %d %#x %s", mode, (unsigned int)flags, path);
	show(faccessat(root, path, mode, flags));
}

static void call_open(const char *path)
{
	static const int ways[] = { O_RDONLY,
				    O_WRONLY,
				    O_RDWR,
				    O_RDONLY | O_TRUNC,
				    O_WRONLY | O_TRUNC,
				    O_WRONLY | O_APPEND,
				    O_RDONLY | O_NOATIME,
				    O_RDONLY | O_NOFOLLOW };
	int way = ways[below(8)], fd;
	struct stat st;
	char byte;

	/* The kernel opens those alone, and asks no file system. */
	if (strchr(path, 'p') != NULL || strchr(path, 'l') != NULL)
		way |= O_DIRECTORY & ~O_TRUNC;
	printf("open %#x %s", (unsigned int)way, path);
	fd = openat(root, path, way | O_NONBLOCK);
	if (fd < 0) {
		show(fd);
		return;
	}
	if ((way & O_ACCMODE) == O_RDONLY)
		printf(" %zd", read(fd, &byte, 1) < 0 ? (ssize_t)-errno : 0);
	else
		printf(" %zd", write(fd, "y", 1));
	if (fstat(fd, &st) < 0)
		show(-1);
	else
		show_stat(&st);
	(void)close(fd);
}

static void call_create(const char *path)
{
	int way = O_CREAT | (int)below(3), fd;
	mode_t mode = any_mode(false);
	struct stat st;

	if (guarded || below(2) == 0)
		way |= O_EXCL;
	printf("create %#x %o %s", (unsigned int)way, mode, path);
	fd = openat(root, path, way, mode);
	if (fd < 0 || fstat(fd, &st) < 0)
		show(-1);
	else
		show_stat(&st);
	if (fd >= 0)
		(void)close(fd);
}

static void call_make(const char *path, char type)
{
	mode_t mode = any_mode(type == 'd');
	struct stat st;
	int r;

	printf("make %c %o %s", type, mode, path);
	if (type == 'd')
		r = mkdirat(root, path, mode);
	else if (type == 'l')
		r = symlinkat("f1", root, path);
	else
		r = mkfifoat(root, path, mode);
	if (r < 0 || fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		show(-1);
	else
		show_stat(&st);
}

static void call_remove(const char *path, bool dir)
{
	printf("remove %s", path);
	show(unlinkat(root, path, dir ? AT_REMOVEDIR : 0));
}

static void call_rename(const char *path, const char *types)
{
	unsigned int flags = below(4) == 0 ? 1 + below(2) : 0;
	char other[16];

	any_path(other, types);
	printf("rename %u %s %s", flags, path, other);
	if (renameat2(root, path, root, other, flags) == 0)
		show(0);
	/*
	 * The kernel walks to the second name before it looks for the first,
	 * and has no question of a walk to ask a file system.
	 */
	else if (errno == EACCES || errno == ENOENT || errno == ENOTDIR)
		printf(" = no\n");
	else
		show(-1);
}

static void call_link(const char *path, const char *types)
{
	char other[16];

	any_path(other, types);
	printf("link %s %s", path, other);
	show(linkat(root, path, root, other, 0));
}

static void call_chmod(const char *path, bool dir)
{
	mode_t mode = any_mode(dir);
	struct stat st;

	printf("chmod %o %s", mode, path);
	if (fchmodat(root, path, mode, 0) < 0 ||
	    fstatat(root, path, &st, 0) < 0)
		show(-1);
	else
		show_stat(&st);
}

static void call_chown(const char *path)
{
	unsigned int uid = below(2) == 0 ? any_id() : (unsigned int)-1;
	unsigned int gid = uid == (unsigned int)-1 || below(2) == 0 ?
				   any_id() :
				   (unsigned int)-1;
	struct stat st;

	printf("chown %d:%d %s", (int)uid, (int)gid, path);
	if (fchownat(root, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		show(-1);
	else
		show_stat(&st);
}

static void call_truncate(const char *path)
{
	off_t size = (off_t)below(4);
	struct stat st;

	printf("truncate %jd %s", (intmax_t)size, path);
	if (truncate(below_root(path), size) < 0 ||
	    fstatat(root, path, &st, 0) < 0)
		show(-1);
	else
		show_stat(&st);
}

static void call_utimens(const char *path)
{
	static const struct timespec times[][2] = {
		{ { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } },
		{ { .tv_sec = 1000 }, { .tv_sec = 2000 } },
		{ { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } },
		{ { .tv_sec = 1000 }, { .tv_nsec = UTIME_OMIT } },
		{ { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } },
	};
	uint32_t way = below(6);
	struct stat st;

	printf("utimens %u %s", way, path);
	if (utimensat(root, path, way == 5 ? NULL : times[way],
		      AT_SYMLINK_NOFOLLOW) < 0) {
		show(-1);
		return;
	}
	if (way == 1 && fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		printf(" %jd", (intmax_t)st.st_mtime);
	show(0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void call_list(const char *path)
{
	/* Not by ".", which is no lookup to a file system. */
	int fd = open(below_root(strcmp(path, ".") == 0 ? "" : path),
		      O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char names[64][8];
	size_t n = 0;

	printf("list %s", path);
	if (dir == NULL) {
		show(-1);
		return;
	}
	for (struct dirent *e; n < 64 && (e = readdir(dir)) != NULL;)
		(void)snprintf(names[n++], 8, "%.7s", e->d_name);
	(void)closedir(dir);
	qsort(names, n, 8, by_name);
	for (size_t i = 0; i < n; i++)
		printf(" %s", names[i]);
	printf(" = ok\n");
}

static void call_stat(const char *path)
{
	int flags = below(2) == 0 ? AT_SYMLINK_NOFOLLOW : 0;
	struct stat st;
	char text[64];

	printf("stat %#x %s", (unsigned int)flags, path);
	if (strchr(path, 'l') != NULL && below(2) == 0) {
		ssize_t n = readlinkat(root, path, text, sizeof(text));

		printf(" %.*s", n < 0 ? 0 : (int)n, text);
		show((int)n);
	} else if (fstatat(root, path, &st, flags) < 0)
		show(-1);
	else
		show_stat(&st);
}

static void call_acl(const char *path, bool dir)
{
	const char *name = dir && below(3) == 0 ? "system.posix_acl_default" :
						  "system.posix_acl_access";
	const char *at = below_root(path);
	char blob[80];
	ssize_t n;

	switch (below(3)) {
	case 0:
		printf("setfacl %s %s", name, path);
		show(setxattr(at, name, blob, any_acl(blob, below(3) == 0), 0));
		break;
	case 1:
		printf("setfacl -k %s %s", name, path);
		show(removexattr(at, name));
		break;
	default:
		n = getxattr(at, name, blob, sizeof(blob));
		printf("getfacl %s %s", name, path);
		for (ssize_t i = 4; i < n; i++)
			printf("%s%02x", i % 8 == 4 ? " " : "",
			       (unsigned int)(unsigned char)blob[i]);
		show((int)n);
	}
}

static void call_xattr(const char *path)
{
	const char *at = below_root(path);
	char text[512];
	ssize_t n;

	switch (below(4)) {
	case 0:
		printf("setfattr %s", path);
		show(lsetxattr(at, "user.x", "y", 1, 0));
		break;
	case 1:
		printf("setfattr -x %s", path);
		show(lremovexattr(at, "user.x"));
		break;
	case 2:
		printf("getfattr %s", path);
		show((int)lgetxattr(at, "user.x", text, sizeof(text)));
		break;
	default:
		n = llistxattr(at, text, sizeof(text));
		printf("listxattr %s", path);
		printf(" %d", n > 0 && memmem(text, (size_t)n, "user.x", 6));
		show((int)n);
	}
}

/* What may be run is no program: ENOEXEC. */
static void call_exec(const char *path)
{
	char *const none[] = { NULL };

	printf("exec %s", path);
	show(execveat(root, path, none, none, 0));
}

/* A directory's exec bit, asked by going there. */
static void call_enter(const char *path)
{
	int fd = openat(root, path, O_PATH | O_DIRECTORY);

	printf("chdir %s", path);
	show(fd < 0 ? fd : fchdir(fd));
	if (fd >= 0)
		(void)close(fd);
}

void one_call(void)
{
	static const char *const types[] = { "d", "e", "f", "f", "f",
					     "l", "p", "f", "f", "e" };
	const char *type = types[below(10)];
	bool dir = *type == 'd' || *type == 'e';
	char path[16];

	any_path(path, type);
	switch (below(26)) {
	case 0:
		call_access(path);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		call_open(path);
		break;
	case 5:
	case 6:
		any_path(path, "f");
		call_create(path);
		break;
	case 7:
	case 8:
		if (*type == 'f' || (*type == 'l' && guarded))
			any_path(path, type = "p");
		call_make(path, dir ? 'd' : *type);
		break;
	case 9:
	case 10:
		call_remove(path, dir);
		break;
	case 11:
	case 12:
		call_rename(path, dir ? "de" : type);
		break;
	case 13:
		/* A directory is refused before the file system is asked. */
		any_path(path, dir ? type = "f" : type);
		call_link(path, type);
		break;
	case 14:
	case 15:
		call_chmod(path, dir);
		break;
	case 16:
	case 17:
		call_chown(path);
		break;
	case 18:
		call_truncate(path);
		break;
	case 19:
		call_utimens(path);
		break;
	case 20:
		call_list(dir && below(4) == 0 ? "." : path);
		break;
	case 21:
		call_stat(path);
		break;
	case 22:
		call_acl(path, dir);
		break;
	case 23:
		call_xattr(path);
		break;
	case 24:
		call_exec(path);
		break;
	default:
		call_enter(path);
	}
}
