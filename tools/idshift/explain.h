/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of idshift explain: the question, the way to the object, a verdict. */
#ifndef IDSHIFT_TOOL_EXPLAIN_H
#define IDSHIFT_TOOL_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "idshift/access.h"

#include "owner_spec.h"
#include "target.h"

enum operation {
	OP_READ,
	OP_WRITE,
	OP_EXEC,
	OP_LIST,
	OP_TRAVERSE,
	OP_CREATE,
	OP_DELETE,
	OP_CHOWN,
	OP_CHMOD,
};

struct question {
	const struct target *target;
	struct access_caller caller;
	enum operation operation;
	struct owner_spec owner; /* of OP_CHOWN; nothing given: any other */
	char *const *options;	 /* the words of the maps, to be repeated */
	size_t option_count;
};

/* An object on the way, as the container sees it. */
struct object {
	int fd; /* path fd; -1: there is none */
	char *path;
	struct statx stx;
	struct view view;
	bool strange;	 /* an id is recorded that the container lacks */
	struct acl *acl; /* container ids; NULL: none */
};

/* What decided. */
enum why {
	WHY_RULE,	   /* the verdict's rule */
	WHY_READ_ONLY,	   /* the option ro */
	WHY_NO_EXEC,	   /* the option noexec */
	WHY_CHOWN_DENY,	   /* the option chown=deny */
	WHY_NOT_OURS,	   /* only files of the acting user change owners */
	WHY_DISK,	   /* the acting user's rights on disk end here */
	WHY_DISK_STICKY,   /* likewise */
	WHY_MISSING,	   /* there is no such object */
	WHY_EXISTS,	   /* there is one already */
	WHY_NO_NAME,	   /* the path ends in no name that could go */
	WHY_NOT_DIRECTORY, /* and it is used as one */
	WHY_NOT_REGULAR,   /* and it is to be executed */
	WHY_LOOP,	   /* too many symbolic links */
	WHY_COUNT,
};

struct verdict {
	int result; /* 0: allowed; else the -errno of the call */
	enum why why;
	enum access_rule rule;
	unsigned int wanted;	     /* ACCESS_* of the object below */
	const struct object *object; /* where it was decided */
};

struct way {
	struct object dir;   /* that has the last name */
	struct object final; /* fd -1: the path ends at `dir` itself */
	bool is_new;	     /* or there is no such name yet */
};

void way_destroy(struct way *way);

/*
 * Go from the source directory along `rest`, judging each directory that is
 * passed.  0 with a verdict that allows so far, or one that denies; -errno or
 * -EINVAL with a reason when it can't be judged.
 */
int explain_walk(const struct question *question, const char *source,
		 const char *rest, struct way *way, struct verdict *ret,
		 struct error *error);

/* The last step: the operation itself. */
void explain_judge(const struct question *question, const struct way *way,
		   struct verdict *ret);

/* May a directory be passed? */
void explain_judge_search(const struct question *question,
			  const struct object *dir, struct verdict *ret);

/* "rwx" without what isn't wanted. */
const char *access_letters(unsigned int wanted);

/* Of a verdict that denies: what would mend it, in words. */
void explain_mend(FILE *out, const struct question *question,
		  const struct verdict *verdict);

void explain_print(const struct question *question, const char *operation,
		   const char *path, const struct verdict *verdict);
/* The same as a JSON object; -errno. */
int explain_print_json(const struct question *question, const char *operation,
		       const char *path, const struct verdict *verdict);

#endif
