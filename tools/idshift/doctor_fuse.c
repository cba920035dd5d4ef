/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a mount needs of the machine, and where records go. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "idshift/cleanup.h"
#include "idshift/fusermount.h"
#include "idshift/mountpoint.h"
#include "idshift/records_db.h"
#include "idshift/small_file.h"
#include "idshift/state_dir.h"

#include "doctor.h"

#define CONF "/etc/fuse.conf"

static void check_device(struct doctor *doctor)
{
	const struct fuse_needs needs = { .by_fusermount = false };
	struct error error;

	if (mountpoint_check_fuse(&needs, &error) < 0)
		doctor_fail(doctor, "/dev/fuse", "%s", error.text);
	else
		doctor_ok(doctor, "/dev/fuse", "can be opened");
}

static void check_fusermount(struct doctor *doctor)
{
	static const char what[] = "fusermount3";
	char path[PATH_MAX];

	if (!fusermount_find(NULL, path))
		doctor_fail(doctor, what,
			    "not found: install the package fuse3");
	else if (!doctor_is_privileged(path))
		doctor_fail(doctor, what,
			    "'%s' is not setuid root, so that it can't mount "
			    "for users: as root, 'chmod 4755 %s'",
			    path, path);
	else
		doctor_ok(doctor, what, "%s", path);
}

static void check_allow_other(struct doctor *doctor)
{
	static const char what[] = "user_allow_other";
	char text[65536];
	ssize_t len = small_file_read(AT_FDCWD, CONF, text, sizeof(text));

	if (len == -EACCES)
		doctor_ok(doctor, what,
			  "'" CONF "' can't be read; fusermount3 will tell");
	else if (len < 0 || !mountpoint_conf_allows(text))
		doctor_fail(doctor, what,
			    "not in '" CONF "', so that containers can't use "
			    "a mount made on the host: as root, add the line "
			    "'user_allow_other' to it; or mount inside "
			    "'podman unshare'");
	else
		doctor_ok(doctor, what, "in '" CONF "'");
}

void doctor_check_fuse(struct doctor *doctor)
{
	check_device(doctor);
	if (doctor->child_userns || doctor->uid == 0) {
		doctor_ok(doctor, "fusermount3",
			  "not needed: root here mounts by itself");
		return;
	}
	check_fusermount(doctor);
	check_allow_other(doctor);
}

void doctor_check_state(struct doctor *doctor)
{
	static const char what[] = "state directory";
	_cleanup_free_ char *dir = state_dir(NULL, false);
	struct records_db *db;
	int r;

	if (dir == NULL) {
		doctor_fail(doctor, what,
			    "you have no home: name a directory with "
			    "state=DIR");
		return;
	}
	r = records_db_open(dir, &db);
	if (r < 0) {
		doctor_fail(doctor, what,
			    "'%s': %s: mend it, or name another with state=DIR",
			    dir, strerror(-r));
		return;
	}
	(void)records_db_close(db);
	doctor_ok(doctor, what, "'%s'", dir);
}
