/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fcntl(2) locks on the source, so that host processes and other mounts see
 * them.  Each owner of locks on an object (a process, or an open file
 * description for OFD locks: FUSE does not say which) is given an open file
 * description of its own, and its locks are taken as OFD locks on that.
 *
 * Thread-safe; no lock is held while a file lock is waited for.
 */
#ifndef IDSHIFT_LOCK_TABLE_H
#define IDSHIFT_LOCK_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock_table;
struct lock_owner;

/* The container can make this many, no more: -ENOLCK. */
#define LOCK_OWNERS_MAX 65536

int lock_table_new(struct lock_table **ret);
/* NULL is fine; returns NULL. */
struct lock_table *lock_table_free(struct lock_table *table);

/* The owner's entry for a node, held; NULL when there is none. */
struct lock_owner *lock_owner_find(struct lock_table *table, uint64_t node,
				   uint64_t owner);
/*
 * Make it, with fd as its open file description (ownership taken in every
 * case); the one that another thread made meanwhile counts.  Held; NULL when
 * there are too many or no memory.
 */
struct lock_owner *lock_owner_add(struct lock_table *table, uint64_t node,
				  uint64_t owner, int fd);
/* A held entry stays valid until it is put. */
void lock_owner_put(struct lock_table *table, struct lock_owner *entry);

int lock_owner_fd(const struct lock_owner *entry);
/* Who took a lock last, through which handle; shown by F_GETLK. */
void lock_owner_note(struct lock_table *table, struct lock_owner *entry,
		     uint64_t handle, pid_t pid);
/* The process of another owner on this node; 0 when none is known. */
pid_t lock_other_pid(struct lock_table *table, uint64_t node, uint64_t owner);

/* The owner closes the file: all its locks on the node go (close(2)). */
void lock_drop_owner(struct lock_table *table, uint64_t node, uint64_t owner);
/* The handle's last reference is gone: locks taken through it go. */
void lock_drop_handle(struct lock_table *table, uint64_t node, uint64_t handle);

#endif
