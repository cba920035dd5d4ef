/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the node table; all functions here want table->lock held. */
#ifndef IDSHIFT_NODE_INTERNAL_H
#define IDSHIFT_NODE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idshift/node_table.h"

/* Index of no node. */
#define NO_NODE UINT32_MAX
#define ROOT_NODE UINT32_C(0)
/* Nodes are allocated by so many. */
#define NODE_BLOCK 512u

#define CHANGE_LOCKS 64

struct node_identity {
	uint64_t dev;
	uint64_t ino;
	/*
	 * Of directories, the way to it: one may be mounted twice, once
	 * read-only.  A file is one, with its pages and locks.
	 */
	uint64_t mount;
	int64_t birth_sec; /* 0, 0 where the file system has none */
	uint32_t birth_nsec;
	uint32_t type; /* S_IFMT */
};

/* What the kernel knows of an object's content; times in nanoseconds. */
struct node_content {
	uint64_t size;
	uint64_t mtime;
	uint64_t ctime;
};

/* The object was found under this name; pins the parent. */
struct node_name {
	struct node_name *hash_next;
	struct node_name *node_next; /* next name of the same node */
	uint32_t node;
	uint32_t parent;
	char text[];
};

struct node {
	struct node_identity identity;
	uint64_t lookups;
	uint64_t pages_ctime; /* see node_pages_as_of() */
	struct node_content told;
	struct node_name *names; /* the latest first */
	uint32_t generation;
	uint32_t hash_next;
	uint32_t children;    /* names that have this node as parent */
	uint32_t handles;     /* open ones, of files */
	uint32_t writers;     /* of these for writing */
	uint32_t pins;	      /* node_refs and reopenings under way */
	uint32_t found_again; /* when, by clock_coarse_ms(); or 0 */
	/*
	 * Idle list: nodes with descriptor, name and no pin, least recently
	 * used last.  `next` also links the free and the dead ones.
	 */
	uint32_t prev;
	uint32_t next;
	int fd;
	bool live;
	bool idle;
	bool ages;   /* on which of the idle lists */
	bool queued; /* on the dead list */
	bool privileged;
	uint8_t strangeness; /* enum node_strangeness */
	bool replaced;	     /* a name of it was found to lead elsewhere */
	bool was_opened;
	bool listed;
	bool has_locked;
	bool is_told; /* what `told` says */
	bool pages_unsure;
};

/* Nodes with a descriptor that nobody uses: see node_idle.c. */
enum idle_which {
	IDLE_AGEING,
	IDLE_KEPT, /* directories, and what is open */
	IDLE_LISTS
};

struct idle_list {
	uint32_t head; /* the latest used */
	uint32_t tail;
};

struct ageing {
	pthread_t thread;
	pthread_cond_t stir;
	unsigned int seconds; /* between ticks; 0: there is no thread */
	bool asleep;
	bool ending;
};

struct node_table {
	pthread_mutex_t lock;
	struct node **blocks; /* of NODE_BLOCK each; NULL: a hole */
	uint32_t block_count;
	uint32_t holes;
	uint32_t generation; /* of the next node */
	uint32_t most;	     /* live ones since it last shrank */
	uint32_t free_head;
	uint32_t dead_head; /* to be buried, unless revived meanwhile */
	uint32_t live;
	uint32_t first_generation;

	uint32_t *identity_buckets;
	uint32_t identity_mask;
	struct node_name **name_buckets;
	uint32_t name_mask;
	uint32_t name_count;

	struct idle_list idle[IDLE_LISTS];
	uint32_t idle_mark; /* idle at the last tick, with all behind it */
	struct ageing ageing;
	size_t fds;
	size_t max_fds;

	struct node_hooks hooks;

	pthread_mutex_t change_locks[CHANGE_LOCKS];
};

static inline struct node *node_at(const struct node_table *table,
				   uint32_t index)
{
	return &table->blocks[index / NODE_BLOCK][index % NODE_BLOCK];
}

/* node_names.c */

int names_init(struct node_table *table);
void names_free(struct node_table *table);
/* To so many buckets, a power of two. */
void names_resize(struct node_table *table, uint32_t count);
struct node_name *name_find(struct node_table *table, uint32_t parent,
			    const char *text);
/*
 * Make (parent, text) the latest name of the node.  Another node that had the
 * name loses it; a directory loses its other names, so that names make a
 * tree.  -ENOMEM.
 */
int name_add(struct node_table *table, uint32_t node, uint32_t parent,
	     const char *text);
/* Unlink and free; a parent that died with it is queued. */
void name_remove(struct node_table *table, struct node_name *name);

/* node_table.c */

struct node_identity identity_of(const struct statx *stx);
bool identity_equal(const struct node_identity *a,
		    const struct node_identity *b);
/*
 * Is that what was found?  Also by another mount, as after umount(8) and
 * mount(8), which is the node's then, unless there is one of that mount.
 */
bool identity_adopt(struct node_table *table, uint32_t index,
		    const struct node_identity *found);

uint64_t node_id(const struct node_table *table, uint32_t index);
/* NO_NODE for an id that is not given out. */
uint32_t node_index(const struct node_table *table, uint64_t id);
/* A pinned node lives, and keeps its descriptor if it has one. */
void node_pin(struct node_table *table, uint32_t index);
void node_unpin(struct node_table *table, uint32_t index);
/*
 * WITHOUT the lock: bury the dead and close descriptors beyond the bound.
 * Called after whatever unpins, forgets or removes names.
 */
void node_table_settle(struct node_table *table);
/* Is there anything to settle? */
static inline bool is_unsettled(const struct node_table *table)
{
	return table->dead_head != NO_NODE || table->fds > table->max_fds;
}

/* Queue the node if nothing refers to it any more. */
void queue_if_dead(struct node_table *table, uint32_t index);

/* node_store.c */

int nodes_init(struct node_table *table);
void nodes_free(struct node_table *table);
/* NO_NODE for an object without a node. */
uint32_t node_find(struct node_table *table,
		   const struct node_identity *identity);
/* Takes ownership of fd on success.  -ENOMEM. */
int node_new(struct node_table *table, const struct node_identity *identity,
	     int fd, uint32_t *ret);
/* What refers to it is gone, its descriptor is the caller's. */
void node_drop(struct node_table *table, uint32_t index);
/* True: much was freed, memory_give_back() is worth it. */
bool nodes_shrink(struct node_table *table);
/* WITHOUT the lock: to the system. */
void memory_give_back(void);
/*
 * A hash table's array, of zeroes: in pages of its own, as in one of malloc's
 * arenas the smaller one that was left would stay a hole.  NULL: no memory.
 */
void *buckets_new(size_t size);
/* NULL is fine. */
void buckets_free(void *buckets, size_t size);

/* node_reopen.c */

/*
 * WITHOUT the lock: give a pinned node its descriptor back, and say what its
 * statx was, unless somebody else did so meanwhile.  -ESTALE where nothing
 * leads to its object any more.
 */
int node_reopen(struct node_table *table, uint32_t index,
		struct statx *ret_stx);

/* node_idle.c */

void idle_init(struct node_table *table);
/* Does nothing to a node that can't be evicted. */
void idle_add(struct node_table *table, uint32_t index);
void idle_remove(struct node_table *table, uint32_t index);
/* Take one idle descriptor out of the cache; -1 when there is none. */
int idle_evict(struct node_table *table);
/* WITHOUT the lock. */
void idle_end(struct node_table *table);

#endif
