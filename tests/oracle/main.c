/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options, the supervisor, and the start of the driver. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"

#define HANG_SECONDS 60
#define EXIT_SKIP 77

static const char usage[] =
	"oracle [OPTIONS] DIR-A DIR-B\n"
	"  --source DIR      B's directory on disk, to be looked at too\n"
	"  --b-command CMD   run inside the namespace first: makes DIR-B\n"
	"  --seed S --ops N  which calls, how many\n"
	"  --epoch N         calls on one pair of trees (300)\n"
	"  --every K         whole comparison every K calls (16)\n"
	"  --acl on|off      ACLs are set (on)\n"
	"  --moved on|off    compare whether ctime and mtime moved (on)\n"
	"  --without A,B     calls not to make\n"
	"  --ignore C:F,...  differences to look past, by call and field\n"
	"  --known C:F,...   differences that end a pair of trees, and no "
	"more\n"
	"  --keep-going      count differences by class\n"
	"  --caps on|off     roots with fewer capabilities, users with some "
	"(on)\n"
	"  --real-owners     A's owners and modes are those of --source, too\n"
	"  --stats           what the calls gave, by kind\n"
	"  --shrink SECONDS  time to shrink one sequence (20; 0: don't)\n"
	"  --replay FILE     the sequences (lines R) of an earlier output\n"
	"  --uid U --gid G   container root on the host (1000)\n"
	"  --sub FIRST       first subordinate id (100000), 65536 of them\n";

static bool ctime_moved(const struct attr *a, const struct attr *b)
{
	return a->ctime.tv_sec != b->ctime.tv_sec ||
	       a->ctime.tv_nsec != b->ctime.tv_nsec;
}

