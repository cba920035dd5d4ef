/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read and written: see fsops.h. */
#include "fsops.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#define PAGE 4096

static void check_append(void)
{
	int a = new_file("f", "one");
	int b = say_fd("open O_APPEND", open("f", O_WRONLY | O_APPEND));

	say("append", write(b, "two", 3));
	say("write elsewhere", pwrite(a, "ONE", 3, 0));
	say("append again", write(b, "three", 5));
	/* pwrite(2), BUGS: on Linux O_APPEND wins over the offset. */
	say("pwrite on O_APPEND", pwrite(b, "four", 4, 0));
	say_content("content", "f");
	say("F_SETFL O_APPEND", fcntl(a, F_SETFL, O_APPEND));
	say("append by flag", write(a, "five", 4));
	say("F_SETFL none", fcntl(a, F_SETFL, 0));
	say("in place", pwrite(a, "0", 1, 0));
	say_content("content at the end", "f");
	(void)close(a);
	(void)close(b);
}

static void check_truncate(void)
{
	int fd = new_file("f", "some text");

	say("truncate down", truncate("f", 4));
	say_content("content", "f");
	say("truncate up", truncate("f", 8));
	say_content("zeros", "f");
	say("ftruncate", ftruncate(fd, 2));
	say_content("content again", "f");
	say("ftruncate negative", ftruncate(fd, -1));
	(void)close(fd);
	say_close("O_TRUNC", open("f", O_WRONLY | O_TRUNC));
	say_stat("after O_TRUNC", "f");
	make_file("f", "text");
	say_close("O_RDONLY|O_TRUNC", open("f", O_RDONLY | O_TRUNC));
	say_stat("after O_RDONLY|O_TRUNC", "f");
	make_file("f", "text");
	say_close("O_CREAT|O_TRUNC", open("f", O_CREAT | O_TRUNC | O_RDWR, 0));
	say_stat("after O_CREAT|O_TRUNC", "f");
	fd = open("f", O_RDONLY);
	say("ftruncate of a reader", ftruncate(fd, 0));
	say("write by a reader", write(fd, "x", 1));
	(void)close(fd);
	say("truncate a directory", truncate(".", 0));
}

static void check_direct(void)
{
	char *buf = aligned_alloc(PAGE, PAGE);
	char *map;
	int fd;

	memset(buf, 'd', PAGE);
	fd = say_fd("open O_DIRECT",
		    open("f", O_RDWR | O_CREAT | O_DIRECT, 0644));
	say("write", pwrite(fd, buf, PAGE, 0));
	say("write at a page", pwrite(fd, buf, PAGE, PAGE));
	memset(buf, 0, PAGE);
	say("read", pread(fd, buf, PAGE, PAGE));
	say("first byte", buf[0]);
	say("last byte", buf[PAGE - 1]);
	say("read at the end", pread(fd, buf, PAGE, (off_t)2 * PAGE));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("mmap", map == MAP_FAILED ? -1 : 0);
	if (map != MAP_FAILED) {
		memcpy(map, "mapped", 6);
		say("msync", msync(map, PAGE, MS_SYNC));
		say("munmap", munmap(map, PAGE));
	}
	say("fsync", fsync(fd));
	(void)close(fd);
	fd = open("f", O_RDONLY);
	say("read back", pread(fd, buf, 8, 0));
	buf[8] = '\0';
	say_text("content", buf);
	(void)close(fd);
	free(buf);
}

