/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rule of view.h decided what the container sees of an object. */
#ifndef IDSHIFT_TOOL_REASON_H
#define IDSHIFT_TOOL_REASON_H

#include "idshift/records.h"

enum reason {
	REASON_DISK,
	REASON_RECORD,
	REASON_RECORD_UNMAPPED,
	REASON_UNMAPPED,
	REASON_UNMAPPED_OPTION,
	REASON_NOT_OURS,
	REASON_HOST_CHGRP,
	REASON_HOST_CHMOD,
	REASON_MALFORMED,
	REASON_HIDDEN,
	REASON_LINK,
	REASON_COUNT,
};

struct explained {
	struct view view;
	char text[256]; /* the record as it is stored */
	size_t len;	/* 0: there is none, or an empty one */
	bool empty;	/* counts as none */
	bool too_long;	/* to be a record, or for text */
	const char *where;
	enum reason uid;
	enum reason gid;
	enum reason mode;
};

/* -errno */
int reason_find(const struct records *records, int path_fd,
		const struct statx *stx, struct explained *ret);

/* For tables, and a sentence. */
const char *reason_word(enum reason reason);
const char *reason_text(enum reason reason);

#endif
