/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names, links, directories, and files whose name is gone: see fsops.h. */
#include "fsops.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

static void check_rename(void)
{
	int fd, moved;

	make_file("a", "a");
	make_file("b", "b");
	must("mkdir", mkdir("d", 0755));
	must("mkdir", mkdir("e", 0755));
	make_file("d/in", "in");
	say("noreplace", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 1));
	say("noreplace free", renameat2(AT_FDCWD, "a", AT_FDCWD, "c", 1));
	say("exchange", renameat2(AT_FDCWD, "b", AT_FDCWD, "c", 2));
	say_content("b", "b");
	say_content("c", "c");
	say("exchange with nothing",
	    renameat2(AT_FDCWD, "b", AT_FDCWD, "n", 2));
	say("exchange with a directory",
	    renameat2(AT_FDCWD, "b", AT_FDCWD, "d", 2));
	say_stat("b", "b");
	say_content("moved with it", "b/in");
	say("back", renameat2(AT_FDCWD, "b", AT_FDCWD, "d", 2));
	say("both flags", renameat2(AT_FDCWD, "b", AT_FDCWD, "d", 3));
	say("over a file", rename("b", "c"));
	say_content("c", "c");
	say("onto itself", rename("c", "c"));
	say("file over directory", rename("c", "e"));
	say("directory over file", rename("d", "c"));
	say("over a full directory", rename("e", "d"));
	say("into itself", rename("d", "d/sub"));
	fd = must("open", open("d/in", O_RDONLY));
	moved = must("open", open("d", O_RDONLY | O_DIRECTORY));
	say("over an empty directory", rename("d", "e"));
	say_fstat("an open child", fd);
	say("through the open directory", faccessat(moved, "in", R_OK, 0));
	say_close("created there",
		  openat(moved, "new", O_CREAT | O_RDWR, 0644));
	say_content("child", "e/in");
	say("missing", rename("none", "x"));
	(void)close(moved);
	(void)close(fd);
	say("entries", count_entries("."));
}

