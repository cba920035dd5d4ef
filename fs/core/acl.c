/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/acl.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOB_VERSION UINT32_C(2)
#define BLOB_HEADER 4
#define BLOB_ENTRY 8

#define PERM_BITS (ACL_READ | ACL_WRITE | ACL_EXECUTE)

static int acl_new(size_t count, struct acl **ret)
{
	struct acl *acl;

	acl = malloc(sizeof(*acl) + count * sizeof(acl->entries[0]));
	if (acl == NULL)
		return -ENOMEM;
	acl->count = count;
	*ret = acl;
	return 0;
}

void acl_free(struct acl *acl)
{
	free(acl);
}

static bool is_named(const struct acl_entry *entry)
{
	return entry->tag == ACL_USER || entry->tag == ACL_GROUP;
}

static bool is_tag(uint16_t tag)
{
	switch (tag) {
	case ACL_USER_OBJ:
	case ACL_USER:
	case ACL_GROUP_OBJ:
	case ACL_GROUP:
	case ACL_MASK:
	case ACL_OTHER:
		return true;
	default:
		return false;
	}
}

/* Blobs are not aligned: they come from the middle of FUSE messages. */
static uint16_t get_le16(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get_le32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void put_le16(unsigned char *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static void put_le32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

int acl_parse(const void *blob, size_t size, struct acl **ret)
{
	_cleanup_acl_ struct acl *acl = NULL;
	const unsigned char *at = blob;
	int r;

	if (size == 0) {
		*ret = NULL;
		return 0;
	}
	if (size > ACL_MAX_SIZE)
		return -E2BIG;
	if (size < BLOB_HEADER)
		return -EINVAL;
	if (get_le32(at) != BLOB_VERSION)
		return -EOPNOTSUPP;
	size -= BLOB_HEADER;
	at += BLOB_HEADER;
	if (size % BLOB_ENTRY != 0)
		return -EINVAL;
	if (size == 0) {
		*ret = NULL;
		return 0;
	}
	r = acl_new(size / BLOB_ENTRY, &acl);
	if (r < 0)
		return r;
	for (size_t i = 0; i < acl->count; i++, at += BLOB_ENTRY) {
		struct acl_entry *entry = &acl->entries[i];

		entry->tag = get_le16(at);
		entry->perm = get_le16(at + 2);
		if (!is_tag(entry->tag))
			return -EINVAL;
		entry->id = is_named(entry) ? get_le32(at + 4) : ID_NONE;
	}
	*ret = acl;
	acl = NULL;
	return 0;
}

size_t acl_blob_size(const struct acl *acl)
{
	return BLOB_HEADER + acl->count * BLOB_ENTRY;
}

int acl_format(const struct acl *acl, void *buf, size_t size)
{
	unsigned char *at = buf;

	if (size < acl_blob_size(acl))
		return -ERANGE;
	put_le32(at, BLOB_VERSION);
	at += BLOB_HEADER;
	for (size_t i = 0; i < acl->count; i++, at += BLOB_ENTRY) {
		const struct acl_entry *entry = &acl->entries[i];

		put_le16(at, entry->tag);
		put_le16(at + 2, entry->perm);
		put_le32(at + 4, is_named(entry) ? entry->id : ID_NONE);
	}
	return 0;
}

int acl_to_blob(const struct acl *acl, char **ret, size_t *ret_size)
{
	*ret = NULL;
	*ret_size = acl != NULL ? acl_blob_size(acl) : 0;
	if (acl == NULL)
		return 0;
	*ret = malloc(*ret_size);
	return *ret == NULL ? -ENOMEM : acl_format(acl, *ret, *ret_size);
}

int acl_validate(const struct acl *acl)
{
	/* The highest tag so far: the tags' values are in the order wanted. */
	uint16_t last = 0;
	unsigned int seen = 0;

	for (size_t i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entries[i];

		if ((entry->perm & ~PERM_BITS) != 0 || !is_tag(entry->tag))
			return -EINVAL;
		if (is_named(entry)) {
			if (entry->tag < last || entry->id == ID_NONE)
				return -EINVAL;
		} else if (entry->tag <= last) {
			return -EINVAL;
		}
		last = entry->tag;
		seen |= entry->tag;
	}
	if ((seen & ACL_USER_OBJ) == 0 || (seen & ACL_GROUP_OBJ) == 0 ||
	    (seen & ACL_OTHER) == 0)
		return -EINVAL;
	if ((seen & (ACL_USER | ACL_GROUP)) != 0 && (seen & ACL_MASK) == 0)
		return -EINVAL;
	return 0;
}

bool acl_is_mode(const struct acl *acl)
{
	for (size_t i = 0; i < acl->count; i++) {
		if (is_named(&acl->entries[i]) ||
		    acl->entries[i].tag == ACL_MASK)
			return false;
	}
	return true;
}

/* The entry of a tag that occurs once, or NULL. */
static const struct acl_entry *find_entry(const struct acl *acl, uint16_t tag)
{
	for (size_t i = 0; i < acl->count; i++) {
		if (acl->entries[i].tag == tag)
			return &acl->entries[i];
	}
	return NULL;
}

static mode_t entry_bits(const struct acl_entry *entry)
{
	return entry == NULL ? 0 : (mode_t)(entry->perm & PERM_BITS);
}

mode_t acl_mode_bits(const struct acl *acl)
{
	const struct acl_entry *group = find_entry(acl, ACL_MASK);

	if (group == NULL)
		group = find_entry(acl, ACL_GROUP_OBJ);
	return entry_bits(find_entry(acl, ACL_USER_OBJ)) << 6 |
	       entry_bits(group) << 3 | entry_bits(find_entry(acl, ACL_OTHER));
}

/*
 * Which bits of a mode an entry stands for, as a shift; false: none.  With a
 * mask, the mode's group bits are the mask's, and the group keeps its own.
 */
static bool entry_shift(const struct acl_entry *entry, bool has_mask,
			unsigned int *ret)
{
	switch (entry->tag) {
	case ACL_USER_OBJ:
		*ret = 6;
		return true;
	case ACL_GROUP_OBJ:
		*ret = 3;
		return !has_mask;
	case ACL_MASK:
		*ret = 3;
		return true;
	case ACL_OTHER:
		*ret = 0;
		return true;
	default:
		return false;
	}
}

void acl_chmod(struct acl *acl, mode_t mode)
{
	bool has_mask = find_entry(acl, ACL_MASK) != NULL;

	for (size_t i = 0; i < acl->count; i++) {
		struct acl_entry *entry = &acl->entries[i];
		unsigned int shift;

		if (entry_shift(entry, has_mask, &shift))
			entry->perm = (uint16_t)(mode >> shift & PERM_BITS);
	}
}

int acl_inherit(const struct acl *parent_default, mode_t mode,
		struct acl **ret_access, mode_t *ret_mode)
{
	_cleanup_acl_ struct acl *acl = NULL;
	bool has_mask = find_entry(parent_default, ACL_MASK) != NULL;
	mode_t granted;
	int r = acl_clone(parent_default, &acl);

	if (r < 0)
		return r;
	for (size_t i = 0; i < acl->count; i++) {
		struct acl_entry *entry = &acl->entries[i];
		unsigned int shift;

		if (entry_shift(entry, has_mask, &shift))
			entry->perm = (uint16_t)(entry->perm & mode >> shift);
	}
	granted = acl_mode_bits(acl);
	if (acl_is_mode(acl)) {
		*ret_access = NULL;
	} else {
		*ret_access = acl;
		acl = NULL;
	}
	*ret_mode = (mode & ~(mode_t)0777) | granted;
	return 0;
}

int acl_clone(const struct acl *acl, struct acl **ret)
{
	struct acl *copy;
	int r = acl_new(acl->count, &copy);

	if (r < 0)
		return r;
	memcpy(copy->entries, acl->entries,
	       acl->count * sizeof(acl->entries[0]));
	*ret = copy;
	return 0;
}

int acl_translate(const struct acl *acl, const struct acl_translation *how,
		  struct acl **ret)
{
	_cleanup_acl_ struct acl *copy = NULL;
	size_t count = 0;
	int r = acl_clone(acl, &copy);

	if (r < 0)
		return r;
	for (size_t i = 0; i < copy->count; i++) {
		struct acl_entry entry = copy->entries[i];
		uint32_t to = how->replacement;
		bool found = !is_named(&entry) ||
			     (entry.id != ID_NONE &&
			      how->translate(how->ctx, entry.tag == ACL_GROUP,
					     entry.id, &to));

		if (!found && how->unmapped == ACL_UNMAPPED_FAIL)
			return -EINVAL;
		if (!found && how->unmapped == ACL_UNMAPPED_DROP)
			continue;
		if (is_named(&entry))
			entry.id = found ? to : how->replacement;
		copy->entries[count++] = entry;
	}
	copy->count = count;
	*ret = copy;
	copy = NULL;
	return 0;
}
