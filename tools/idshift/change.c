/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "change.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "idshift/backing.h"
#include "idshift/turns.h"

#include "message.h"
#include "walk.h"

const struct access_caller change_caller = { .caps = ACCESS_CAP_ALL };

int change_view(const struct change *change, int path_fd,
		const struct statx *stx, struct view *ret,
		struct access_object *ret_object)
{
	struct disk_owner disk = backing_owner(stx);
	struct view seen;
	int r;

	if (!view_is_ours(&change->target.policy, &disk))
		return -EPERM;
	r = records_view(&change->target.records, path_fd, stx, ret);
	if (r < 0)
		return r;
	seen = *ret;
	(void)target_forget_strange_ids(&change->target.policy, &seen);
	*ret_object = (struct access_object){
		.uid = seen.uid,
		.gid = seen.gid,
		.mode = seen.mode,
	};
	return 0;
}

/* Has it all ids that the disk can give it?  What it lacks is recorded so. */
static bool is_mapped_on_disk(const struct change *change, int path_fd,
			      const struct statx *stx)
{
	struct view view;

	return records_view(&change->target.records, path_fd, stx, &view) ==
		       0 &&
	       container_id_is_mapped(view.uid) &&
	       container_id_is_mapped(view.gid);
}

/* Why the container's root may not either. */
static void complain_permission(const struct change *change, int path_fd,
				const struct statx *stx, const char *path)
{
	struct disk_owner disk = backing_owner(stx);
	char reason[160];

	if (view_is_ours(&change->target.policy, &disk) &&
	    is_mapped_on_disk(change, path_fd, stx))
		(void)snprintf(reason, sizeof(reason),
			       "the owner or group recorded for it is none of "
			       "the container's; record another with 'idshift "
			       "chown', or clear it");
	else if (view_is_ours(&change->target.policy, &disk))
		(void)snprintf(reason, sizeof(reason),
			       "its owner or group, %u:%u on disk, has no id "
			       "in the container; give it one, with "
			       "--map=u:%u:ID or --map=g:%u:ID",
			       stx->stx_uid, stx->stx_gid, stx->stx_uid,
			       stx->stx_gid);
	else
		(void)snprintf(reason, sizeof(reason),
			       "on disk it belongs to uid %u, not to you "
			       "(uid %u)",
			       stx->stx_uid,
			       change->target.policy.acting.uid.value);
	complain_path(change->command, path, reason);
}

static int visit(void *context, int path_fd, const struct statx *stx,
		 const char *path)
{
	const struct change *change = context;
	struct turns *turns = change->target.records.turns;
	const uint64_t key = turns_key(backing_dev(stx), stx->stx_ino);
	struct statx now;
	sigset_t all, before;
	enum turn turn;
	int r;

	/* Ctrl-C is to find each object as it was or as it should be. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	turn = turn_begin(turns, key);
	r = backing_stat(path_fd, &now);
	if (r == 0)
		r = change->apply(change, path_fd, &now);
	turn_end(turns, key, turn);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r != -EPERM)
		return r;
	complain_permission(change, path_fd, stx, path);
	return 1;
}

int change_paths(struct change *change, const struct command_line *line,
		 char *const *paths, size_t count)
{
	struct walk walk = {
		.command = change->command,
		.recursive = change->recursive,
		.follow = change->follow,
		.visit = visit,
		.context = change,
	};
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	bool well = true;
	int r = target_open(line, &change->target, &error);

	if (r < 0)
		return complain(change->command, &error);
	if (change->check != NULL)
		r = change->check(change, &error);
	for (size_t i = 0; r == 0 && i < count; i++)
		well = walk_path(&walk, paths[i]) && well;
	target_close(&change->target);
	if (r < 0)
		return complain(change->command, &error);
	return well ? 0 : EXIT_STATUS_OTHER;
}
