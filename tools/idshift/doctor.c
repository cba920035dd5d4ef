/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift doctor: what a user needs, checked, with a remedy for each. */
#include "doctor.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "idshift/situation.h"

#include "command.h"
#include "command_line.h"
#include "message.h"

static void report(const char *level, const char *what, const char *format,
		   va_list arguments)
{
	char text[1024];

	if (vsnprintf(text, sizeof(text), format, arguments) < 0)
		text[0] = '\0';
	(void)printf("%-4s  %s: ", level, what);
	print_clean(stdout, text);
	(void)fputc('\n', stdout);
}

void doctor_ok(struct doctor *doctor, const char *what, const char *format, ...)
{
	va_list arguments;

	(void)doctor;
	va_start(arguments, format);
	report("ok", what, format, arguments);
	va_end(arguments);
}

void doctor_warn(struct doctor *doctor, const char *what, const char *format,
		 ...)
{
	va_list arguments;

	doctor->all_well = false;
	va_start(arguments, format);
	report("warn", what, format, arguments);
	va_end(arguments);
}

void doctor_fail(struct doctor *doctor, const char *what, const char *format,
		 ...)
{
	va_list arguments;

	doctor->all_well = false;
	va_start(arguments, format);
	report("FAIL", what, format, arguments);
	va_end(arguments);
}

bool doctor_is_privileged(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	return (st.st_uid == 0 && (st.st_mode & S_ISUID) != 0) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

static int run(int argc, char *const argv[])
{
	static const struct command_option options[] = {
		{ NULL, '\0', OPTION_FLAG },
	};
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_USAGE };
	const struct passwd *entry;
	struct doctor doctor = {
		.uid = geteuid(),
		.gid = getegid(),
		.child_userns = !situation_has_host_uids(),
		.all_well = true,
	};
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0 && (line.operand_count > 1 || line.mount_argc > 2))
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "takes at most SOURCE; see 'idshift doctor "
			      "--help'");
	if (r < 0)
		return complain("doctor", &error);
	if (line.operand_count == 1)
		doctor.source = line.operands[0];
	entry = getpwuid(doctor.uid);
	doctor.user = entry != NULL ? strdup(entry->pw_name) : NULL;
	doctor_check_fuse(&doctor);
	doctor_check_ids(&doctor);
	doctor_check_userns(&doctor);
	doctor_check_state(&doctor);
	if (doctor.source != NULL)
		doctor_check_source(&doctor);
	doctor_check_podman(&doctor);
	doctor_check_kernel(&doctor);
	free(doctor.user);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_STATUS_OTHER;
	return doctor.all_well ? 0 : EXIT_STATUS_OTHER;
}

const struct command command_doctor = {
	.name = "doctor",
	.run = run,
	.summary = "check what mounts and containers need here",
	.help = "usage: idshift doctor [SOURCE]\n"
		"\n"
		"Checks for the user who runs it, one line each: ok, warn (it "
		"works with a\n"
		"limit) or FAIL, with the remedy: FUSE, subordinate ids, user "
		"namespaces, the\n"
		"state directory, podman's namespace, the kernel, and the "
		"directory SOURCE.\n"
		"\n"
		"Exit status: 0 if all is well, 1 if not, 2 usage.\n",
};
