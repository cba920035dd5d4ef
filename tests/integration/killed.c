/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killed CONTROL SOURCE MOUNT STATE fault.so USER UID [all]: the daemon,
 * started by the host's USER, is killed before each call in turn that it makes
 * for an operation of the container's user UID or its root, and started anew.
 * Then all is as before or as after, to the container and on disk, and nothing
 * is left of what was under way.  Every second time the new daemon is killed
 * too, while it clears up.  A line for each breach; run it as root.
 *
 * "all": before every call, not only before those that change something.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
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

#define CALLS_MAX 200
#define NAMES_MAX 8

struct operation {
	const char *name;
	/* By the host's user, in the source: before and, from '|' on, after */
	const char *host;
	const char *root; /* what the container's root does in the mount */
	const char *run;  /* the operation itself */
	bool by_root;
	/* Without setuid is fine in between, with new contents isn't. */
	bool strips;
};

static const struct operation operations[] = {
	{ "create", "", "", ": >new", false, false },
	{ "create as root", "", "", ": >new", true, false },
	{ "create 0200", "", "", "umask 0577; : >new", false, false },
	{ "create in a setgid directory", "",
	  "mkdir d; chown 0:2000 d; chmod 2777 d", ": >d/new", false, false },
	{ "create under a default ACL", "",
	  "mkdir d; chmod 777 d; setfacl -d -m u:7:rwx d", ": >d/new", false,
	  false },
	{ "mkdir", "", "", "mkdir new", false, false },
	{ "mkdir 0500", "", "", "mkdir -m 0500 new", true, false },
	{ "mkdir in a setgid directory", "",
	  "mkdir d; chown 0:2000 d; chmod 2777 d", "mkdir d/new", false,
	  false },
	{ "mkdir under a default ACL", "",
	  "mkdir d; chmod 777 d; setfacl -d -m u:7:rwx d", "mkdir d/new", false,
	  false },
	{ "mkdir under the disk's default ACL",
	  "mkdir d; chmod 777 d; setfacl -d -m g:2000:rwx d", "", "mkdir d/new",
	  false, false },
	{ "symlink", "", "", "ln -s target new", false, false },
	{ "mkfifo", "", "", "mkfifo -m 640 new", false, false },
	{ "chown", ": >f", "", "chown 5:6 f", true, false },
	{ "chown of a recorded file", ": >f", "chown 5:6 f; chmod 4750 f",
	  "chown 7:8 f", true, false },
	{ "chown of a symlink", "ln -s x f", "", "chown -h 5:6 f", true,
	  false },
	{ "chgrp to a shared group", ": >f; chmod 664 f",
	  "chown 5 f; chmod 640 f", "chgrp 2000 f", true, false },
	{ "chgrp away from it", ": >f; chmod 660 f; chgrp 2000 f", "",
	  "chgrp 6 f", true, false },
	{ "chgrp of a symlink", "ln -s x f", "chown -h 5:6 f",
	  "chgrp -h 2000 f", true, false },
	{ "chmod", ": >f", "", "chmod 604 f", true, false },
	{ "chmod 0400", ": >f", "", "chmod 400 f", true, false },
	{ "chmod of a recorded mode", ": >f", "chown 5:6 f; chmod 4751 f",
	  "chmod 3640 f", true, false },
	{ "chmod of a record that can't be read", ": >f|chmod 200 f",
	  "chown 5:6 f; setfacl -m u:5:rw,g::- f", "chmod 604 f", true, false },
	{ "chmod back to the disk's", ": >f", "chmod 4400 f", "chmod 644 f",
	  true, false },
	{ "chmod of a host's 0444", "echo a >f; chmod 444 f", "", "chmod 400 f",
	  true, false },
	{ "chmod of a host's 0000", ": >f; chmod 0 f", "", "chmod 440 f", true,
	  false },
	{ "opening a host's 0000", ": >f; chmod 0 f", "", "cat f", true,
	  false },
	{ "chmod of a directory", "mkdir f; chmod 755 f", "", "chmod 3511 f",
	  true, false },
	{ "setfacl", ": >f", "", "setfacl -m u:5:rw,g::-,o::- f", true, false },
	{ "setfacl of a recorded file", ": >f", "chown 5:6 f; chmod 4777 f",
	  "setfacl -m u:5:rw,g::-,o::- f", true, false },
	{ "setfacl -b", ": >f", "chown 5:6 f; setfacl -m u:5:rw,g::- f",
	  "setfacl -b f", true, false },
	{ "setfacl that the disk can carry", ": >f; chmod 640 f", "",
	  "setfacl -m g:2000:rw f", true, false },
	{ "setfacl -b of the disk's", ": >f; setfacl -m g:2000:rw f", "",
	  "setfacl -b f", true, false },
	{ "chmod with an ACL", ": >f", "chown 5:6 f; setfacl -m u:5:rw,g::- f",
	  "chmod 604 f", true, false },
	{ "a default ACL", "mkdir f", "", "setfacl -d -m u:5:rwx f", true,
	  false },
	{ "a default ACL away", "mkdir f; setfacl -d -m g:2000:rwx f",
	  "setfacl -d -m u:5:rwx f", "setfacl -k f", true, false },
	{ "setcap", ": >f", "chown 5:6 f", "setcap cap_net_raw=ep f", true,
	  false },
	{ "rename", ": >f", "chown 5:6 f", "mv f new", true, false },
	{ "rename over", ": >f; ln -s x g", "chown -h 5:6 f g", "mv -f f g",
	  true, false },
	{ "unlink of a symlink", "ln -s x f", "chown -h 5:6 f", "rm f", true,
	  false },
	{ "truncate of a setuid file", "echo text >f",
	  "chown 1000 f; chmod 4777 f", ": >f", false, true },
	{ "write to a setuid file", "echo text >f",
	  "chown 1000 f; chmod 6777 f", "echo more >>f", false, true },
};

