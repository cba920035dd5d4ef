/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies for the tests of views and of what the store makes of them. */
#ifndef IDSHIFT_TESTS_VIEW_FIXTURE_H
#define IDSHIFT_TESTS_VIEW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "idshift/view.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * All but the last two: sergio (1000:1000, also in group 2000) on the host,
 * with subordinate ids 100000..165535.
 */
enum fixture_policy {
	POLICY_PLAIN,	  /* what a bind mount would show */
	POLICY_MAPPED,	  /* map=u:1000:1000,g:2000:2000 */
	POLICY_UNMAPPED,  /* the same with unmapped=7 */
	POLICY_ALIASED,	  /* map=g:2000:2000,g:3000:2000,g:3001:3001 */
	POLICY_NAMESPACE, /* root of a user namespace of ids 0..65535 */
	POLICY_ROOT,	  /* root on the host, each id as itself */
	POLICY_COUNT,
};

void make_policy(enum fixture_policy which, struct view_policy *ret);

/* Fixed seed at the start of each program. */
uint32_t fixture_random(uint32_t below);

#endif
