/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle: one random sequence of file system calls, made by several users
 * of one user namespace on two directories, and every difference reported.
 *
 *   tree A  a plain directory: what the kernel does is right by definition
 *   tree B  the directory under test
 *
 * Processes: the supervisor (root on the host: writes the id maps, looks at
 * B's source directory, notices a hang); the driver (root of the namespace:
 * makes up the calls, makes those of container root, compares the trees,
 * shrinks failures); one worker for each other identity.  Driver and workers
 * go in lockstep, so a seed reproduces a run.
 *
 * Every call is made relative to the `t` directory of the current epoch,
 * TOP/eN/c/c/t.  The two directories above it catch what goes out by "..".
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define SLOTS 4	       /* descriptors that each identity keeps open */
#define PATH_ARG 600   /* one path of a call, with NUL */
#define DATA_MAX 8192  /* what a call read, listed or got */
#define CAGE "c/c/t"   /* the tree inside its epoch's directory */
#define TREE_NODES 600 /* objects compared at most */
#define ERRNOS 140
#define IDENTITIES 17
/* The first of them; the others differ in their capabilities. */
#define ORDINARY 7

enum tree_id { TREE_A, TREE_B, TREES };

/* clang-format off */
enum op_kind {
	/* by name */
	OP_MKDIR, OP_OPEN, OP_MKNOD, OP_SYMLINK, OP_LINK, OP_UNLINK, OP_RMDIR,
	OP_RENAME, OP_CHMOD, OP_CHOWN, OP_TRUNCATE, OP_UTIMENS, OP_ACCESS,
	OP_STAT, OP_READLINK, OP_READDIR,
	OP_SETXATTR, OP_GETXATTR, OP_LISTXATTR, OP_REMOVEXATTR,
	OP_SETCAP, OP_SETACL,
	/* by open descriptor */
	OP_WRITE, OP_PWRITE, OP_READ, OP_PREAD, OP_LSEEK, OP_FTRUNCATE,
	OP_FCHMOD, OP_FCHOWN, OP_FUTIMENS, OP_FSTAT, OP_FALLOCATE, OP_FSYNC,
	OP_COPY_RANGE, OP_FSETXATTR, OP_FGETDENTS, OP_CLOSE,
	OP_MMAP, OP_REOPEN,
	/* of the machinery: open the epoch's tree anew, close all slots */
	OP_RESET,
	OP_COUNT
};
/* clang-format on */

struct op {
	enum op_kind kind;
	unsigned int who;
	unsigned int slot;
	mode_t umask;
	int64_t arg[6];
	char path[2][PATH_ARG];
};

/* Attributes of one object; err is 0 or the errno of asking. */
struct attr {
	int err;
	uint32_t mode, uid, gid, nlink, rdev_major, rdev_minor;
	uint64_t size, ino;
	struct timespec atime, mtime, ctime;
};

struct result {
	long ret;
	int err;
	bool has_fd; /* before and after hold the slot's fstat */
	bool has_attr;
	struct attr before, after;
	struct attr attr; /* what stat(2) or fstat(2) as the call gave */
	uint32_t length;
	char data[DATA_MAX];
};

/* What differs: field names the class, detail is for people. */
struct mismatch {
	char field[96];
	char detail[1400];
};

struct identity {
	const char *name;
	uid_t uid;
	gid_t gid;
	size_t group_count;
	gid_t groups[4];
	uint64_t lost;	/* capabilities that root lacks, as 1 << CAP_... */
	uint64_t given; /* and that another user has */
	bool nested;	/* root of a namespace of its own, as itself */
};

/* A process that makes calls: its directory and descriptors in both trees. */
struct actor {
	int top[TREES];
	int dir[TREES];
	int slots[TREES][SLOTS];
};

/* Shared by all processes; one request is under way at a time. */
struct shared {
	unsigned long progress;
	char current[2048]; /* the call under way, for the report of a hang */
	char epoch[32];
	struct op op;
	struct result results[TREES];
	struct mismatch source;
};

struct options {
	const char *dir[TREES];
	const char *source;	    /* B's directory on disk, or NULL */
	const char *tree_b_command; /* makes B, run inside the namespace */
	FILE *replay;
	const char *ignore;  /* KIND:FIELD,... differences to look past */
	const char *known;   /* those that end an epoch, but don't count */
	const char *without; /* names of calls not to make, by commas */
	uint64_t seed;
	uint64_t ops;
	unsigned int epoch_ops;
	unsigned int every; /* whole comparison every so many calls */
	unsigned int shrink_seconds;
	bool acl;
	bool moved; /* compare whether ctime and mtime moved */
	bool keep_going;
	bool capabilities; /* roots with less, users with more take part */
	bool real_owners;  /* B's source is to be just as A on disk */
	bool stats;	   /* how often each call gave which errno */
	uid_t uid;	   /* who owns B's source, container root on the host */
	gid_t gid;
	uint32_t sub_first, sub_count;
};

struct node {
	char path[PATH_ARG];
	struct attr attr;
	uint64_t content;     /* hash of what a file holds */
	uint64_t xattr_names; /* hash of the sorted list */
	uint64_t xattrs;      /* hash of names and values */
	char detail[220];     /* link target, or the xattrs in text */
	size_t same_as;	      /* first path with the same inode */
};

