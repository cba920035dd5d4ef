/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold of B's source directory, as the host sees it, whatever the
 * container did: one owner, no set-id bits on files, no capabilities, and
 * never an access for "other" that the view (tree A shows it) doesn't grant.
 */
#include "oracle.h"

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

static bool entry_check(const struct options *options, const FTSENT *entry,
			const char *below, struct mismatch *ret)
{
	const struct stat *stat = entry->fts_statp;
	char path[PATH_ARG * 2];
	struct stat view;

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
	(void)snprintf(path, sizeof(path), "%s%s", options->dir[TREE_A], below);
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
