/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One call on both trees, and new trees. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TARGETS 5

static const struct op reset_op = { .kind = OP_RESET };

static int reset_actors(struct driver *driver)
{
	for (unsigned int who = 0; who < IDENTITIES; who++) {
		struct op op = reset_op;

		op.who = who;
		if (!driver_call(driver, &op))
			return -EPIPE;
		if (driver->shared->results[TREE_A].ret < 0)
			return (int)driver->shared->results[TREE_A].ret;
	}
	return 0;
}

/* Remove the trees of the epoch. */
int driver_clear(struct driver *driver)
{
	char *epoch = driver->shared->epoch;
	char old[sizeof(driver->shared->epoch)];
	int error;

	memcpy(old, epoch, sizeof(old));
	epoch[0] = '\0';
	error = reset_actors(driver);
	for (size_t tree = 0; tree < TREES && old[0] != '\0'; tree++) {
		int removed = tree_remove(driver->self.top[tree], old);

		if (removed == 0)
			continue;
		(void)printf("oracle: tree %c can't be removed: %s\n",
			     tree == TREE_A ? 'A' : 'B', strerror(-removed));
		driver->stuck++;
	}
	return error;
}

/* New trees under a new name, so that nothing is left in any cache. */
int driver_reset(struct driver *driver)
{
	int error;

	driver->shared->progress++;
	(void)snprintf(driver->shared->current, sizeof(driver->shared->current),
		       "reset");
	error = driver_clear(driver);
	if (error < 0)
		return error;
	(void)snprintf(driver->shared->epoch, sizeof(driver->shared->epoch),
		       "e%lld-%u", (long long)driver->started,
		       driver->epochs++);
	driver->mapped = false;
	for (size_t tree = 0; tree < TREES; tree++) {
		driver->trees[tree].count = 0;
		error = tree_make(driver->self.top[tree],
				  driver->shared->epoch);
		if (error < 0)
			return error;
	}
	return reset_actors(driver);
}

static void parent_of(const char *path, char *buf)
{
	size_t length = strlen(path);

	while (length > 0 && path[length - 1] == '/')
		length--;
	while (length > 0 && path[length - 1] != '/')
		length--;
	memcpy(buf, path, length);
	buf[length] = '\0';
	if (length == 0)
		memcpy(buf, ".", 2);
}

struct target {
	char path[PATH_ARG];
	int flags;
	struct attr before[TREES];
};

/* The objects whose state the call may change, and their directories. */
static size_t list_targets(const struct op *op, struct target *targets)
{
	unsigned int uses = op_uses(op->kind);
	size_t count = 0;

	if ((uses & OP_PATH0) && op->kind != OP_SYMLINK) {
		for (size_t i = 0; i < 2; i++) {
			targets[count].flags = i ? 0 : AT_SYMLINK_NOFOLLOW;
			memcpy(targets[count++].path, op->path[0], PATH_ARG);
		}
		targets[count].flags = 0;
		parent_of(op->path[0], targets[count++].path);
	}
	if ((uses & OP_CREATES) && (uses & OP_PATH1)) {
		targets[count].flags = AT_SYMLINK_NOFOLLOW;
		memcpy(targets[count++].path, op->path[1], PATH_ARG);
		targets[count].flags = 0;
		parent_of(op->path[1], targets[count++].path);
	}
	return count;
}

static void stat_targets(const struct driver *driver, struct target *targets,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t tree = 0; tree < TREES; tree++)
			attr_get(driver->self.dir[tree], targets[i].path,
				 targets[i].flags, &targets[i].before[tree]);
	}
}

