/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IDSHIFT_CALLERS_H
#define IDSHIFT_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The directory that all paths start from. */
extern int root;
/*
 * fs.protected_symlinks and the like are on: the kernel judges them itself, by
 * the caller that it knows, so nothing that they concern is tried.
 */
extern bool guarded;
extern uint64_t random_state;

uint32_t below(uint32_t bound);
unsigned int any_id(void);
unsigned int any_mode(bool dir);
/* Into 16 bytes, `types`: of its last component. */
void any_path(char *path, const char *types);
/* An ACL as an attribute, into 80 bytes; its length. */
size_t any_acl(char *blob, bool minimal);

const char *below_root(const char *path);
/* Ends the program with what failed. */
void must(int r, const char *what, const char *path);

void make_tree(void);
void ask_about_tree(void);
/* Prints it with its result. */
void one_call(void);

#endif
