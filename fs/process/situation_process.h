/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to situation.c and situation_process.c: the files of /proc. */
#ifndef IDSHIFT_SITUATION_PROCESS_H
#define IDSHIFT_SITUATION_PROCESS_H

#include <fcntl.h>

#include "idshift/situation.h"

/* A uid_map or gid_map.  -errno. */
int situation_read_map(int dir, const char *path, struct extent_list *ret);

/* 0 0 4294967295: the ids are the host's own (user_namespaces(7)). */
bool situation_is_identity(const struct extent_list *map);

/*
 * The maps of a process of the user, `value` being that of userns=: its owner
 * must be the user or one of the user's subordinate ids.
 */
int situation_read_process(struct situation *situation, pid_t pid,
			   const char *value, struct error *error);

/*
 * The maps of the user's running podman: of its pause process, which keeps
 * the rootless user namespace.  environment: XDG_RUNTIME_DIR is the user's.
 */
int situation_read_podman(struct situation *situation, bool environment,
			  struct error *error);

#endif
