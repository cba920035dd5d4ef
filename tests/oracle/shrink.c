/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a failing sequence to its shortest: delta debugging (Zeller, 2002). */
#include "oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/*
 * Run the sequence on new trees.  Returns how many calls it took until the
 * trees differed in the wanted field (NULL: in any), 0 if they never did.
 */
static size_t replay(struct driver *driver, const struct op *ops, size_t count,
		     const char *field, struct mismatch *ret)
{
	struct mismatch found = { .field = "" };
	size_t at = 0;
	bool equal = true;

	if (driver_reset(driver) < 0)
		return 0;
	while (equal && at < count)
		equal = driver_step(driver, &ops[at++], CHECK_TARGET, &found);
	if (equal)
		equal = trees_equal(driver, true, &found);
	if (equal && (field == NULL || strncmp(field, "source", 6) == 0))
		equal = driver_check_source(driver, &found);
	if (equal || (field != NULL && strcmp(found.field, field) != 0))
		return 0;
	*ret = found;
	return at;
}

/* Cut what comes after the call that makes the difference. */
size_t shrink_prefix(struct driver *driver, struct op *ops, size_t count,
		     struct mismatch *mismatch)
{
	size_t low = 0, high, got;

	high = replay(driver, ops, count, mismatch->field, mismatch);
	if (high == 0) {
		(void)printf("  not seen again when its calls are replayed\n");
		return count;
	}
	/* Differences stay, as a rule: `low` calls make none, `high` do. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		got = replay(driver, ops, middle, mismatch->field, mismatch);
		if (got == 0)
			low = middle;
		else
			high = got;
	}
	return high;
}

static time_t now(void)
{
	struct timespec stamp;

	(void)clock_gettime(CLOCK_MONOTONIC, &stamp);
	return stamp.tv_sec;
}

/* Try without ops[from..to-1]; on success they are gone. */
static bool try_without(struct driver *driver, struct op *ops, size_t *count,
			size_t from, size_t to, struct mismatch *mismatch)
{
	struct op *fewer = calloc(*count, sizeof(*fewer));
	size_t left = *count - (to - from), got;

	if (fewer == NULL)
		return false;
	memcpy(fewer, ops, from * sizeof(*ops));
	memcpy(fewer + from, ops + to, (*count - to) * sizeof(*ops));
	got = replay(driver, fewer, left, mismatch->field, mismatch);
	if (got > 0) {
		memcpy(ops, fewer, got * sizeof(*ops));
		*count = got;
	}
	free(fewer);
	return got > 0;
}

size_t shrink(struct driver *driver, struct op *ops, size_t count,
	      struct mismatch *mismatch)
{
	time_t end = now() + (time_t)driver->options->shrink_seconds;
	size_t chunk = count / 2;

	while (chunk > 0 && now() < end) {
		bool fewer = false;
		size_t at = count;

		/* From the end: what comes late more often matters not. */
		while (at > 0 && now() < end) {
			size_t from = at > chunk ? at - chunk : 0;

			if (at - from < count &&
			    try_without(driver, ops, &count, from, at,
					mismatch)) {
				fewer = true;
				if (from > count)
					from = count;
			}
			at = from;
		}
		if (!fewer || chunk > 1)
			chunk /= 2;
	}
	return count;
}

void reproducer_print(struct driver *driver, const struct op *ops, size_t count,
		      FILE *file)
{
	struct mismatch found;
	char text[2048];

	if (driver_reset(driver) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct result *results = driver->shared->results;
		bool equal = driver_step(driver, &ops[i], CHECK_FULL, &found);

		op_describe(&ops[i], text, sizeof(text));
		(void)fprintf(
			file, "%3zu %s\n      A=%ld %s  B=%ld %s%s%s\n", i + 1,
			text, results[TREE_A].ret,
			results[TREE_A].err ?
				strerrorname_np(results[TREE_A].err) :
				"",
			results[TREE_B].ret,
			results[TREE_B].err ?
				strerrorname_np(results[TREE_B].err) :
				"",
			equal ? "" : "  DIFFERS: ", equal ? "" : found.detail);
	}
	if (driver_check_source(driver, &found))
		found.field[0] = '\0';
	else
		(void)fprintf(file, "    %s\n", found.detail);
	for (size_t i = 0; i < count; i++)
		op_write(&ops[i], file);
}

static size_t replay_one(struct driver *driver, const struct op *ops,
			 size_t count)
{
	struct mismatch mismatch;
	size_t got;

	reproducer_print(driver, ops, count, stdout);
	got = replay(driver, ops, count, NULL, &mismatch);
	if (got > 0)
		(void)printf("mismatch at call %zu: %s\n", got,
			     mismatch.detail);
	return got > 0;
}

/* All sequences of the file, such as this program's own output. */
int driver_replay(struct driver *driver)
{
	struct op *ops = calloc(driver->options->epoch_ops, sizeof(*ops));
	size_t count = 0, size = 0, total = 0, mismatches = 0;
	char *line = NULL;
	bool more = ops != NULL;

	while (more) {
		more = getline(&line, &size, driver->options->replay) >= 0;
		if (more && count < driver->options->epoch_ops &&
		    op_parse(line, &ops[count])) {
			count++;
			continue;
		}
		if (count > 0)
			mismatches += replay_one(driver, ops, count);
		total += count;
		count = 0;
	}
	free(line);
	(void)driver_clear(driver);
	(void)printf("oracle: %zu ops, %zu mismatches, seed 0\n", total,
		     mismatches);
	(void)fflush(stdout);
	free(ops);
	return mismatches > 0 ? -EIO : 0;
}
