/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended attributes, ACLs (acl(5)), capabilities (capabilities(7)). */
#include "oracle.h"

#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define ACL_ENTRIES_MAX 9
#define NO_ID UINT32_MAX

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static struct acl_entry acl_entry(struct rng *rng, uint16_t tag, uint32_t id)
{
	return (struct acl_entry){
		.tag = tag,
		.perm = (uint16_t)rng_below(rng, 8),
		.id = id,
	};
}

/*
 * The ACL that a number stands for: 0 and -1 are no ACL at all (empty, and
 * to be removed); else three entries, named ones by chance, and now and then
 * one that lacks its mask.
 */
static size_t acl_entries(int64_t variant,
			  struct acl_entry entries[ACL_ENTRIES_MAX])
{
	const uint32_t uids[] = { 1000, 1001, 5, 1002 };
	const uint32_t gids[] = { 2000, 60, 1000, 0 };
	struct rng rng = { .state = (uint64_t)variant };
	size_t count = 0;
	bool named = false;

	entries[count++] = acl_entry(&rng, ACL_USER_OBJ, NO_ID);
	if (rng_below(&rng, 2)) {
		entries[count++] =
			acl_entry(&rng, ACL_USER, uids[rng_below(&rng, 2)]);
		if (rng_below(&rng, 3) == 0)
			entries[count++] = acl_entry(
				&rng, ACL_USER, uids[2 + rng_below(&rng, 2)]);
		named = true;
	}
	entries[count++] = acl_entry(&rng, ACL_GROUP_OBJ, NO_ID);
	if (rng_below(&rng, 2)) {
		entries[count++] =
			acl_entry(&rng, ACL_GROUP, gids[rng_below(&rng, 2)]);
		if (rng_below(&rng, 3) == 0)
			entries[count++] = acl_entry(
				&rng, ACL_GROUP, gids[2 + rng_below(&rng, 2)]);
		named = true;
	}
	if ((named && rng_below(&rng, 30)) || rng_below(&rng, 5) == 0)
		entries[count++] = acl_entry(&rng, ACL_MASK, NO_ID);
	entries[count++] = acl_entry(&rng, ACL_OTHER, NO_ID);
	/* An id outside of the namespace's map. */
	if (named && rng_below(&rng, 40) == 0)
		entries[1].id = 70000;
	return count;
}

size_t acl_blob(int64_t variant, char *buf, size_t size)
{
	struct acl_entry entries[ACL_ENTRIES_MAX];
	size_t count = variant > 0 ? acl_entries(variant, entries) : 0;
	uint32_t version = htole32(POSIX_ACL_XATTR_VERSION);
	size_t at = sizeof(version);

	if (size < at + count * sizeof(struct posix_acl_xattr_entry))
		return 0;
	memcpy(buf, &version, sizeof(version));
	for (size_t i = 0; i < count; i++) {
		struct posix_acl_xattr_entry raw = {
			.e_tag = htole16(entries[i].tag),
			.e_perm = htole16(entries[i].perm),
			.e_id = htole32(entries[i].id),
		};

		memcpy(buf + at, &raw, sizeof(raw));
		at += sizeof(raw);
	}
	return at;
}

void acl_text(int64_t variant, char *buf, size_t size)
{
	struct acl_entry entries[ACL_ENTRIES_MAX];
	size_t count, at = 0;

	if (variant <= 0) {
		(void)snprintf(buf, size, variant < 0 ? "remove" : "empty");
		return;
	}
	count = acl_entries(variant, entries);
	for (size_t i = 0; i < count && at < size; i++) {
		unsigned int tag = entries[i].tag, perm = entries[i].perm;
		char id[16] = "";

		if (entries[i].id != NO_ID)
			(void)snprintf(id, sizeof(id), "%u", entries[i].id);
		at += (size_t)snprintf(
			buf + at, size - at, "%s%c:%s:%c%c%c", i ? "," : "",
			tag == ACL_MASK			       ? 'm' :
			tag == ACL_OTHER		       ? 'o' :
			tag == ACL_USER || tag == ACL_USER_OBJ ? 'u' :
								 'g',
			id, perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-',
			perm & 1 ? 'x' : '-');
	}
}

