/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to an object, one component at a time, as path_resolution(7). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"

#include "explain.h"

#define LINKS_MAX 40 /* the kernel's MAXSYMLINKS */

static void object_done(struct object *object)
{
	close_fd(object->fd);
	free(object->path);
	acl_free(object->acl);
	*object = (struct object){ .fd = -1 };
}

void way_destroy(struct way *way)
{
	object_done(&way->dir);
	object_done(&way->final);
}

/* Takes ownership of fd. */
static int object_load(const struct target *target, int fd, const char *above,
		       const char *name, struct object *ret)
{
	struct object object = { .fd = fd };
	int r;

	/* The present directory goes without saying. */
	if (name[0] != '\0' && strcmp(above, ".") != 0)
		r = asprintf(&object.path, "%s/%s", above, name);
	else
		r = asprintf(&object.path, "%s",
			     name[0] != '\0' ? name : above);
	if (r < 0)
		object.path = NULL;
	r = r < 0 ? -ENOMEM : 0;
	if (r == 0)
		r = backing_stat(fd, &object.stx);
	if (r == 0)
		r = records_view(&target->records, fd, &object.stx,
				 &object.view);
	if (r == 0) {
		object.strange = target_forget_strange_ids(&target->policy,
							   &object.view);
		r = records_acl_judged(&target->records, fd, &object.stx,
				       &object.acl);
	}
	if (r < 0) {
		object_done(&object);
		return r;
	}
	*ret = object;
	return 0;
}

struct walker {
	const struct question *question;
	struct way *way; /* dir: where we are */
	char *rest;	 /* allocated; what is still to go */
	bool slash;	 /* behind the name at hand */
	size_t depth;	 /* below the source */
	unsigned int links;
	struct verdict *verdict;
	struct error *error;
};

static bool deny(struct walker *w, int result, enum why why,
		 const struct object *object)
{
	*w->verdict = (struct verdict){
		.result = result,
		.why = why,
		.object = object,
	};
	return false;
}

static int cannot(const struct walker *w, const char *name, const char *why)
{
	return error_set(w->error, EXIT_STATUS_USAGE, "'%s': '%s' %s",
			 w->way->dir.path, name, why);
}

/* Records are hidden there, and the user of another mount would be judged. */
static int refuse_mount(const struct walker *w, const struct object *object)
{
	char reason[TARGET_REASON_MAX];

	if (!target_is_in_mount(object->fd, reason))
		return 0;
	return error_set(w->error, EXIT_STATUS_USAGE, "'%s': %s", object->path,
			 reason);
}

/* The next component, cut off what is to go; NULL: there is none. */
static char *next_name(struct walker *w, bool *ret_last)
{
	char *name = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(name, "/");
	char *copy;

	w->slash = name[len] == '/';
	*ret_last = name[len + strspn(name + len, "/")] == '\0';
	copy = strndup(name, len);
	if (copy != NULL)
		memmove(w->rest, name + len, strlen(name + len) + 1);
	return copy;
}

/* Put a link's text in front of what is to go. */
static int follow(struct walker *w, int fd, const char *name)
{
	char text[PATH_MAX];
	ssize_t len = readlinkat(fd, "", text, sizeof(text) - 1);
	char *longer;

	if (len < 0)
		return -errno;
	text[len] = '\0';
	if (text[0] == '/')
		return cannot(w, name,
			      "is a link to an absolute path, which leads out "
			      "of the mount; judge the path that it has in the "
			      "container");
	if (++w->links > LINKS_MAX)
		return deny(w, -ELOOP, WHY_LOOP, &w->way->dir);
	/* What is to go begins with a slash, or is nothing. */
	if (asprintf(&longer, "%s%s", text, w->rest) < 0)
		return -ENOMEM;
	free(w->rest);
	w->rest = longer;
	return 1;
}

/* Does the operation mean what a link at the end leads to? */
static bool follows_last(enum operation operation)
{
	return operation != OP_DELETE && operation != OP_CREATE;
}

static int missing(struct walker *w, bool last)
{
	if (last && w->question->operation == OP_CREATE) {
		w->way->is_new = true;
		return 0;
	}
	/* The kernel asks the mount before it looks a name up to remove it. */
	if (last && w->question->operation == OP_DELETE &&
	    w->question->target->options.read_only)
		return deny(w, -EROFS, WHY_READ_ONLY, &w->way->dir);
	return deny(w, -ENOENT, WHY_MISSING, &w->way->dir);
}

