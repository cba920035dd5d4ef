/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the permission engine share. */
#ifndef IDSHIFT_TESTS_ACCESS_FIXTURE_H
#define IDSHIFT_TESTS_ACCESS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "idshift/access.h"

#define R ACCESS_READ
#define W ACCESS_WRITE
#define X ACCESS_EXEC
#define REG S_IFREG
#define DIR S_IFDIR
#define RULE(name) ACCESS_RULE_##name
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Every caller of the tables is also in groups 70 and 71. */
static const struct container_id groups[] = { { 70 }, { 71 } };

static inline struct access_caller caller_of(uint32_t uid, uint32_t gid,
					     unsigned int caps)
{
	return (struct access_caller){
		.uid = CONTAINER_ID(uid),
		.gid = CONTAINER_ID(gid),
		.groups = groups,
		.group_count = LENGTH(groups),
		.caps = caps,
	};
}

static inline struct access_object object_of(uint32_t uid, uint32_t gid,
					     mode_t mode)
{
	return (struct access_object){
		.uid = CONTAINER_ID(uid),
		.gid = CONTAINER_ID(gid),
		.mode = mode,
	};
}

#endif
