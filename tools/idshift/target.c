/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/mountpoint.h"
#include "idshift/records_db.h"
#include "idshift/resolve.h"
#include "idshift/state_dir.h"
#include "idshift/turns.h"

int target_open_maps(const struct command_line *line, struct target *ret,
		     struct error *error)
{
	struct target target = { .records = { .db = NULL } };
	int r = options_parse(line->mount_argc, line->mount_argv,
			      &target.options, error);

	if (r < 0)
		return r;
	/* These would have been acted on, not parsed any further. */
	if (target.options.action != ACTION_PRINT_MAP) {
		options_destroy(&target.options);
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '--version': only of 'idshift'");
	}
	/* Those that have it take it before. */
	if (target.options.json) {
		options_destroy(&target.options);
		return error_set(error, EXIT_STATUS_USAGE,
				 "option '--json': only of 'map', 'stat' and "
				 "'explain'");
	}
	r = situation_read(&target.options, &target.situation, error);
	if (r < 0) {
		options_destroy(&target.options);
		return r;
	}
	r = resolve_policy(&target.options, &target.situation, &situation_names,
			   &target.policy, error);
	if (r < 0) {
		situation_destroy(&target.situation);
		options_destroy(&target.options);
		return r;
	}
	*ret = target;
	return 0;
}

static int check_records(const struct target *target, struct error *error)
{
	const struct options *options = &target->options;

	if (options->run_as != NULL && target->situation.uid != geteuid())
		return error_set(error, EXIT_STATUS_USAGE,
				 "run-as '%s': records are that user's: run "
				 "idshift as '%s', with 'runuser -u %s -- "
				 "idshift ...'",
				 options->run_as, options->run_as,
				 options->run_as);
	if (options->chown == CHOWN_DISK)
		return error_set(error, EXIT_STATUS_USAGE,
				 "chown 'disk': such a mount keeps no records; "
				 "use chown(1) and chmod(1)");
	return 0;
}

static int open_records(struct target *target, struct error *error)
{
	_cleanup_free_ char *dir = state_dir(target->options.state, false);
	int r = dir == NULL ? -errno :
			      records_db_open(dir, &target->records.db);

	if (r < 0)
		return error_set(error, EXIT_STATUS_OTHER,
				 "state directory '%s': %s; name a writable "
				 "one with --state=DIR",
				 dir != NULL ? dir : "", strerror(-r));
	target->records.policy = &target->policy;
	/* Without, others' changes at the same time may be lost. */
	(void)turns_open(dir, &target->records.turns);
	return 0;
}

int target_open(const struct command_line *line, struct target *ret,
		struct error *error)
{
	int r = target_open_maps(line, ret, error);

	if (r < 0)
		return r;
	r = check_records(ret, error);
	if (r == 0)
		r = open_records(ret, error);
	if (r < 0)
		target_close(ret);
	return r;
}

void target_close(struct target *target)
{
	(void)turns_close(target->records.turns);
	if (target->records.db != NULL)
		(void)records_db_close(target->records.db);
	view_policy_destroy(&target->policy);
	situation_destroy(&target->situation);
	options_destroy(&target->options);
	target->records = (struct records){ .db = NULL };
}

bool target_forget_strange_ids(const struct view_policy *policy,
			       struct view *view)
{
	struct wire_id wire;
	bool found = false;

	if (container_id_is_mapped(view->uid) &&
	    !userns_to_wire(&policy->userns_uid, view->uid, &wire)) {
		view->uid = CONTAINER_ID(ID_NONE);
		found = true;
	}
	if (container_id_is_mapped(view->gid) &&
	    !userns_to_wire(&policy->userns_gid, view->gid, &wire)) {
		view->gid = CONTAINER_ID(ID_NONE);
		found = true;
	}
	return found;
}

bool target_is_in_mount(int fd, char reason[TARGET_REASON_MAX])
{
	struct mountinfo info;

	if (!mountpoint_is_inside_ours(fd, &info))
		return false;
	(void)snprintf(reason, TARGET_REASON_MAX,
		       "it is inside a mount of idshift-mount; name it in the "
		       "source, '%s', or use chown(1), chmod(1) and stat(1) "
		       "here",
		       info.source);
	return true;
}

int target_open_path(const char *path, bool follow, struct statx *ret_stx)
{
	_cleanup_fd_ int fd =
		open(path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	int r;

	if (fd < 0)
		return -errno;
	r = backing_stat(fd, ret_stx);
	return r < 0 ? r : take_fd(&fd);
}
