/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three kinds of ids.  Each is a struct of its own, so that the compiler
 * rejects a mix-up (translating an id in the wrong direction or into the
 * wrong namespace was CVE-2019-15793).
 *
 *   disk id       an owner as the source directory stores it: what the
 *                 daemon's own stat(2) shows and its fchown(2) takes.
 *   container id  an owner as a process inside the container sees it: what
 *                 records hold and users write in options.
 *   wire id       an owner as the FUSE protocol carries it: numbered in the
 *                 user namespace that made the mount.
 *
 * Every kind serves uids and gids alike; which of the two a value is follows
 * from the field that holds it.  4294967295 is never an id (user_namespaces(7)
 * and chown(2), where it means "leave as it is").
 */
#ifndef IDSHIFT_IDS_H
#define IDSHIFT_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX
/* Default of /proc/sys/kernel/overflowuid: what an unmapped id shows as. */
#define ID_OVERFLOW UINT32_C(65534)

struct disk_id {
	uint32_t value;
};

struct container_id {
	uint32_t value;
};

struct wire_id {
	uint32_t value;
};

#define DISK_ID(v) ((struct disk_id){ .value = (v) })
#define CONTAINER_ID(v) ((struct container_id){ .value = (v) })
#define WIRE_ID(v) ((struct wire_id){ .value = (v) })

static inline bool disk_id_equal(struct disk_id a, struct disk_id b)
{
	return a.value == b.value;
}

static inline bool disk_id_is_valid(struct disk_id id)
{
	return id.value != ID_NONE;
}

static inline bool container_id_equal(struct container_id a,
				      struct container_id b)
{
	return a.value == b.value;
}

/* ID_NONE in a container id: the owner has no id inside the container. */
static inline bool container_id_is_mapped(struct container_id id)
{
	return id.value != ID_NONE;
}

#endif
