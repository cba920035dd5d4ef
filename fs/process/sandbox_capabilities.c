/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sandbox_parts.h"

#include <errno.h>
#include <stddef.h>
#include <sys/capability.h>
#include <unistd.h>

#include "idshift/situation.h"

/*
 * For files whose owner isn't the acting user: a user namespace's root serves
 * the files of all its ids.
 */
static const cap_value_t always[] = {
	CAP_CHOWN,
	CAP_DAC_OVERRIDE,
	CAP_FOWNER,
	CAP_FSETID,
};

/* Objects are made as the caller's fsuid and fsgid, of any type. */
static const cap_value_t for_owners[] = {
	CAP_MKNOD,
	CAP_SETFCAP,
	CAP_SETGID,
	CAP_SETUID,
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static int keep(cap_t wanted, cap_t had, const cap_value_t *values, int count)
{
	for (int i = 0; i < count; i++) {
		cap_flag_value_t set = CAP_CLEAR;

		if (cap_get_flag(had, values[i], CAP_PERMITTED, &set) < 0)
			return -errno;
		if (set == CAP_CLEAR)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &values[i],
				 CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &values[i],
				 CAP_SET) < 0)
			return -errno;
	}
	return 0;
}

bool sandbox_has_admin(void)
{
	cap_t had = cap_get_proc();
	cap_flag_value_t set = CAP_CLEAR;

	if (had != NULL)
		(void)cap_get_flag(had, CAP_SYS_ADMIN, CAP_EFFECTIVE, &set);
	(void)cap_free(had);
	return set == CAP_SET && situation_has_host_uids();
}

static int reduce(const struct sandbox *sandbox, cap_t had, cap_t wanted)
{
	static const cap_value_t admin[] = { CAP_SYS_ADMIN };
	int r = keep(wanted, had, always, COUNT(always));

	if (r == 0 && sandbox->real_owners)
		r = keep(wanted, had, for_owners, COUNT(for_owners));
	/* For trusted.*, and for passthrough: both ask it of the machine. */
	if (r == 0 && (sandbox->real_owners || sandbox->passthrough_fd >= 0) &&
	    situation_has_host_uids())
		r = keep(wanted, had, admin, COUNT(admin));
	if (r < 0)
		return r;
	/* Needs a capability that an ordinary user hasn't, nor needs. */
	for (cap_value_t value = 0; value < cap_max_bits(); value++)
		(void)cap_drop_bound(value);
	(void)cap_reset_ambient();
	return cap_set_proc(wanted) < 0 ? -errno : 0;
}

int sandbox_capabilities(const struct sandbox *sandbox)
{
	cap_t had = cap_get_proc();
	cap_t wanted = cap_init();
	int r = -errno;

	if (had != NULL && wanted != NULL)
		r = reduce(sandbox, had, wanted);
	(void)cap_free(had);
	(void)cap_free(wanted);
	return r;
}
