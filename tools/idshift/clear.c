/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift clear: forget what containers changed. */
#include <errno.h>

#include "idshift/backing.h"
#include "idshift/records_side.h"

#include "change.h"
#include "command.h"
#include "message.h"

enum { OPT_RECURSIVE };

static const struct command_option options[] = {
	[OPT_RECURSIVE] = { "recursive", 'R', OPTION_FLAG },
	{ NULL, '\0', OPTION_FLAG },
};

static bool has_any_side(struct records_db *db, int path_fd,
			 const struct statx *stx)
{
	for (int side = 0; side < SIDE_COUNT; side++)
		if (side_exists(db, path_fd, stx, (enum side)side))
			return true;
	return false;
}

/* *ret_from_db: some was in the database, which moves no ctime. */
static int remove_sides(struct records_db *db, int path_fd,
			const struct statx *stx, bool *ret_from_db)
{
	/* An empty attribute reads as none, and is to go all the same. */
	unsigned int named = side_in_xattr(stx) ? side_present(path_fd) : 0;

	for (int side = 0; side < SIDE_COUNT; side++) {
		char byte;
		ssize_t len = side_read(db, path_fd, stx, (enum side)side,
					&byte, sizeof(byte));
		int r;

		if (len == 0 && (named & SIDE_BIT(side)) == 0)
			continue;
		if (len < 0 && len != -ERANGE)
			return (int)len;
		r = side_write(db, path_fd, stx, (enum side)side, NULL, 0);
		if (r < 0)
			return r;
		*ret_from_db = *ret_from_db || (len != 0 && r == 0);
	}
	/* That a container's default ACL was vouched for. */
	if (S_ISDIR(stx->stx_mode))
		side_forget(db, path_fd, stx);
	return 0;
}

static int apply(const struct change *change, int path_fd,
		 const struct statx *stx)
{
	struct disk_owner disk = backing_owner(stx);
	struct records_db *db = change->target.records.db;
	mode_t mode = stx->stx_mode & MODE_BITS;
	bool from_db = false;
	int r;

	/* What is recorded of others' files counts in their mounts. */
	if (!view_is_ours(&change->target.policy, &disk))
		return has_any_side(db, path_fd, stx) ? -EPERM : 0;
	r = remove_sides(db, path_fd, stx, &from_db);
	/* user.* attributes need the owner's r and w (xattr(7)). */
	if (r == -EACCES && side_in_xattr(stx)) {
		r = backing_chmod(path_fd, mode | S_IRUSR | S_IWUSR);
		if (r == 0) {
			r = remove_sides(db, path_fd, stx, &from_db);
			(void)backing_chmod(path_fd, mode);
		}
	}
	if (r == 0 && from_db)
		r = backing_touch_ctime(path_fd, stx);
	return r;
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct change change = { .command = "clear", .apply = apply };
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0 && line.operand_count < 1)
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "PATH is missing; see 'idshift clear --help'");
	if (r < 0)
		return complain("clear", &error);
	change.recursive = line.values[OPT_RECURSIVE] != NULL;
	return change_paths(&change, &line, line.operands, line.operand_count);
}

const struct command command_clear = {
	.name = "clear",
	.run = run,
	.summary = "forget what containers changed: the disk counts again",
	.help = "usage: idshift clear [-R] [MAP OPTIONS] PATH...\n"
		"\n"
		"Removes what is recorded of owner, mode, ACLs and "
		"capabilities, so that the\n"
		"container sees again what the disk says.  Links themselves "
		"are meant.  What\n"
		"is recorded of others' files is refused: it counts in their "
		"mounts.\n"
		"\n"
		"  -R, --recursive  a directory with all in "
		"it\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0, 1 if anything failed, 2 usage, 3 map.\n",
};
