/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the options and the situation to the policy of the mount: both maps
 * and as whom the daemon acts.
 *
 *   userns=        not in a child namespace    in a child namespace
 *   auto           the rootless map            identity over the ids there
 *   host           identity over all ids       likewise
 *   keep-id nomap  podman's map, led on by     podman's map: the ids there are
 *   uidmap=        the rootless one to host    podman's intermediate ids
 *   pid: podman    the process's, in numbers of the program's own namespace
 *
 * The owner map is: the map= entries, owner=, then what a plain bind mount
 * would show (the userns map read the other way, since disk ids and wire ids
 * are numbered in the daemon's namespace alike).
 */
#ifndef IDSHIFT_RESOLVE_H
#define IDSHIFT_RESOLVE_H

#include "idshift/error.h"
#include "idshift/mapspec.h"
#include "idshift/options.h"
#include "idshift/situation.h"
#include "idshift/view.h"

/*
 * Pure but for the names.  In a child namespace a disk id is one of that
 * namespace, and a name of the host stands for the number that it has there;
 * a group that has none is refused.  -EINVAL or -ENOMEM with a reason; *ret is
 * untouched then.
 */
int resolve_policy(const struct options *options,
		   const struct situation *situation,
		   const struct name_resolver *names, struct view_policy *ret,
		   struct error *error);

#endif
