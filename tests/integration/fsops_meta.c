/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modes, owners, times, extended attributes: see fsops.h. */
#include "fsops.h"

#include <sys/xattr.h>

#define SET(name, value, flags) setxattr("f", name, value, strlen(value), flags)

static void say_mode(mode_t mode)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "chmod %04o", mode);
	say(what, chmod("f", mode));
	say_stat("file", "f");
	(void)snprintf(what, sizeof(what), "chmod %04o of a directory", mode);
	say(what, chmod("d", mode));
	say_stat("directory", "d");
}

static void check_modes(void)
{
	static const mode_t modes[] = { 0,     0400,  0044,  0007,  0777,
					01777, 02755, 02745, 04755, 06711,
					07777, 0070,  0644 };

	make_file("f", "x");
	must("mkdir", mkdir("d", 0755));
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		say_mode(modes[i]);
	say("chmod nothing", chmod("none", 0644));
	say("no chmod of a symlink",
	    symlink("f", "s") +
		    fchmodat(AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
}

static void check_umask(void)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	char name[16];

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		(void)umask(masks[i]);
		printf("umask %04o\n", masks[i]);
		(void)snprintf(name, sizeof(name), "f%zu", i);
		say_close("open 0666", open(name, O_CREAT | O_RDWR, 0666));
		say_stat("file", name);
		(void)snprintf(name, sizeof(name), "s%zu", i);
		say_close("open 06777", open(name, O_CREAT | O_RDWR, 06777));
		say_stat("setuid file", name);
		(void)snprintf(name, sizeof(name), "n%zu", i);
		say("mknod 04666", mknod(name, S_IFREG | 04666, 0));
		say_stat("made by mknod", name);
		(void)snprintf(name, sizeof(name), "p%zu", i);
		say("mkfifo 0666", mkfifo(name, 0666));
		say_stat("fifo", name);
		(void)snprintf(name, sizeof(name), "d%zu", i);
		say("mkdir 07777", mkdir(name, 07777));
		say_stat("directory", name);
	}
}

static void check_access(void)
{
	static const mode_t modes[] = { 0, 0111, 0222, 0444, 0600, 0070, 0007 };

	make_file("f", "text");
	must("mkdir", mkdir("d", 0755));
	make_file("d/in", "x");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		must("chmod", chmod("f", modes[i]));
		must("chmod", chmod("d", modes[i]));
		printf("mode %04o\n", modes[i]);
		say("R_OK", faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
		say("W_OK", faccessat(AT_FDCWD, "f", W_OK, AT_EACCESS));
		say("X_OK", faccessat(AT_FDCWD, "f", X_OK, AT_EACCESS));
		say_close("read", open("f", O_RDONLY));
		say_close("write", open("f", O_WRONLY));
		say("truncate", truncate("f", 4));
		say("list", count_entries("d"));
		say("search", access("d/in", F_OK));
		say_close("create", open("d/new", O_CREAT | O_EXCL, 0644));
		say("unlink", unlink("d/new"));
	}
	must("chmod", chmod("d", 0755));
}

static void check_chown(void)
{
	struct stat st;

	make_file("f", "x");
	must("mkdir", mkdir("d", 02775));
	must("symlink", symlink("f", "s"));
	must("mkfifo", mkfifo("p", 0644));
	say("to self", chown("f", geteuid(), getegid()));
	say_stat("file", "f");
	say("uid", chown("f", 5, (gid_t)-1));
	say_stat("uid changed", "f");
	say("gid", chown("f", (uid_t)-1, 7));
	say_stat("gid changed", "f");
	say("both", chown("d", 5, 7));
	say_stat("directory", "d");
	say("symlink", lchown("s", 8, 9));
	say_stat("symlink", "s");
	say_stat("its target", "f");
	say("fifo", chown("p", 10, 11));
	say_stat("fifo", "p");
	say("through the symlink", chown("s", 12, 13));
	say_stat("target", "f");
	say("the last id", chown("f", 65535, 65535));
	say_stat("last", "f");
	say("beyond the map", chown("f", 70000, 0));
	say("beyond the map of gids", chown("f", 0, 70000));
	say_stat("unchanged", "f");
	say("mode after", chmod("f", 0600));
	say_stat("file", "f");
	say("rename keeps it", rename("f", "g"));
	say_stat("renamed", "g");
	say("back to self", chown("g", geteuid(), getegid()));
	say("back to self", lchown("s", geteuid(), getegid()));
	say_stat("file", "g");
	say("exchange", renameat2(AT_FDCWD, "s", AT_FDCWD, "p", 2));
	say_stat("was a symlink", "s");
	say_stat("was a fifo", "p");
	/* A new file of an old name, maybe an old inode, has no old owner. */
	say("unlink", unlink("s"));
	say("unlink", unlink("p"));
	for (int i = 0; i < 20; i++) {
		must("mkfifo", mkfifo("n", 0644));
		if (lstat("n", &st) == 0 && st.st_uid != geteuid())
			say("inherited", i);
		must("unlink", unlink("n"));
	}
}