static struct fault_control *control;
static const char *control_path, *source, *mount, *state_dir, *library;
static const char *user_name;
static uid_t user;
static pid_t daemon_pid;
static int breaches, kills;

/* Of one object, as seen. */
struct object {
	char name[64];
	struct stat st;
	char more[512]; /* the rest, as text */
};

struct tree {
	struct object objects[NAMES_MAX];
	int count;
};

static const char *snippet;

static int run_snippet(void)
{
	/* That its mount has gone. */
	(void)close(STDERR_FILENO);
	(void)open("/dev/null", O_WRONLY);
	return execl("/bin/sh", "sh", "-c", snippet, (char *)NULL);
}

static void run_as_root(const char *text)
{
	snippet = text;
	(void)as_root(run_snippet);
}

static void run_as(uid_t uid, const char *text)
{
	snippet = text;
	(void)as_user(run_snippet, uid);
}

/*
 * The daemon.
 */

static void run_daemon(void)
{
	const char *argv[] = { "idshift-mount",
			       "-f",
			       "-o",
			       "cache=none",
			       "-o",
			       "map=g:shared:2000",
			       "-o",
			       state_dir,
			       source,
			       mount,
			       NULL };
	see_as(0);
	if (initgroups(user_name, disk_uid) < 0 ||
	    setresgid(disk_uid, disk_uid, disk_uid) < 0 ||
	    setresuid(disk_uid, disk_uid, disk_uid) < 0 || chdir("/") < 0 ||
	    setenv("LD_PRELOAD", library, 1) < 0 ||
	    setenv("FAULT_CONTROL", control_path, 1) < 0)
		_exit(126);
	(void)execvp(argv[0], (char *const *)(void *)argv);
	_exit(127);
}

static bool is_mounted(void)
{
	struct stat above, st;

	return stat(source, &above) == 0 &&
	       (stat(mount, &st) < 0 || st.st_dev != above.st_dev);
}

/* And of the mount, by the hand of the process that watches. */
static void await_death(void)
{
	if (daemon_pid > 0)
		(void)waitpid(daemon_pid, NULL, 0);
	daemon_pid = 0;
	for (int i = 0; i < 1000 && is_mounted(); i++)
		(void)usleep(2000);
}

/* At its last call, or at that of a child before it was exec'd. */
static void await_kill(void)
{
	if (daemon_pid > 0)
		(void)kill(daemon_pid, SIGKILL);
	await_death();
}

/* false: it died. */
static bool start_daemon(void)
{
	struct stat st;

	if (chdir("/") < 0)
		return false;
	daemon_pid = fork();
	if (daemon_pid == 0)
		run_daemon();
	for (;;) {
		if (waitpid(daemon_pid, NULL, WNOHANG) != 0) {
			daemon_pid = 0;
			await_death();
			return false;
		}
		if (is_mounted() && chdir(mount) == 0 && stat(".", &st) == 0)
			return true;
		(void)usleep(2000);
	}
}

