/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the maps depend on beside the options, gathered once at the start: the
 * user namespace that the program is in, as whom it acts, the subordinate ids,
 * a container's process.  resolve.h makes a policy of it.
 */
#ifndef IDSHIFT_SITUATION_H
#define IDSHIFT_SITUATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "idshift/error.h"
#include "idshift/extent_list.h"
#include "idshift/mapspec.h"
#include "idshift/options.h"

struct situation {
	/* As whom the daemon acts: effective ids, or those of run-as. */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary ones, in any order */
	size_t group_count;
	char *user; /* the name of uid; NULL: it has none */

	/* Not in a namespace whose ids are the host's own. */
	bool child_userns;
	/* /proc/self/uid_map: from ids here to ids of the parent namespace. */
	struct extent_list ns_uid;
	struct extent_list ns_gid;

	/*
	 * Not in a child namespace: from container to host, the user's own id
	 * and the subordinate ranges, if there are any.
	 */
	bool has_subuids;
	bool has_subgids;
	uint64_t free_subids; /* if not: subid_first_free() */
	struct extent_list rootless_uid;
	struct extent_list rootless_gid;

	/* userns=pid:, podman: from container ids to ids here. */
	struct extent_list process_uid;
	struct extent_list process_gid;
};

/*
 * -EINVAL (or -ENOMEM) with a reason: EXIT_STATUS_MAP for what is wrong with
 * ids, EXIT_STATUS_USAGE for run-as.  *ret is untouched then.
 */
int situation_read(const struct options *options, struct situation *ret,
		   struct error *error);
void situation_destroy(struct situation *situation);

/* Is this no user namespace with uids of its own? */
bool situation_has_host_uids(void);

/*
 * The pid in one of the files where podman notes its pause process, which
 * keeps the user's rootless namespaces; 0: there is none.  Where they are
 * follows from `runtime`, XDG_RUNTIME_DIR or NULL, the last two without one.
 * Those are in a directory that all may write: what a file says counts only if
 * the process is the user's.  *place, first 0, leads on to the next file.
 */
pid_t situation_pause_pid(uid_t uid, const char *runtime, size_t *place);

/* Users and groups of the name services: getpwnam(3), getgrnam(3). */
extern const struct name_resolver situation_names;

#endif
