/* SPDX-License-Identifier: GPL-2.0-or-later */
/* U, U:G or :G in container ids, as chown(1) takes them. */
#ifndef IDSHIFT_TOOL_OWNER_SPEC_H
#define IDSHIFT_TOOL_OWNER_SPEC_H

#include "idshift/error.h"
#include "idshift/ids.h"
#include "idshift/view.h"

/* ID_NONE: not given. */
struct owner_spec {
	struct container_id uid;
	struct container_id gid;
};

/* `subject` begins the message.  -EINVAL; *ret is untouched then. */
int owner_spec_parse(const char *text, const char *subject,
		     struct owner_spec *ret, struct error *error);

/* Does the container have these ids?  chown(2) there says EINVAL if not. */
int owner_spec_check(const struct owner_spec *spec,
		     const struct view_policy *policy, struct error *error);

#endif
