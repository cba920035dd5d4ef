/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * locks DIR...: run the scenario of locks that standard input describes, by
 * processes of its own, and print what each step answered.  Worker 1 is in
 * the first DIR, 2 in the second, and so on around; all DIRs show the same
 * files.  A run on a plain directory says what is right.
 *
 *   new NAME                    a file of 100 bytes
 *   N open SLOT NAME r|w|rw     N dup FROM TO      N close SLOT
 *   N posix|ofd SLOT r|w|u START LENGTH [set|cur|end]
 *   N getposix|getofd SLOT r|w START LENGTH
 *   N flock SLOT sh|ex|un       N stat|unlink NAME N fork M
 *   N waits     it has no answer yet (after a while); N ends: its answer
 *   N signal|kill
 *
 * posix, ofd and flock take a W at their end to wait (posixW).  An & at the
 * end of a line starts a step without awaiting its answer, a ~ tries again for
 * a second while it would block.  Other lines are printed as they are.
 */
#include "fsops.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/prctl.h>

#define WORKERS 40
#define SLOTS 8
#define WORDS 8
/* How long a step that waits is watched, and how long an answer may take. */
#define WATCH_MS 80
#define ANSWER_MS 5000
#define STAT_MS 1000

struct worker {
	pid_t pid;
	int ask[2];
	int answer[2];
};

struct answer {
	int error;
	long value;
	struct flock lock;
};

static struct worker workers[WORKERS + 1];
static char **dirs;
static int dir_count;
static int slots[SLOTS]; /* a worker's descriptors */

static void on_signal(int number)
{
	(void)number;
}

static int split(char *line, const char **words)
{
	char *save = NULL;
	int n = 0;

	for (int i = 0; i < WORDS; i++)
		words[i] = "";
	for (char *word = strtok_r(line, " \n", &save);
	     word != NULL && n < WORDS; word = strtok_r(NULL, " \n", &save))
		words[n++] = word;
	return n;
}

static long number(const char *text)
{
	return strtol(text, NULL, 10);
}

/* --- a worker ------------------------------------------------------------ */

