/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift-mount: mount a directory with its ownership translated. */
#include <stdio.h>
#include <stdlib.h>

#include "idshift/descriptors.h"
#include "idshift/options.h"
#include "idshift/prepare.h"
#include "idshift/print_map.h"
#include "idshift/resolve.h"
#include "idshift/session.h"
#include "idshift/situation.h"

static int mount_or_print(struct options *options, struct error *error)
{
	struct situation situation;
	struct view_policy policy;
	int r = situation_read(options, &situation, error);

	if (r < 0)
		return r;
	r = resolve_policy(options, &situation, &situation_names, &policy,
			   error);
	if (r == 0) {
		if (options->action == ACTION_PRINT_MAP)
			r = print_map(stdout, &policy, &situation,
				      options->json, error);
		else
			r = prepare_mount(options, &situation, &policy.acting,
					  error);
		if (r == 0 && options->action == ACTION_MOUNT)
			r = session_start(options, &policy, error);
		view_policy_destroy(&policy);
	}
	situation_destroy(&situation);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	int r;

	descriptors_open_standard();
	descriptors_note_inherited();
	r = options_parse(argc, argv, &options, &error);
	if (r == 0) {
		if (options.action == ACTION_HELP)
			(void)fputs(options_help, stdout);
		else if (options.action == ACTION_VERSION)
			(void)puts("idshift-mount " IDSHIFT_VERSION);
		else
			r = mount_or_print(&options, &error);
		options_destroy(&options);
	}
	if (r < 0)
		(void)fprintf(stderr, "idshift-mount: %s\n", error.text);
	return r < 0 ? error.exit_code : EXIT_SUCCESS;
}
