/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to options.c and options_table.c. */
#ifndef IDSHIFT_OPTIONS_TABLE_H
#define IDSHIFT_OPTIONS_TABLE_H

#include "idshift/options.h"

struct option_def {
	const char *name;
	int (*set)(struct options *options, const struct option_def *def,
		   const char *value, struct error *error);
	/* The field: how `set` takes it is its own. */
	size_t offset;
	const char *const *choices; /* NULL-terminated, in the enum's order */
	uint64_t min;
	uint64_t max;
	bool flag;	 /* takes no value */
	bool flag_value; /* what a flag sets */
	bool long_only;	 /* not in -o */
};

/* The option of this name, or NULL. */
const struct option_def *option_find(const char *name, size_t len);

#endif
