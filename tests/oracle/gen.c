/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which call comes next, by whom, on which paths. */
#include "oracle.h"

#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void append(char *path, const char *text)
{
	size_t length = strlen(path), more = strlen(text);

	if (more < PATH_ARG - length)
		memcpy(path + length, text, more + 1);
}

static void set_path(char *path, const char *text)
{
	path[0] = '\0';
	append(path, text);
}

static void append_component(char *path, const char *name)
{
	if (path[0] != '\0' && path[strlen(path) - 1] != '/')
		append(path, "/");
	append(path, name);
}

static void append_long(char *path, size_t length)
{
	char name[260];

	memset(name, 'n', sizeof(name));
	name[length] = '\0';
	append_component(path, name);
}

/* Paths in a tree start with those of the cage. */
static const char *inside(const struct node *node)
{
	const size_t prefix = sizeof(CAGE);

	if (node == NULL || strncmp(node->path, CAGE "/", prefix) != 0)
		return ".";
	return node->path + prefix;
}

/* An object that exists; NULL, now and then, for the tree itself. */
static const struct node *existing(struct gen *gen, mode_t type)
{
	const struct tree *known = gen->known;

	if (known->count == 0 || rng_below(&gen->rng, 16) == 0)
		return NULL;
	for (int i = 0; i < 12; i++) {
		const struct node *node = &known->nodes[rng_below(
			&gen->rng, (uint32_t)known->count)];

		if ((type == 0 || (node->attr.mode & S_IFMT) == type) &&
		    strcmp(inside(node), ".") != 0)
			return node;
	}
	return NULL;
}

static void fresh_path(struct gen *gen, char *path)
{
	const char *const names[] = { "a", "b", "c", "d", "e", "f", "g" };
	const struct node *node = existing(gen, S_IFDIR);
	const char *dir = inside(node);

	path[0] = '\0';
	/* Not too deep: the names are to be met again. */
	if (strcmp(dir, ".") != 0 && strlen(dir) < 6 &&
	    rng_below(&gen->rng, 4)) {
		append(path, dir);
		gen->picked = node;
	}
	append_component(path, names[rng_below(&gen->rng, 7)]);
}

/* What a name may look like besides. */
static void decorate(struct gen *gen, char *path)
{
	switch (rng_below(&gen->rng, 12)) {
	case 0:
	case 1:
		append(path, "/");
		break;
	case 2:
		append(path, "/.");
		break;
	case 3:
		append(path, "/..");
		break;
	case 4:
		append_component(path, "a");
		break;
	case 5:
		append_long(path, 255);
		break;
	case 6:
		append_long(path, 256);
		break;
	case 7:
		path[0] = '\0';
		append_long(path, 255);
		break;
	case 8:
		set_path(path, ".");
		break;
	case 9:
		path[0] = '\0';
		break;
	case 10:
		set_path(path, "./");
		append(path, inside(existing(gen, 0)));
		break;
	default:
		/* By way of a symlink. */
		set_path(path, inside(existing(gen, S_IFLNK)));
		append_component(path, rng_below(&gen->rng, 2) ? "a" : "b");
	}
}

static const struct node *picked(struct gen *gen, mode_t type)
{
	gen->picked = existing(gen, rng_below(&gen->rng, 3) ? type : 0);
	return gen->picked;
}

static void any_path(struct gen *gen, unsigned int fresh_percent, mode_t type,
		     char *path)
{
	if (rng_below(&gen->rng, 100) < fresh_percent)
		fresh_path(gen, path);
	else
		set_path(path, inside(picked(gen, type)));
	if (rng_below(&gen->rng, 100) < 9)
		decorate(gen, path);
}

/* Never absolute, and not out of the cage. */
static void symlink_target(struct gen *gen, char *path)
{
	const char *const targets[] = { "a", "b",    "c",    "d/a", "../a",
					".", "../b", "none", "..",  "a/b" };

	if (rng_below(&gen->rng, 3) == 0)
		set_path(path, inside(existing(gen, 0)));
	else
		set_path(path, targets[rng_below(&gen->rng, 10)]);
	if (rng_below(&gen->rng, 40) == 0)
		append(path, "/");
}