/* Versions 2 and 3, and three malformed ones. */
size_t cap_blob(int64_t variant, char *buf, size_t size)
{
	struct vfs_ns_cap_data cap = {
		.magic_etc =
			htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data = { { .permitted = htole32(1U << 10) } },
	};
	size_t length = XATTR_CAPS_SZ_2;

	if (variant == 1 || variant == 2) {
		cap.magic_etc = htole32(VFS_CAP_REVISION_3);
		cap.rootid = htole32(variant == 1 ? 0 : 1000);
		length = XATTR_CAPS_SZ_3;
	} else if (variant == 3) {
		length = 5;
	} else if (variant == 4) {
		cap.magic_etc = htole32(VFS_CAP_REVISION_1);
		length = XATTR_CAPS_SZ_1;
	} else if (variant == 5) {
		cap.magic_etc = htole32(0x07000000);
	}
	if (length > size)
		return 0;
	memcpy(buf, &cap, length);
	return length;
}

static long set_value(const struct op *op, const char *path)
{
	static char value[70000];
	size_t size = (size_t)op->arg[0] % sizeof(value);

	memset(value, (int)op->arg[1], size);
	if (op->arg[3])
		return lsetxattr(path, op->path[1], value, size,
				 (int)op->arg[2]);
	return setxattr(path, op->path[1], value, size, (int)op->arg[2]);
}

static long set_special(const struct op *op, const char *path)
{
	char blob[128];
	const char *name = "security.capability";
	size_t length;
	int flags = 0;

	if (op->kind == OP_SETCAP) {
		length = cap_blob(op->arg[0], blob, sizeof(blob));
		flags = (int)op->arg[1];
	} else {
		name = op->arg[1] ? "system.posix_acl_default" :
				    "system.posix_acl_access";
		length = acl_blob(op->arg[0], blob, sizeof(blob));
	}
	if (op->arg[0] == -1)
		return removexattr(path, name);
	return setxattr(path, name, blob, length, flags);
}

static int compare_strings(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The order of names is nobody's business. */
static void sort_list(struct result *ret, size_t length)
{
	static char sorted[DATA_MAX];
	const char *names[256];
	size_t count = 0, at = 0;

	while (at < length && count < 256) {
		names[count++] = ret->data + at;
		at += strnlen(ret->data + at, length - at) + 1;
	}
	if (count > 1)
		qsort(names, count, sizeof(*names), compare_strings);
	ret->length = 0;
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]) + 1;

		memcpy(sorted + ret->length, names[i], size);
		ret->length += (uint32_t)size;
	}
	memcpy(ret->data, sorted, ret->length);
}

static long get_value(const struct op *op, const char *path, struct result *ret)
{
	size_t size = op->arg[0] < DATA_MAX ? (size_t)op->arg[0] : DATA_MAX;
	bool nofollow = op->arg[1] != 0;
	ssize_t got;

	if (op->kind == OP_LISTXATTR)
		got = nofollow ? llistxattr(path, ret->data, size) :
				 listxattr(path, ret->data, size);
	else
		got = nofollow ? lgetxattr(path, op->path[1], ret->data, size) :
				 getxattr(path, op->path[1], ret->data, size);
	if (got <= 0 || size == 0)
		return got;
	if (op->kind == OP_LISTXATTR)
		sort_list(ret, (size_t)got);
	else
		ret->length = (uint32_t)got;
	return got;
}

long op_execute_xattr(const struct op *op, struct actor *actor,
		      enum tree_id tree, struct result *ret)
{
	char path[PATH_ARG + 40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s",
		       actor->dir[tree], op->path[0]);
	switch (op->kind) {
	case OP_SETXATTR:
		return set_value(op, path);
	case OP_GETXATTR:
	case OP_LISTXATTR:
		return get_value(op, path, ret);
	case OP_REMOVEXATTR:
		return op->arg[0] ? lremovexattr(path, op->path[1]) :
				    removexattr(path, op->path[1]);
	default:
		return set_special(op, path);
	}
}
