/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A temporary directory and a node table over it. */
#ifndef IDSHIFT_TESTS_NODE_FIXTURE_H
#define IDSHIFT_TESTS_NODE_FIXTURE_H

#include <stdatomic.h>

#include "idshift/node_table.h"

#include "store_fixture.h"

#define ROOT NODE_ROOT_ID

struct world {
	char dir[PATH_MAX];
	int root; /* of the tests' own */
	size_t fds_before;
	atomic_int orphans; /* calls of the hook, with an open descriptor */
	int held;	    /* what the hook opens again; -1: nothing */
	uint64_t asked_for; /* the last node it was asked for */
	struct node_table *table;
};

/* Descriptors that this process has open. */
size_t count_fds(void);

void world_make(struct world *world, size_t max_fds);
/* Asserts that no descriptor was left open. */
void world_destroy(struct world *world);

/* What a FUSE lookup does: 0 and the id, or -errno. */
int lookup(struct world *world, uint64_t parent, const char *name,
	   uint64_t *ret);
/* That must succeed. */
uint64_t looked_up(struct world *world, uint64_t parent, const char *name);
/* unlink(2) and rmdir(2) as our handlers do them. */
int remove_name(struct world *world, uint64_t parent, const char *name,
		int flags);
int rename_name(struct world *world, uint64_t parent, const char *name,
		uint64_t new_parent, const char *new_name, unsigned int flags);
/* Acquire, stat, release: the inode number, 0 for -ESTALE, or -errno. */
int64_t inode_of(struct world *world, uint64_t id);
/* The inode that has a name now, as the host sees it. */
int64_t inode_at(const struct world *world, const char *path);

void touch_at(const struct world *world, const char *path);
void mkdir_at(const struct world *world, const char *path);
void expect_stats(struct world *world, size_t nodes, uint64_t lookups);

#endif