static void xattr_name(struct gen *gen, char *path)
{
	const char *const names[] = { "user.a",		"user.b",
				      "user.cc",	"user.a",
				      "user.b",		"trusted.a",
				      "user.",		"user.long",
				      "security.a",	"system.none",
				      "none",		"security.capability",
				      "user.mime_type", "user.a" };

	set_path(path, rng_below(&gen->rng, 3) ?
			       names[rng_below(&gen->rng, 2)] :
			       names[rng_below(&gen->rng, 14)]);
	if (strcmp(path, "security.capability") == 0 &&
	    named_in(gen->options->without, "setcap"))
		set_path(path, "user.a");
	/* At and beyond XATTR_NAME_MAX. */
	if (strcmp(path, "user.long") == 0) {
		size_t length = 255 + rng_below(&gen->rng, 2);

		memset(path, 'n', length);
		memcpy(path, "user.", 5);
		path[length] = '\0';
	}
}

static void gen_paths(struct gen *gen, struct op *op)
{
	switch (op->kind) {
	case OP_MKDIR:
	case OP_MKNOD:
		any_path(gen, 85, 0, op->path[0]);
		break;
	case OP_OPEN:
		any_path(gen, 40, S_IFREG, op->path[0]);
		break;
	case OP_SYMLINK:
		symlink_target(gen, op->path[0]);
		any_path(gen, 85, 0, op->path[1]);
		break;
	case OP_LINK:
		any_path(gen, 85, 0, op->path[1]);
		any_path(gen, 5, S_IFREG, op->path[0]);
		break;
	case OP_RENAME:
		any_path(gen, 50, 0, op->path[1]);
		any_path(gen, 5, 0, op->path[0]);
		break;
	case OP_SETXATTR:
	case OP_GETXATTR:
	case OP_REMOVEXATTR:
		xattr_name(gen, op->path[1]);
		any_path(gen, 5, S_IFREG, op->path[0]);
		break;
	case OP_FSETXATTR:
		xattr_name(gen, op->path[1]);
		break;
	case OP_READLINK:
		any_path(gen, 5, S_IFLNK, op->path[0]);
		break;
	case OP_READDIR:
	case OP_RMDIR:
		any_path(gen, 5, S_IFDIR, op->path[0]);
		break;
	case OP_TRUNCATE:
	case OP_UNLINK:
	case OP_CHMOD:
	case OP_CHOWN:
	case OP_SETCAP:
		any_path(gen, 8, S_IFREG, op->path[0]);
		break;
	default:
		if (op_uses(op->kind) & OP_PATH0)
			any_path(gen, 8, 0, op->path[0]);
	}
}

static unsigned int weight(const struct options *options, enum op_kind kind)
{
	if (kind == OP_SETACL && !options->acl)
		return 0;
	if (named_in(options->without, op_name(kind)))
		return 0;
	return op_weight(kind);
}

static enum op_kind gen_kind(struct rng *rng, const struct options *options)
{
	unsigned int total = 0, at;

	for (unsigned int kind = 0; kind < OP_COUNT; kind++)
		total += weight(options, (enum op_kind)kind);
	at = rng_below(rng, total);
	for (unsigned int kind = 0; kind < OP_COUNT; kind++) {
		unsigned int share = weight(options, (enum op_kind)kind);

		if (at < share)
			return (enum op_kind)kind;
		at -= share;
	}
	return OP_STAT;
}

/* An epoch opens with a tree of some mode, directories, then files. */
static void gen_start(struct rng *rng, unsigned int index, struct op *op)
{
	const int64_t modes[] = { 0777, 01777, 02777, 03777, 0777, 0755 };
	const int64_t gids[] = { 0, 1000, 2000, 60 };

	memset(op->arg, 0, index < 2 ? sizeof(op->arg) : 0);
	if (index == 0) {
		op->kind = OP_CHOWN;
		op->who = 0;
		set_path(op->path[0], ".");
		op->arg[0] = rng_below(rng, 2) ? 0 : 1000;
		op->arg[1] = gids[rng_below(rng, 4)];
		op->arg[2] = 0;
	} else if (index == 1) {
		op->kind = OP_CHMOD;
		op->who = 0;
		set_path(op->path[0], ".");
		op->arg[0] = modes[rng_below(rng, 6)];
		op->arg[1] = 0;
	} else {
		op->arg[op->kind == OP_OPEN] = modes[rng_below(rng, 6)];
		op->umask = 0;
	}
}

