/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data through several open files of one inode, and what a write strips when
 * setuid, setgid or a capability came while the file was open.  As fsops.h
 * says: a plain directory's output is right.
 */
#include "fsops.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#define PAGE 4096
#define MANY 64

/* The kernel's VFS_CAP_REVISION_2 with CAP_CHOWN, which any root may set. */
static const unsigned char capability[] = {
	1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static void say_read(const char *what, int fd)
{
	char buf[32] = "";
	ssize_t len = pread(fd, buf, sizeof(buf) - 1, 0);

	if (len < 0)
		say(what, -1);
	else
		say_text(what, buf);
}

static void check_handles(void)
{
	int writer = new_file("f", "first"), reader, again, append;

	reader = say_fd("read", open("f", O_RDONLY));
	append = say_fd("append", open("f", O_WRONLY | O_APPEND));
	must("link", link("f", "g"));
	again = say_fd("by its other name", open("g", O_RDWR));
	say("appended", write(append, " last", 5));
	say_read("all of it", reader);
	say("overwritten", pwrite(again, "FIRST", 5, 0));
	say_read("by the other name", reader);
	say("end", lseek(reader, 0, SEEK_END));
	say("truncated", ftruncate(writer, 3));
	say_read("what is left", again);
	say("appended again", write(append, "x", 1));
	(void)close(writer);
	(void)close(append);
	say_close("O_TRUNC", open("g", O_WRONLY | O_TRUNC));
	say_read("nothing", reader);
	must("unlink", unlink("f"));
	must("unlink", unlink("g"));
	say("write without a name", pwrite(again, "alive", 5, 0));
	say_read("read without a name", reader);
	say_fstat("without a name", reader);
	(void)close(again);
	(void)close(reader);
}

static void check_many(void)
{
	int fds[MANY];
	long good = 0;

	make_file("f", "text");
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < MANY; i++)
			fds[i] = open("f", i % 2 != 0 ? O_RDONLY : O_RDWR);
		for (int i = 0; i < MANY; i++) {
			good += fds[i] >= 0;
			(void)close(fds[(i * 7) % MANY]);
		}
	}
	say("opened", good);
	say_content("read", "f");
}

static void check_mapped(void)
{
	int fd = new_file("f", "");
	int other = must("other", open("f", O_RDWR));
	char *map;

	say("size", ftruncate(fd, PAGE));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		say("mmap", -1);
		return;
	}
	say("write", pwrite(other, "written", 7, 0));
	say_text("seen in the mapping", map);
	map[0] = 'W';
	say_read("seen by read", other);
	(void)close(fd);
	map[1] = 'R';
	say_read("after its close", other);
	say("truncate", ftruncate(other, 0));
	say("extend", ftruncate(other, PAGE));
	say_text("gone from the mapping", map);
	(void)munmap(map, PAGE);
	(void)close(other);
}

typedef long strip_fn(int fd);

static long strip_write(int fd)
{
	return pwrite(fd, "x", 1, 0);
}

static long strip_mapped(int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -1;
	map[0] = 'm';
	(void)msync(map, PAGE, MS_SYNC);
	return munmap(map, PAGE);
}

static long strip_truncate(int fd)
{
	return ftruncate(fd, 2);
}

static long strip_fallocate(int fd)
{
	return fallocate(fd, 0, 0, PAGE);
}

static long strip_copy(int fd)
{
	int from = must("from", open("from", O_RDONLY));
	loff_t in = 0, out = 0;
	long copied = copy_file_range(from, &in, fd, &out, 4, 0);

	(void)close(from);
	return copied;
}

static const struct {
	const char *name;
	strip_fn *run;
} strips[] = {
	{ "write", strip_write },	   { "mapped", strip_mapped },
	{ "truncate", strip_truncate },	   { "fallocate", strip_fallocate },
	{ "copy_file_range", strip_copy },
};

static void check_bits(void)
{
	static const mode_t modes[] = { 04755, 02755, 06744, 02644 };

	make_file("from", "from");
	for (size_t i = 0; i < sizeof(strips) / sizeof(*strips); i++) {
		for (size_t j = 0; j < sizeof(modes) / sizeof(*modes); j++) {
			int fd = new_file("f", "text");

			say("before", pwrite(fd, "T", 1, 0));
			say("chmod", chmod("f", modes[j]));
			say(strips[i].name, strips[i].run(fd));
			say_fstat("left", fd);
			(void)close(fd);
			say_stat("and left", "f");
			must("unlink", unlink("f"));
		}
	}
}

static void check_capability(void)
{
	static const char name[] = "security.capability";
	char value[64];

	make_file("from", "from");
	for (size_t i = 0; i < sizeof(strips) / sizeof(*strips); i++) {
		int fd = new_file("f", "text");

		say("before", pwrite(fd, "T", 1, 0));
		say("set",
		    setxattr("f", name, capability, sizeof(capability), 0));
		say(strips[i].name, strips[i].run(fd));
		say("left", getxattr("f", name, value, sizeof(value)) > 0);
		(void)close(fd);
		must("unlink", unlink("f"));
	}
}

static void check_exec(void)
{
	static const char script[] = "#!/bin/true\n";
	int fd = new_file("f", script), reader;
	pid_t child;
	int status = 0;

	must("chmod", fchmod(fd, 0755));
	(void)close(fd);
	reader = must("reader", open("f", O_RDONLY));
	child = fork();
	if (child == 0) {
		(void)execl("./f", "f", (char *)NULL);
		_exit(errno);
	}
	(void)waitpid(child, &status, 0);
	say("executed while read", WEXITSTATUS(status));
	(void)close(reader);
}

static void check_locked(void)
{
	int a = new_file("f", "text"), b = must("b", open("f", O_RDWR));
	struct flock lock = { .l_type = F_WRLCK, .l_len = 2 };

	say("flock", flock(a, LOCK_EX | LOCK_NB));
	say("flock again", flock(b, LOCK_SH | LOCK_NB));
	say("OFD lock", fcntl(a, F_OFD_SETLK, &lock));
	say("OFD lock again", fcntl(b, F_OFD_SETLK, &lock));
	(void)close(a);
	say("written", pwrite(b, "TEXT", 4, 0));
	(void)close(b);
	say_content("read", "f");
}

int main(int argc, char **argv)
{
	static const struct check checks[] = {
		{ "handles", check_handles },	    { "many", check_many },
		{ "mapped", check_mapped },	    { "bits", check_bits },
		{ "capability", check_capability }, { "exec", check_exec },
		{ "locked", check_locked },
	};

	return run_checks(argc, argv, checks,
			  sizeof(checks) / sizeof(checks[0]));
}
