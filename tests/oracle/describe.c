/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of calls, and a call as text: for people and for --replay. */
#include "oracle.h"

#include <fcntl.h>
#include <string.h>

enum format { NONE, OCT, DEC, HEX, OPEN_FLAGS, ACL, CAP };

struct op_entry {
	const char *name;
	unsigned int weight;
	unsigned int uses;
	struct {
		const char *name;
		enum format format;
	} arg[6];
};

#define P0 OP_PATH0
#define P1 OP_PATH1
#define SL OP_SLOT
#define UM OP_UMASK
#define CR OP_CREATES

static const struct op_entry table[OP_COUNT] = {
	[OP_MKDIR] = { "mkdir", 60, P0 | UM | CR, { { "mode", OCT } } },
	[OP_OPEN] = { "open",
		      150,
		      P0 | SL | UM | CR,
		      { { "flags", OPEN_FLAGS }, { "mode", OCT } } },
	[OP_MKNOD] = { "mknod",
		       35,
		       P0 | UM | CR,
		       { { "mode", OCT }, { "dev", HEX } } },
	[OP_SYMLINK] = { "symlink",
			 35,
			 P0 | P1 | CR,
			 { { "target_length", DEC } } },
	[OP_LINK] = { "link", 40, P0 | P1 | CR, { { "flags", HEX } } },
	[OP_UNLINK] = { "unlink", 35, P0, { { "flags", HEX } } },
	[OP_RMDIR] = { "rmdir", 20, P0, { { "flags", HEX } } },
	[OP_RENAME] = { "rename", 60, P0 | P1 | CR, { { "flags", HEX } } },
	[OP_CHMOD] = { "chmod", 70, P0, { { "mode", OCT }, { "flags", HEX } } },
	[OP_CHOWN] = { "chown",
		       90,
		       P0,
		       { { "uid", DEC }, { "gid", DEC }, { "flags", HEX } } },
	[OP_TRUNCATE] = { "truncate", 25, P0, { { "size", DEC } } },
	[OP_UTIMENS] = { "utimensat",
			 35,
			 P0,
			 { { "asec", DEC },
			   { "ansec", DEC },
			   { "msec", DEC },
			   { "mnsec", DEC },
			   { "flags", HEX } } },
	[OP_ACCESS] = { "faccessat2",
			35,
			P0,
			{ { "mode", HEX }, { "flags", HEX } } },
	[OP_STAT] = { "statx", 25, P0, { { "flags", HEX } } },
	[OP_READLINK] = { "readlink", 15, P0, { { "size", DEC } } },
	[OP_READDIR] = { "readdir", 20, P0, { { NULL, NONE } } },
	[OP_SETXATTR] = { "setxattr",
			  40,
			  P0 | P1,
			  { { "size", DEC },
			    { "byte", HEX },
			    { "flags", HEX },
			    { "nofollow", DEC } } },
	[OP_GETXATTR] = { "getxattr",
			  25,
			  P0 | P1,
			  { { "size", DEC }, { "nofollow", DEC } } },
	[OP_LISTXATTR] = { "listxattr",
			   15,
			   P0,
			   { { "size", DEC }, { "nofollow", DEC } } },
	[OP_REMOVEXATTR] = { "removexattr",
			     20,
			     P0 | P1,
			     { { "nofollow", DEC } } },
	[OP_SETCAP] = { "setcap",
			25,
			P0,
			{ { "cap", CAP }, { "flags", HEX } } },
	[OP_SETACL] = { "setacl",
			60,
			P0,
			{ { "acl", ACL }, { "default", DEC } } },
	[OP_WRITE] = { "write", 40, SL, { { "size", DEC }, { "byte", HEX } } },
	[OP_PWRITE] = { "pwrite",
			25,
			SL,
			{ { "size", DEC },
			  { "byte", HEX },
			  { "offset", DEC } } },
	[OP_READ] = { "read", 20, SL, { { "size", DEC } } },
	[OP_PREAD] = { "pread",
		       20,
		       SL,
		       { { "size", DEC }, { "offset", DEC } } },
	[OP_LSEEK] = { "lseek",
		       20,
		       SL,
		       { { "offset", DEC }, { "whence", DEC } } },
	[OP_FTRUNCATE] = { "ftruncate", 25, SL, { { "size", DEC } } },
	[OP_FCHMOD] = { "fchmod", 30, SL, { { "mode", OCT } } },
	[OP_FCHOWN] = { "fchown", 30, SL, { { "uid", DEC }, { "gid", DEC } } },
	[OP_FUTIMENS] = { "futimens",
			  15,
			  SL,
			  { { "asec", DEC },
			    { "ansec", DEC },
			    { "msec", DEC },
			    { "mnsec", DEC } } },
	[OP_FSTAT] = { "fstat", 15, SL, { { NULL, NONE } } },
	[OP_FALLOCATE] = { "fallocate",
			   20,
			   SL,
			   { { "mode", HEX },
			     { "offset", DEC },
			     { "size", DEC } } },
	[OP_FSYNC] = { "fsync", 3, SL, { { "data", DEC } } },
	[OP_COPY_RANGE] = { "copy_file_range",
			    15,
			    SL,
			    { { "from_slot", DEC },
			      { "from", DEC },
			      { "to", DEC },
			      { "size", DEC } } },
	[OP_FSETXATTR] = { "fsetxattr",
			   10,
			   SL | P1,
			   { { "size", DEC },
			     { "byte", HEX },
			     { "flags", HEX } } },
	[OP_FGETDENTS] = { "getdents", 5, SL, { { NULL, NONE } } },
	[OP_CLOSE] = { "close", 15, SL, { { NULL, NONE } } },
	[OP_MMAP] = { "mmap", 15, SL, { { "byte", HEX }, { "offset", DEC } } },
	[OP_REOPEN] = { "reopen",
			15,
			SL,
			{ { "from_slot", DEC }, { "flags", OPEN_FLAGS } } },
	[OP_RESET] = { "reset", 0, 0, { { NULL, NONE } } },
};

