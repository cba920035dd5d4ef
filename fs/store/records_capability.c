/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <stddef.h>
#include <string.h>
#include <sys/xattr.h>

#include "idshift/backing.h"
#include "idshift/records.h"
#include "idshift/records_side.h"

static uint32_t revision(const struct vfs_ns_cap_data *data)
{
	return le32toh(data->magic_etc) & VFS_CAP_REVISION_MASK;
}

/* Stands for an empty value: of a record, empty means none. */
static const char empty_value[] = { 0 };

/* A blob as the kernel's cap_convert_nscap() lets through. */
static bool well_formed(const struct vfs_ns_cap_data *data, size_t size)
{
	return (size == XATTR_CAPS_SZ_2 &&
		revision(data) == VFS_CAP_REVISION_2) ||
	       (size == XATTR_CAPS_SZ_3 &&
		revision(data) == VFS_CAP_REVISION_3);
}

/* The id of the root of the namespace for which it counts, as stored. */
static bool stored_root_to_wire(const struct view_policy *policy,
				uint32_t stored, struct wire_id *ret)
{
	struct container_id root = CONTAINER_ID(stored);

	if (policy->real_owners &&
	    !owner_map_to_container(&policy->owner_uid, DISK_ID(stored), &root))
		return false;
	return userns_to_wire(&policy->userns_uid, root, ret);
}

static bool wire_root_to_stored(const struct view_policy *policy,
				struct wire_id wire, uint32_t *ret)
{
	struct container_id root;
	struct disk_id disk;

	if (!userns_to_container(&policy->userns_uid, wire, &root))
		return false;
	*ret = root.value;
	if (!policy->real_owners)
		return true;
	if (!owner_map_to_disk(&policy->owner_uid, root, &disk))
		return false;
	*ret = disk.value;
	return true;
}

/* As stored; 0 for an empty value. */
static ssize_t read_stored(const struct records *records, int path_fd,
			   const struct statx *stx,
			   struct vfs_ns_cap_data *data)
{
	struct disk_owner disk = backing_owner(stx);
	ssize_t len;

	if (records->policy->real_owners)
		return backing_getxattr(path_fd, XATTR_NAME_CAPS, data,
					sizeof(*data));
	if (!view_is_ours(records->policy, &disk))
		return -ENODATA;
	len = side_read(records->db, path_fd, stx, SIDE_CAPABILITY, data,
			sizeof(*data));
	if (len == 0 || len == -EACCES || len == -ERANGE)
		return -ENODATA;
	return len == sizeof(empty_value) ? 0 : len;
}

/* The value with the root id on the wire; its length. */
static ssize_t read_value(const struct records *records, int path_fd,
			  const struct statx *stx, struct vfs_ns_cap_data *data)
{
	ssize_t len = read_stored(records, path_fd, stx, data);
	struct wire_id root;

	if (len <= 0)
		return len;
	if (!well_formed(data, (size_t)len))
		return -ENODATA;
	if (len == XATTR_CAPS_SZ_3) {
		if (!stored_root_to_wire(records->policy, le32toh(data->rootid),
					 &root))
			return -ENODATA;
		data->rootid = htole32(root.value);
	}
	return len;
}

ssize_t records_capability_get(const struct records *records, int path_fd,
			       const struct statx *stx, void *value,
			       size_t size)
{
	struct vfs_ns_cap_data data;
	ssize_t len = read_value(records, path_fd, stx, &data);

	if (len <= 0 || size == 0)
		return len;
	if (size < (size_t)len)
		return -ERANGE;
	memcpy(value, &data, (size_t)len);
	return len;
}

/*
 * A disk's own that makes no sense, such as an empty one, can't be read, nor
 * can one whose root has no id here.
 */
static bool is_there(ssize_t len)
{
	return len >= 0 || len == -EINVAL || len == -EOVERFLOW;
}

/* XATTR_CREATE and XATTR_REPLACE. */
static int judge_flags(const struct records *records, int path_fd,
		       const struct statx *stx, int flags)
{
	struct vfs_ns_cap_data data;
	ssize_t len;

	if ((flags & (XATTR_CREATE | XATTR_REPLACE)) == 0)
		return 0;
	len = read_value(records, path_fd, stx, &data);
	if (is_there(len) && (flags & XATTR_CREATE) != 0)
		return -EEXIST;
	if (len == -ENODATA && (flags & XATTR_REPLACE) == 0)
		return 0;
	return is_there(len) ? 0 : (int)len;
}

/*
 * NULL removes.  ctime moves as with an attribute on the object, wherever it is
 * kept.
 */
static int write_value(const struct records *records, int path_fd,
		       const struct statx *stx, const void *value, size_t size)
{
	struct vfs_ns_cap_data old;
	ssize_t len;
	int r;

	if (records->policy->real_owners && value == NULL)
		return backing_removexattr(path_fd, XATTR_NAME_CAPS);
	if (records->policy->real_owners)
		return backing_setxattr(path_fd, XATTR_NAME_CAPS, value, size,
					0);
	if (!side_in_xattr(stx)) {
		len = side_read(records->db, path_fd, stx, SIDE_CAPABILITY,
				&old, sizeof(old));
		/* As ext4, which leaves ctime alone then. */
		if (len > 0 && len == (ssize_t)size &&
		    memcmp(&old, value, size) == 0)
			return 0;
	}
	r = side_write(records->db, path_fd, stx, SIDE_CAPABILITY, value, size);
	if (r == 0)
		r = backing_touch_ctime(path_fd, stx);
	records_cache_drop(records->cache, stx);
	return r < 0 ? r : 0;
}

int records_capability_set(const struct records *records, int path_fd,
			   const struct statx *stx, const void *value,
			   size_t size, int flags)
{
	struct disk_owner disk = backing_owner(stx);
	struct vfs_ns_cap_data data = { 0 };
	uint32_t root;
	int r;

	if (!view_is_ours(records->policy, &disk))
		return -EPERM;
	r = judge_flags(records, path_fd, stx, flags);
	if (r < 0)
		return r;
	if (size == 0 && records->policy->real_owners)
		return write_value(records, path_fd, stx, "", 0);
	if (size == 0)
		return write_value(records, path_fd, stx, empty_value,
				   sizeof(empty_value));
	if (size > sizeof(data))
		return -EINVAL;
	memcpy(&data, value, size);
	if (!well_formed(&data, size))
		return -EINVAL;
	if (size == XATTR_CAPS_SZ_3) {
		if (!wire_root_to_stored(records->policy,
					 WIRE_ID(le32toh(data.rootid)), &root))
			return -EPERM;
		data.rootid = htole32(root);
	}
	return write_value(records, path_fd, stx, &data, size);
}

int records_capability_remove(const struct records *records, int path_fd,
			      const struct statx *stx)
{
	struct vfs_ns_cap_data data;
	ssize_t len = read_value(records, path_fd, stx, &data);

	if (!is_there(len))
		return (int)len;
	return write_value(records, path_fd, stx, NULL, 0);
}
