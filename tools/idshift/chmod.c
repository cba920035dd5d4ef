/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift chmod: what a container root's chmod(1) in a mount records. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "idshift/symbolic_mode.h"

#include "change.h"
#include "command.h"
#include "message.h"

enum { OPT_RECURSIVE };

static const struct command_option options[] = {
	[OPT_RECURSIVE] = { "recursive", 'R', OPTION_FLAG },
	{ NULL, '\0', OPTION_FLAG },
};

struct wanted {
	struct symbolic_mode mode;
	mode_t umask;
};

/* A mode such as -w, -22 or -x,g+s. */
static bool is_mode(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && word[1] != '-' &&
	       word[1] != 'o' &&
	       strspn(word + 1, "rwxXstugoa,+-=01234567") == strlen(word + 1);
}

static int apply(const struct change *change, int path_fd,
		 const struct statx *stx)
{
	const struct wanted *wanted = change->wanted;
	struct access_object object;
	struct view view;
	mode_t mode;
	int r;

	/* Links in a tree have no mode of their own: as chmod(1). */
	if (S_ISLNK(stx->stx_mode))
		return 0;
	r = change_view(change, path_fd, stx, &view, &object);
	if (r < 0)
		return r;
	mode = symbolic_mode_apply(&wanted->mode, view.mode, wanted->umask);
	r = access_chmod(&change_caller, &object, mode, &mode, NULL);
	if (r < 0)
		return r;
	view.mode = (view.mode & S_IFMT) | mode;
	return records_apply(&change->target.records, path_fd, stx, 0, &view);
}

static mode_t current_umask(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return mask;
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct wanted wanted = { .umask = current_umask() };
	struct change change = {
		.command = "chmod",
		.apply = apply,
		.wanted = &wanted,
	};
	int r = command_line_parse(argc, argv, options, is_mode, &line, &error);

	if (r == 0 && line.operand_count < 2)
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "MODE and PATH are missing; see 'idshift chmod "
			      "--help'");
	else if (r == 0 &&
		 symbolic_mode_parse(line.operands[0], &wanted.mode) < 0)
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "mode '%s': must be octal, or such as u+rwx,go-w",
			      line.operands[0]);
	if (r < 0)
		return complain("chmod", &error);
	change.recursive = line.values[OPT_RECURSIVE] != NULL;
	change.follow = !change.recursive;
	return change_paths(&change, &line, line.operands + 1,
			    line.operand_count - 1);
}

const struct command command_chmod = {
	.name = "chmod",
	.run = run,
	.summary = "change modes in the container, without a mount",
	.help = "usage: idshift chmod [-R] [MAP OPTIONS] MODE PATH...\n"
		"\n"
		"What 'chmod MODE PATH' by the container's root in a mount of "
		"the directory\n"
		"would do: on disk the mode is never more open than the "
		"container's; what the\n"
		"disk must not carry (setuid, a group that is only the "
		"container's) is recorded.\n"
		"MODE is octal or symbolic, as for chmod(1).\n"
		"\n"
		"  -R, --recursive  a directory with all in it; links are left "
		"alone\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0, 1 if anything failed, 2 usage, 3 map.\n",
};
