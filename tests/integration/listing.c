/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listing DIR: what readdir(3), telldir(3) and seekdir(3) answer in a large
 * directory.  Prints counts only, so that two directories can be compared.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads on from where `dir` is; names may be NULL. */
static size_t read_all(DIR *dir, char **names, long *where, size_t max)
{
	struct dirent *e;
	size_t n = 0;

	for (;;) {
		long here = telldir(dir);

		e = readdir(dir);
		if (e == NULL || n == max)
			return n;
		if (where != NULL)
			where[n] = here;
		if (names != NULL)
			names[n] = strdup(e->d_name);
		n++;
	}
}

int main(int argc, char **argv)
{
	const size_t max = 1000000;
	char **names = calloc(max, sizeof(*names));
	char **sorted = calloc(max, sizeof(*sorted));
	long *where = calloc(max, sizeof(*where));
	size_t n, twice = 0, wrong = 0;
	DIR *dir;

	if (argc != 2 || names == NULL || sorted == NULL || where == NULL)
		return 2;
	dir = opendir(argv[1]);
	if (dir == NULL) {
		printf("opendir: %s\n", strerrorname_np(errno));
		return 1;
	}
	n = read_all(dir, names, where, max);
	printf("entries: %zu\n", n);
	memcpy(sorted, names, n * sizeof(*names));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			twice++;
	printf("seen twice: %zu\n", twice);
	/* Back and forth, so that no position follows from the last one. */
	for (size_t i = 0; i < n; i += 9973) {
		size_t at = (i * 7919) % n;
		struct dirent *e;

		seekdir(dir, where[at]);
		e = readdir(dir);
		if (e == NULL || strcmp(e->d_name, names[at]) != 0)
			wrong++;
	}
	printf("wrong after seekdir: %zu\n", wrong);
	seekdir(dir, where[n / 2]);
	printf("rest: %zu\n", read_all(dir, NULL, NULL, max));
	rewinddir(dir);
	printf("rewound: %zu\n", read_all(dir, NULL, NULL, max));
	(void)closedir(dir);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(sorted);
	free(where);
	return 0;
}