static void stop_daemon(void)
{
	if (chdir("/") == 0 && daemon_pid > 0)
		(void)kill(daemon_pid, SIGTERM);
	await_death();
}

/*
 * Looking.
 */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct object *)a)->name,
		      ((const struct object *)b)->name);
}

static void look_closer(struct object *object)
{
	static const char *const names[] = { "system.posix_acl_access",
					     "system.posix_acl_default",
					     "security.capability" };
	unsigned char value[128];
	size_t used = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ssize_t len =
			lgetxattr(object->name, names[i], value, sizeof(value));

		used += (size_t)snprintf(object->more + used,
					 sizeof(object->more) - used, " %zd",
					 len);
		for (ssize_t j = 0; j < len && used < 500; j++)
			used += (size_t)snprintf(object->more + used,
						 sizeof(object->more) - used,
						 "%02x", value[j]);
	}
}

static void look_into(struct tree *tree, const char *dir, bool closer)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL &&
	       tree->count < NAMES_MAX) {
		struct object *object = &tree->objects[tree->count];

		if (entry->d_name[0] == '.')
			continue;
		*object = (struct object){ .more = "" };
		(void)snprintf(object->name, sizeof(object->name),
			       "%.20s/%.40s", dir, entry->d_name);
		if (lstat(object->name, &object->st) < 0)
			continue;
		if (closer)
			look_closer(object);
		tree->count++;
		if (S_ISDIR(object->st.st_mode))
			look_into(tree, object->name, closer);
	}
	if (stream != NULL)
		(void)closedir(stream);
}

static void look(const char *root, struct tree *ret)
{
	ret->count = 0;
	if (chdir(root) < 0)
		return;
	look_into(ret, ".", root == mount);
	qsort(ret->objects, (size_t)ret->count, sizeof(ret->objects[0]),
	      by_name);
	if (chdir(mount) < 0 && chdir("/") < 0)
		ret->count = 0;
}

static bool same_object(const struct object *a, const struct object *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       a->st.st_mode == b->st.st_mode && a->st.st_uid == b->st.st_uid &&
	       a->st.st_gid == b->st.st_gid &&
	       (S_ISDIR(a->st.st_mode) || a->st.st_size == b->st.st_size) &&
	       strcmp(a->more, b->more) == 0;
}

static bool same_tree(const struct tree *a, const struct tree *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++) {
		if (!same_object(&a->objects[i], &b->objects[i]))
			return false;
	}
	return true;
}

static void print_tree(const char *what, const struct tree *tree)
{
	(void)printf("  %s:\n", what);
	for (int i = 0; i < tree->count; i++) {
		const struct object *object = &tree->objects[i];

		(void)printf("    %s %o %u:%u %lld%s\n", object->name,
			     object->st.st_mode, object->st.st_uid,
			     object->st.st_gid, (long long)object->st.st_size,
			     object->more);
	}
}

static void breach(const struct operation *op, int call, const char *what)
{
	(void)printf("%s, killed before call %d (%s): %s\n", op->name, call,
		     control->name, what);
	breaches++;
}

static const struct object *find(const struct tree *tree, const char *name)
{
	for (int i = 0; i < tree->count; i++) {
		if (strcmp(tree->objects[i].name, name) == 0)
			return &tree->objects[i];
	}
	return NULL;
}

/* What any of the views grants may be open. */
static void check_disk(const struct operation *op, int call,
		       const struct tree *a, const struct tree *b)
{
	struct tree disk;

	look(source, &disk);
	for (int i = 0; i < disk.count; i++) {
		const struct object *object = &disk.objects[i];
		const struct object *in_a = find(a, object->name);
		const struct object *in_b = find(b, object->name);
		mode_t may = (in_a != NULL ? in_a->st.st_mode : 0) |
			     (in_b != NULL ? in_b->st.st_mode : 0);

		if (object->st.st_uid != disk_uid)
			breach(op, call, "another's on disk");
		if (in_a == NULL && in_b == NULL)
			breach(op, call, "a stray name");
		else if (!S_ISLNK(object->st.st_mode) &&
			 (object->st.st_mode & ~may & 0077) != 0)
			breach(op, call, "more open on disk");
		if (!S_ISDIR(object->st.st_mode) &&
		    (object->st.st_mode & 06000) != 0)
			breach(op, call, "privileged on disk");
	}
}