static const struct {
	int64_t bit;
	const char *name;
} open_flags[] = {
	{ O_CREAT, "O_CREAT" },	      { O_EXCL, "O_EXCL" },
	{ O_TRUNC, "O_TRUNC" },	      { O_APPEND, "O_APPEND" },
	{ O_NONBLOCK, "O_NONBLOCK" }, { O_DIRECTORY, "O_DIRECTORY" },
	{ O_NOFOLLOW, "O_NOFOLLOW" }, { O_NOATIME, "O_NOATIME" },
	{ O_PATH, "O_PATH" },	      { O_DIRECT, "O_DIRECT" },
};

const char *op_name(enum op_kind kind)
{
	return table[kind].name;
}

unsigned int op_weight(enum op_kind kind)
{
	return table[kind].weight;
}

unsigned int op_uses(enum op_kind kind)
{
	return table[kind].uses;
}

static void open_flags_text(int64_t flags, char *buf, size_t size)
{
	const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR",
				       "O_ACCMODE" };
	size_t at = (size_t)snprintf(buf, size, "%s", access[flags & 3]);

	for (size_t i = 0; i < sizeof(open_flags) / sizeof(*open_flags); i++) {
		if ((flags & open_flags[i].bit) && at < size)
			at += (size_t)snprintf(buf + at, size - at, "|%s",
					       open_flags[i].name);
	}
}

static void arg_text(enum format format, int64_t value, char *buf, size_t size)
{
	switch (format) {
	case OCT:
		(void)snprintf(buf, size, "0%o", (unsigned int)value);
		break;
	case HEX:
		(void)snprintf(buf, size, "0x%llx", (long long)value);
		break;
	case OPEN_FLAGS:
		open_flags_text(value, buf, size);
		break;
	case ACL:
		acl_text(value, buf, size);
		break;
	case CAP:
		(void)snprintf(buf, size, "#%lld", (long long)value);
		break;
	default:
		(void)snprintf(buf, size, "%lld", (long long)value);
	}
}

