/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/crowd.h"

#include <limits.h>
#include <stdbool.h>

/* In a tick; fewer tell nothing. */
#define CALLS_MIN 10u
/* Ticks with a crowd, less those without, that make it one, and end it. */
#define SURE_MIN 3u
#define SURE_MAX 6u

void crowd_init(struct crowd *crowd, unsigned int cpus)
{
	/* On one alone to wake is to take turns, whoever wakes. */
	*crowd = (struct crowd){ .least = cpus > 1 ? cpus + 1 : UINT_MAX };
}

void crowd_note(struct crowd *crowd, uint32_t caller)
{
	uint64_t bit = UINT64_C(1) << (caller % 64);

	if (caller == 0)
		return;
	atomic_fetch_add_explicit(&crowd->calls, 1, memory_order_relaxed);
	if (atomic_load_explicit(&crowd->last, memory_order_relaxed) == caller)
		return;
	atomic_store_explicit(&crowd->last, caller, memory_order_relaxed);
	atomic_fetch_add_explicit(&crowd->changes, 1, memory_order_relaxed);
	if ((atomic_load_explicit(&crowd->callers, memory_order_relaxed) &
	     bit) == 0)
		atomic_fetch_or_explicit(&crowd->callers, bit,
					 memory_order_relaxed);
}

/* One after the other isn't at once: each makes several requests. */
static unsigned int count_callers(struct crowd *crowd)
{
	unsigned long calls = atomic_exchange(&crowd->calls, 0);
	unsigned long changes = atomic_exchange(&crowd->changes, 0);
	uint64_t callers = atomic_exchange(&crowd->callers, 0);

	return calls < CALLS_MIN || changes < calls / 2 ?
		       0 :
		       (unsigned int)__builtin_popcountll(callers);
}

unsigned int crowd_tick(struct crowd *crowd)
{
	unsigned int callers = count_callers(crowd);
	bool was = crowd->callers_then > 0;

	if (callers >= crowd->least) {
		if (crowd->sure < SURE_MAX)
			crowd->sure++;
		if ((was || crowd->sure >= SURE_MIN) &&
		    callers > crowd->callers_then)
			crowd->callers_then = callers;
	} else if (crowd->sure > 0 && --crowd->sure == 0) {
		crowd->callers_then = 0;
	}
	return crowd->callers_then;
}
