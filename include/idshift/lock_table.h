/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fcntl(2) locks on the source, so that host processes and other mounts see
 * them.  Each owner of locks on an object (a process, or an open file
 * description for OFD locks: FUSE does not say which) is given an open file
 * description of its own, and its locks are taken as OFD locks on that.
 *
 * What was granted is noted by range, for F_GETLK to name who holds a lock and
 * to find those that would wait for each other (EDEADLK, fcntl(2)).  It is
 * never more than what is held: where threads of one owner change the same
 * bytes at the same time, or there are too many ranges, less is known.
 *
 * Thread-safe, but for lock_ranges; no lock is held while a file lock is
 * waited for.
 */
#ifndef IDSHIFT_LOCK_TABLE_H
#define IDSHIFT_LOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lock_table;
struct lock_owner;

struct lock_range {
	uint64_t start;
	uint64_t end; /* inclusive; INT64_MAX: and all that follows */
	pid_t pid;
	short type; /* F_RDLCK, F_WRLCK; F_UNLCK to give up */
};

/* What one owner holds: in order, apart, merged where it can be. */
struct lock_ranges {
	struct lock_range *items;
	size_t count;
	size_t capacity;
};

/* A request of an owner, from before its system call until after it. */
struct lock_op {
	struct lock_op *next; /* the table's fields, all of them */
	struct lock_op **link;
	struct lock_owner *entry;
	struct lock_range range;
	unsigned int search;
	bool waits;
	bool doubtful;
};

/* The container can make this many; then lock_owner_add() returns NULL. */
#define LOCK_OWNERS_MAX 65536
/* So many ranges of all owners are known. */
#define LOCK_RANGES_MAX 65536

/* -ENOMEM */
int lock_table_new(struct lock_table **ret);
/* NULL is fine; returns NULL. */
struct lock_table *lock_table_free(struct lock_table *table);

/* The owner's entry for a node, held; NULL when there is none. */
struct lock_owner *lock_owner_find(struct lock_table *table, uint64_t node,
				   uint64_t owner);
/*
 * Make it, as one that goes with the handle, with fd as its open file
 * description (ownership taken in every case); the one that another thread made
 * meanwhile counts.  Held; NULL when there are too many or no memory.
 */
struct lock_owner *lock_owner_add(struct lock_table *table, uint64_t node,
				  uint64_t owner, uint64_t handle, int fd);
/* A held entry stays valid until it is put. */
void lock_owner_put(struct lock_table *table, struct lock_owner *entry);

int lock_owner_fd(const struct lock_owner *entry);
/* Through which handle it took a lock last. */
void lock_owner_note(struct lock_table *table, struct lock_owner *entry,
		     uint64_t handle);

/* Of a held entry.  The op's memory is the caller's, until lock_op_end(). */
void lock_op_begin(struct lock_table *table, struct lock_owner *entry,
		   struct lock_range range, struct lock_op *op);
/*
 * It is about to wait: -EDEADLK when one that it would wait for waits,
 * perhaps by way of others, for its owner.
 */
int lock_op_wait(struct lock_table *table, struct lock_op *op);
/* Before the answer; granted: note what the owner has now. */
void lock_op_end(struct lock_table *table, struct lock_op *op, bool granted);

/*
 * The process of another owner that holds a conflicting lock on the node:
 * exactly this range if there is one, else one that overlaps; of several the
 * oldest owner.  0 when none is known.
 */
pid_t lock_conflict(struct lock_table *table, uint64_t node, uint64_t owner,
		    const struct lock_range *wanted);

/* The owner closes the file: all its locks on the node go (close(2)). */
void lock_drop_owner(struct lock_table *table, uint64_t node, uint64_t owner);
/* The handle's last reference is gone: locks taken through it go. */
void lock_drop_handle(struct lock_table *table, uint64_t node, uint64_t handle);

/*
 * A close(2) in the container is answered before its RELEASE comes, and what
 * is locked by the open file is until then: note the first, and ask whether
 * one of the node (or of another: a hint) was so short a while ago.
 */
void lock_note_close(struct lock_table *table, uint64_t node);
bool lock_was_closed(const struct lock_table *table, uint64_t node);

bool lock_ranges_overlap(const struct lock_range *a,
			 const struct lock_range *b);
/*
 * Lock or unlock a range as fcntl(2) does, splitting and merging.  The list
 * grows by no more than room; what finds no place or memory is left out.
 */
void lock_ranges_set(struct lock_ranges *ranges, const struct lock_range *range,
		     size_t room);
/* The one that keeps wanted from being granted, or NULL; see lock_conflict. */
const struct lock_range *lock_ranges_conflict(const struct lock_ranges *ranges,
					      const struct lock_range *wanted);
void lock_ranges_clear(struct lock_ranges *ranges);

#endif
