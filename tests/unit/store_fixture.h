/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A temporary source directory, and records on it. */
#ifndef IDSHIFT_TESTS_STORE_FIXTURE_H
#define IDSHIFT_TESTS_STORE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/records.h"

#include "view_fixture.h"

#define NO ID_NONE

struct store {
	char dir[PATH_MAX]; /* holds src and state */
	int src;	    /* path fd */
	struct view_policy policy;
	struct records_db *db;
	struct records records;
};

/* cmocka's setup and teardown; the first for sergio, whom we then are. */
int store_setup_sergio(void **state);
int store_setup_root(void **state);
int store_teardown(void **state);
#define SERGIO_TEST(f) \
	cmocka_unit_test_setup_teardown(f, store_setup_sergio, store_teardown)
#define ROOT_TEST(f) \
	cmocka_unit_test_setup_teardown(f, store_setup_root, store_teardown)

/* Skips where the fixture could not be made: it has said why. */
static inline struct store *store_of(void **state)
{
	if (*state == NULL)
		skip();
	return *state;
}

/* Effective ids only: root again for what the host does. */
void become_sergio(void);
/* With the policy's idea of the groups outdated: not in group 2000. */
void become_sergio_without_group(void);
void become_root(void);

/* DIR in a temporary directory of our own; remove it with all in it. */
void temp_dir_make(char dir[PATH_MAX]);
void temp_dir_remove(const char *dir);
/* A disk without room, mounted there; false: we may not. */
bool full_disk_mount(const char *dir);
void full_disk_unmount(const char *dir);

/* What the host does. */
void host_file(const struct store *store, const char *name, mode_t mode);
void host_dir(const struct store *store, const char *name, mode_t mode);
void host_node(const struct store *store, const char *name, mode_t mode);
void host_chmod(const struct store *store, const char *name, mode_t mode);
void host_chown(const struct store *store, const char *name, uint32_t uid,
		uint32_t gid);
void host_set_record(const struct store *store, const char *name,
		     const char *text);

/* What the container does: records_apply(), and its result. */
int apply(const struct store *store, const char *name, uint32_t uid,
	  uint32_t gid, mode_t mode);

void stat_entry(const struct store *store, const char *name, struct statx *ret);
bool entry_exists(const struct store *store, const char *name);
/* Entries of the source directory. */
int count_entries(const struct store *store);

/* Asserts; the modes are without type. */
void expect_view(const struct store *store, const char *name, uint32_t uid,
		 uint32_t gid, mode_t mode);
void expect_disk(const struct store *store, const char *name, uint32_t uid,
		 uint32_t gid, mode_t mode);
/* The text of the extended attribute, NULL for none. */
void expect_record(const struct store *store, const char *name,
		   const char *text);
/* The same for the database. */
void expect_db_record(const struct store *store, const char *name,
		      const char *text);

#endif