/* What a chown, a write and a truncate leave of setuid and setgid. */
static void check_set_id(void)
{
	static const mode_t modes[] = { 06755, 06745, 04711, 02755, 02644 };
	char what[32];
	int fd;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		fd = new_file("f", "text");
		printf("mode %04o\n", modes[i]);
		must("chmod", fchmod(fd, modes[i]));
		say("write", pwrite(fd, "T", 1, 0));
		say_fstat("after write", fd);
		must("chmod", fchmod(fd, modes[i]));
		say("truncate", ftruncate(fd, 2));
		say_fstat("after truncate", fd);
		must("chmod", fchmod(fd, modes[i]));
		say("chown -1", fchown(fd, (uid_t)-1, (gid_t)-1));
		say_fstat("after chown -1", fd);
		must("chmod", fchmod(fd, modes[i]));
		say("chown", fchown(fd, geteuid(), getegid()));
		say_fstat("after chown", fd);
		must("chmod", fchmod(fd, modes[i]));
		say("allocate", fallocate(fd, 0, 0, 100));
		say_fstat("after allocate", fd);
		must("chmod", fchmod(fd, modes[i]));
		(void)close(fd);
		say_close("O_TRUNC", open("f", O_WRONLY | O_TRUNC));
		say_stat("after O_TRUNC", "f");
		(void)snprintf(what, sizeof(what), "mkdir %04o", modes[i]);
		say(what, mkdir("d", modes[i]));
		must("chmod", chmod("d", modes[i]));
		say("chown", chown("d", geteuid(), getegid()));
		say_stat("directory after chown", "d");
		must("rmdir", rmdir("d"));
		must("unlink", unlink("f"));
	}
}

static void check_setgid_directory(void)
{
	must("mkdir", mkdir("d", 0755));
	/* A group of the caller's own if it has one, else only root may. */
	say("chgrp", chown("d", (uid_t)-1, 2000));
	say("chmod", chmod("d", 02777));
	say_stat("directory", "d");
	make_file("d/f", "x");
	say_stat("file", "d/f");
	say("mkdir", mkdir("d/sub", 0755));
	say_stat("directory in it", "d/sub");
	make_file("d/sub/f", "x");
	say_stat("file below", "d/sub/f");
	say("symlink", symlink("f", "d/s"));
	say_stat("symlink", "d/s");
	say("mkfifo", mkfifo("d/p", 0644));
	say_stat("fifo", "d/p");
	say_close("setgid file", open("d/g", O_CREAT | O_RDWR, 02775));
	say_stat("setgid file", "d/g");
	say_close("setgid, no x", open("d/h", O_CREAT | O_RDWR, 02664));
	say_stat("setgid, no x", "d/h");
	make_file("out", "x");
	say("moved in", rename("out", "d/out"));
	say_stat("keeps its group", "d/out");
}

static void say_times(const char *what, const char *path)
{
	struct stat st;

	if (say(what, lstat(path, &st)) < 0)
		return;
	printf("%s: atime %ld.%09ld mtime %ld.%09ld\n", what, st.st_atime,
	       st.st_atim.tv_nsec, st.st_mtime, st.st_mtim.tv_nsec);
}

