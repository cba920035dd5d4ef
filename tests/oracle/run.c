/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run: calls in epochs, each on new and empty trees; its report. */
#include "oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 200

/* A kind of difference, by the call that makes it and the field. */
struct class
{
	enum op_kind kind;
	char field[96];
	uint64_t count;
};

static enum check check_for(const struct driver *driver, unsigned int epoch,
			    unsigned int index)
{
	/* Every fourth epoch the caches are not warmed by our own looking. */
	if (index % driver->options->every == driver->options->every - 1)
		return CHECK_FULL;
	return epoch % 4 == 3 ? CHECK_RESULT : CHECK_TARGET;
}

static void note_open(struct gen *gen, const struct op *op, bool done)
{
	bool *open = &gen->open[op->who][op->slot];

	if (op->kind == OP_OPEN || op->kind == OP_REOPEN)
		*open = done;
	else if (op->kind == OP_CLOSE)
		*open = false;
}

/* One epoch; returns how many calls were made, *equal says how it ended. */
static unsigned int run_epoch(struct driver *driver, unsigned int epoch,
			      unsigned int limit, struct op *ops, bool *equal,
			      struct mismatch *ret)
{
	struct gen gen = {
		.rng = { .state = driver->options->seed },
		.options = driver->options,
		.holes = epoch % 2 == 0,
		.known = &driver->trees[TREE_A],
	};
	const struct result *results = driver->shared->results;

	gen.rng.state = rng_next(&gen.rng) + epoch;
	gen.rng.state = rng_next(&gen.rng);
	*equal = true;
	for (unsigned int i = 0; i < limit; i++) {
		enum check check = check_for(driver, epoch, i);
		bool failed;

		gen_op(&gen, i, &ops[i]);
		*equal = driver_step(driver, &ops[i], check, ret);
		driver->stats[ops[i].kind][results[TREE_A].err % ERRNOS]++;
		note_open(&gen, &ops[i], results[TREE_A].err == 0);
		/* The trees are no longer the same, and rightly so. */
		if (*equal && driver_is_unmendable(driver, &ops[i])) {
			if (!driver->options->real_owners)
				*equal = driver_check_source(driver, ret);
			return i + 1;
		}
		/*
		 * What a refused call does elsewhere shows in the next whole
		 * comparison as well, and shrinking finds the call; only what
		 * is gone by then needs a look at once.
		 */
		failed = results[TREE_A].err || results[TREE_B].err;
		if (*equal && failed && epoch % 4 == 1)
			*equal = trees_equal(driver, false, ret);
		if (!*equal)
			return i + 1;
	}
	*equal = trees_equal(driver, true, ret) &&
		 driver_check_source(driver, ret);
	return limit;
}

struct tally {
	struct class classes[CLASSES_MAX];
	size_t count;
	uint64_t mismatches;
	uint64_t known;
};

static bool is_known(const struct driver *driver, const struct op *op,
		     const struct mismatch *mismatch)
{
	char name[160];

	(void)snprintf(name, sizeof(name), "%s:%s", op_name(op->kind),
		       mismatch->field);
	return named_in(driver->options->known, name);
}

static struct class *tally_add(struct tally *tally, enum op_kind kind,
			       const char *field)
{
	struct class *class = tally->classes;

	tally->mismatches++;
	for (size_t i = 0; i < tally->count; i++, class ++) {
		if (class->kind == kind && strcmp(class->field, field) == 0)
			break;
	}
	if (class == tally->classes + CLASSES_MAX)
		return NULL;
	if (class == tally->classes + tally->count) {
		*class = (struct class){ .kind = kind };
		(void)snprintf(class->field, sizeof(class->field), "%s", field);
		tally->count++;
	}
	class->count++;
	return class;
}

