/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

#include "idshift/backing.h"
#include "idshift/records.h"
#include "idshift/records_side.h"

static uint32_t revision(const struct vfs_ns_cap_data *data)
{
	return le32toh(data->magic_etc) & VFS_CAP_REVISION_MASK;
}

/* A blob as the kernel's cap_convert_nscap() lets through. */
static bool well_formed(const struct vfs_ns_cap_data *data, size_t size)
{
	return (size == XATTR_CAPS_SZ_2 &&
		revision(data) == VFS_CAP_REVISION_2) ||
	       (size == XATTR_CAPS_SZ_3 &&
		revision(data) == VFS_CAP_REVISION_3);
}

ssize_t records_capability_get(const struct records *records, int path_fd,
			       const struct statx *stx, void *value,
			       size_t size)
{
	struct disk_owner disk = backing_owner(stx);
	struct vfs_ns_cap_data data;
	struct wire_id root;
	ssize_t len;

	if (!S_ISREG(stx->stx_mode) || !view_is_ours(records->policy, &disk))
		return -ENODATA;
	len = side_read(records->db, path_fd, stx, SIDE_CAPABILITY, &data,
			sizeof(data));
	if (len == 0 || len == -EACCES || len == -ERANGE)
		return -ENODATA;
	if (len < 0)
		return len;
	if (!well_formed(&data, (size_t)len))
		return -ENODATA;
	if (len == XATTR_CAPS_SZ_3) {
		if (!userns_to_wire(&records->policy->userns_uid,
				    CONTAINER_ID(le32toh(data.rootid)), &root))
			return -ENODATA;
		data.rootid = htole32(root.value);
	}
	if (size > 0 && size < (size_t)len)
		return -ERANGE;
	if (size > 0)
		memcpy(value, &data, (size_t)len);
	return len;
}

int records_capability_set(const struct records *records, int path_fd,
			   const struct statx *stx, const void *value,
			   size_t size)
{
	struct disk_owner disk = backing_owner(stx);
	struct vfs_ns_cap_data data = { 0 };
	struct container_id root;

	if (!S_ISREG(stx->stx_mode) || !view_is_ours(records->policy, &disk))
		return -EPERM;
	if (size > sizeof(data))
		return -EINVAL;
	if (size > 0) {
		memcpy(&data, value, size);
		if (!well_formed(&data, size))
			return -EINVAL;
	}
	if (size == XATTR_CAPS_SZ_3) {
		if (!userns_to_container(&records->policy->userns_uid,
					 WIRE_ID(le32toh(data.rootid)), &root))
			return -EPERM;
		data.rootid = htole32(root.value);
	}
	return side_write(records->db, path_fd, stx, SIDE_CAPABILITY, &data,
			  size);
}
