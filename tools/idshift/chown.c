/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift chown: what a container root's chown(1) in a mount records. */
#include <errno.h>

#include "change.h"
#include "command.h"
#include "message.h"
#include "owner_spec.h"

enum { OPT_RECURSIVE, OPT_NO_DEREFERENCE, OPT_FROM };

static const struct command_option options[] = {
	[OPT_RECURSIVE] = { "recursive", 'R', OPTION_FLAG },
	[OPT_NO_DEREFERENCE] = { "no-dereference", 'h', OPTION_FLAG },
	[OPT_FROM] = { "from", '\0', OPTION_VALUE },
	{ NULL, '\0', OPTION_FLAG },
};

struct wanted {
	struct owner_spec to;
	struct owner_spec from;
};

static int check(const struct change *change, struct error *error)
{
	const struct wanted *wanted = change->wanted;

	return owner_spec_check(&wanted->to, &change->target.policy, error);
}

static bool matches(struct container_id wanted, struct container_id seen)
{
	return !container_id_is_mapped(wanted) ||
	       container_id_equal(wanted, seen);
}

static int apply(const struct change *change, int path_fd,
		 const struct statx *stx)
{
	const struct wanted *wanted = change->wanted;
	const struct records *records = &change->target.records;
	struct access_object object;
	struct view view;
	mode_t mode;
	int r = change_view(change, path_fd, stx, &view, &object);

	if (r < 0)
		return r;
	if (!matches(wanted->from.uid, object.uid) ||
	    !matches(wanted->from.gid, object.gid))
		return 0;
	/* Ids recorded under a larger map: this is how they are replaced. */
	object.uid = view.uid;
	object.gid = view.gid;
	r = access_chown(&change_caller, &object, wanted->to.uid,
			 wanted->to.gid, &mode, NULL);
	if (r < 0)
		return r;
	if (container_id_is_mapped(wanted->to.uid))
		view.uid = wanted->to.uid;
	if (container_id_is_mapped(wanted->to.gid))
		view.gid = wanted->to.gid;
	view.mode = (view.mode & S_IFMT) | mode;
	r = records_apply(records, path_fd, stx, 0, &view);
	/* The kernel has it removed before (security_inode_killpriv()). */
	if (r == 0 && S_ISREG(stx->stx_mode))
		r = records_capability_remove(records, path_fd, stx);
	return r == -ENODATA ? 0 : r;
}

static int read_wanted(const struct command_line *line, struct wanted *ret,
		       struct error *error)
{
	const char *from = line->values[OPT_FROM];
	struct wanted wanted = { .from = { { ID_NONE }, { ID_NONE } } };
	int r;

	if (line->operand_count < 2)
		return error_set(error, EXIT_STATUS_USAGE,
				 "U[:G] and PATH are missing; see 'idshift "
				 "chown --help'");
	r = owner_spec_parse(line->operands[0], "owner", &wanted.to, error);
	if (r == 0 && from != NULL)
		r = owner_spec_parse(from, "from", &wanted.from, error);
	if (r == 0)
		*ret = wanted;
	return r;
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct wanted wanted;
	struct change change = {
		.command = "chown",
		.check = check,
		.apply = apply,
		.wanted = &wanted,
	};
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0)
		r = read_wanted(&line, &wanted, &error);
	if (r < 0)
		return complain("chown", &error);
	change.recursive = line.values[OPT_RECURSIVE] != NULL;
	/* chown -R is chown -RP: a link is changed itself. */
	change.follow =
		!change.recursive && line.values[OPT_NO_DEREFERENCE] == NULL;
	return change_paths(&change, &line, line.operands + 1,
			    line.operand_count - 1);
}

const struct command command_chown = {
	.name = "chown",
	.run = run,
	.summary = "change owners in the container, without a mount",
	.help = "usage: idshift chown [-R] [-h] [--from=U[:G]] [MAP OPTIONS] "
		"U[:G] PATH...\n"
		"\n"
		"What 'chown U:G PATH' by the container's root in a mount of "
		"the directory\n"
		"would record; on disk the owner stays.  U and G are container "
		"ids.\n"
		"\n"
		"  -R, --recursive       a directory with all in it; links "
		"themselves are\n"
		"                        changed and never followed\n"
		"  -h, --no-dereference  a link itself\n"
		"      --from=U[:G]      only what the container sees as owned "
		"so\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0, 1 if anything failed, 2 usage, 3 map.\n",
};