/* Does every change move ctime, even right after another? */
static bool files_move(int dirfd)
{
	struct attr before, after;
	bool moves = true;
	int fd = openat(dirfd, ".probe", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	for (unsigned int i = 0; fd >= 0 && i < 64 && moves; i++) {
		attr_get(fd, "", AT_EMPTY_PATH, &before);
		(void)fchmod(fd, 0600 | (i & 7));
		attr_get(fd, "", AT_EMPTY_PATH, &after);
		moves = ctime_moved(&before, &after);
	}
	close_fd(fd);
	(void)unlinkat(dirfd, ".probe", 0);
	return fd >= 0 && moves;
}

/*
 * And that of a directory?  On tmpfs it gets the coarse time of the object
 * that was removed from it (simple_unlink() in linux fs/libfs.c).
 */
static bool directories_move(int dirfd)
{
	struct attr before, after;
	bool moves = mkdirat(dirfd, ".probe", 0700) == 0;

	for (unsigned int i = 0; i < 64 && moves; i++) {
		close_fd(openat(dirfd, ".probe/x", O_CREAT | O_CLOEXEC, 0600));
		attr_get(dirfd, ".probe", 0, &before);
		if (fchmodat(dirfd, ".probe", 0700 | (i & 7), 0) < 0)
			return false;
		attr_get(dirfd, ".probe", 0, &before);
		(void)unlinkat(dirfd, ".probe/x", 0);
		attr_get(dirfd, ".probe", 0, &after);
		moves = ctime_moved(&before, &after);
	}
	(void)unlinkat(dirfd, ".probe/x", 0);
	(void)unlinkat(dirfd, ".probe", AT_REMOVEDIR);
	return moves;
}

static int open_trees(struct driver *driver)
{
	for (size_t tree = 0; tree < TREES; tree++) {
		driver->self.top[tree] = open(driver->options->dir[tree],
					      O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (driver->self.top[tree] < 0) {
			(void)fprintf(stderr, "oracle: %s: %s\n",
				      driver->options->dir[tree],
				      strerror(errno));
			return -EINVAL;
		}
		driver->self.dir[tree] = -1;
		for (size_t i = 0; i < SLOTS; i++)
			driver->self.slots[tree][i] = -1;
	}
	return 0;
}

static int drive_trees(struct driver *driver)
{
	const struct options *options = driver->options;
	int error;

	if (options->tree_b_command != NULL &&
	    system(options->tree_b_command) != 0) {
		(void)fprintf(stderr, "oracle: the command for B failed\n");
		return 2;
	}
	if (open_trees(driver) < 0 || workers_start(driver) < 0)
		return 2;
	driver->moved = options->moved && files_move(driver->self.top[TREE_A]);
	driver->moved_directories =
		driver->moved && directories_move(driver->self.top[TREE_A]);
	if (options->moved && !driver->moved_directories)
		(void)printf("oracle: coarse timestamps of %s, not compared\n",
			     driver->moved ? "directories" : "all objects");
	error = options->replay != NULL ? driver_replay(driver) :
					  driver_run(driver);
	return error < 0 ? 1 : 0;
}

static int drive(const struct options *options, struct shared *shared,
		 int supervisor)
{
	struct driver *driver;
	int status;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	status = namespace_enter(options, supervisor, supervisor);
	if (status < 0) {
		(void)printf("skip: no user namespace: %s\n",
			     strerror(-status));
		(void)fflush(stdout);
		return EXIT_SKIP;
	}
	/* Cleared with each change of the user. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	driver = calloc(1, sizeof(*driver));
	if (driver == NULL)
		return 2;
	driver->options = options;
	driver->shared = shared;
	driver->supervisor = supervisor;
	driver->started = time(NULL);
	status = drive_trees(driver);
	free(driver);
	return status;
}

/* A daemon started for B is our child by now (a subreaper's). */
static void end_children(void)
{
	char path[64];
	FILE *file;
	char *line = NULL;
	size_t size = 0;
	const char *at;
	int64_t pid;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		       (int)getpid());
	file = fopen(path, "re");
	if (file != NULL && getline(&line, &size, file) > 0) {
		for (at = line; parse_number(at, &at, &pid);
		     at += strspn(at, " "))
			(void)kill((pid_t)pid, SIGTERM);
	}
	if (file != NULL)
		(void)fclose(file);
	free(line);
}

static void serve(const struct options *options, struct shared *shared, int fd)
{
	unsigned long progress = 0;
	unsigned int idle = 0;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		char byte;

		if (poll(&wait, 1, 1000) < 0 && errno != EINTR)
			return;
		if (wait.revents & POLLIN) {
			if (read(fd, &byte, 1) != 1)
				return;
			(void)source_check(options, shared->epoch,
					   &shared->source);
			if (write(fd, &byte, 1) != 1)
				return;
		} else if (wait.revents != 0) {
			return;
		}
		idle = shared->progress == progress ? idle + 1 : 0;
		progress = shared->progress;
		if (wait.revents == 0 && idle >= HANG_SECONDS) {
			(void)printf("oracle: no answer for %d s: %s\n",
				     HANG_SECONDS, shared->current);
			return;
		}
	}
}

static int supervise(const struct options *options)
{
	struct shared *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2], status = 1, error = 0;
	char byte = 'x';
	pid_t pid;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (shared == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		_exit(drive(options, shared, ends[1]));
	}
	(void)close(ends[1]);
	if (pid < 0)
		return 2;
	if (read(ends[0], &byte, 1) == 1) {
		error = namespace_map(options, pid);
		if (error == 0 && write(ends[0], &byte, 1) == 1)
			serve(options, shared, ends[0]);
	}
	if (error < 0)
		(void)printf("skip: the id maps can't be written: %s\n",
			     strerror(-error));
	if (waitpid(pid, &status, WNOHANG) == 0) {
		/* Its end of the socket closes a moment before it is gone. */
		(void)usleep(200000);
		if (waitpid(pid, &status, WNOHANG) == 0) {
			(void)kill(pid, SIGKILL);
			status = 2 << 8;
		}
	}
	end_children();
	if (error < 0)
		return EXIT_SKIP;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static const struct option long_options[] = {
	{ "source", required_argument, NULL, 's' },
	{ "b-command", required_argument, NULL, 'b' },
	{ "seed", required_argument, NULL, 'S' },
	{ "ops", required_argument, NULL, 'n' },
	{ "epoch", required_argument, NULL, 'e' },
	{ "every", required_argument, NULL, 'k' },
	{ "acl", required_argument, NULL, 'a' },
	{ "moved", required_argument, NULL, 'm' },
	{ "ignore", required_argument, NULL, 'x' },
	{ "known", required_argument, NULL, 'K' },
	{ "without", required_argument, NULL, 'w' },
	{ "caps", required_argument, NULL, 'c' },
	{ "real-owners", no_argument, NULL, 'o' },
	{ "stats", no_argument, NULL, 't' },
	{ "keep-going", no_argument, NULL, 'g' },
	{ "shrink", required_argument, NULL, 'q' },
	{ "replay", required_argument, NULL, 'r' },
	{ "uid", required_argument, NULL, 'u' },
	{ "gid", required_argument, NULL, 'i' },
	{ "sub", required_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static bool number_option(struct options *options, int letter, const char *text)
{
	const char *end;
	int64_t value;

	if (!parse_number(text, &end, &value) || *end != '\0' || value < 0)
		return false;
	switch (letter) {
	case 'S':
		options->seed = (uint64_t)value;
		return true;
	case 'n':
		options->ops = (uint64_t)value;
		return true;
	case 'e':
		options->epoch_ops = (unsigned int)value;
		return value > 0 && value <= 100000;
	case 'k':
		options->every = (unsigned int)value;
		return value > 0;
	case 'q':
		options->shrink_seconds = (unsigned int)value;
		return true;
	case 'u':
		options->uid = (uid_t)value;
		return true;
	case 'i':
		options->gid = (gid_t)value;
		return true;
	default:
		options->sub_first = (uint32_t)value;
		return letter == 'f';
	}
}

static bool set_option(struct options *options, int letter, const char *text)
{
	switch (letter) {
	case 's':
		options->source = text;
		return true;
	case 'b':
		options->tree_b_command = text;
		return true;
	case 'a':
		options->acl = strcmp(text, "on") == 0;
		return options->acl || strcmp(text, "off") == 0;
	case 'm':
		options->moved = strcmp(text, "on") == 0;
		return options->moved || strcmp(text, "off") == 0;
	case 'x':
		options->ignore = text;
		return true;
	case 'K':
		options->known = text;
		return true;
	case 'w':
		options->without = text;
		return true;
	case 'g':
		options->keep_going = true;
		return true;
	case 'c':
		options->capabilities = strcmp(text, "on") == 0;
		return options->capabilities || strcmp(text, "off") == 0;
	case 'o':
		options->real_owners = true;
		return true;
	case 't':
		options->stats = true;
		return true;
	case 'r':
		/* While we may: the driver is another user. */
		options->replay = fopen(text, "re");
		return options->replay != NULL;
	case '?':
		return false;
	default:
		return number_option(options, letter, text);
	}
}

int main(int argc, char **argv)
{
	struct options options = {
		.ops = 10000,
		.seed = 1,
		.epoch_ops = 300,
		.every = 16,
		.shrink_seconds = 20,
		.acl = true,
		.capabilities = true,
		.moved = true,
		.uid = 1000,
		.gid = 1000,
		.sub_first = 100000,
		.sub_count = 65536,
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) >=
	       0) {
		if (!set_option(&options, letter, optarg)) {
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 2) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (geteuid() != 0) {
		(void)printf("skip: must be root to write the id maps\n");
		return EXIT_SKIP;
	}
	options.dir[TREE_A] = argv[optind];
	options.dir[TREE_B] = argv[optind + 1];
	return supervise(&options);
}
