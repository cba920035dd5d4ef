/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct row *const tables[] = { meta_rows, dir_rows, io_rows,
					    app_rows, count_rows };

struct worker {
	const struct job *job;
	pthread_barrier_t *start;
	pthread_t thread;
	unsigned int index;
	unsigned int workers;
	double until; /* repeat up to this time, if the row may be */
	uint64_t ops;
	int error;
};

static int usage(void)
{
	fputs("usage: bench list\n"
	      "       bench [-1] [-t THREADS] [-n COUNT] [-r UID:GID] "
	      "[-d TEMPLATES]\n"
	      "             setup|run ROW DIR\n"
	      "       bench [-n FILES] tree DIR\n"
	      "       bench idmap SOURCE MOUNTPOINT\n",
	      stderr);
	return 2;
}

static int failed(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-error));
	return 1;
}

static void print_rows(void)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct row *row = tables[t]; row->name; row++)
			printf("%s %s %s %s %s\n", row->name, row->kind,
			       row->unit, row->cold ? "cold" : "-",
			       row->parallel ? "1,4" : "1");
	}
}

static const struct row *find_row(const char *name)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct row *row = tables[t]; row->name; row++) {
			if (strcmp(row->name, name) == 0)
				return row;
		}
	}
	return NULL;
}

static uint32_t parse_count(const char *text)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9' && n <= UINT32_MAX / 10; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	return *text == '\0' && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	const struct job *job = worker->job;

	(void)pthread_barrier_wait(worker->start);
	do {
		for (unsigned int part = worker->index;
		     worker->error == 0 && part < job->row->parts;
		     part += worker->workers) {
			uint64_t ops = 0;

			worker->error = job->row->work(job, part, &ops);
			worker->ops += ops;
		}
	} while (job->row->again && !job->once && worker->error == 0 &&
		 now() < worker->until);
	return NULL;
}

static int run_workers(const struct job *job, double *ret_seconds)
{
	struct worker workers[PARTS] = { 0 };
	unsigned int count =
		job->threads < job->row->parts ? job->threads : job->row->parts;
	pthread_barrier_t start;
	uint64_t ops = 0;
	double begin;
	int r = 0;

	(void)pthread_barrier_init(&start, NULL, count + 1);
	for (unsigned int i = 0; i < count; i++) {
		workers[i] = (struct worker){ .job = job,
					      .start = &start,
					      .index = i,
					      .workers = count,
					      .until = now() + 0.05 };
		/* Those that wait at the barrier end with the process. */
		r = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (r != 0)
			return -r;
	}
	begin = now();
	(void)pthread_barrier_wait(&start);
	for (unsigned int i = 0; i < count; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		ops += workers[i].ops;
		if (r == 0)
			r = workers[i].error;
	}
	*ret_seconds = (now() - begin) / (double)(ops > 0 ? ops : 1);
	(void)pthread_barrier_destroy(&start);
	return r;
}

static int measure(const struct job *job)
{
	double seconds = 0;
	int r = 0;

	if (job->row->warm != NULL)
		r = job->row->warm(job);
	if (r == 0)
		r = run_workers(job, &seconds);
	if (r < 0)
		return failed(job->row->name, r);
	printf("%s %u %.9g %s\n", job->row->name, job->threads, seconds,
	       job->row->unit);
	return 0;
}

static int on_directory(struct job *job, const char *verb, const char *dir)
{
	int r;

	job->dir = dir;
	job->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->dirfd < 0)
		return failed(dir, -errno);
	if (job->row == NULL) {
		r = tree_make_archive_tree(job, job->count);
		return r < 0 ? failed(verb, r) : 0;
	}
	if (job->count == 0)
		job->count = job->row->count;
	if (strcmp(verb, "run") == 0)
		return measure(job);
	r = job->row->setup(job);
	return r < 0 ? failed(job->row->name, r) : 0;
}

int main(int argc, char **argv)
{
	struct job job = { .threads = 1, .dirfd = -1, .templates = "." };
	int option, r;

	while ((option = getopt(argc, argv, "+1t:n:r:d:")) >= 0) {
		switch (option) {
		case '1':
			job.once = true;
			break;
		case 't':
			job.threads = parse_count(optarg);
			break;
		case 'n':
			job.count = parse_count(optarg);
			break;
		case 'r':
			job.record = optarg;
			break;
		case 'd':
			job.templates = optarg;
			break;
		default:
			return usage();
		}
	}
	argv += optind;
	argc -= optind;
	if (job.threads < 1 || job.threads > PARTS)
		return usage();
	(void)umask(022);
	if (argc == 1 && strcmp(argv[0], "list") == 0) {
		print_rows();
		return 0;
	}
	if (argc == 2 && strcmp(argv[0], "tree") == 0)
		return on_directory(&job, argv[0], argv[1]);
	if (argc != 3)
		return usage();
	if (strcmp(argv[0], "idmap") == 0) {
		r = idmapped_mount(argv[1], argv[2]);
		return r < 0 ? failed("id-mapped mount", r) : 0;
	}
	job.row = find_row(argv[1]);
	if (job.row == NULL ||
	    (strcmp(argv[0], "run") != 0 && strcmp(argv[0], "setup") != 0))
		return usage();
	return on_directory(&job, argv[0], argv[2]);
}
