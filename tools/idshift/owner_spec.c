/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "owner_spec.h"

#include <errno.h>
#include <string.h>

#include "idshift/number.h"

int owner_spec_parse(const char *text, const char *subject,
		     struct owner_spec *ret, struct error *error)
{
	size_t len = strcspn(text, ":");
	struct owner_spec spec = { { ID_NONE }, { ID_NONE } };
	const char *group = text[len] == ':' ? text + len + 1 : NULL;
	int r = 0;

	if (len > 0)
		r = number_parse_id(text, len, &spec.uid.value);
	else if (group == NULL)
		r = -EINVAL;
	if (r == 0 && group != NULL)
		r = number_parse_id(group, strlen(group), &spec.gid.value);
	if (r < 0)
		return error_set(error, EXIT_STATUS_USAGE,
				 "%s '%s': must be U, U:G or :G, container "
				 "ids 0..4294967294, no names",
				 subject, text);
	*ret = spec;
	return 0;
}

int owner_spec_check(const struct owner_spec *spec,
		     const struct view_policy *policy, struct error *error)
{
	struct wire_id wire;

	if (container_id_is_mapped(spec->uid) &&
	    !userns_to_wire(&policy->userns_uid, spec->uid, &wire))
		return error_set(error, EXIT_STATUS_MAP,
				 "uid '%u': the container has no such uid; see "
				 "'idshift map'",
				 spec->uid.value);
	if (container_id_is_mapped(spec->gid) &&
	    !userns_to_wire(&policy->userns_gid, spec->gid, &wire))
		return error_set(error, EXIT_STATUS_MAP,
				 "gid '%u': the container has no such gid; see "
				 "'idshift map'",
				 spec->gid.value);
	return 0;
}
