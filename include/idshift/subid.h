/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subordinate ids: the ranges that /etc/subuid, /etc/subgid or an NSS plug-in
 * (nsswitch.conf `subid:`) delegate to a user, and the user namespace that
 * podman makes of them: container 0 is the user, 1.. are the ranges in the
 * order of their starts (podman-run(1) --uidmap, first mapping step).
 */
#ifndef IDSHIFT_SUBID_H
#define IDSHIFT_SUBID_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "idshift/extent_list.h"

enum subid_kind { SUBID_UID, SUBID_GID };

/* As wide as the files allow; subid_to_extents() says what is usable. */
struct subid_span {
	uint64_t start;
	uint64_t count;
};

#define SUBID_MAX_SPANS 4096

/*
 * Ask libsubid for the user's ranges, by name and, as newuidmap(1) does, by
 * the number of the uid.  user: NULL for a uid without a name.  The result is
 * sorted by start, without duplicates or empty ranges; free(3) it.  libsubid
 * keeps static state: one thread only.  Its own messages are not printed.
 *
 * -ENOENT  the user has none
 * -EIO     the look-up failed
 * -E2BIG   more than SUBID_MAX_SPANS
 * -ENOMEM
 */
int subid_lookup(enum subid_kind kind, const char *user, uid_t uid,
		 struct subid_span **ret, size_t *ret_count);

/*
 * Where SUBID_USUAL ids begin that nobody has in either of the files, which are
 * like subuid(5); from SUBID_FIRST on, as useradd(8) gives them.  What can't be
 * read counts for nothing.
 */
#define SUBID_USUAL UINT64_C(65536)
#define SUBID_FIRST UINT64_C(100000)
uint64_t subid_first_free(const char *subuid, const char *subgid);

/* Pure: sort by start, drop duplicates and empty spans; the new count. */
size_t subid_normalize(struct subid_span *spans, size_t count);

/*
 * Pure: the rootless map; `from` is the container id, `to` the host id.  Takes
 * spans in any order.  What newuidmap(1) or the kernel refuse, so that podman
 * doesn't start at all, is refused here:
 *
 * -ERANGE  a span reaches beyond 4294967294, or all together do
 * -EEXIST  two spans overlap, or one holds the user's own id; the first id
 *          that is there twice is *ret_id
 * -E2BIG, -ENOMEM
 */
int subid_to_extents(uint32_t own_id, const struct subid_span *spans,
		     size_t count, struct extent_list *ret, uint32_t *ret_id);

#endif