/* A slash at the end: path_resolution(7) has it name a directory. */
static int finish(struct walker *w)
{
	const struct object *object = &w->way->final;

	if (!w->slash || S_ISDIR(object->stx.stx_mode) ||
	    w->question->operation == OP_CREATE)
		return 0;
	if (w->question->operation == OP_DELETE &&
	    w->question->target->options.read_only)
		return 0;
	return deny(w, -ENOTDIR, WHY_NOT_DIRECTORY, object);
}

/* 1: go on; 0: the end, or a verdict that denies; -errno. */
static int enter(struct walker *w, int fd, const char *name, bool last)
{
	struct object object;
	int r = object_load(w->question->target, fd, w->way->dir.path, name,
			    &object);

	if (r < 0)
		return r;
	if (backing_dev(&object.stx) != backing_dev(&w->way->dir.stx))
		r = refuse_mount(w, &object);
	if (r < 0) {
		object_done(&object);
		return r;
	}
	if (S_ISLNK(object.stx.stx_mode) &&
	    (!last || follows_last(w->question->operation))) {
		r = follow(w, object.fd, name);
		object_done(&object);
		return r;
	}
	if (last) {
		w->way->final = object;
		return finish(w);
	}
	object_done(&w->way->dir);
	w->way->dir = object;
	w->depth++;
	return 1;
}

static int step_up(struct walker *w)
{
	struct object object;
	int fd, r;

	if (w->depth == 0)
		return cannot(w, "..", "leads out of the mount");
	fd = openat(w->way->dir.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = object_load(w->question->target, fd, w->way->dir.path, "..",
			&object);
	if (r < 0)
		return r;
	object_done(&w->way->dir);
	w->way->dir = object;
	w->depth--;
	return 1;
}

static bool changes_names(enum operation operation)
{
	return operation == OP_CREATE || operation == OP_DELETE;
}

static int step(struct walker *w)
{
	_cleanup_free_ char *name = NULL;
	bool last;
	int fd;

	name = next_name(w, &last);
	if (name == NULL)
		return -ENOMEM;
	if (name[0] == '\0')
		return 0;
	if (!S_ISDIR(w->way->dir.stx.stx_mode))
		return deny(w, -ENOTDIR, WHY_NOT_DIRECTORY, &w->way->dir);
	explain_judge_search(w->question, &w->way->dir, w->verdict);
	if (w->verdict->result < 0) {
		/* What mends it is to mend the operation as well. */
		if (last && w->verdict->why == WHY_RULE &&
		    changes_names(w->question->operation))
			w->verdict->wanted |= ACCESS_WRITE;
		return 0;
	}
	if (strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0)
		return step_up(w);
	fd = backing_open_child(w->way->dir.fd, name);
	if (fd == -ENOENT)
		return missing(w, last);
	return fd < 0 ? fd : enter(w, fd, name, last);
}

int explain_walk(const struct question *question, const char *source,
		 const char *rest, struct way *way, struct verdict *ret,
		 struct error *error)
{
	struct walker w = {
		.question = question,
		.way = way,
		.rest = strdup(rest),
		.verdict = ret,
		.error = error,
	};
	_cleanup_fd_ int fd = -1;
	int r = -ENOMEM;

	*way = (struct way){ .dir = { .fd = -1 }, .final = { .fd = -1 } };
	*ret = (struct verdict){ .result = 0 };
	error->text[0] = '\0';
	fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		r = error_set(error, EXIT_STATUS_SOURCE, "source '%s': %s",
			      source, strerror(errno));
	else if (w.rest != NULL)
		r = object_load(question->target, take_fd(&fd), source, "",
				&way->dir);
	if (r == 0)
		r = refuse_mount(&w, &way->dir);
	if (r == 0) {
		do {
			r = step(&w);
		} while (r > 0);
	}
	free(w.rest);
	if (r < 0 && error->text[0] == '\0')
		(void)error_set(error, EXIT_STATUS_USAGE,
				"'%s/%s': can't be judged: %s", source, rest,
				strerror(-r));
	return r;
}
