/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idshift stat: what the disk says, what is recorded, what shows, and why. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"

#include "command.h"
#include "message.h"
#include "reason.h"
#include "target.h"

enum { OPT_JSON };

static const struct command_option options[] = {
	[OPT_JSON] = { "json", '\0', OPTION_FLAG },
	{ NULL, '\0', OPTION_FLAG },
};

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFBLK:
		return "block device";
	case S_IFCHR:
		return "character device";
	default:
		return "unknown";
	}
}

/* As ls(1) writes it. */
static void mode_text(mode_t mode, char text[11])
{
	static const char kinds[] = "?pc?d?b?-?l?s???";
	static const char rwx[] = "rwxrwxrwx";

	text[0] = kinds[(mode & S_IFMT) >> 12];
	for (int i = 0; i < 9; i++)
		text[i + 1] = (mode >> (8 - i) & 1) != 0 ? rwx[i] : '-';
	if ((mode & S_ISUID) != 0)
		text[3] = (mode & S_IXUSR) != 0 ? 's' : 'S';
	if ((mode & S_ISGID) != 0)
		text[6] = (mode & S_IXGRP) != 0 ? 's' : 'S';
	if ((mode & S_ISVTX) != 0)
		text[9] = (mode & S_IXOTH) != 0 ? 't' : 'T';
	text[10] = '\0';
}

/* What the container's stat(2) says. */
static unsigned int shown(struct container_id id)
{
	return container_id_is_mapped(id) ? id.value : ID_OVERFLOW;
}

static void print_one(const char *path, const struct statx *stx,
		      const struct explained *e)
{
	char text[11];

	print_clean(stdout, path);
	(void)printf(": %s\n", type_name(stx->stx_mode));
	mode_text(stx->stx_mode, text);
	(void)printf("  disk       %u:%u %04o %s\n", stx->stx_uid, stx->stx_gid,
		     stx->stx_mode & MODE_BITS, text);
	if (e->len > 0) {
		(void)fputs("  record     ", stdout);
		print_clean(stdout, e->text);
		(void)printf(" (%s)\n", e->where);
	} else if (e->empty) {
		(void)puts("  record     empty, which counts as none");
	} else if (e->too_long) {
		(void)puts("  record     too long to be one");
	} else {
		(void)puts("  record     none");
	}
	mode_text(e->view.mode, text);
	(void)printf("  container  %u:%u %04o %s\n", shown(e->view.uid),
		     shown(e->view.gid), e->view.mode & MODE_BITS, text);
	(void)printf("  uid: %s\n", reason_text(e->uid));
	(void)printf("  gid: %s\n", reason_text(e->gid));
	(void)printf("  mode: %s\n", reason_text(e->mode));
}

static void print_row(const char *path, const struct statx *stx,
		      const struct explained *e)
{
	char text[11];

	mode_text(e->view.mode, text);
	(void)printf("%s %5u %5u  %04o %5u %5u  %s,%s,%s  ", text,
		     shown(e->view.uid), shown(e->view.gid),
		     stx->stx_mode & MODE_BITS, stx->stx_uid, stx->stx_gid,
		     reason_word(e->uid), reason_word(e->gid),
		     reason_word(e->mode));
	print_clean(stdout, path);
	(void)fputc('\n', stdout);
}

static json_t *octal(mode_t mode)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "%04o",
		       (unsigned int)(mode & MODE_BITS));
	return json_string(text);
}

static json_t *to_json(const char *path, const struct statx *stx,
		       const struct explained *e)
{
	json_t *record =
		e->len > 0 || e->empty ?
			json_pack("{s:o,s:s}", "text", text_to_json(e->text),
				  "in", e->where) :
			json_null();

	return json_pack(
		"{s:o,s:s,s:{s:I,s:I,s:o},s:o,s:{s:I,s:I,s:o},"
		"s:{s:s,s:s,s:s}}",
		"path", text_to_json(path), "type", type_name(stx->stx_mode),
		"disk", "uid", (json_int_t)stx->stx_uid, "gid",
		(json_int_t)stx->stx_gid, "mode", octal(stx->stx_mode),
		"record", record, "container", "uid",
		(json_int_t)shown(e->view.uid), "gid",
		(json_int_t)shown(e->view.gid), "mode", octal(e->view.mode),
		"why", "uid", reason_word(e->uid), "gid", reason_word(e->gid),
		"mode", reason_word(e->mode));
}

struct output {
	const struct target *target;
	bool table;
	json_t *array; /* NULL: text */
};

static int show(const struct output *out, const char *path)
{
	char reason[TARGET_REASON_MAX];
	struct explained explained;
	struct statx stx;
	_cleanup_fd_ int fd = target_open_path(path, false, &stx);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && target_is_in_mount(fd, reason)) {
		complain_path("stat", path, reason);
		return 1;
	}
	if (r == 0)
		r = reason_find(&out->target->records, fd, &stx, &explained);
	if (r < 0) {
		complain_path("stat", path, strerror(-r));
		return 1;
	}
	if (out->array != NULL)
		(void)json_array_append_new(out->array,
					    to_json(path, &stx, &explained));
	else if (out->table)
		print_row(path, &stx, &explained);
	else
		print_one(path, &stx, &explained);
	return 0;
}

static int show_all(const struct command_line *line,
		    const struct target *target)
{
	struct output out = {
		.target = target,
		.table = line->operand_count > 1,
		.array = line->values[OPT_JSON] != NULL ? json_array() : NULL,
	};
	int code = 0;

	if (out.table && out.array == NULL)
		(void)puts("container    uid   gid  disk   uid   gid  why "
			   "(uid,gid,mode)  path");
	for (size_t i = 0; i < line->operand_count; i++)
		code |= show(&out, line->operands[i]);
	if (out.array != NULL) {
		(void)json_dumpf(out.array, stdout,
				 JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		(void)fputc('\n', stdout);
		json_decref(out.array);
	}
	return fflush(stdout) != 0 || ferror(stdout) ? EXIT_STATUS_OTHER : code;
}

static int run(int argc, char *const argv[])
{
	_cleanup_command_line_ struct command_line line = { .operands = NULL };
	struct error error = { .exit_code = EXIT_STATUS_OTHER };
	struct target target;
	int code;
	int r = command_line_parse(argc, argv, options, NULL, &line, &error);

	if (r == 0 && line.operand_count == 0)
		r = error_set(&error, EXIT_STATUS_USAGE,
			      "PATH is missing; see 'idshift stat --help'");
	if (r == 0)
		r = target_open(&line, &target, &error);
	if (r < 0)
		return complain("stat", &error);
	code = show_all(&line, &target);
	target_close(&target);
	return code;
}

const struct command command_stat = {
	.name = "stat",
	.run = run,
	.summary = "owner and mode on disk and in the container, and why",
	.help = "usage: idshift stat [--json] [MAP OPTIONS] PATH...\n"
		"\n"
		"What the disk says of PATH, what is recorded, what the "
		"container sees of it,\n"
		"and which rule decided; a table for several paths.  Links "
		"themselves are meant.\n"
		"\n"
		"      --json  as JSON\n" MAP_OPTIONS_HELP "\n"
		"Exit status: 0, 1 if a path can't be read, 2 usage, 3 map.\n",
};