/* Long names are told by their length. */
static size_t path_text(const char *path, char *buf, size_t size)
{
	size_t length = strlen(path);
	int wrote;

	if (length > 80)
		wrote = snprintf(buf, size, " \"%.40s...\"(%zu)", path, length);
	else
		wrote = snprintf(buf, size, " \"%s\"", path);
	return (size_t)wrote;
}

void op_describe(const struct op *op, char *buf, size_t size)
{
	const struct op_entry *entry = &table[op->kind];
	size_t at = (size_t)snprintf(buf, size, "%s$ %s",
				     identities[op->who].name, entry->name);

	if ((entry->uses & SL) && at < size)
		at += (size_t)snprintf(buf + at, size - at, " slot=%u",
				       op->slot);
	if ((entry->uses & P0) && at < size)
		at += path_text(op->path[0], buf + at, size - at);
	if ((entry->uses & P1) && at < size)
		at += path_text(op->path[1], buf + at, size - at);
	for (size_t i = 0; i < 6 && entry->arg[i].name != NULL; i++) {
		char text[256];

		arg_text(entry->arg[i].format, op->arg[i], text, sizeof(text));
		if (at < size)
			at += (size_t)snprintf(buf + at, size - at, " %s=%s",
					       entry->arg[i].name, text);
	}
	if ((entry->uses & UM) && at < size)
		(void)snprintf(buf + at, size - at, " umask=%03o", op->umask);
}

/* Paths hold no blank; an empty one is written as a dash. */
void op_write(const struct op *op, FILE *file)
{
	(void)fprintf(file, "R %s %u %u %u", op_name(op->kind), op->who,
		      op->slot, op->umask);
	for (size_t i = 0; i < 6; i++)
		(void)fprintf(file, " %lld", (long long)op->arg[i]);
	for (size_t i = 0; i < 2; i++)
		(void)fprintf(file, " %s",
			      op->path[i][0] == '\0' ? "-" : op->path[i]);
	(void)fputc('\n', file);
}

static const char *parse_word(const char *text, char *buf, size_t size)
{
	size_t length;

	while (*text == ' ')
		text++;
	length = strcspn(text, " \n");
	if (length == 0 || length >= size)
		return NULL;
	memcpy(buf, text, length);
	buf[length] = '\0';
	return text + length;
}

bool op_parse(const char *line, struct op *ret)
{
	struct op op = { .kind = OP_COUNT };
	char name[32];
	int64_t number[9];

	if (line[0] != 'R' || line[1] != ' ')
		return false;
	line = parse_word(line + 1, name, sizeof(name));
	if (line == NULL)
		return false;
	for (unsigned int kind = 0; kind < OP_COUNT; kind++) {
		if (strcmp(table[kind].name, name) == 0)
			op.kind = (enum op_kind)kind;
	}
	for (size_t i = 0; i < 9; i++) {
		while (*line == ' ')
			line++;
		if (!parse_number(line, &line, &number[i]))
			return false;
	}
	for (size_t i = 0; i < 2; i++) {
		line = parse_word(line, op.path[i], PATH_ARG);
		if (line == NULL)
			return false;
		if (strcmp(op.path[i], "-") == 0)
			op.path[i][0] = '\0';
	}
	if (op.kind == OP_COUNT || number[0] < 0 || number[0] >= IDENTITIES ||
	    number[1] < 0 || number[1] >= SLOTS || number[2] < 0)
		return false;
	op.who = (unsigned int)number[0];
	op.slot = (unsigned int)number[1];
	op.umask = (mode_t)number[2];
	memcpy(op.arg, number + 3, sizeof(op.arg));
	*ret = op;
	return true;
}