static bool targets_equal(const struct driver *driver,
			  const struct target *targets, size_t count,
			  struct mismatch *ret)
{
	for (size_t i = 0; i < count; i++) {
		const struct target *target = &targets[i];
		struct attr after[TREES];

		for (size_t tree = 0; tree < TREES; tree++)
			attr_get(driver->self.dir[tree], target->path,
				 target->flags, &after[tree]);
		if (!attr_equal(&after[TREE_A], &after[TREE_B], driver->started,
				target->path, ret))
			return false;
		if (!moved_equal(driver, &target->before[TREE_A],
				 &after[TREE_A], &target->before[TREE_B],
				 &after[TREE_B], target->path, ret))
			return false;
	}
	return true;
}

/*
 * chown(-1, -1) by somebody else on a setuid or setgid file, refused natively.
 * It arrives as what the kernel sends ahead of a write, which may not fail: a
 * SETATTR of nothing, and before that the removal of security.capability.
 */
static bool is_chown_of_nothing(const struct driver *driver,
				const struct op *op)
{
	return (op->kind == OP_CHOWN || op->kind == OP_FCHOWN) &&
	       (uint32_t)op->arg[0] == UINT32_MAX &&
	       (uint32_t)op->arg[1] == UINT32_MAX &&
	       driver->shared->results[TREE_A].err == EPERM;
}

/*
 * A page that a mapping dirties becomes data natively with the whole folio
 * that ext4 has it in, which is as large as a write of some time before, cut
 * off since, made it (block_page_mkwrite() in linux fs/buffer.c).  What comes
 * from FUSE is a write of that page.  Only so: more data natively.
 */
static bool is_mapped_hole(const struct driver *driver, const struct op *op)
{
	const struct result *a = &driver->shared->results[TREE_A];
	const struct result *b = &driver->shared->results[TREE_B];

	if (op->kind != OP_LSEEK || !driver->mapped || a->err != 0)
		return false;
	if (op->arg[1] == SEEK_HOLE)
		return b->err == 0 && b->ret < a->ret;
	return op->arg[1] == SEEK_DATA &&
	       (b->err == ENXIO || (b->err == 0 && b->ret > a->ret));
}

/* What no FUSE daemon can mend; the trees differ from then on. */
bool driver_is_unmendable(const struct driver *driver, const struct op *op)
{
	return is_chown_of_nothing(driver, op) || is_mapped_hole(driver, op);
}

static bool ignored(const struct driver *driver, const struct op *op,
		    const struct mismatch *mismatch)
{
	char name[160];

	if (driver_is_unmendable(driver, op))
		return true;
	(void)snprintf(name, sizeof(name), "%s:%s", op_name(op->kind),
		       mismatch->field);
	return named_in(driver->options->ignore, name);
}

/* Make one call in both trees; false: they differ, and *ret says how. */
bool driver_step(struct driver *driver, const struct op *op, enum check check,
		 struct mismatch *ret)
{
	struct target targets[TARGETS];
	size_t count = 0;

	driver->shared->progress++;
	op_describe(op, driver->shared->current,
		    sizeof(driver->shared->current));
	if (check >= CHECK_TARGET) {
		count = list_targets(op, targets);
		stat_targets(driver, targets, count);
	}
	if (!driver_call(driver, op)) {
		(void)snprintf(ret->field, sizeof(ret->field), "worker-died");
		(void)snprintf(ret->detail, sizeof(ret->detail), "%s",
			       identities[op->who].name);
		return false;
	}
	driver->mapped |= op->kind == OP_MMAP;
	if (!results_equal(driver, op, ret) ||
	    !targets_equal(driver, targets, count, ret))
		return ignored(driver, op, ret);
	return check < CHECK_LIGHT ||
	       trees_equal(driver, check == CHECK_FULL, ret);
}

bool driver_check_source(struct driver *driver, struct mismatch *ret)
{
	char byte = 's';

	if (driver->options->source == NULL)
		return true;
	if (write(driver->supervisor, &byte, 1) != 1 ||
	    read(driver->supervisor, &byte, 1) != 1)
		return true;
	*ret = driver->shared->source;
	return ret->field[0] == '\0';
}
