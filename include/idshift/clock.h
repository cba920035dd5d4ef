/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks of clock_gettime(2) as single numbers. */
#ifndef IDSHIFT_CLOCK_H
#define IDSHIFT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* For spans, to some milliseconds.  It wraps after 49 days. */
static inline uint32_t clock_coarse_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 +
			  (uint64_t)now.tv_nsec / 1000000);
}

#endif
