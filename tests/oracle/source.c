/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold of B's source directory, as the host sees it, whatever the
 * container did: one owner, no set-id bits on files, no capabilities, and
 * never an access for "other" that the view (tree A shows it) doesn't grant.
 * With real owners (chown=disk) it is just as tree A is on disk: owners,
 * modes, and extended attributes to the byte.
 */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static bool wrong(struct mismatch *ret, const char *field, const char *path,
		  const char *what, unsigned int value)
{
	(void)snprintf(ret->field, sizeof(ret->field), "source-%s", field);
	(void)snprintf(ret->detail, sizeof(ret->detail),
		       "source %.500s: %s %s%o", path, what,
		       strcmp(field, "mode") == 0 ? "0" : "octal ", value);
	return false;
}

#define XATTRS_MAX 8192

/* -1: differs in whether there is such a value, or in what it is. */
static int same_xattr(const char *a, const char *b, const char *name)
{
	char value_a[XATTRS_MAX], value_b[XATTRS_MAX];
	ssize_t size_a = lgetxattr(a, name, value_a, sizeof(value_a));
	int error_a = size_a < 0 ? errno : 0;
	ssize_t size_b = lgetxattr(b, name, value_b, sizeof(value_b));
	int error_b = size_b < 0 ? errno : 0;

	if (size_a != size_b || error_a != error_b)
		return -1;
	if (size_a > 0 && memcmp(value_a, value_b, (size_t)size_a) != 0)
		return -1;
	return 0;
}

/* All names of `of` have the same value in both; NULL, or the one that not. */
static const char *other_xattr(const char *of, const char *a, const char *b,
			       char names[static XATTRS_MAX])
{
	ssize_t size = llistxattr(of, names, XATTRS_MAX);

	for (ssize_t at = 0; at < size;) {
		if (same_xattr(a, b, names + at) < 0)
			return names + at;
		at += (ssize_t)strnlen(names + at, (size_t)(size - at)) + 1;
	}
	return NULL;
}

static bool same_check(const char *plain, const FTSENT *entry,
		       struct mismatch *ret)
{
	const struct stat *b = entry->fts_statp;
	char names[XATTRS_MAX];
	const char *other;
	struct stat a;

	if (lstat(plain, &a) < 0)
		return wrong(ret, "exists", entry->fts_path, "not in A",
			     b->st_mode);
	if (a.st_uid == b->st_uid && a.st_gid == b->st_gid &&
	    a.st_mode == b->st_mode && a.st_rdev == b->st_rdev) {
		other = other_xattr(plain, plain, entry->fts_path, names);
		if (other == NULL)
			other = other_xattr(entry->fts_path, plain,
					    entry->fts_path, names);
		return other == NULL ||
		       wrong(ret, "xattr", entry->fts_path, other, b->st_mode);
	}
	(void)snprintf(ret->field, sizeof(ret->field), "source-stat");
	(void)snprintf(ret->detail, sizeof(ret->detail),
		       "source %.500s: A=%u:%u 0%o B=%u:%u 0%o",
		       entry->fts_path, a.st_uid, a.st_gid, a.st_mode,
		       b->st_uid, b->st_gid, b->st_mode);
	return false;
}

static bool entry_check(const struct options *options, const FTSENT *entry,
			const char *below, struct mismatch *ret)
{
	const struct stat *stat = entry->fts_statp;
	char path[PATH_ARG * 2];
	struct stat view;

	(void)snprintf(path, sizeof(path), "%s%s", options->dir[TREE_A], below);
	if (options->real_owners)
		return same_check(path, entry, ret);
	if (stat->st_uid != options->uid)
		return wrong(ret, "owner", entry->fts_path, "owner",
			     stat->st_uid);
	if (S_ISLNK(stat->st_mode))
		return true;
	if ((stat->st_mode & S_ISUID) ||
	    ((stat->st_mode & S_ISGID) && !S_ISDIR(stat->st_mode)))
		return wrong(ret, "set-id", entry->fts_path, "mode",
			     stat->st_mode & 07777);
	if (lgetxattr(entry->fts_path, "security.capability", NULL, 0) >= 0)
		return wrong(ret, "capability", entry->fts_path, "mode",
			     stat->st_mode & 07777);
	if (lstat(path, &view) == 0 &&
	    (stat->st_mode & ~view.st_mode & 0007) != 0)
		return wrong(ret, "open", entry->fts_path,
			     "more open to others than the view: mode",
			     stat->st_mode & 07777);
	return true;
}

bool source_check(const struct options *options, const char *epoch,
		  struct mismatch *ret)
{
	char top[PATH_ARG];
	char *const roots[] = { top, NULL };
	size_t prefix = strlen(options->source);
	bool good = true;
	FTSENT *entry;
	FTS *fts;

	(void)snprintf(top, sizeof(top), "%s/%s", options->source, epoch);
	ret->field[0] = '\0';
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (fts == NULL)
		return wrong(ret, "walk", top, "fts_open", 0);
	while (good && (entry = fts_read(fts)) != NULL) {
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS)
			continue;
		if (entry->fts_info == FTS_ERR)
			good = wrong(ret, "walk", entry->fts_path, "error", 0);
		else
			good = entry_check(options, entry,
					   entry->fts_path + prefix, ret);
	}
	(void)fts_close(fts);
	return good;
}