static int path_of(int me, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s", dirs[(me - 1) % dir_count], name);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

static short lock_type(const char *word)
{
	return *word == 'r' ? F_RDLCK : *word == 'w' ? F_WRLCK : F_UNLCK;
}

static long do_fcntl(int fd, const char **words, struct answer *answer)
{
	const char *kind = words[1];
	bool get = strncmp(kind, "get", 3) == 0;
	bool ofd = strstr(kind, "ofd") != NULL;
	bool wait = strchr(kind, 'W') != NULL;
	const char *whence = words[6];
	int command;

	if (get)
		command = ofd ? F_OFD_GETLK : F_GETLK;
	else if (wait)
		command = ofd ? F_OFD_SETLKW : F_SETLKW;
	else
		command = ofd ? F_OFD_SETLK : F_SETLK;
	answer->lock = (struct flock){
		.l_type = lock_type(words[3]),
		.l_whence = (short)(*whence == 'e' ? SEEK_END :
				    *whence == 'c' ? SEEK_CUR :
						     SEEK_SET),
		.l_start = number(words[4]),
		.l_len = number(words[5]),
	};
	return fcntl(fd, command, &answer->lock);
}

static long do_flock(int fd, const char **words)
{
	int op = *words[3] == 's' ? LOCK_SH :
		 *words[3] == 'e' ? LOCK_EX :
				    LOCK_UN;

	return flock(fd, op | (strchr(words[1], 'W') != NULL ? 0 : LOCK_NB));
}

static long do_open(int me, const char **words)
{
	int flags = strcmp(words[4], "rw") == 0 ? O_RDWR :
		    *words[4] == 'w'		? O_WRONLY :
						  O_RDONLY;
	char path[4096];

	if (path_of(me, words[3], path, sizeof(path)) < 0)
		return -1;
	slots[number(words[2])] = open(path, flags | O_CLOEXEC);
	return slots[number(words[2])] < 0 ? -1 : 0;
}

static long do_name(int me, const char **words)
{
	struct stat st;
	char path[4096];

	if (path_of(me, words[2], path, sizeof(path)) < 0)
		return -1;
	return *words[1] == 'u' ? unlink(path) : lstat(path, &st);
}

static void serve(int me);

/* The child inherits the open files, and with them the slots. */
static long do_fork(int child)
{
	pid_t pid = fork();

	if (pid == 0)
		serve(child);
	return pid;
}

static long run(int me, const char **words, struct answer *answer)
{
	const char *verb = words[1];
	int fd = slots[number(words[2]) % SLOTS];

	if (strcmp(verb, "open") == 0)
		return do_open(me, words);
	if (strcmp(verb, "dup") == 0)
		return (slots[number(words[3])] = dup(fd)) < 0 ? -1 : 0;
	if (strcmp(verb, "close") == 0)
		return close(fd);
	if (strncmp(verb, "flock", 5) == 0)
		return do_flock(fd, words);
	if (strcmp(verb, "stat") == 0 || strcmp(verb, "unlink") == 0)
		return do_name(me, words);
	if (strcmp(verb, "fork") == 0)
		return do_fork((int)number(words[2]));
	return do_fcntl(fd, words, answer);
}

/* Until it is killed. */
static void serve(int me)
{
	struct worker *self = &workers[me];
	struct sigaction action = { .sa_handler = on_signal };
	char line[256];

	(void)sigaction(SIGUSR1, &action, NULL); /* without SA_RESTART */
	for (;;) {
		struct answer answer = { 0 };
		const char *words[WORDS];
		ssize_t n = read(self->ask[0], line, sizeof(line) - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		line[n] = '\0';
		(void)split(line, words);
		answer.value = run(me, words, &answer);
		answer.error = answer.value < 0 ? errno : 0;
		if (write(self->answer[1], &answer, sizeof(answer)) !=
		    sizeof(answer))
			_exit(1);
	}
}

/* --- the scenario -------------------------------------------------------- */

static bool answered(int n, int ms)
{
	struct pollfd p = { .fd = workers[n].answer[0], .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

static const char *who(pid_t pid)
{
	static char text[32];

	for (int i = 1; i <= WORKERS; i++) {
		if (pid > 0 && workers[i].pid == pid) {
			(void)snprintf(text, sizeof(text), "worker %d", i);
			return text;
		}
	}
	return pid == -1 ? "nobody" : "a stranger";
}

static void print_lock(const struct flock *lock)
{
	if (lock->l_type == F_UNLCK) {
		printf("free\n");
		return;
	}
	printf("%s %ld+%ld", lock->l_type == F_RDLCK ? "r" : "w",
	       (long)lock->l_start, (long)lock->l_len);
	/* Whose it is can be said within one file system only. */
	printf("%s%s\n", dir_count == 1 ? " of " : "",
	       dir_count == 1 ? who(lock->l_pid) : "");
}

static void print_answer(int n, const char *verb)
{
	struct answer answer;

	if (!answered(n, strcmp(verb, "stat") == 0 ? STAT_MS : ANSWER_MS)) {
		printf("no answer\n");
		return;
	}
	if (read(workers[n].answer[0], &answer, sizeof(answer)) !=
	    sizeof(answer))
		printf("gone\n");
	else if (answer.error != 0)
		printf("%s\n", error_name(answer.error));
	else if (strncmp(verb, "get", 3) == 0)
		print_lock(&answer.lock);
	else
		printf("ok\n");
}

static void start(int n)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(n);
	}
	workers[n].pid = pid;
}

/* Gone with its descriptors; who made it needs not reap it. */
static void end(int n)
{
	if (workers[n].pid <= 0)
		return;
	(void)kill(workers[n].pid, SIGKILL);
	while (kill(workers[n].pid, 0) == 0)
		(void)usleep(1000);
	workers[n].pid = 0;
}

static int lock_file(const char *name)
{
	char path[4096], bytes[100] = { 0 };
	int fd;

	if (path_of(1, name, path, sizeof(path)) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
		return -1;
	return close(fd);
}

static void ask(int n, const char *line)
{
	if (write(workers[n].ask[1], line, strlen(line)) < 0)
		printf("%s: ", error_name(errno));
}

/* While it would block, for a second. */
static void ask_patiently(int n, const char *line)
{
	struct answer answer = { .error = EAGAIN };

	for (int i = 0; i < 100 && answer.error == EAGAIN; i++) {
		if (i > 0)
			(void)usleep(10000);
		ask(n, line);
		if (read(workers[n].answer[0], &answer, sizeof(answer)) !=
		    sizeof(answer))
			break;
	}
	printf("%s\n", answer.error != 0 ? error_name(answer.error) : "ok");
}

static void step(int n, const char *line, const char **words)
{
	const char *verb = words[1];
	int child;

	if (workers[n].pid == 0)
		start(n);
	if (strcmp(verb, "waits") == 0) {
		if (!answered(n, WATCH_MS))
			printf("yes\n");
		else
			print_answer(n, "");
	} else if (strcmp(verb, "ends") == 0) {
		print_answer(n, "");
	} else if (strcmp(verb, "signal") == 0) {
		printf("%s\n", kill(workers[n].pid, SIGUSR1) ? "?" : "sent");
	} else if (strcmp(verb, "kill") == 0) {
		end(n);
		printf("dead\n");
	} else if (strcmp(verb, "fork") == 0) {
		struct answer answer = { 0 };

		child = (int)number(words[2]);
		ask(n, line);
		if (read(workers[n].answer[0], &answer, sizeof(answer)) > 0)
			workers[child].pid = (pid_t)answer.value;
		printf("%s\n", workers[child].pid > 0 ? "ok" : "?");
	} else if (strchr(line, '&') != NULL) {
		ask(n, line);
		printf("started\n");
	} else if (strchr(line, '~') != NULL) {
		ask_patiently(n, line);
	} else {
		ask(n, line);
		print_answer(n, verb);
	}
}

int main(int argc, char **argv)
{
	char line[256], copy[256];

	if (argc < 2) {
		fprintf(stderr, "usage: locks DIR... <SCENARIO\n");
		return 2;
	}
	dirs = argv + 1;
	dir_count = argc - 1;
	(void)signal(SIGCHLD, SIG_IGN);
	for (int i = 1; i <= WORKERS; i++) {
		/* A fork inherits them as they are: descriptors of its own. */
		if (pipe2(workers[i].ask, O_CLOEXEC) < 0 ||
		    pipe2(workers[i].answer, O_CLOEXEC) < 0)
			return 1;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		const char *words[WORDS];
		int n;

		line[strcspn(line, "\n")] = '\0';
		memcpy(copy, line, sizeof(copy));
		(void)split(copy, words);
		n = (int)number(words[0]);
		if (strcmp(words[0], "new") == 0) {
			printf("%s: %s\n", line,
			       lock_file(words[1]) < 0 ? "failed" : "ok");
		} else if (n < 1 || n > WORKERS) {
			/* A new chapter: nothing is left of the old one. */
			for (int i = 1; i <= WORKERS && *line != '\0'; i++)
				end(i);
			printf("%s\n", line);
		} else {
			printf("%s: ", line);
			(void)fflush(stdout);
			step(n, line, words);
		}
	}
	for (int i = 1; i <= WORKERS; i++)
		end(i);
	printf("the end\n");
	return 0;
}
