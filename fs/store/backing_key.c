/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/vfs.h>

#include <linux/magic.h>

/* Kinds of parts in a key, so that one can't be taken for another. */
#define PART_FSID 'f'
#define PART_HANDLE 'h'
#define PART_BIRTH 'b'

static void append(struct backing_key *key, const void *bytes, size_t len)
{
	memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

static void append_kind(struct backing_key *key, char kind)
{
	append(key, &kind, 1);
}

static void append_filesystem(const struct statfs *fs, struct backing_key *key)
{
	append_kind(key, PART_FSID);
	append(key, &fs->f_type, sizeof(fs->f_type));
	append(key, &fs->f_fsid, sizeof(fs->f_fsid));
}

/* A FUSE server may have asked this of what a symbolic link leads to. */
static bool is_of_link(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/*
 * name_to_handle_at(2): the file system has no handles, or a filter doesn't
 * let us ask.  Any other error may pass, and two keys of one object would be
 * two objects.
 */
static bool has_no_handles(int error)
{
	return error == EOPNOTSUPP || error == EOVERFLOW || error == ENOSYS ||
	       error == EPERM;
}

static int make_key(int fd, const char *name, const struct statx *stx,
		    struct backing_key *ret)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	struct backing_key key = { 0 };
	struct statfs fs;
	int mount_id;

	if (fstatfs(fd, &fs) < 0)
		return is_of_link(errno) ? -EOPNOTSUPP : -errno;
	append_filesystem(&fs, &key);
	u.handle.handle_bytes = MAX_HANDLE_SZ;
	errno = EOPNOTSUPP;
	if (fs.f_type != FUSE_SUPER_MAGIC &&
	    name_to_handle_at(fd, name, &u.handle, &mount_id,
			      name[0] == '\0' ? AT_EMPTY_PATH : 0) == 0) {
		append_kind(&key, PART_HANDLE);
		append(&key, &u.handle.handle_type,
		       sizeof(u.handle.handle_type));
		append(&key, u.handle.f_handle, u.handle.handle_bytes);
	} else if (!has_no_handles(errno)) {
		return -errno;
	} else if ((stx->stx_mask & STATX_BTIME) != 0) {
		key.by_birth = true;
		append_kind(&key, PART_BIRTH);
		append(&key, &stx->stx_ino, sizeof(stx->stx_ino));
		append(&key, &stx->stx_btime.tv_sec,
		       sizeof(stx->stx_btime.tv_sec));
		append(&key, &stx->stx_btime.tv_nsec,
		       sizeof(stx->stx_btime.tv_nsec));
	} else {
		return -EOPNOTSUPP;
	}
	*ret = key;
	return 0;
}

int backing_key(int path_fd, const struct statx *stx, struct backing_key *ret)
{
	return make_key(path_fd, "", stx, ret);
}

int backing_key_child(int dir_fd, const char *name, const struct statx *stx,
		      struct backing_key *ret)
{
	return make_key(dir_fd, name, stx, ret);
}