static unsigned int callers(const struct gen *gen)
{
	return gen->options->capabilities ? IDENTITIES : ORDINARY;
}

/* Mostly an ordinary one. */
static unsigned int gen_caller(struct gen *gen)
{
	switch (rng_below(&gen->rng, 10)) {
	case 0:
	case 1:
		return 0;
	case 2:
	case 3:
	case 4:
		return rng_below(&gen->rng, callers(gen));
	default:
		return rng_below(&gen->rng, ORDINARY);
	}
}

/* Often the owner of the object: others are refused nearly all. */
static void gen_owner(struct gen *gen, struct op *op)
{
	unsigned int first = rng_below(&gen->rng, callers(gen));

	if (gen->picked == NULL || rng_below(&gen->rng, 2) == 0)
		return;
	for (unsigned int i = 0; i < callers(gen); i++) {
		unsigned int who = (first + i) % callers(gen);

		if (identities[who].uid == gen->picked->attr.uid) {
			op->who = who;
			return;
		}
	}
}

/* Nearly always a slot that holds a descriptor. */
static void gen_slot(struct gen *gen, struct op *op)
{
	unsigned int start = rng_below(&gen->rng, IDENTITIES * SLOTS);

	if (rng_below(&gen->rng, 20) == 0)
		return;
	for (unsigned int i = 0; i < IDENTITIES * SLOTS; i++) {
		unsigned int at = (start + i) % (IDENTITIES * SLOTS);

		if (gen->open[at / SLOTS][at % SLOTS]) {
			op->who = at / SLOTS;
			op->slot = at % SLOTS;
			return;
		}
	}
}

/* Another of the same caller. */
static void gen_from_slot(struct gen *gen, struct op *op)
{
	unsigned int start = rng_below(&gen->rng, SLOTS);

	for (unsigned int i = 0; i < SLOTS; i++) {
		unsigned int slot = (start + i) % SLOTS;

		if (gen->open[op->who][slot]) {
			op->arg[0] = slot;
			return;
		}
	}
}

/*
 * Whether allocated but unwritten blocks are data depends on what of them is
 * in the page cache (lseek(2), iomap_seek_data() in linux fs/iomap/seek.c):
 * an epoch has either such blocks or calls that look for holes.
 */
static void gen_holes(const struct gen *gen, struct op *op)
{
	if (op->kind == OP_FALLOCATE && gen->holes)
		op->arg[0] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (op->kind == OP_LSEEK && !gen->holes &&
	    (op->arg[1] == SEEK_DATA || op->arg[1] == SEEK_HOLE))
		op->arg[1] = SEEK_SET;
}

static bool directory_picked(const struct gen *gen, const struct op *op)
{
	if (op->kind == OP_MKDIR)
		return true;
	return gen->picked != NULL && S_ISDIR(gen->picked->attr.mode) &&
	       strcmp(op->path[0], inside(gen->picked)) == 0;
}

void gen_op(struct gen *gen, unsigned int index, struct op *ret)
{
	struct rng *rng = &gen->rng;

	memset(ret, 0, sizeof(*ret));
	gen->picked = NULL;
	ret->who = gen_caller(gen);
	ret->slot = rng_below(rng, SLOTS);
	ret->kind = gen_kind(rng, gen->options);
	if (index >= 2 && index < 7)
		ret->kind = OP_MKDIR;
	else if (index >= 7 && index < 12)
		ret->kind = OP_OPEN;
	gen_paths(gen, ret);
	gen_owner(gen, ret);
	if ((op_uses(ret->kind) & OP_SLOT) && ret->kind != OP_OPEN)
		gen_slot(gen, ret);
	gen_args(rng, directory_picked(gen, ret), ret);
	gen_holes(gen, ret);
	if (ret->kind == OP_COPY_RANGE || ret->kind == OP_REOPEN)
		gen_from_slot(gen, ret);
	if (index < 12 && rng_below(rng, 4))
		gen_start(rng, index, ret);
}
