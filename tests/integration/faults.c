/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faults CONTROL SOURCE MOUNT PID UID: operations of the container's user UID
 * in MOUNT, with each call of the daemon PID failed in turn
 * (tests/preload/fault.c).  Afterwards an object is as before or as wanted, on
 * disk nothing is more open or another's, no descriptor has leaked, and the
 * same operation works.  A line for each breach; run it as root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../preload/fault.h"
#include "container_user.h"

/* More calls than any operation makes. */
#define CALLS_MAX 60

static struct fault_control *control;
static const char *source, *mount;
static uid_t user;
static pid_t daemon_pid;
static int breaches, injected, same_error;

/* What an object is: absent, or these. */
struct state {
	bool exists;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	char xattr[8];
};

struct operation {
	const char *name;
	const char *object; /* to look at, before and after */
	int (*run)(void);
	bool by_root; /* the container's */
};

static int do_create(void)
{
	int fd = open("w/new", O_CREAT | O_EXCL | O_RDWR, 0640);

	return fd < 0 ? -1 : close(fd);
}

static int do_create_strange(void)
{
	int fd = open("w/new", O_CREAT | O_EXCL | O_RDWR, 0400);

	return fd < 0 ? -1 : close(fd);
}

static int do_mkdir(void)
{
	return mkdir("w/new", 0750);
}

static int do_symlink(void)
{
	return symlink("target", "w/new");
}

static int do_mkfifo(void)
{
	return mkfifo("w/new", 0620);
}

static int do_mknod(void)
{
	return mknod("w/new", S_IFREG | 0640, 0);
}

static int do_chown(void)
{
	return chown("w/file", 5, 6);
}

static int do_chown_link(void)
{
	return lchown("w/link", 5, 6);
}

static int do_chmod(void)
{
	return chmod("w/file", 0604);
}

static int do_chmod_special(void)
{
	return chmod("w/file", 04711);
}

static int do_chmod_dir(void)
{
	return chmod("w/dir", 0500);
}

static int do_rename(void)
{
	return rename("w/file", "w/new");
}

static int do_rename_over(void)
{
	return rename("w/file", "w/second");
}

static int do_link(void)
{
	return link("w/file", "w/new");
}

static int do_unlink(void)
{
	return unlink("w/file");
}

static int do_rmdir(void)
{
	return rmdir("w/dir");
}

static int do_truncate(void)
{
	return truncate("w/file", 100);
}

static int do_setxattr(void)
{
	return setxattr("w/file", "user.mine", "new", 3, 0);
}

static int do_setacl(void)
{
	/* u::rw-, u:1:r--, g::---, m::r--, o::--- */
	static const unsigned char acl[] = {
		2,   0,	  0,   0,   1,	 0,    6,    0,	  255, 255, 255,
		255, 2,	  0,   4,   0,	 0xa0, 0x86, 1,	  0,   4,   0,
		0,   0,	  255, 255, 255, 255,  16,   0,	  4,   0,   255,
		255, 255, 255, 32,  0,	 0,    0,    255, 255, 255, 255,
	};

	return setxattr("w/file", "system.posix_acl_access", acl, sizeof(acl),
			0);
}

static int do_utimens(void)
{
	const struct timespec times[2] = { { 5, 0 }, { 5, 0 } };

	return utimensat(AT_FDCWD, "w/file", times, 0);
}

/* More than a page and less than the kernel reads at once. */
#define DATA_SIZE 100000

static char data[DATA_SIZE];

static int do_write(void)
{
	int fd = open("w/file", O_WRONLY);
	ssize_t put;

	if (fd < 0)
		return -1;
	put = write(fd, data, sizeof(data));
	if (close(fd) < 0 || put < 0)
		return -1;
	return put == sizeof(data) ? 0 : (errno = EBADMSG, -1);
}