struct tree {
	size_t count;
	bool overflow;
	struct node nodes[TREE_NODES];
};

/* How much is compared after a call. */
enum check {
	CHECK_RESULT, /* what the call itself said */
	CHECK_TARGET, /* and the objects that it names */
	CHECK_LIGHT,  /* and all names and attributes */
	CHECK_FULL,   /* and contents, links, xattrs */
};

struct driver {
	const struct options *options;
	struct shared *shared;
	struct actor self;
	int to_worker[IDENTITIES];
	int from_worker[IDENTITIES];
	int supervisor;
	unsigned int epochs; /* directories made so far */
	uint64_t stuck;	     /* trees B that could not be removed */
	time_t started;
	bool mapped; /* something was written through a mapping */
	bool moved;  /* ctime and mtime moving is compared */
	bool moved_directories;
	struct tree trees[TREES];
	uint32_t stats[OP_COUNT][ERRNOS];
};

/* numbers.c: the random numbers are those of splitmix64 */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
/* 0..bound-1 */
uint32_t rng_below(struct rng *rng, uint32_t bound);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t length);
/* Is the name in a list by commas?  The list may be NULL. */
bool named_in(const char *list, const char *name);
bool parse_number(const char *text, const char **ret_end, int64_t *ret);
#define HASH_START UINT64_C(0xcbf29ce484222325)

/* What calls are made up from. */
struct gen {
	struct rng rng;
	const struct options *options;
	const struct tree *known; /* what A held at the last look */
	bool holes; /* punched and looked for; else blocks are reserved */
	bool open[IDENTITIES][SLOTS];
	const struct node *picked; /* the object of the call, or its parent */
};

/* gen.c */
void gen_op(struct gen *gen, unsigned int index, struct op *ret);

/* gen_args.c */
void gen_args(struct rng *rng, bool directory, struct op *op);

/* describe.c */
enum { OP_PATH0 = 1, OP_PATH1 = 2, OP_SLOT = 4, OP_UMASK = 8, OP_CREATES = 16 };
const char *op_name(enum op_kind kind);
unsigned int op_weight(enum op_kind kind);
unsigned int op_uses(enum op_kind kind);
void op_describe(const struct op *op, char *buf, size_t size);
/* One line "R ..." that op_parse() reads back. */
void op_write(const struct op *op, FILE *file);
bool op_parse(const char *line, struct op *ret);

/* ids.c */
extern const struct identity identities[IDENTITIES];
int namespace_enter(const struct options *options, int to_parent,
		    int from_parent);
int namespace_map(const struct options *options, pid_t pid);
int workers_start(struct driver *driver);
int actor_reset(struct actor *actor, const char *epoch);
bool driver_call(struct driver *driver, const struct op *op);

/* ops.c, ops_fd.c, ops_xattr.c: 0.. or -1 with errno */
void op_execute(const struct op *op, struct actor *actor, enum tree_id tree,
		struct result *ret);
long op_execute_path(const struct op *op, struct actor *actor,
		     enum tree_id tree, struct result *ret);
long op_execute_fd(const struct op *op, struct actor *actor, enum tree_id tree,
		   struct result *ret);
long op_execute_xattr(const struct op *op, struct actor *actor,
		      enum tree_id tree, struct result *ret);
void attr_get(int dirfd, const char *path, int flags, struct attr *ret);
/* Names and types of a directory, sorted, as the result's data. */
long read_names(int fd, struct result *ret);
size_t acl_blob(int64_t variant, char *buf, size_t size);
size_t cap_blob(int64_t variant, char *buf, size_t size);
void acl_text(int64_t variant, char *buf, size_t size);

/* compare.c: true when equal */
bool attr_equal(const struct attr *a, const struct attr *b, time_t started,
		const char *what, struct mismatch *ret);
bool moved_equal(const struct driver *driver, const struct attr *a,
		 const struct attr *a_after, const struct attr *b,
		 const struct attr *b_after, const char *what,
		 struct mismatch *ret);
bool results_equal(const struct driver *driver, const struct op *op,
		   struct mismatch *ret);
bool trees_equal(struct driver *driver, bool full, struct mismatch *ret);

/* tree.c */
void tree_read(int top, const char *epoch, bool full, struct tree *ret);
int tree_make(int top, const char *epoch);
int tree_remove(int dirfd, const char *name);

/* driver.c */
int driver_reset(struct driver *driver);
int driver_clear(struct driver *driver);
bool driver_step(struct driver *driver, const struct op *op, enum check check,
		 struct mismatch *ret);
bool driver_is_unmendable(const struct driver *driver, const struct op *op);
bool driver_check_source(struct driver *driver, struct mismatch *ret);

/* run.c: 0, or -EIO for a difference */
int driver_run(struct driver *driver);

/* shrink.c: in place; returns how many calls are left */
size_t shrink_prefix(struct driver *driver, struct op *ops, size_t count,
		     struct mismatch *mismatch);
size_t shrink(struct driver *driver, struct op *ops, size_t count,
	      struct mismatch *mismatch);
void reproducer_print(struct driver *driver, const struct op *ops, size_t count,
		      FILE *file);
int driver_replay(struct driver *driver);

/* source.c: what must hold of B's source directory on the host */
bool source_check(const struct options *options, const char *epoch,
		  struct mismatch *ret);

#endif
