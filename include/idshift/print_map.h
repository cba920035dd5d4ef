/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --print-map: both maps as resolved, sorted by container id. */
#ifndef IDSHIFT_PRINT_MAP_H
#define IDSHIFT_PRINT_MAP_H

#include <stdbool.h>
#include <stdio.h>

#include "idshift/error.h"
#include "idshift/situation.h"
#include "idshift/view.h"

/*
 * Text: for each map a heading, then lines in /proc/PID/uid_map's layout:
 * container id, host or disk id, count.  json: the object of the manual page.
 * Host ids are those of the initial user namespace; in a child namespace they
 * follow from its own uid_map (exact if its parent is the initial one), and a
 * range that has none there is left out.
 *
 * -EINVAL with a reason when it can't be written, -ENOMEM likewise.
 */
int print_map(FILE *out, const struct view_policy *policy,
	      const struct situation *situation, bool json,
	      struct error *error);

#endif