static void check_mmap(void)
{
	int fd = new_file("f", "");
	char buf[16] = { 0 };
	char *map, *other;

	say("ftruncate", ftruncate(fd, 3L * PAGE));
	map = mmap(NULL, 3UL * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("mmap", map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	(void)close(fd);
	memcpy(map + PAGE, "shared", 6);
	say_text("seen by another mapping", other);
	say("msync", msync(map, 3UL * PAGE, MS_SYNC));
	fd = open("f", O_RDWR);
	say("pread", pread(fd, buf, 6, PAGE));
	say_text("seen by read", buf);
	say("pwrite", pwrite(fd, "WRITTEN", 7, PAGE));
	say_text("seen by the mapping", other);
	memcpy(map + 2L * PAGE, "late", 4);
	say("unlink", unlink("f"));
	say("munmap", munmap(map, 3UL * PAGE));
	say("pread of the late", pread(fd, buf, 6, 2L * PAGE));
	say_text("late", buf);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
	memcpy(map, "private", 7);
	say_text("not seen by others", other);
	(void)munmap(map, PAGE);
	(void)munmap(other, PAGE);
	(void)close(fd);
	fd = new_file("g", "x");
	(void)close(fd);
	fd = open("g", O_RDONLY);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("writable mapping of a reader", map == MAP_FAILED ? -1 : 0);
	(void)close(fd);
}

static void check_fallocate(void)
{
	int fd = new_file("f", "");
	struct stat st;

	say("allocate", fallocate(fd, 0, 0, 2L * PAGE));
	say_fstat("size", fd);
	say("keep size", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8L * PAGE));
	say_fstat("kept size", fd);
	say("blocks", fstat(fd, &st) == 0 && st.st_blocks >= 64);
	say("write", pwrite(fd, "hole?", 5, PAGE));
	say("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       PAGE, PAGE));
	(void)lseek(fd, PAGE, SEEK_SET);
	{
		char buf[6] = { 1, 1, 1, 1, 1, 0 };

		say("read the hole", read(fd, buf, 5));
		say("it is zero", buf[0] == 0 && buf[4] == 0);
	}
	say("punch without keep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	say("zero range", fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 3L * PAGE));
	say_fstat("size of zeros", fd);
	say("length of none", fallocate(fd, 0, 0, 0));
	say("posix_fallocate", posix_fallocate(fd, 0, 4L * PAGE));
	say_fstat("size by posix", fd);
	(void)close(fd);
	fd = open("f", O_RDONLY);
	say("of a reader", fallocate(fd, 0, 0, PAGE));
	(void)close(fd);
}

static void check_seek(void)
{
	int fd = new_file("f", "");
	off_t far = (off_t)1 << 40;

	say("write at 1 MiB", pwrite(fd, "data", 4, 1 << 20));
	say("size", lseek(fd, 0, SEEK_END));
	say("data", lseek(fd, 0, SEEK_DATA));
	say("hole", lseek(fd, 0, SEEK_HOLE));
	say("hole after data", lseek(fd, 1 << 20, SEEK_HOLE));
	say("data past the end", lseek(fd, 2 << 20, SEEK_DATA));
	say("set", lseek(fd, 5, SEEK_SET));
	say("current", lseek(fd, 5, SEEK_CUR));
	say("before the start", lseek(fd, -1, SEEK_SET));
	say("write far", pwrite(fd, "far", 3, far));
	say("far size", lseek(fd, 0, SEEK_END) == far + 3);
	say("shrink", ftruncate(fd, 0));
	(void)close(fd);
}

static void check_copy(void)
{
	char buf[8] = { 0 };
	off_t in = 2, out = 4;
	int a = new_file("a", "abcdefgh");
	int b = new_file("b", "........");
	int pipes[2];

	say("copy_file_range", copy_file_range(a, &in, b, &out, 3, 0));
	say("offset in", in);
	say("offset out", out);
	say_content("copied", "b");
	in = 100;
	say("past the end", copy_file_range(a, &in, b, &out, 3, 0));
	in = 0, out = 2;
	say("onto itself", copy_file_range(a, &in, a, &out, 4, 0));
	in = 0, out = 8;
	say("within a file", copy_file_range(a, &in, a, &out, 4, 0));
	say_content("doubled", "a");
	in = 0;
	(void)lseek(b, 0, SEEK_SET);
	say("sendfile", sendfile(b, a, &in, 4));
	say_content("sent", "b");
	must("pipe", pipe(pipes));
	in = 1;
	say("splice out", splice(a, &in, pipes[1], NULL, 4, 0));
	out = 0;
	say("splice in", splice(pipes[0], NULL, b, &out, 4, 0));
	say_content("spliced", "b");
	{
		struct iovec v[2] = { { buf, 2 }, { buf + 4, 2 } };

		say("preadv", preadv(a, v, 2, 0));
		say("pwritev", pwritev(b, v, 2, 6));
	}
	say_content("vector", "b");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	(void)close(a);
	(void)close(b);
}

static void check_copied_from(void)
{
	struct stat before = { 0 }, after = { 0 };
	int a = new_file("a", "abcdefgh");
	int b = new_file("b", "");

	say("stat", fstat(a, &before));
	(void)usleep(20000);
	say("copy_file_range",
	    copy_file_range(a, &(off_t){ 0 }, b, NULL, 8, 0));
	say("stat", fstat(a, &after));
	say("its atime moved", before.st_atim.tv_nsec != after.st_atim.tv_nsec);
	say("its mtime moved", before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
	(void)close(a);
	(void)close(b);
}

/* Does another process get the lock?  kind: f for fcntl, o for OFD, b flock. */
static void say_lock(const char *what, char kind, short type)
{
	pid_t pid;
	int status = 0;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
		int fd = open("f", O_RDWR);
		int r;

		if (kind == 'b')
			r = flock(fd, LOCK_NB | (type == F_WRLCK ? LOCK_EX :
								   LOCK_SH));
		else
			r = fcntl(fd, kind == 'o' ? F_OFD_SETLK : F_SETLK,
				  &lock);
		say(what, r);
		(void)fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Signals at all moments of a wait: the count of the waits that they end. */
static int count_interrupted(void)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("f", O_RDWR);
	int count = 0;

	(void)sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < 200; i++) {
		/* The second one is for a wait that the first came before. */
		struct itimerval timer = { { 0, 2000 }, { 0, 1 + i * 2 } };

		(void)setitimer(ITIMER_REAL, &timer, NULL);
		count += fcntl(fd, F_SETLKW, &lock) < 0 && errno == EINTR;
	}
	return count;
}

static void check_interrupted(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = new_file("f", "locked");
	int status = 0;

	say("fcntl", fcntl(fd, F_SETLK, &lock));
	(void)fflush(stdout);
	if (fork() == 0)
		_exit(count_interrupted());
	(void)wait(&status);
	say("interrupted", WEXITSTATUS(status));
	(void)close(fd);
}

static void check_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = new_file("f", "locked");
	int other;

	say("fcntl", fcntl(fd, F_SETLK, &lock));
	say_lock("fcntl of another", 'f', F_WRLCK);
	say_lock("OFD against fcntl", 'o', F_WRLCK);
	say_lock("flock beside fcntl", 'b', F_WRLCK);
	other = open("f", O_RDONLY);
	(void)close(other); /* fcntl(2): any close drops the process's locks */
	say_lock("after any close", 'f', F_WRLCK);
	lock.l_type = F_RDLCK;
	say("read lock", fcntl(fd, F_SETLK, &lock));
	say_lock("readers share", 'f', F_RDLCK);
	say_lock("a writer waits", 'f', F_WRLCK);
	lock.l_type = F_UNLCK;
	say("unlock", fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_WRLCK;
	say("OFD", fcntl(fd, F_OFD_SETLK, &lock));
	say_lock("fcntl against OFD", 'f', F_WRLCK);
	say_lock("OFD against OFD", 'o', F_WRLCK);
	other = open("f", O_RDWR);
	say("OFD of the same process", fcntl(other, F_OFD_SETLK, &lock));
	(void)close(fd);
	say("OFD after close", fcntl(other, F_OFD_SETLK, &lock));
	(void)close(other);
	fd = open("f", O_RDWR);
	say("flock", flock(fd, LOCK_EX));
	say_lock("flock of another", 'b', F_WRLCK);
	say_lock("fcntl beside flock", 'f', F_WRLCK);
	say("downgrade", flock(fd, LOCK_SH));
	say_lock("flock shared", 'b', F_RDLCK);
	(void)close(fd);
	say_lock("flock after close", 'b', F_WRLCK);
}

static void check_open_flags(void)
{
	int fd;

	make_file("f", "text");
	say_close("O_EXCL", open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	say_close("O_DIRECTORY", open("f", O_RDONLY | O_DIRECTORY));
	say_close("directory to write", open(".", O_WRONLY));
	say_close("trailing slash", open("f/", O_RDONLY));
	say_close("create with slash", open("g/", O_CREAT | O_RDWR, 0644));
	say_close("O_SYNC", open("f", O_WRONLY | O_SYNC));
	say_close("O_DSYNC", open("f", O_WRONLY | O_DSYNC));
	say_close("O_NOATIME", open("f", O_RDONLY | O_NOATIME));
	say_close("O_NONBLOCK", open("f", O_RDONLY | O_NONBLOCK));
	say_close("no such", open("none", O_RDONLY));
	fd = say_fd("O_PATH", open("f", O_PATH));
	say_fstat("stat by O_PATH", fd);
	say("read by O_PATH", read(fd, &(char){ 0 }, 1));
	(void)close(fd);
	/* git and tar write read-only files through the creating descriptor. */
	fd = say_fd("create 0444", open("ro", O_CREAT | O_EXCL | O_RDWR, 0444));
	say("write 0444", write(fd, "sealed", 6));
	say("truncate 0444", ftruncate(fd, 3));
	(void)close(fd);
	say_stat("0444", "ro");
	fd = say_fd("create 0", open("no", O_CREAT | O_EXCL | O_RDWR, 0));
	say("write 0", write(fd, "sealed", 6));
	say("read 0", pread(fd, &(char){ 0 }, 1, 0));
	(void)close(fd);
	say_stat("mode 0", "no");
	fd = open("f", O_RDWR);
	say("chmod 0 while open", fchmod(fd, 0));
	say("still written", write(fd, "TEXT", 4));
	say("still truncated", ftruncate(fd, 2));
	say_fstat("still seen", fd);
	say_close("opened anew", open("f", O_RDWR));
	(void)close(fd);
}

static void check_sync(void)
{
	int fd = new_file("f", "text");
	int dir = must("directory", open(".", O_RDONLY | O_DIRECTORY));

	say("fsync", fsync(fd));
	say("fdatasync", fdatasync(fd));
	say("fsync a directory", fsync(dir));
	say("fdatasync a directory", fdatasync(dir));
	say("sync_file_range", sync_file_range(fd, 0, 0, 0));
	say("syncfs", syncfs(fd));
	say("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	say("readahead", readahead(fd, 0, PAGE));
	(void)close(dir);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	static const struct check checks[] = {
		{ "append", check_append },
		{ "truncate", check_truncate },
		{ "direct", check_direct },
		{ "mmap", check_mmap },
		{ "fallocate", check_fallocate },
		{ "seek", check_seek },
		{ "copy", check_copy },
		{ "copied_from", check_copied_from },
		{ "locks", check_locks },
		{ "interrupted", check_interrupted },
		{ "open_flags", check_open_flags },
		{ "sync", check_sync },
	};

	return run_checks(argc, argv, checks,
			  sizeof(checks) / sizeof(checks[0]));
}
