/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files and directories, by the handle that the kernel sends back.
 * Handles are table indices with generations.  Thread-safe; a handle's
 * descriptor stays open until handle_remove(), which the kernel asks for once
 * no request uses it any more.
 */
#ifndef IDSHIFT_HANDLE_TABLE_H
#define IDSHIFT_HANDLE_TABLE_H

#include <stdint.h>

#include "idshift/dir_stream.h"

struct handle_table;

/* -ENOMEM */
int handle_table_new(struct handle_table **ret);
/* Closes what is still open.  NULL is fine; returns NULL. */
struct handle_table *handle_table_free(struct handle_table *table);

/* Where the generations begin; before any handle is given out. */
void handle_table_first_generation(struct handle_table *table,
				   uint32_t generation);

/*
 * Of a node, by its id.  Takes ownership of fd on success.  -ENOMEM, or
 * -ENFILE when 2^30 are open.
 */
int handle_add_file(struct handle_table *table, uint64_t node, int fd,
		    uint64_t *ret);
/* The same; takes ownership of the stream on success. */
int handle_add_dir(struct handle_table *table, struct dir_stream *dir,
		   uint64_t *ret);

/* The descriptor (not owned), -EBADF. */
int handle_fd(struct handle_table *table, uint64_t handle);
/*
 * A duplicate of one that is open of this node, for the caller; -EBADF if none
 * is.  It looks at all of them.
 */
int handle_dup_of(struct handle_table *table, uint64_t node);
/* NULL when the handle is not an open directory. */
struct dir_stream *handle_dir(struct handle_table *table, uint64_t handle);

void handle_remove(struct handle_table *table, uint64_t handle);

#endif
