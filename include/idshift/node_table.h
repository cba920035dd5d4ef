/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects that the kernel holds references to, by node id, and a bounded
 * cache of descriptors to them.
 *
 * A node id is a table index with a generation, never a pointer: an id that
 * was forgotten, or that we never gave out, is answered with -ESTALE.  A node
 * knows its identity on disk and the names under which it was found; names
 * pin their parent directories.  When its descriptor was evicted it is opened
 * again by parent and name, and the identity verified.
 *
 * Thread-safe.  One mutex for the table, never held across a system call, and
 * node_change_lock() for the objects, which is taken before it.
 */
#ifndef IDSHIFT_NODE_TABLE_H
#define IDSHIFT_NODE_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* FUSE_ROOT_ID: the source directory itself. */
#define NODE_ROOT_ID UINT64_C(1)

struct node_table;

/*
 * A node in use: its path fd stays open and valid until node_release().
 * Initialise with NODE_REF_NONE; releasing that does nothing.
 */
struct node_ref {
	struct node_table *table;
	uint32_t index;
	uint64_t id;
	uint64_t dev; /* backing_dev() of the object */
	mode_t type;  /* S_IFMT of the object */
	int fd;
};
#define NODE_REF_NONE ((struct node_ref){ .table = NULL, .fd = -1 })

/*
 * Called for a node without a name left that is about to be dropped, while
 * its path fd is still open; type is the object's S_IFMT, dev its device.  No
 * lock is held.
 */
typedef void node_orphan_fn(void *context, int path_fd, mode_t type,
			    uint64_t dev);
/*
 * Called for a node that no name leads to any more, but of which handles are
 * open (node_opened()): a path fd of it, for the caller, or -errno.  No lock is
 * held.
 */
typedef int node_reopen_fn(void *context, uint64_t id);

struct node_hooks {
	node_orphan_fn *orphan; /* NULL: nobody */
	node_reopen_fn *reopen;
	void *context;
};

/*
 * Takes ownership of root_fd on success.  max_fds bounds the cached
 * descriptors (those in use and those of nameless nodes come on top).
 */
int node_table_new(int root_fd, size_t max_fds, const struct node_hooks *hooks,
		   struct node_table **ret);
/* NULL is fine; returns NULL. */
struct node_table *node_table_free(struct node_table *table);

/*
 * Where the generations begin, so that ids of an earlier table of the same
 * mount name nothing here, but for the root's.  Before any is given out.
 */
void node_table_first_generation(struct node_table *table, uint32_t generation);

/*
 * Close descriptors that were not used for so long, by a thread that ends with
 * the table: what the host deletes must not keep its space for our sake.
 */
int node_table_start_ageing(struct node_table *table, unsigned int seconds);

/* -ESTALE: no such node, or its object can't be found any more. */
int node_acquire(struct node_table *table, uint64_t id, struct node_ref *ret);
/* The same, and its state on disk: what opening it has told is not asked again.
 */
int node_acquire_stat(struct node_table *table, uint64_t id,
		      struct node_ref *ret, struct statx *ret_stx);
void node_release(struct node_ref *ref);

/* A name longer than this is not to be found by node_locate(). */
#define NODE_NAME_MAX 255

/*
 * The node, acquired but for its descriptor, and where it should be: the
 * directory, acquired, and its latest name in there, which may have changed
 * hands on disk, or be covered by a mount (node_is()).  -ENOENT: it has a
 * descriptor already, or no such name is known: node_acquire() it.
 */
int node_locate(struct node_table *table, uint64_t id, struct node_ref *ret,
		struct node_ref *ret_dir, char ret_name[NODE_NAME_MAX + 1]);
/* Is the node's object the one with this statx? */
bool node_is(const struct node_ref *ref, const struct statx *stx);

/*
 * The object `fd` (a path fd, whose statx is stx) was found as `name` in the
 * directory `parent`: give it a node or find the one it has, add one lookup.
 * Takes ownership of fd in every case; fd may be -1: it is opened when it is
 * needed.  *ret is acquired, but has a descriptor only if the node has one.
 */
int node_found(struct node_table *table, const struct node_ref *parent,
	       const char *name, int fd, const struct statx *stx,
	       struct node_ref *ret);

/* Drop lookups, as FUSE_FORGET says. */
void node_forget(struct node_table *table, uint64_t id, uint64_t lookups);
/* The same of many. */
struct node_lookups {
	uint64_t id;
	uint64_t count;
};
void node_forget_all(struct node_table *table,
		     const struct node_lookups *forgotten, size_t count);

/*
 * The node known by that name, its descriptor pinned for as long as the node
 * lives: call it before the name goes away (unlink, rename over).  -ENOENT
 * when none is known, *ret is then NODE_REF_NONE.
 */
int node_pin_name(struct node_table *table, const struct node_ref *parent,
		  const char *name, struct node_ref *ret);
/* The name is gone from disk. */
void node_name_removed(struct node_table *table, const struct node_ref *parent,
		       const char *name);