/* EBADMSG: what was read isn't what is there, or not all of it. */
static int do_read(void)
{
	static char got[DATA_SIZE + 1];
	size_t done = 0;
	ssize_t n;
	int fd = open("w/data", O_RDONLY);

	if (fd < 0)
		return -1;
	while ((n = read(fd, got + done, sizeof(got) - done)) > 0)
		done += (size_t)n;
	if (close(fd) < 0 || n < 0)
		return -1;
	if (done == sizeof(data) && memcmp(got, data, done) == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

static int do_list(void)
{
	DIR *dir = opendir("w");
	unsigned int entries = 0;

	if (dir == NULL)
		return -1;
	errno = 0;
	while (readdir(dir) != NULL)
		entries++;
	if (errno == 0 && entries != 7)
		errno = EBADMSG;
	(void)closedir(dir);
	return errno == 0 ? 0 : -1;
}

static const struct operation operations[] = {
	{ "write", "w/file", do_write, false },
	{ "read", "w/data", do_read, false },
	{ "list", "w/file", do_list, false },
	{ "create", "w/new", do_create, false },
	{ "create 0400", "w/new", do_create_strange, false },
	{ "mkdir", "w/new", do_mkdir, false },
	{ "symlink", "w/new", do_symlink, false },
	{ "mkfifo", "w/new", do_mkfifo, false },
	{ "mknod", "w/new", do_mknod, false },
	{ "chown", "w/file", do_chown, true },
	{ "chown of a symlink", "w/link", do_chown_link, true },
	{ "chmod", "w/file", do_chmod, false },
	{ "chmod u+s", "w/file", do_chmod_special, false },
	{ "chmod of a directory", "w/dir", do_chmod_dir, false },
	{ "rename", "w/new", do_rename, false },
	{ "rename over", "w/second", do_rename_over, false },
	{ "link", "w/new", do_link, false },
	{ "unlink", "w/file", do_unlink, false },
	{ "rmdir", "w/dir", do_rmdir, false },
	{ "truncate", "w/file", do_truncate, false },
	{ "setxattr", "w/file", do_setxattr, false },
	{ "setfacl", "w/file", do_setacl, false },
	{ "utimensat", "w/file", do_utimens, false },
};

static int run_operation(const struct operation *op)
{
	return op->by_root ? as_root(op->run) : as_user(op->run, user);
}

static int make_dir(void)
{
	return mkdir("w", 0777) < 0 || chmod("w", 0777) < 0 ? -1 : 0;
}

static int make_objects(void)
{
	int fd = open("w/file", O_CREAT | O_EXCL | O_RDWR, 0640);

	if (fd < 0 || write(fd, "text", 4) != 4 || close(fd) < 0)
		return -1;
	fd = open("w/second", O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd < 0 || close(fd) < 0 || symlink("target", "w/link") < 0)
		return -1;
	if (mkdir("w/dir", 0711) < 0)
		return -1;
	fd = open("w/data", O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data))
		return -1;
	return close(fd);
}

static int remove_all(void)
{
	static const char *const names[] = { "w/file", "w/second", "w/link",
					     "w/new", "w/data" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	(void)rmdir("w/new");
	(void)rmdir("w/dir");
	return 0;
}

static int remove_dir(void)
{
	return rmdir("w");
}

static const char *looked_at;
static struct state *seen;

static int look(void)
{
	struct stat st;

	*seen = (struct state){ .exists = false };
	if (lstat(looked_at, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	*seen = (struct state){ true,	   st.st_mode, st.st_uid,
				st.st_gid, st.st_size, { 0 } };
	(void)lgetxattr(looked_at, "user.mine", seen->xattr,
			sizeof(seen->xattr));
	return 0;
}

static void breach(const struct operation *op, int call, int error,
		   const char *what)
{
	(void)printf("%s, call %d (%s) failed with %s: %s\n", op->name, call,
		     control->name, strerror(error), what);
	breaches++;
}

static void check_disk(const struct operation *op, int call, int error,
		       const struct state *view)
{
	char path[4096];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", source, op->object);
	if (lstat(path, &st) < 0) {
		if (view->exists)
			breach(op, call, error, "in the view but not on disk");
		return;
	}
	if (!view->exists)
		breach(op, call, error, "on disk but not in the view");
	else if (st.st_uid != disk_uid)
		breach(op, call, error, "another's on disk");
	else if (!S_ISLNK(st.st_mode) &&
		 (st.st_mode & ~view->mode & 06077) != 0)
		breach(op, call, error, "more open on disk");
}

static bool same_state(const struct state *a, const struct state *b)
{
	return a->exists == b->exists && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
	       strcmp(a->xattr, b->xattr) == 0;
}

/* Each thread that has read for somebody keeps two pipes. */
#define PIPE_ENDS_MAX (10 * 4)

/* But for such pipes. */
static int count_fds(void)
{
	int count = 0, pipe_ends = 0;
	const struct dirent *entry;
	char path[64], target[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_pid);
	see_as(0);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target,
					 sizeof(target));

		if (len > 5 && memcmp(target, "pipe:", 5) == 0 &&
		    pipe_ends < PIPE_ENDS_MAX)
			pipe_ends++;
		else
			count++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	see_as(disk_uid);
	return count;
}

static void state_of(const struct operation *op, struct state *state)
{
	looked_at = op->object;
	seen = state;
	if (look() < 0)
		state->exists = false;
	seen = NULL;
}

static void set_up(void)
{
	if (as_user(make_dir, disk_uid) != 0 ||
	    as_user(make_objects, user) != 0) {
		(void)printf("can't set up: is a daemon there?\n");
		exit(1);
	}
}

static void tear_down(void)
{
	(void)as_user(remove_all, user);
	(void)as_user(remove_all, disk_uid);
	(void)as_user(remove_dir, disk_uid);
}

/* What it is like when nothing fails. */
static void reference(const struct operation *op, struct state *before,
		      struct state *after)
{
	int error;

	set_up();
	state_of(op, before);
	error = run_operation(op);
	state_of(op, after);
	if (error != 0)
		breach(op, 0, error, "without a fault");
	tear_down();
}

/* open(2) goes on to ask for the ACL of what it has made, which may fail. */
static bool is_made(const struct operation *op, const struct state *before,
		    const struct state *now)
{
	return !before->exists && now->exists && op->run != do_create &&
	       op->run != do_create_strange;
}

/* false: the operation doesn't make that many calls. */
static bool once(const struct operation *op, int call, int error,
		 const struct state *before, const struct state *after)
{
	struct state now;
	bool unreadable;
	int got, left;

	set_up();
	memset(control->name, 0, sizeof(control->name));
	atomic_store(&control->error, error);
	atomic_store(&control->countdown, call);
	got = run_operation(op);
	left = atomic_exchange(&control->countdown, 0);
	state_of(op, &now);
	if (left == 0) {
		injected++;
		same_error += got == error;
	}
	if (got == EBADMSG)
		breach(op, call, error, "wrong data, or not all of it");
	/* EACCES is what a file answers whose owner may not read it. */
	unreadable = error == EACCES && strstr(control->name, "getxattr");
	if (!unreadable && got == 0 && !same_state(&now, after))
		breach(op, call, error, "said to be done, but isn't");
	else if (!unreadable && !same_state(&now, before) &&
		 !same_state(&now, after))
		breach(op, call, error, "half done");
	else if (!unreadable && got != 0 && is_made(op, before, &now))
		breach(op, call, error, "said to have failed, but is there");
	check_disk(op, call, error, &now);
	tear_down();
	return left == 0;
}

static void walk(const struct operation *op)
{
	static const int errors[] = { EIO,    ENOSPC, EDQUOT,
				      EACCES, ENOMEM, EMFILE };
	struct state before, after;
	int fds;

	reference(op, &before, &after);
	fds = count_fds();
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		int call = 1;

		while (call <= CALLS_MAX &&
		       once(op, call, errors[e], &before, &after))
			call++;
	}
	/* The kernel's FORGETs come a little later. */
	for (int i = 0; i < 40 && count_fds() > fds; i++)
		(void)usleep(50000);
	if (count_fds() > fds)
		breach(op, 0, 0, "descriptors have leaked");
	reference(op, &before, &after);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc != 6)
		return 2;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	source = argv[2];
	mount = argv[3];
	daemon_pid = (pid_t)strtol(argv[4], NULL, 10);
	user = (uid_t)strtol(argv[5], NULL, 10);
	if (fd < 0 || control == MAP_FAILED || stat(source, &st) < 0) {
		perror("faults");
		return 1;
	}
	disk_uid = st.st_uid;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i % 251 + 1);
	see_as(disk_uid);
	if (chdir(mount) < 0) {
		perror(mount);
		return 1;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		walk(&operations[i]);
	(void)printf("%d faults, %d reported as such, %d breaches\n", injected,
		     same_error, breaches);
	return breaches != 0;
}