static void stats_print(const struct driver *driver)
{
	for (unsigned int kind = 0; kind < OP_RESET; kind++) {
		(void)printf("%-16s", op_name((enum op_kind)kind));
		for (int error = 0; error < ERRNOS; error++) {
			uint32_t count = driver->stats[kind][error];

			if (count > 0)
				(void)printf(" %s:%u",
					     error ? strerrorname_np(error) :
						     "ok",
					     count);
		}
		(void)printf("\n");
	}
}

static int compare_classes(const void *a, const void *b)
{
	const struct class *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void tally_print(struct tally *tally)
{
	qsort(tally->classes, tally->count, sizeof(*tally->classes),
	      compare_classes);
	for (size_t i = 0; i < tally->count; i++)
		(void)printf("class: %6llu  %-16s %s\n",
			     (unsigned long long)tally->classes[i].count,
			     op_name(tally->classes[i].kind),
			     tally->classes[i].field);
}

/* Tell a difference; the first of its class is shrunk.  False: it counts not.
 */
static bool report(struct driver *driver, struct tally *tally, struct op *ops,
		   size_t count, uint64_t index, struct mismatch *mismatch)
{
	char text[2048];
	size_t classes = tally->count, cut = count;
	struct op *last = &ops[count - 1];
	struct class *class;

	if (driver->options->known != NULL) {
		cut = shrink_prefix(driver, ops, count, mismatch);
		if (is_known(driver, &ops[cut - 1], mismatch)) {
			tally->known++;
			return false;
		}
	}
	op_describe(last, text, sizeof(text));
	(void)printf("mismatch at call %llu (%u of its epoch, %s)\n"
		     "  %s\n  %s\n",
		     (unsigned long long)index, (unsigned int)count,
		     driver->shared->epoch, text, mismatch->detail);
	(void)fflush(stdout);
	if (driver->options->shrink_seconds == 0) {
		(void)tally_add(tally, last->kind, mismatch->field);
		return true;
	}
	count = shrink_prefix(driver, ops, cut, mismatch);
	class = tally_add(tally, ops[count - 1].kind, mismatch->field);
	if (class == NULL || tally->count == classes)
		return true;
	count = shrink(driver, ops, count, mismatch);
	(void)printf("shortest sequence for %s %s:\n", op_name(class->kind),
		     class->field);
	reproducer_print(driver, ops, count, stdout);
	(void)fflush(stdout);
	return true;
}

int driver_run(struct driver *driver)
{
	const struct options *options = driver->options;
	struct op *ops = calloc(options->epoch_ops, sizeof(*ops));
	struct tally *tally = calloc(1, sizeof(*tally));
	uint64_t done = 0;
	int error = 0;

	if (ops == NULL || tally == NULL)
		return -ENOMEM;
	for (unsigned int epoch = 0; done < options->ops; epoch++) {
		uint64_t left = options->ops - done;
		unsigned int limit = options->epoch_ops;
		struct mismatch mismatch = { .field = "" };
		bool equal;

		if (left < limit)
			limit = (unsigned int)left;
		error = driver_reset(driver);
		if (error < 0)
			break;
		limit = run_epoch(driver, epoch, limit, ops, &equal, &mismatch);
		done += limit;
		if (equal)
			continue;
		if (report(driver, tally, ops, limit, done - 1, &mismatch) &&
		    !options->keep_going)
			break;
	}
	if (error < 0)
		(void)printf("oracle: trees can't be made: %s\n",
			     strerror(-error));
	(void)driver_clear(driver);
	tally->mismatches += driver->stuck + (error < 0);
	if (options->stats)
		stats_print(driver);
	tally_print(tally);
	if (tally->known > 0)
		(void)printf("oracle: %llu known differences\n",
			     (unsigned long long)tally->known);
	(void)printf("oracle: %llu ops, %llu mismatches, seed %llu\n",
		     (unsigned long long)done,
		     (unsigned long long)tally->mismatches,
		     (unsigned long long)options->seed);
	(void)fflush(stdout);
	error = tally->mismatches == 0 ? 0 : -EIO;
	free(ops);
	free(tally);
	return error;
}