static void check_links(void)
{
	struct stat a = { 0 }, b = { 0 };
	int fd;

	make_file("a", "text");
	must("mkdir", mkdir("d", 0755));
	say("link", link("a", "d/b"));
	say("stat", stat("a", &a) + stat("d/b", &b));
	say("one inode", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	say_stat("a", "a");
	say("chmod one name", chmod("d/b", 0600));
	say_stat("seen by the other", "a");
	fd = must("open", open("a", O_WRONLY | O_APPEND));
	say("write by one name", write(fd, "more", 4));
	say_stat("size by the other", "d/b");
	say("over a name", link("a", "d/b"));
	say("rename onto the same inode", rename("a", "d/b"));
	say_stat("both stay", "a");
	say("unlink one", unlink("a"));
	say_stat("the other", "d/b");
	say_fstat("the open one", fd);
	(void)close(fd);
	say("link a directory", link("d", "l"));
	say("link nothing", link("none", "l"));
	say("symlink", symlink("d/b", "s"));
	say("link a symlink", link("s", "s2"));
	say_stat("is a symlink", "s2");
	say("link what it leads to",
	    linkat(AT_FDCWD, "s", AT_FDCWD, "t", AT_SYMLINK_FOLLOW));
	say_stat("is a file", "t");
}

static void check_symlinks(void)
{
	char target[4096], back[4200];

	say("symlink", symlink("target", "s"));
	say("length", readlink("s", back, sizeof(back)));
	say_stat("stat", "s");
	say("dangling", access("s", F_OK));
	say_close("O_EXCL", open("s", O_CREAT | O_EXCL | O_RDWR, 0644));
	say_close("create through it", open("s", O_CREAT | O_RDWR, 0644));
	say_stat("target", "target");
	say_close("O_NOFOLLOW", open("s", O_RDONLY | O_NOFOLLOW));
	say_close("O_PATH|O_NOFOLLOW", open("s", O_PATH | O_NOFOLLOW));
	say("exists", symlink("x", "s"));
	say("empty", symlink("", "e"));
	say("to itself", symlink("loop", "loop"));
	say_close("loop", open("loop", O_RDONLY));
	memset(target, 'x', sizeof(target));
	target[4095] = '\0';
	say("longest", symlink(target, "long"));
	say("its length", readlink("long", back, sizeof(back)));
	say("cut", readlink("long", back, 10));
	say("readlink of a file", readlink("target", back, sizeof(back)));
	say("chmod through it", chmod("s", 0600));
	say_stat("chmod followed", "target");
	say("absolute", symlink("/dev/null", "abs"));
	say_close("followed out", open("abs", O_RDONLY));
	say("relative out", symlink("../../..", "up"));
	say("is a directory", access("up/.", X_OK));
}

static void check_unlinked(void)
{
	char path[64], buf[8] = { 0 };
	int fd = new_file("f", "text");
	int again, dir;

	say("unlink", unlink("f"));
	say("entries", count_entries("."));
	say_fstat("stat", fd);
	say("write", pwrite(fd, "TEXT!", 5, 0));
	say("read", pread(fd, buf, 5, 0));
	say_text("content", buf);
	say("truncate", ftruncate(fd, 2));
	say("chmod", fchmod(fd, 0640));
	say("chown", fchown(fd, getuid(), getgid()));
	say("times", futimens(fd, (struct timespec[2]){ { 1, 0 }, { 2, 0 } }));
	say("xattr", fsetxattr(fd, "user.late", "x", 1, 0));
	say_fstat("stat again", fd);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = say_fd("opened anew", open(path, O_RDWR));
	say("write there", pwrite(again, "anew", 4, 0));
	say("read here", pread(fd, buf, 4, 0));
	say_text("content", buf);
	say("linked back", linkat(AT_FDCWD, path, AT_FDCWD, "b", 0x400));
	(void)close(again);
	/* A stranger of the same name is another file. */
	make_file("f", "stranger");
	say_fstat("beside a new one", fd);
	say_stat("the new one", "f");
	(void)close(fd);
	fd = must("open", open("f", O_RDONLY));
	make_file("g", "over");
	say("rename over an open file", rename("g", "f"));
	say("read it", pread(fd, buf, 8, 0));
	say_text("content", buf[0] == 's' ? "old" : "new");
	say_fstat("stat it", fd);
	(void)close(fd);
	must("mkdir", mkdir("d", 0755));
	dir = must("open", open("d", O_RDONLY | O_DIRECTORY));
	say("rmdir of an open one", rmdir("d"));
	say_fstat("stat", dir);
	say_close("create in it", openat(dir, "x", O_CREAT | O_RDWR, 0644));
	say("chmod it", fchmod(dir, 0700));
	(void)close(dir);
	say("entries at the end", count_entries("."));
}

static void check_directories(void)
{
	must("mkdir", mkdir("d", 0755));
	make_file("d/f", "x");
	say("mkdir again", mkdir("d", 0755));
	say("mkdir over a file", mkdir("d/f", 0755));
	say("mkdir below a file", mkdir("d/f/g", 0755));
	say("mkdir below nothing", mkdir("n/g", 0755));
	say("rmdir full", rmdir("d"));
	say("rmdir a file", rmdir("d/f"));
	say("rmdir .", rmdir("d/."));
	say("rmdir ..", rmdir("d/.."));
	say("unlink a directory", unlink("d"));
	say("unlink nothing", unlink("n"));
	must("mkdir", mkdir("d/e", 0755));
	say_stat("links of a parent", "d");
	say("rmdir", rmdir("d/e"));
	say_stat("one less", "d");
}

static void check_long_names(void)
{
	char name[300], *path = malloc(5000);

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	say_close("255", open(name, O_CREAT | O_RDWR, 0644));
	say("mkdir exists", mkdir(name, 0755));
	say("unlink", unlink(name));
	name[255] = 'n', name[256] = '\0';
	say_close("256", open(name, O_CREAT | O_RDWR, 0644));
	say_close("256 to read", open(name, O_RDONLY));
	say("256 mkdir", mkdir(name, 0755));
	say("256 symlink", symlink("x", name));
	say("256 rename", rename(name, "x"));
	for (int i = 0; i < 4094; i += 2)
		memcpy(path + i, "./", 2);
	memcpy(path + 4094, "", 1);
	say("4094", access(path, F_OK));
	memcpy(path + 4094, "./", 3);
	say("4096", access(path, F_OK));
	say("UTF-8", mkdir("grüße ☃", 0755));
	say("bytes", mkdir("\xff\xfe\n", 0755));
	say("entries", count_entries("."));
	free(path);
}

static void check_special(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = "sock" };
	char buf[4] = { 0 };
	int s, c, fd;

	say("mkfifo", mkfifo("fifo", 0666));
	say_stat("fifo", "fifo");
	fd = say_fd("open", open("fifo", O_RDWR));
	say("write", write(fd, "abc", 3));
	say("read", read(fd, buf, 3));
	say_text("content", buf);
	(void)close(fd);
	say_close("no reader", open("fifo", O_WRONLY | O_NONBLOCK));
	s = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	say("bind", bind(s, (struct sockaddr *)&address, sizeof(address)));
	say_stat("socket", "sock");
	say("listen", listen(s, 1));
	c = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	say("connect",
	    connect(c, (struct sockaddr *)&address, sizeof(address)));
	say("bind again",
	    bind(c, (struct sockaddr *)&address, sizeof(address)));
	say_close("open a socket", open("sock", O_RDWR));
	(void)close(c);
	(void)close(s);
	say("mknod file", mknod("f", S_IFREG | 0666, 0));
	say_stat("file", "f");
	say("mknod char", mknod("c", S_IFCHR | 0666, makedev(1, 3)));
	say("mknod block", mknod("b", S_IFBLK | 0666, makedev(7, 0)));
	say("mknod directory", mknod("d", S_IFDIR | 0755, 0));
	say("rename a fifo", rename("fifo", "fifo2"));
	say("link a fifo", link("fifo2", "fifo3"));
	say_stat("two names", "fifo3");
}

