/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of idshift-mount, read without side effects: no file, name
 * service or environment is looked at.
 *
 * Every option is -o NAME[=VALUE], --NAME=VALUE or --NAME VALUE.  In -o, items
 * end at a comma; `\,` is a comma and `\\` a backslash inside a value.  What
 * mount(8) and fstab(5) add for themselves is accepted and ignored.  Of an
 * option given twice the last counts, but map=, uidmap= and gidmap= add up.
 */
#ifndef IDSHIFT_OPTIONS_H
#define IDSHIFT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "idshift/chown_mode.h"
#include "idshift/error.h"
#include "idshift/ids.h"
#include "idshift/mapspec.h"
#include "idshift/podman_map.h"

/* Bounds what a command line can make us hold. */
#define STRING_LIST_MAX 4096

enum options_action {
	ACTION_MOUNT,
	ACTION_PRINT_MAP,
	ACTION_HELP,
	ACTION_VERSION,
};

enum userns_mode {
	USERNS_AUTO,
	USERNS_HOST,
	USERNS_KEEP_ID,
	USERNS_NOMAP,
	USERNS_PID,
	USERNS_PODMAN,
};

enum cache_mode { CACHE_AUTO, CACHE_NONE, CACHE_ALWAYS };
enum xattr_mode { XATTR_MODE_RW, XATTR_MODE_NONE };
enum locks_mode { LOCKS_HOST, LOCKS_LOCAL };
enum switch_mode { SWITCH_ON, SWITCH_OFF };

struct string_list {
	char **items;
	size_t count;
};

struct options {
	enum options_action action;
	char *source;	  /* NULL only where the action needs none */
	char *mountpoint; /* likewise */
	bool foreground;
	bool debug; /* implies foreground */
	bool json;

	/* Whose user namespace; what is checked here is their form. */
	enum userns_mode userns;
	char *userns_text; /* as given; NULL: not given */
	struct podman_keep_id keep_id;
	pid_t pid; /* of USERNS_PID */
	struct string_list uidmap;
	struct string_list gidmap;

	/* The owner map. */
	struct string_list map;
	bool has_owner;
	struct container_id owner_uid;
	struct container_id owner_gid;
	struct container_id unmapped; /* ID_NONE: not given */

	enum chown_mode chown;
	bool has_caller;
	struct mapspec_caller caller;
	char *run_as; /* NULL: not given */
	char *state;  /* likewise */
	char *trace;  /* likewise */
	char *resume; /* likewise */
	bool public_mount;
	bool read_only;
	bool noexec;
	enum xattr_mode xattr;
	enum locks_mode locks;
	enum switch_mode sandbox;
	enum switch_mode passthrough; /* on: where it is possible */

	/* Seconds; what wasn't given follows from `cache`. */
	enum cache_mode cache;
	double attr_timeout;
	double entry_timeout;
	double negative_timeout;
	bool negative_given;

	unsigned int threads; /* at most; started on demand */
	unsigned int max_fds; /* 0: the program chooses */
};

/*
 * argv[0] is not read.  -EINVAL with a reason: EXIT_STATUS_MAP for what is
 * wrong with ids and maps, else EXIT_STATUS_USAGE; *ret is untouched then.
 */
int options_parse(int argc, char *const argv[], struct options *ret,
		  struct error *error);
void options_destroy(struct options *options);

/* The text of --help. */
extern const char options_help[];

#endif