static void check_intents(const struct operation *op, int call)
{
	const char *dir = strchr(state_dir, '=') + 1;
	struct stat st;
	char path[4096];
	int n = 0;

	for (;; n++) {
		(void)snprintf(path, sizeof(path), "%s/intents.%d", dir, n);
		if (stat(path, &st) < 0)
			break;
		if (st.st_size != 0)
			breach(op, call, "an intent is left");
	}
	if (n != 1)
		breach(op, call, "not one file of intents");
}

/* Neither: but privileges may be gone before the contents change. */
static bool only_stripped(const struct tree *now, const struct tree *before)
{
	struct tree stripped = *before;

	for (int i = 0; i < stripped.count; i++)
		stripped.objects[i].st.st_mode &= ~(mode_t)06000;
	return same_tree(now, &stripped);
}

static void check(const struct operation *op, int call,
		  const struct tree *before, const struct tree *after)
{
	struct tree now;

	look(mount, &now);
	check_intents(op, call);
	if (!same_tree(&now, before) && !same_tree(&now, after) &&
	    !(op->strips && only_stripped(&now, before))) {
		breach(op, call, "neither as before nor as after");
		print_tree("before", before);
		print_tree("now", &now);
		print_tree("after", after);
	}
	check_disk(op, call, &now, &now);
}

/*
 * The walk.
 */

static void prepare(const struct operation *op)
{
	const char *late = strchr(op->host, '|');
	static char before[256];

	(void)snprintf(before, sizeof(before), "%.*s",
		       (int)strcspn(op->host, "|"), op->host);
	if (chdir(source) == 0) {
		run_as(disk_uid, "chmod -R u+rwx .; rm -rf ./*");
		run_as(disk_uid, before);
	}
	if (chdir(mount) == 0)
		run_as_root(op->root);
	if (late != NULL && chdir(source) == 0) {
		run_as(disk_uid, late + 1);
		(void)!chdir(mount);
	}
}

static void run(const struct operation *op)
{
	if (op->by_root)
		run_as_root(op->run);
	else
		run_as(user, op->run);
}

static void restart(const struct operation *op, int call)
{
	if (call % 2 == 0) {
		/* It clears up before it mounts. */
		atomic_store(&control->countdown, 2 + call / 2 % 16);
		if (!start_daemon())
			kills++;
		else if (atomic_exchange(&control->countdown, 0) > 0)
			return;
		await_kill();
	}
	atomic_store(&control->countdown, 0);
	if (!start_daemon()) {
		breach(op, call, "no daemon can be started any more");
		exit(1);
	}
}

/* false: the operation doesn't make that many calls. */
static bool once(const struct operation *op, int call,
		 const struct tree *before, const struct tree *after)
{
	prepare(op);
	memset(control->name, 0, sizeof(control->name));
	atomic_store(&control->countdown, call);
	run(op);
	if (atomic_exchange(&control->countdown, 0) > 0)
		return false;
	await_kill();
	kills++;
	check_disk(op, call, before, after);
	restart(op, call);
	check(op, call, before, after);
	return true;
}

static void walk(const struct operation *op)
{
	struct tree before, after, again;
	int call = 1, from = kills;

	prepare(op);
	look(mount, &before);
	run(op);
	look(mount, &after);
	if (!op->strips && op->run[0] != 'c' && same_tree(&before, &after))
		breach(op, 0, "nothing has changed");
	while (call <= CALLS_MAX && once(op, call, &before, &after))
		call++;
	look(mount, &again);
	if (!same_tree(&again, &after))
		breach(op, call, "not as after, though it wasn't killed");
	(void)printf("# %s: %d kills\n", op->name, kills - from);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc < 8)
		return 2;
	control_path = argv[1];
	source = argv[2];
	mount = argv[3];
	state_dir = argv[4];
	library = argv[5];
	user_name = argv[6];
	user = (uid_t)strtol(argv[7], NULL, 10);
	fd = open(control_path, O_RDWR | O_CLOEXEC);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	if (fd < 0 || control == MAP_FAILED || stat(source, &st) < 0) {
		perror("killed");
		return 1;
	}
	atomic_store(&control->error, 0);
	atomic_store(&control->countdown, 0);
	atomic_store(&control->changes_only, argc < 9);
	disk_uid = st.st_uid;
	see_as(disk_uid);
	if (!start_daemon()) {
		(void)printf("no daemon\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		walk(&operations[i]);
	stop_daemon();
	(void)printf("%d kills, %d breaches\n", kills, breaches);
	return breaches != 0;
}