static void check_listing(void)
{
	char name[32];
	long where[1000], count = 0, wrong = 0, removed = 0;
	struct dirent *e;
	struct stat st;
	DIR *dir;

	for (int i = 0; i < 998; i++) {
		(void)snprintf(name, sizeof(name), "entry-%d", i);
		if (i % 3 == 0)
			must(name, mkdir(name, 0755));
		else if (i % 3 == 1)
			make_file(name, "x");
		else
			must(name, symlink("nowhere", name));
	}
	dir = opendir(".");
	while (count < 1000 &&
	       (where[count] = telldir(dir), e = readdir(dir)) != NULL) {
		count++;
		if (lstat(e->d_name, &st) < 0 ||
		    (e->d_type != DT_UNKNOWN &&
		     e->d_type != IFTODT(st.st_mode)))
			wrong++;
		if (strcmp(e->d_name, "..") != 0 && e->d_ino != st.st_ino)
			wrong++;
	}
	say("entries", count);
	say("wrong types or numbers", wrong);
	seekdir(dir, where[500]);
	for (count = 0; readdir(dir) != NULL;)
		count++;
	say("after seekdir", count);
	rewinddir(dir);
	for (count = 0; readdir(dir) != NULL;)
		count++;
	say("after rewinddir", count);
	/* rm -r: each is removed while the listing goes on. */
	rewinddir(dir);
	while ((e = readdir(dir)) != NULL)
		if (unlink(e->d_name) == 0 || rmdir(e->d_name) == 0)
			removed++;
	say("removed on the way", removed);
	say("left", count_entries("."));
	(void)closedir(dir);
}

static void check_statfs(void)
{
	struct statfs fs;
	struct stat a, b;

	say("statfs", statfs(".", &fs));
	say("name length", fs.f_namelen);
	say("sizes", fs.f_bsize > 0 && fs.f_blocks > 0 && fs.f_files > 0);
	make_file("f", "x");
	say("stat", stat(".", &a) + stat("f", &b));
	say("one device", a.st_dev == b.st_dev);
	say("block size", b.st_blksize > 0);
}

static void check_exec(void)
{
	int fd = must("script", open("run", O_CREAT | O_WRONLY, 0755));
	pid_t pid;
	int status = 0;

	dprintf(fd, "#!/bin/sh\nexit 42\n");
	(void)close(fd);
	pid = fork();
	if (pid == 0) {
		(void)execl("./run", "run", (char *)NULL);
		_exit(errno);
	}
	(void)waitpid(pid, &status, 0);
	say("script", WEXITSTATUS(status));
	say("chmod", chmod("run", 0644));
	pid = fork();
	if (pid == 0) {
		(void)execl("./run", "run", (char *)NULL);
		_exit(errno);
	}
	(void)waitpid(pid, &status, 0);
	say("not executable", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	static const struct check checks[] = {
		{ "rename", check_rename },
		{ "links", check_links },
		{ "symlinks", check_symlinks },
		{ "unlinked", check_unlinked },
		{ "directories", check_directories },
		{ "long_names", check_long_names },
		{ "special", check_special },
		{ "listing", check_listing },
		{ "statfs", check_statfs },
		{ "exec", check_exec },
	};

	return run_checks(argc, argv, checks,
			  sizeof(checks) / sizeof(checks[0]));
}
