/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POSIX ACLs as the extended attributes system.posix_acl_access and
 * system.posix_acl_default carry them (linux/posix_acl_xattr.h, version 2,
 * little endian), and the rules of the kernel's fs/posix_acl.c about them.
 *
 * The ids of named entries are raw numbers, of whichever kind (ids.h) the
 * blob was read in: ACLs that the source stores hold disk ids, ACLs that come
 * through FUSE hold wire ids, and ACLs that access.h judges or that we keep in
 * user.idshift.* hold container ids.  Only acl_translate() changes the kind,
 * and its caller says from which into which.
 *
 * Pure.  A struct acl is plain memory: shared by threads only while no one
 * changes it.
 */
#ifndef IDSHIFT_ACL_H
#define IDSHIFT_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/posix_acl.h> /* ACL_USER_OBJ..., ACL_READ... */

#include "idshift/ids.h"

#define ACL_XATTR_ACCESS "system.posix_acl_access"
#define ACL_XATTR_DEFAULT "system.posix_acl_default"

/* The kernel's XATTR_SIZE_MAX. */
#define ACL_MAX_SIZE 65536

struct acl_entry {
	uint16_t tag;  /* ACL_USER_OBJ ... ACL_OTHER */
	uint16_t perm; /* ACL_READ | ACL_WRITE | ACL_EXECUTE */
	uint32_t id;   /* of ACL_USER and ACL_GROUP; ID_NONE in the others */
};

/*
 * Entries in the order of the blob, which acl_validate() requires to be that
 * of the tags.  Named ids need not be sorted and may occur twice, as the
 * kernel has it; the first one that matches a user counts.
 */
struct acl {
	size_t count;
	struct acl_entry entries[];
};

/*
 * Read a blob.  As in setxattr(2), an empty value and a header without
 * entries mean "no ACL": *ret is NULL then.  The ids of unnamed entries are
 * ignored.  The result is not validated.  Free it with acl_free().
 *
 * -EINVAL      no whole number of entries, or an unknown tag
 * -EOPNOTSUPP  a version other than 2
 * -E2BIG       more than ACL_MAX_SIZE bytes
 * -ENOMEM
 */
int acl_parse(const void *blob, size_t size, struct acl **ret);

/* Bytes that acl_format() writes. */
size_t acl_blob_size(const struct acl *acl);

/* Write the blob.  -ERANGE: `size` is less than acl_blob_size(). */
int acl_format(const struct acl *acl, void *buf, size_t size);

/* The blob, to be freed with free(3); NULL and 0 for no ACL.  -ENOMEM */
int acl_to_blob(const struct acl *acl, char **ret, size_t *ret_size);

/*
 * 0 or -EINVAL by posix_acl_valid(): one each of owner, group and other in
 * the order of the tags, a mask if there is any named entry, no bits but rwx,
 * and named entries with ids.
 */
int acl_validate(const struct acl *acl);

/* Is there nothing in it that mode bits cannot say? (posix_acl_equiv_mode) */
bool acl_is_mode(const struct acl *acl);

/*
 * The permission bits, 0..0777, that a file with this access ACL has: the
 * mask stands in for the group if there is one (posix_acl_equiv_mode).
 */
mode_t acl_mode_bits(const struct acl *acl);

/* Bring a valid access ACL to the mode of a chmod(2) (posix_acl_chmod). */
void acl_chmod(struct acl *acl, mode_t mode);

/*
 * A new file in a directory whose default ACL is `parent_default`, valid
 * (posix_acl_create).  `mode` is what was asked for, without the umask
 * applied: where there is a default ACL the umask does not count.
 *
 * *ret_access  the file's access ACL; NULL: the mode says it all
 * *ret_mode    `mode` with the permission bits that the file gets
 *
 * A new directory also gets a copy of the default ACL itself (acl_clone).
 * -ENOMEM
 */
int acl_inherit(const struct acl *parent_default, mode_t mode,
		struct acl **ret_access, mode_t *ret_mode);

/* -ENOMEM */
int acl_clone(const struct acl *acl, struct acl **ret);

/*
 * Find the counterpart of a named entry's id; false: it has none.  `from` is
 * never ID_NONE, which has no counterpart.
 */
typedef bool acl_translate_fn(void *ctx, bool group, uint32_t from,
			      uint32_t *ret_to);

/* What becomes of a named entry whose id has no counterpart. */
enum acl_unmapped {
	/* -EINVAL, as setxattr(2) with an id not in the user namespace. */
	ACL_UNMAPPED_FAIL,
	/*
	 * The entry stays, with the id that is given.  getxattr(2) natively
	 * shows ID_NONE, and not the overflow id (checked on Linux 6.18).
	 */
	ACL_UNMAPPED_REPLACE,
	/* It is left out: whom nobody can be, no entry is for. */
	ACL_UNMAPPED_DROP,
};

struct acl_translation {
	acl_translate_fn *translate;
	void *ctx;
	enum acl_unmapped unmapped;
	uint32_t replacement; /* for ACL_UNMAPPED_REPLACE */
};

/*
 * A copy with the ids of named entries translated.  Entries keep their order;
 * where ids fall together, so do their entries' ids, and with ID_NONE as
 * replacement the result is for showing: acl_validate() refuses it.
 *
 * -EINVAL  an id without a counterpart, under ACL_UNMAPPED_FAIL
 * -ENOMEM
 */
int acl_translate(const struct acl *acl, const struct acl_translation *how,
		  struct acl **ret);

/* NULL is fine. */
void acl_free(struct acl *acl);

static inline void cleanup_acl_impl(struct acl **acl)
{
	acl_free(*acl);
}

#define _cleanup_acl_ __attribute__((cleanup(cleanup_acl_impl)))

#endif
