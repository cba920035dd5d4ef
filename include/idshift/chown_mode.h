/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a container's chown: the option chown=. */
#ifndef IDSHIFT_CHOWN_MODE_H
#define IDSHIFT_CHOWN_MODE_H

enum chown_mode {
	CHOWN_RECORD, /* the default: recorded, the disk's owner stays */
	CHOWN_DISK,   /* really changed, through the maps */
	CHOWN_IGNORE, /* reported done, nothing kept */
	CHOWN_DENY,   /* EPERM */
};

#endif