/*
 * renameat2(2) succeeded.  `moved` had the name before, `exchanged` the new one
 * with RENAME_EXCHANGE, else NULL: as node_pin_name() gave them, as the names
 * may have been forgotten by whoever didn't find them there any more.
 */
void node_renamed(struct node_table *table, const struct node_ref *parent,
		  const char *name, const struct node_ref *new_parent,
		  const char *new_name, const struct node_ref *moved,
		  const struct node_ref *exchanged);

/*
 * A hint kept with the node: the view has, or may have, setuid or setgid, so
 * that writes have to look, or a directory's sticky bit, so that removals do.
 * False for an unknown id.
 */
void node_set_privileged(const struct node_ref *ref, bool privileged);
bool node_is_privileged(struct node_table *table, uint64_t id);

/* Kept with the node, as it was seen last. */
enum node_strangeness {
	NODE_FAMILIAR,
	NODE_STRANGE, /* view_is_strange() */
	NODE_NARROW,  /* such a directory that not everybody may search */
};
void node_set_strangeness(const struct node_ref *ref,
			  enum node_strangeness strangeness);
enum node_strangeness node_strangeness(const struct node_ref *ref);

/* Kept with the node: when it was last looked up because of an -ESTALE. */
void node_set_found_again(const struct node_ref *ref, uint32_t at);
uint32_t node_found_again(const struct node_ref *ref);

/* A hint kept with a directory: it was listed without attributes. */
void node_set_listed(const struct node_ref *ref, bool listed);
bool node_is_listed(const struct node_ref *ref);

/* A file of the directory was locked, by a name that is known. */
void node_was_locked(const struct node_ref *file);
bool node_has_locked(const struct node_ref *dir);

/*
 * Its path below the root, by the names known ("/" for the root itself); "?"
 * stands for what is not known or does not fit.
 */
void node_path(const struct node_ref *ref, char *buf, size_t size);

/*
 * Was the object, whose statx has a link count of 0, removed or replaced
 * behind our back?  Then its names are forgotten.  What was unlinked through
 * us has no name any more and may be used on.
 */
bool node_was_replaced(const struct node_ref *ref);

/*
 * Are the kernel's pages of the file those of this ctime (nanoseconds)?  And
 * note that from now on they are; UINT64_MAX: of none.
 */
bool node_pages_are_as_of(const struct node_ref *ref, uint64_t ctime);
void node_set_pages_as_of(const struct node_ref *ref, uint64_t ctime);

/*
 * What the kernel was last told of the object's content: size, mtime, ctime.
 * stx NULL: nothing that can be trusted.
 */
void node_tell(const struct node_ref *ref, const struct statx *stx);
/* Is that still so? */
bool node_is_told(const struct node_ref *ref, const struct statx *stx);
/*
 * May the kernel's pages be older than that?  It drops them for another size
 * or mtime, but whoever writes to a file can also set its mtime back.
 */
bool node_pages_are_unsure(const struct node_ref *ref);
/* It has none now, and was told nothing. */
void node_pages_dropped(const struct node_ref *ref);
/* Was that the size? */
bool node_is_told_size(struct node_table *table, uint64_t id, uint64_t size);

/*
 * A handle of the file was opened, or closed.  Between the two a descriptor
 * that the node has is kept as long as the bound lets us.  True for the first
 * of all: the kernel has no page of the file, and gets none before a handle is
 * in use.
 */
bool node_opened(struct node_table *table, uint64_t id, bool writes);
void node_closed(struct node_table *table, uint64_t id, bool writes);
/* The ids of those that are open for writing, to be freed.  0 or -ENOMEM. */
int node_writers(struct node_table *table, uint64_t **ret, size_t *ret_count);
/* Is a handle open for writing? */
bool node_has_writer(const struct node_ref *ref);

/*
 * The mutex that serialises changes of owner, mode, size and record of this
 * object, and what the kernel gets at its first open.  Shared with other
 * nodes; no other such lock is taken under it.
 */
pthread_mutex_t *node_change_lock(const struct node_ref *ref);
pthread_mutex_t *node_change_lock_of(struct node_table *table, uint64_t id);
/* Its turns_key(), 0 for an id that there is no more; and the mutex by that. */
uint64_t node_turn(struct node_table *table, uint64_t id);
pthread_mutex_t *node_change_lock_by(struct node_table *table, uint64_t turn);

/* Close what is cached and not in use: others need the descriptors more. */
void node_table_drop_idle(struct node_table *table);

struct node_table_stats {
	size_t nodes;
	size_t fds;
	uint64_t lookups; /* sum of all lookup counts */
};
void node_table_stats(struct node_table *table, struct node_table_stats *ret);

static inline void cleanup_node_ref_impl(struct node_ref *ref)
{
	node_release(ref);
}
#define _cleanup_node_ __attribute__((cleanup(cleanup_node_ref_impl)))

#endif