static void check_times(void)
{
	struct timespec t[2] = { { 1000000000, 123456789 },
				 { 1500000000, 987654321 } };
	struct stat before, after;

	make_file("f", "x");
	must("symlink", symlink("f", "s"));
	must("mkdir", mkdir("d", 0755));
	say("set", utimensat(AT_FDCWD, "f", t, 0));
	say_times("both", "f");
	t[0].tv_nsec = UTIME_OMIT;
	t[1] = (struct timespec){ 1, 5 };
	say("omit atime", utimensat(AT_FDCWD, "f", t, 0));
	say_times("mtime", "f");
	t[0] = (struct timespec){ 2, 7 };
	t[1].tv_nsec = UTIME_OMIT;
	say("omit mtime", utimensat(AT_FDCWD, "f", t, 0));
	say_times("atime", "f");
	t[0].tv_nsec = UTIME_OMIT;
	say("omit both", utimensat(AT_FDCWD, "f", t, 0));
	say_times("unchanged", "f");
	t[0] = t[1] = (struct timespec){ -5, 1 };
	say("before 1970", utimensat(AT_FDCWD, "f", t, 0));
	say_times("negative", "f");
	t[0] = t[1] = (struct timespec){ 3, 3 };
	say("symlink", utimensat(AT_FDCWD, "s", t, AT_SYMLINK_NOFOLLOW));
	say_times("symlink", "s");
	say_times("its target", "f");
	say("directory", utimensat(AT_FDCWD, "d", t, 0));
	say_times("directory", "d");
	make_file("d/x", "x");
	say("mtime of a parent moves",
	    stat("d", &after) == 0 && after.st_mtime > 3);
	t[0].tv_nsec = t[1].tv_nsec = UTIME_NOW;
	say("now", utimensat(AT_FDCWD, "f", t, 0));
	say("is now", stat("f", &after) == 0 && after.st_mtime > 1600000000 &&
			      after.st_atime == after.st_mtime);
	t[0].tv_nsec = 1000000000;
	say("bad nanoseconds", utimensat(AT_FDCWD, "f", t, 0));
	must("stat", stat("f", &before));
	(void)usleep(20000);
	must("chmod", chmod("f", 0600));
	must("stat", stat("f", &after));
	say("chmod leaves mtime",
	    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	say("chmod moves ctime",
	    before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
}

static void say_xattr(const char *what, const char *name)
{
	char value[64] = { 0 };
	ssize_t len = lgetxattr("f", name, value, sizeof(value) - 1);

	if (len < 0)
		say(what, -1);
	else
		say_text(what, value);
}

/* Only user.*: what else a file system lists is its own. */
static void say_list(const char *what)
{
	char list[2048];
	ssize_t len = listxattr("f", list, sizeof(list));
	long user = 0;

	for (char *name = list; name < list + len; name += strlen(name) + 1)
		if (strncmp(name, "user.", 5) == 0)
			user++;
	say(what, len < 0 ? -1 : user);
}

static void check_xattrs(void)
{
	char big[2001], value[8];

	make_file("f", "x");
	say_list("none");
	say("set", SET("user.a", "one", 0));
	say_xattr("get", "user.a");
	say("create again", SET("user.a", "two", XATTR_CREATE));
	say("replace", SET("user.a", "three", XATTR_REPLACE));
	say_xattr("replaced", "user.a");
	say("replace none", SET("user.b", "x", XATTR_REPLACE));
	say("create", SET("user.b", "", XATTR_CREATE));
	say_xattr("empty", "user.b");
	say_list("two");
	say("size", getxattr("f", "user.a", NULL, 0));
	say("too small", getxattr("f", "user.a", value, 2));
	say("list too small", listxattr("f", value, 2));
	say("remove", removexattr("f", "user.b"));
	say("remove again", removexattr("f", "user.b"));
	say_xattr("gone", "user.b");
	memset(big, 'v', sizeof(big));
	big[2000] = '\0';
	say("big", SET("user.big", big, 0));
	say("its size", getxattr("f", "user.big", NULL, 0));
	say("no prefix", SET("plain", "x", 0));
	say("unknown prefix", SET("other.x", "x", 0));
	say("only a prefix", SET("user.", "x", 0));
	say("trusted", SET("trusted.x", "x", 0));
	say_xattr("trusted", "trusted.x");
	must("chmod", chmod("f", 0444));
	say("on 0444", SET("user.c", "x", 0));
	must("chmod", chmod("f", 0200));
	say_xattr("on 0200", "user.a");
	must("unlink", unlink("f"));
	must("symlink", symlink("nowhere", "f"));
	say("on a symlink", lsetxattr("f", "user.a", "x", 1, 0));
	say_xattr("of a symlink", "user.a");
	must("unlink", unlink("f"));
	must("mkfifo", mkfifo("f", 0644));
	say("on a fifo", SET("user.a", "x", 0));
	must("unlink", unlink("f"));
	must("mkdir", mkdir("f", 0755));
	say("on a directory", SET("user.a", "dir", 0));
	say_xattr("of a directory", "user.a");
}

int main(int argc, char **argv)
{
	static const struct check checks[] = {
		{ "modes", check_modes },
		{ "umask", check_umask },
		{ "access", check_access },
		{ "chown", check_chown },
		{ "set_id", check_set_id },
		{ "setgid_directory", check_setgid_directory },
		{ "times", check_times },
		{ "xattrs", check_xattrs },
	};

	return run_checks(argc, argv, checks,
			  sizeof(checks) / sizeof(checks[0]));
}
