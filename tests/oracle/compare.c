/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What counts as a difference, and how it is told. */
#include "oracle.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* Clocks of the two trees need not agree to better than this. */
#define CLOCK_SLACK 3

static bool __attribute__((format(printf, 3, 4)))
differs(struct mismatch *ret, const char *field, const char *format, ...)
{
	va_list args;

	(void)snprintf(ret->field, sizeof(ret->field), "%s", field);
	va_start(args, format);
	(void)vsnprintf(ret->detail, sizeof(ret->detail), format, args);
	va_end(args);
	return false;
}

/* A time that was set explicitly is none of this run. */
static bool recent(const struct timespec *stamp, time_t started)
{
	return stamp->tv_sec >= started - CLOCK_SLACK &&
	       stamp->tv_sec <= time(NULL) + CLOCK_SLACK;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool time_equal(const struct timespec *a, const struct timespec *b,
		       time_t started)
{
	if (recent(a, started))
		return recent(b, started);
	return same_time(a, b);
}

static const char *errno_name(int error)
{
	const char *name = error == 0 ? "0" : strerrorname_np(error);

	return name == NULL ? "?" : name;
}

static bool numbers_equal(const struct attr *a, const struct attr *b,
			  const char *what, struct mismatch *ret)
{
	const struct {
		const char *name;
		uint64_t a, b;
	} fields[] = {
		{ "type", a->mode & S_IFMT, b->mode & S_IFMT },
		{ "mode", a->mode & 07777, b->mode & 07777 },
		{ "uid", a->uid, b->uid },
		{ "gid", a->gid, b->gid },
		{ "nlink", a->nlink, b->nlink },
		{ "rdev", a->rdev_major, b->rdev_major },
		{ "rdev", a->rdev_minor, b->rdev_minor },
		/* That of a directory is the file system's own affair. */
		{ "size", S_ISDIR(a->mode) ? 0 : a->size,
		  S_ISDIR(a->mode) ? 0 : b->size },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		bool octal = i < 2;

		if (fields[i].a == fields[i].b)
			continue;
		return differs(ret, fields[i].name,
			       octal ? "%s: %s A=0%llo B=0%llo" :
				       "%s: %s A=%llu B=%llu",
			       what, fields[i].name,
			       (unsigned long long)fields[i].a,
			       (unsigned long long)fields[i].b);
	}
	return true;
}

bool attr_equal(const struct attr *a, const struct attr *b, time_t started,
		const char *what, struct mismatch *ret)
{
	const struct {
		const char *name;
		const struct timespec *a, *b;
	} times[] = { { "mtime", &a->mtime, &b->mtime },
		      { "atime", &a->atime, &b->atime } };

	if (a->err != b->err)
		return differs(ret, "exists", "%s: lstat A=%s B=%s", what,
			       errno_name(a->err), errno_name(b->err));
	if (a->err != 0)
		return true;
	if (!numbers_equal(a, b, what, ret))
		return false;
	for (size_t i = 0; i < 2; i++) {
		if (time_equal(times[i].a, times[i].b, started))
			continue;
		return differs(
			ret, times[i].name, "%s: %s A=%lld.%09ld B=%lld.%09ld",
			what, times[i].name, (long long)times[i].a->tv_sec,
			times[i].a->tv_nsec, (long long)times[i].b->tv_sec,
			times[i].b->tv_nsec);
	}
	return true;
}

/* Of an object that is the same before and after, in both trees. */
bool moved_equal(const struct driver *driver, const struct attr *a,
		 const struct attr *a_after, const struct attr *b,
		 const struct attr *b_after, const char *what,
		 struct mismatch *ret)
{
	bool moved_a, moved_b;

	if (S_ISDIR(a->mode) ? !driver->moved_directories : !driver->moved)
		return true;
	if (a->err || a_after->err || b->err || b_after->err ||
	    a->ino != a_after->ino || b->ino != b_after->ino)
		return true;
	moved_a = !same_time(&a->ctime, &a_after->ctime);
	moved_b = !same_time(&b->ctime, &b_after->ctime);
	if (moved_a != moved_b)
		return differs(ret, "ctime-moved", "%s: ctime moved A=%d B=%d",
			       what, moved_a, moved_b);
	moved_a = !same_time(&a->mtime, &a_after->mtime);
	moved_b = !same_time(&b->mtime, &b_after->mtime);
	if (moved_a != moved_b)
		return differs(ret, "mtime-moved", "%s: mtime moved A=%d B=%d",
			       what, moved_a, moved_b);
	return true;
}

static bool data_equal(const struct result *a, const struct result *b,
		       struct mismatch *ret)
{
	uint32_t length = a->length < b->length ? a->length : b->length;
	uint32_t at = 0;

	if (a->length == b->length && memcmp(a->data, b->data, a->length) == 0)
		return true;
	while (at < length && a->data[at] == b->data[at])
		at++;
	return differs(ret, "data",
		       "data: %u and %u bytes, differ at %u: A=0x%02x B=0x%02x",
		       a->length, b->length, at,
		       at < a->length ? (unsigned char)a->data[at] : 0,
		       at < b->length ? (unsigned char)b->data[at] : 0);
}

bool results_equal(const struct driver *driver, const struct op *op,
		   struct mismatch *ret)
{
	const struct result *a = &driver->shared->results[TREE_A];
	const struct result *b = &driver->shared->results[TREE_B];

	if (a->err != b->err) {
		char field[64];

		(void)snprintf(field, sizeof(field), "errno %s/%s",
			       errno_name(a->err), errno_name(b->err));
		return differs(ret, field, "result A=%ld %s B=%ld %s", a->ret,
			       errno_name(a->err), b->ret, errno_name(b->err));
	}
	if (a->ret != b->ret)
		return differs(ret, "ret", "result A=%ld B=%ld", a->ret,
			       b->ret);
	if (!data_equal(a, b, ret))
		return false;
	if (a->has_attr &&
	    !attr_equal(&a->attr, &b->attr, driver->started, "result", ret))
		return false;
	if (!a->has_fd)
		return true;
	if (!attr_equal(&a->before, &b->before, driver->started, "fd before",
			ret) ||
	    !attr_equal(&a->after, &b->after, driver->started, "fd", ret))
		return false;
	return op->kind == OP_OPEN || op->kind == OP_REOPEN ||
	       moved_equal(driver, &a->before, &a->after, &b->before, &b->after,
			   "fd", ret);
}

static bool node_equal(const struct driver *driver, const struct node *a,
		       const struct node *b, struct mismatch *ret)
{
	if (!attr_equal(&a->attr, &b->attr, driver->started, a->path, ret))
		return false;
	if (a->same_as != b->same_as)
		return differs(ret, "same-inode",
			       "%s: hard link of %s in A, of %s in B", a->path,
			       driver->trees[TREE_A].nodes[a->same_as].path,
			       driver->trees[TREE_B].nodes[b->same_as].path);
	if (a->content != b->content)
		return differs(ret, "content",
			       "%s: content A=%016llx B=%016llx", a->path,
			       (unsigned long long)a->content,
			       (unsigned long long)b->content);
	if (a->xattr_names != b->xattr_names)
		return differs(ret, "xattr-names", "%s: A=[%s] B=[%s]", a->path,
			       a->detail, b->detail);
	if (a->xattrs != b->xattrs || strcmp(a->detail, b->detail) != 0)
		return differs(ret, S_ISLNK(a->attr.mode) ? "target" : "xattrs",
			       "%s: A=[%s] B=[%s]", a->path, a->detail,
			       b->detail);
	return true;
}

bool trees_equal(struct driver *driver, bool full, struct mismatch *ret)
{
	struct tree *a = &driver->trees[TREE_A], *b = &driver->trees[TREE_B];

	tree_read(driver->self.top[TREE_A], driver->shared->epoch, full, a);
	tree_read(driver->self.top[TREE_B], driver->shared->epoch, full, b);
	for (size_t i = 0; i < a->count || i < b->count; i++) {
		int order = i >= a->count ?
				    1 :
			    i >= b->count ?
				    -1 :
				    strcmp(a->nodes[i].path, b->nodes[i].path);

		if (order == 0) {
			if (!node_equal(driver, &a->nodes[i], &b->nodes[i],
					ret))
				return false;
			continue;
		}
		/* One level is sorted; between levels any name will do. */
		if (i < a->count && (order < 0 || i >= b->count))
			return differs(ret, "only-in-A", "%s: not listed in B",
				       a->nodes[i].path);
		return differs(ret, "only-in-B", "%s: not listed in A",
			       b->nodes[i].path);
	}
	return true;
}
